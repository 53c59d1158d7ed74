"""A search over the settings of a recipe."""

from __future__ import annotations

from pathlib import Path

import keras_tuner

from tfdpzoo.data import ImageDataset
from tfdpzoo.privacy.search import Bound
from tfdpzoo.tuning.halving import share_of_epochs
from tfdpzoo.tuning.hypermodel_trials import TrialSettings
from tfdpzoo.tuning.private_tuner import PrivateTuner
from tfdpzoo.tuning.proposals import read_proposal
from tfdpzoo.tuning.search_folder import TrialFolder
from tfdpzoo.tuning.search_plan import SearchBudget
from tfdpzoo.tuning.space import Space
from tfdpzoo.tuning.trials import RecipeTrials, TrialOrder


class RecipeTuner(PrivateTuner):
    """Searches for the best settings of a recipe; see `PrivateTuner`.

    Args:
        trials: The recipe, its data set and its model.
        space: Which settings are searched.
        budget: What the whole search may cost, and the law or the number of its trials.
        oracle: As `PrivateTuner` takes it.
        held_out: The share of the examples that trials are scored on instead of trained.
        keep_trials: Keeps what the losing trials left.
        folder: Of the search.
        insecure_seed: A known seed of all draws, for tests.

    Raises:
        InputError: The space is empty or constant, or the oracle does not fit the budget.
    """

    def __init__(
        self,
        trials: RecipeTrials,
        space: Space,
        budget: SearchBudget,
        folder: Path,
        *,
        oracle: keras_tuner.Oracle | None = None,
        held_out: float = 0.1,
        keep_trials: bool = False,
        insecure_seed: int | None = None,
    ) -> None:
        self._recipe_trials = trials
        self.space = space
        privacy = trials.recipe.privacy
        super().__init__(
            None,
            budget,
            TrialSettings(privacy.batch_size, privacy.epochs),
            oracle=oracle,
            held_out=held_out,
            keep_trials=keep_trials,
            directory=folder.parent,
            project_name=folder.name,
            insecure_seed=insecure_seed,
        )

    @property
    def bound(self) -> Bound:
        """`renyi` if the search can change what a trial costs, or `exact`."""
        return "renyi" if self.space.touches_accounting else "exact"

    def make_trials(self, dataset: ImageDataset) -> RecipeTrials:
        """Returns what the processes of the trials have in common."""
        return self._recipe_trials

    def order_of(self, folder: TrialFolder) -> TrialOrder:
        """Returns what a proposed trial is to do, as values of the recipe."""
        proposal = read_proposal(folder)
        parameters = self._own_oracle.get_space()
        parameters.values = proposal
        return TrialOrder(
            self.space.declare(parameters), share_of_epochs(self._own_oracle, proposal)
        )

    def _populate_initial_space(self) -> None:
        parameters = self.oracle.get_space()
        self.space.explore(parameters)
        self.oracle.update_space(parameters)
