"""Image classifiers with a provable differential privacy guarantee, for TensorFlow and Keras.

The names below are imported when they are first used, so that `import tfdpzoo` takes no time and
does not import TensorFlow.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfdpzoo.distribution import make_strategy
    from tfdpzoo.dpsgd.clipped_sum import clipped_gradient_sum
    from tfdpzoo.dpsgd.model import PrivateModel
    from tfdpzoo.dpsgd.plan import PrivacyPlan
    from tfdpzoo.errors import InputError
    from tfdpzoo.privacy.guarantee import PrivacyGuarantee
    from tfdpzoo.saved_model import export
    from tfdpzoo.verification import verify
    from tfdpzoo.zoo import build

    __version__: str

__all__ = [
    "InputError",
    "PrivacyGuarantee",
    "PrivacyPlan",
    "PrivateModel",
    "build",
    "clipped_gradient_sum",
    "export",
    "make_strategy",
    "verify",
]

_MODULES = {
    "InputError": "tfdpzoo.errors",
    "PrivacyGuarantee": "tfdpzoo.privacy.guarantee",
    "PrivacyPlan": "tfdpzoo.dpsgd.plan",
    "PrivateModel": "tfdpzoo.dpsgd.model",
    "build": "tfdpzoo.zoo",
    "clipped_gradient_sum": "tfdpzoo.dpsgd.clipped_sum",
    "export": "tfdpzoo.saved_model",
    "make_strategy": "tfdpzoo.distribution",
    "verify": "tfdpzoo.verification",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = metadata.version("tfdpzoo")
    elif name in _MODULES:
        value = getattr(importlib.import_module(_MODULES[name]), name)
    else:
        raise AttributeError(f"module 'tfdpzoo' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
