"""Settings that are drawn independently for each trial."""

from __future__ import annotations

from typing import Any

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.tuning.draws import draw


class IndependentOracle(keras_tuner.Oracle):
    """Proposes settings that depend on nothing but a secret and the number of the trial.

    KerasTuner's own random search never proposes the same settings twice, so that a proposal
    depends on those before it. What a random number of trials costs was proved for independent
    ones, and so these draws may repeat each other.

    Args:
        objective: As any oracle takes it.
        **kwargs: As any oracle takes them.
    """

    def __init__(self, objective: keras_tuner.Objective, **kwargs: Any) -> None:
        super().__init__(objective=objective, **kwargs)
        self.key: SecretKey | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Draws the settings of a trial.

        Args:
            trial_id: The trial's number.
        """
        if self.key is None:
            raise ValueError("The secret of the search has to be set before its first trial.")
        key, trial = self.key, int(trial_id)
        values = draw(
            self.hyperparameters.space, lambda name: key.derive(f"settings {name}", trial)
        )
        return {"status": TrialStatus.RUNNING, "values": values}
