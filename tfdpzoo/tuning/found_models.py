"""What a search found: its best trial, other trials that are covered, and the guarantee."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import keras

from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.search import Released
from tfdpzoo.trained_weights import private_model_of
from tfdpzoo.training_job import TrainingJob
from tfdpzoo.tuning.search_folder import SearchFolder, TrialFolder
from tfdpzoo.tuning.search_state import SearchState
from tfdpzoo.tuning.trial_result import best_trials
from tfdpzoo.tuning.trial_training import job_of, start_after_the_end
from tfdpzoo.tuning.trials import read_trials


@dataclass(frozen=True)
class FoundModels:
    """The models of a search that has ended, as far as its guarantee covers them.

    Attributes:
        folder: Of the search.
        state: Of the search.
        released: What the guarantee covers.

    Raises:
        InputError: The search has not ended.
    """

    folder: SearchFolder
    state: SearchState
    released: Released

    def __post_init__(self) -> None:
        require_ended(self.folder)

    @property
    def best_folder(self) -> TrialFolder:
        """The folder of the best trial."""
        return self.folder.trial(self.folder.winner.read_text())

    def best(self, number: int) -> list[PrivateModel]:
        """Returns the best models with their ledgers, the best first.

        Args:
            number: How many.

        Raises:
            InputError: The guarantee does not cover so many.
        """
        if number > 1 and self.released != "all trials":
            raise InputError(
                f"The guarantee covers the best model alone, not {number}; only an adaptive search "
                "with keep_trials=True covers more."
            )
        return [self.private(folder) for folder, _ in best_trials(self.folder)[:number]]

    def private(self, folder: TrialFolder) -> PrivateModel:
        """Returns the model of a trial with its ledger.

        Args:
            folder: Of the trial.

        Raises:
            InputError: The guarantee does not cover it.
        """
        if folder != self.best_folder and self.released != "all trials":
            raise InputError(f"The guarantee covers the best model alone, not trial {folder.name}.")
        return private_model_of(self.job_of(folder), start_after_the_end(folder, self.state))

    def job_of(self, folder: TrialFolder) -> TrainingJob:
        """Returns the training of a trial, as its process had it.

        Args:
            folder: Of the trial.
        """
        return job_of(folder, self.state, read_trials(self.folder.common))

    def guarantee_of(self, private: PrivateModel) -> PrivacyGuarantee:
        """Returns the guarantee of a model: epsilon is that of the whole search.

        Args:
            private: The model with its ledger.
        """
        guarantee = private.guarantee(
            tuning=Tuning.accounted(self.state.plan.search(self.released)),
            target_epsilon=self.state.plan.budget.epsilon,
        )
        # Who knows when a search began and ended knows about how many trials it had.
        day = guarantee.provenance.date[: len("2026-11-27")]
        return dataclasses.replace(
            guarantee, provenance=dataclasses.replace(guarantee.provenance, date=day)
        )


def require_ended(folder: SearchFolder) -> None:
    """Refuses to look at what an unfinished search found.

    Args:
        folder: Of the search.

    Raises:
        InputError: The search has not ended.
    """
    if not folder.winner.exists():
        raise InputError(
            "The search has not ended; call search to the end. What an unfinished search found "
            "must not be released."
        )


def with_released_weights(private: PrivateModel) -> keras.Model:
    """Returns the wrapped model, for good with the weights that are released.

    Args:
        private: The trained model.
    """
    with private.released_weights() as model:
        weights = model.get_weights()
    private.model.set_weights(weights)
    return private.model
