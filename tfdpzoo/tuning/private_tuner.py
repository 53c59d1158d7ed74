"""A KerasTuner tuner whose whole search stays within one privacy budget."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tfdpzoo.data import ImageDataset
from tfdpzoo.dpsgd.model import PrivateModel
from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.search import Bound, Released
from tfdpzoo.run_lock import locked
from tfdpzoo.tuning.data_copy import DATA_FILE, read_copy, write_copy
from tfdpzoo.tuning.examples import as_dataset
from tfdpzoo.tuning.fitting_oracle import oracle_for, require_fitting, schedule_of
from tfdpzoo.tuning.found_models import FoundModels, require_ended, with_released_weights
from tfdpzoo.tuning.halving import share_of_epochs
from tfdpzoo.tuning.hypermodel_trials import ACCOUNTED_NAMES, HypermodelTrials, TrialSettings
from tfdpzoo.tuning.independent_oracle import IndependentOracle
from tfdpzoo.tuning.objective import OBJECTIVE
from tfdpzoo.tuning.progress import ended_trials
from tfdpzoo.tuning.proposals import read_proposal, remember_proposals
from tfdpzoo.tuning.result_files import remove_results, write_results
from tfdpzoo.tuning.search_folder import SearchFolder, TrialFolder
from tfdpzoo.tuning.search_plan import SearchBudget, SearchPlan
from tfdpzoo.tuning.search_state import SearchState, first_state, new_secret, split_sizes
from tfdpzoo.tuning.trial_process import run_in_a_process
from tfdpzoo.tuning.trial_result import TrialResult, best_trials
from tfdpzoo.tuning.trials import TrialOrder, Trials, write_trials

_SECONDS_BETWEEN_REQUESTS = 0.05
_LONGEST_WAIT_FOR_THE_LEADER = 600.0


class PrivateTuner(keras_tuner.Tuner):
    """Searches for the best model within one privacy budget, and states what it cost.

    It is used as any KerasTuner tuner: `search`, then `get_best_models`, and `guarantee()` for the
    epsilon of the whole search. Called again with the same arguments it goes on with a search that
    was stopped or killed; trials that have ended are neither run nor counted again. Each trial runs
    in a process of its own. With KerasTuner's environment variables (`KERASTUNER_TUNER_ID`,
    `KERASTUNER_ORACLE_IP`, `KERASTUNER_ORACLE_PORT`) and a folder that all of them see, several
    processes run trials side by side for one chief.

    Formal guarantee:
        That of `tfdpzoo.privacy.search`: the best model with its settings and its noised score is
        (epsilon, delta)-differentially private with respect to adding or removing one of the
        examples that `search` is given, with epsilon and delta of the budget. In the random mode
        this holds if neither the other trials nor their number nor the time that the search took
        become known, so the folder of a search is private.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function from hyper-parameters to a compiled
            `keras.Model` from pixels (0 to 255) to logits. Its optimizer is used; hyper-parameters
            called `batch_size`, `epochs` and `clip_norm` set these of the trial.
        budget: What the whole search may cost, and the law or the number of its trials.
        settings: How each trial is trained.
        oracle: Proposes settings, with the objective `tfdpzoo.tuning.OBJECTIVE`. By default draws
            that are independent in the random mode, which takes no other, and Bayesian optimization
            in the adaptive one.
        held_out: The share of the examples that trials are scored on instead of trained.
        keep_trials: Keeps what the losing trials left. In the adaptive mode the guarantee then
            covers all trials; in the random one it cannot. `search` without it deletes them, also
            where an earlier call kept them.
        directory: Where the folder of the search goes.
        project_name: The folder's name.
        overwrite: Deletes what an earlier search of that name left and begins anew. What that one
            cost is in no guarantee then, so nothing of it may have been seen. A folder of anything
            else is refused.
        insecure_seed: A known seed of all draws, for tests: the guarantee is then invalid.

    Raises:
        InputError: The oracle does not fit the budget, or its objective is not counted.

    Example:
        >>> from tfdpzoo.tuning import RepetitionLaw
        >>> budget = SearchBudget(7.0, 1e-5, law=RepetitionLaw("logarithmic", 8.0))
        >>> settings = TrialSettings(batch_size=512, epochs=20)
        >>> tuner = PrivateTuner(build, budget, settings)  # doctest: +SKIP
        >>> tuner.search(images, labels)  # doctest: +SKIP
        >>> model = tuner.get_best_models()[0]  # doctest: +SKIP
        >>> print(tuner.guarantee().sentence())  # doctest: +SKIP
    """

    def __init__(
        self,
        hypermodel: keras_tuner.HyperModel | Callable[..., keras.Model] | None,
        budget: SearchBudget,
        settings: TrialSettings,
        *,
        oracle: keras_tuner.Oracle | None = None,
        held_out: float = 0.1,
        keep_trials: bool = False,
        directory: str | Path = ".",
        project_name: str = "private_search",
        overwrite: bool = False,
        insecure_seed: int | None = None,
    ) -> None:
        self.budget = budget
        self.settings = settings
        self.held_out = held_out
        self.keep_trials = keep_trials
        self.folder = SearchFolder(Path(directory) / project_name)
        self.insecure_seed = insecure_seed
        self._state: SearchState | None = None
        oracle = oracle or oracle_for(budget)
        require_fitting(oracle, budget, keep_trials)
        # What the chief and a process alone answer with; other processes only ask.
        self._own_oracle = oracle
        remember_proposals(oracle, self.folder)
        oracle.end_trial = functools.partial(self._end_trial, oracle.end_trial)
        if overwrite and not self._is_worker():
            _remove_search(self.folder)
        self.folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(
            oracle=oracle,
            hypermodel=hypermodel,
            directory=str(self.folder.path),
            project_name=self.folder.keras_tuner.name,
            # Its files are replayed from ours, see `proposals`.
            overwrite=not self._is_worker(),
        )

    def search(self, *data: Any, **others: Any) -> None:
        """Runs the trials that are left of the search.

        Args:
            *data: An `ImageDataset`, whose training images are the private examples, or their
                pixels `(examples, height, width, channels)` and their labels.
            **others: `verbose` alone: what a trial trains on is decided here.

        Raises:
            InputError: The budget is too small for the trials, the search was begun otherwise, no
                trial came to its end, or private data would be used that nobody counts.
            TrialStoppedError: A trial was asked to stop.
            KeyboardInterrupt: This process was; the trial that runs is saved first.
        """
        verbose = others.pop("verbose", "auto")
        _refuse_uncounted(others)
        dataset = as_dataset(data)
        if self._is_worker():
            self._state = self._wait_for_the_leader()
            super().search(verbose=verbose)
            return
        with locked(self.folder.lock):
            self._state = self._begin(dataset)
            if not self.folder.winner.exists():
                self._run_all(verbose)
                self._choose_winner()
            # Also where the search has ended: it may have been killed just here.
            self._delete_losers()

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Runs a trial, or remembers what it came to.

        Raises:
            FailedTrialError: The trial crashed, which counts as a trial.
        """
        folder = self.folder.trial(trial.trial_id)
        result = TrialResult.read(folder) or self._run(folder)
        if result.score is None:
            raise keras_tuner.errors.FailedTrialError(result.reason)
        return {OBJECTIVE: result.score}

    def _run(self, folder: TrialFolder) -> TrialResult:
        self.order_of(folder).write(folder)
        return run_in_a_process(folder)

    def order_of(self, folder: TrialFolder) -> TrialOrder:
        """Returns what a proposed trial is to do.

        Args:
            folder: Of the trial, with the proposal in it.
        """
        proposal = read_proposal(folder)
        own = {name: value for name, value in proposal.items() if not name.startswith("tuner/")}
        return TrialOrder(own, share_of_epochs(self._own_oracle, proposal))

    def on_trial_ended(self, name: str) -> None:
        """Called in the process that leads the search, when a trial has ended in any process.

        Args:
            name: Of the trial.
        """

    def _try_run_and_update_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> None:
        # KerasTuner's own prints a traceback for a trial that failed, and takes any other error,
        # such as a full disk, for one.
        try:
            self._run_and_update_trial(trial)
            trial.status = TrialStatus.COMPLETED
        except keras_tuner.errors.FailedTrialError as error:
            trial.status, trial.message = TrialStatus.FAILED, str(error)

    def pre_create_trial(self) -> None:
        """Waits a moment: KerasTuner asks again at once where a chief has no trial yet."""
        time.sleep(_SECONDS_BETWEEN_REQUESTS)

    def plan_for(self, dataset: ImageDataset, examples: int, held_out_examples: int) -> SearchPlan:
        """Calibrates the plan of the search.

        Args:
            dataset: All examples.
            examples: How many of them trials are trained on.
            held_out_examples: How many trials are scored on.

        Raises:
            InputError: The budget is too small for the trials, or a setting does not fit.
        """
        return SearchPlan.calibrate(
            self.budget,
            examples=examples,
            held_out_examples=held_out_examples,
            batch_size=self.settings.batch_size,
            epochs=self.settings.epochs,
            bound=self.bound,
            longest_trials=schedule_of(self._own_oracle).longest_trials,
        )

    @property
    def bound(self) -> Bound:
        """`renyi` if the search can change what a trial costs, or `exact`."""
        names = {each.name for each in self._own_oracle.get_space().space}
        return "renyi" if names & set(ACCOUNTED_NAMES) else "exact"

    @property
    def released(self) -> Released:
        """What the guarantee covers."""
        return "all trials" if self.keep_trials else "the best trial"

    def make_trials(self, dataset: ImageDataset) -> Trials:
        """Returns what the processes of the trials have in common.

        Args:
            dataset: All examples.
        """
        path = (self.folder.path / DATA_FILE).absolute()
        if not path.exists():
            write_copy(dataset, path)
        load = functools.partial(read_copy, path)
        return HypermodelTrials(
            self.hypermodel, self._own_oracle.get_space().get_config(), load, self.settings
        )

    def get_best_models(self, num_models: int = 1) -> list[keras.Model]:
        """Returns the best models, as they may be released, the best first.

        Args:
            num_models: How many; more than one are covered only by an adaptive search that keeps
                its trials.

        Raises:
            InputError: The guarantee does not cover so many, or the search has not ended.
        """
        return [with_released_weights(each) for each in self.found.best(num_models)]

    def load_model(self, trial: Trial) -> keras.Model:
        """Returns the model of a trial that the guarantee covers.

        Raises:
            InputError: It does not cover it, or the search has not ended.
        """
        return with_released_weights(self.found.private(self.folder.trial(trial.trial_id)))

    def best_private_model(self) -> PrivateModel:
        """Returns the best model with its ledger, as `tfdpzoo.export` takes it with `guarantee()`.

        Raises:
            InputError: The search has not ended.
        """
        return self.found.best(1)[0]

    def guarantee(self) -> PrivacyGuarantee:
        """Returns the guarantee of the best model: epsilon is that of the whole search.

        Raises:
            InputError: The search has not ended.
        """
        return self.found.guarantee_of(self.best_private_model())

    @property
    def found(self) -> FoundModels:
        """What the search found, with the trials' folders.

        Raises:
            InputError: The search has not ended.
        """
        require_ended(self.folder)
        return FoundModels(self.folder, self.state, self.released)

    @property
    def state(self) -> SearchState:
        """What the search has to remember.

        Raises:
            InputError: It was not begun.
        """
        state = self._state or SearchState.read(self.folder.state)
        if state is None:
            raise InputError("The search has not begun; call search first.")
        return state

    def begin(self, dataset: ImageDataset) -> SearchState:
        """Draws what is drawn once, unless that was done, and runs no trial.

        Args:
            dataset: All examples.

        Raises:
            InputError: As `search` says.
        """
        with locked(self.folder.lock):
            return self._begin(dataset)

    def _begin(self, dataset: ImageDataset) -> SearchState:
        trials = self.make_trials(dataset)
        state = SearchState.read(self.folder.state)
        if state is None:
            secret = new_secret(self.insecure_seed)
            sizes = split_sizes(dataset, self.held_out, secret)
            state = first_state(
                self.plan_for(dataset, *sizes),
                dataset,
                secret=secret,
                insecure_seed=self.insecure_seed,
                held_out=self.held_out,
                common_digest=trials.digest(),
            )
        else:
            state.require_same(self.budget, trials.digest())
            state.require_same_data(dataset)
        write_trials(trials, self.folder.common)
        # Last: whoever finds it finds everything else.
        state.write(self.folder.state)
        return state

    def _run_all(self, verbose: Any) -> None:
        oracle = self._own_oracle
        if self.state.trials == 0:
            return
        oracle.max_trials = self.state.trials
        if isinstance(oracle, IndependentOracle):
            oracle.key = self.state.key
        super().search(verbose=verbose)

    def _end_trial(self, end: Callable[[Trial], None], trial: Trial) -> None:
        """Ends a trial as the oracle does, in the process that has it, and tells of it."""
        end(trial)
        self._write_results()
        self.on_trial_ended(trial.trial_id)

    def _write_results(self) -> None:
        space = self._own_oracle.get_space().space
        logarithmic = {each.name for each in space if getattr(each, "sampling", "") == "log"}
        write_results(self.folder.path, ended_trials(self.folder), frozenset(logarithmic))

    def _choose_winner(self) -> None:
        ranked = best_trials(self.folder)
        if not ranked:
            raise InputError(_nothing_to_release(self.state.trials))
        replace_durably(self.folder.winner, ranked[0][0].name.encode())

    def _delete_losers(self) -> None:
        if self.keep_trials:
            return
        remove_results(self.folder.path)
        self.folder.remove_trials(but=self.found.best_folder.name)
        self._write_results()

    def _wait_for_the_leader(self) -> SearchState:
        until = time.monotonic() + _LONGEST_WAIT_FOR_THE_LEADER
        while (state := SearchState.read(self.folder.state)) is None:
            if time.monotonic() > until:
                raise InputError(
                    f"No chief has begun the search in {self.folder.path}; start it with "
                    "KERASTUNER_TUNER_ID=chief, in the same folder."
                )
            time.sleep(1.0)
        return state


def _remove_search(folder: SearchFolder) -> None:
    if not folder.path.exists():
        return
    if not folder.lock.exists():
        raise InputError(
            f"{folder.path} is not the folder of a search and is not overwritten; give another "
            "directory or project_name."
        )
    shutil.rmtree(folder.path)


def _refuse_uncounted(others: dict[str, Any]) -> None:
    for name in ("validation_data", "validation_split"):
        if name in others:
            raise InputError(
                f"{name} would score trials on examples that nobody counts; a part of the examples "
                "that search is given is held out for that, see held_out."
            )
    if others:
        raise InputError(
            f"search takes no {min(others)}: how a trial is trained belongs to TrialSettings."
        )


def _nothing_to_release(trials: int) -> str:
    if trials == 0:
        return (
            "The law drew no trial at all, which it does once in a while and which is part of its "
            "cost: nothing is released. Another law than poisson always draws one."
        )
    return (
        "No trial came to its end, so that there is nothing to release; the messages of each are "
        "in its folder. What the search cost is spent all the same if anything of it was seen."
    )
