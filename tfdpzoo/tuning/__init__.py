"""Searches for settings whose privacy cost is counted; see `PrivateTuner`.

The names below are imported when they are first used, for KerasTuner imports TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfdpzoo.privacy.repetition import RepetitionLaw
    from tfdpzoo.tuning.hypermodel_trials import TrialSettings
    from tfdpzoo.tuning.objective import OBJECTIVE, counted_objective
    from tfdpzoo.tuning.private_tuner import PrivateTuner
    from tfdpzoo.tuning.search_plan import SearchBudget, SearchPlan

__all__ = [
    "OBJECTIVE",
    "PrivateTuner",
    "RepetitionLaw",
    "SearchBudget",
    "SearchPlan",
    "TrialSettings",
    "counted_objective",
]

_MODULES = {
    "OBJECTIVE": "tfdpzoo.tuning.objective",
    "PrivateTuner": "tfdpzoo.tuning.private_tuner",
    "RepetitionLaw": "tfdpzoo.privacy.repetition",
    "SearchBudget": "tfdpzoo.tuning.search_plan",
    "SearchPlan": "tfdpzoo.tuning.search_plan",
    "TrialSettings": "tfdpzoo.tuning.hypermodel_trials",
    "counted_objective": "tfdpzoo.tuning.objective",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
