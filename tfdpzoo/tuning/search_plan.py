"""The privacy plan of a search: the total budget in, the budget of each trial out."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfdpzoo.dpsgd.plan import PrivacyPlan, TrialPlan, count_updates, require_sampling
from tfdpzoo.errors import InputError
from tfdpzoo.privacy import accounting
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.privacy.search import (
    Bound,
    Released,
    Search,
    SearchMode,
    account_search,
    event_of_scores,
)

SMALLEST_TRIAL_EPSILON = 0.1
"""With less than that nothing can be learned from images, and a search is refused."""

_LEAST_NOISE, _MOST_NOISE = 0.1, 1e4
_TOLERANCE = 1e-5


class TooSmallBudgetError(InputError):
    """A budget leaves so little for each trial that nothing can be learned."""


@dataclass(frozen=True)
class SearchBudget:
    """What a whole search may cost, and how that is counted.

    Attributes:
        epsilon: Of the whole search, scores included.
        delta: Below one over the number of training and held-out examples together.
        law: Of the secret number of trials; None for a search of which every trial counts.
        trials: Of a search of which every trial counts; None for a random number.

    Raises:
        InputError: There is a law and a number of trials, or none of them.

    Example:
        >>> SearchBudget(7.0, 1e-5, law=RepetitionLaw("logarithmic", 10.0)).mode
        'random'
    """

    epsilon: float
    delta: float
    law: RepetitionLaw | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        if (self.law is None) == (self.trials is None):
            raise InputError(
                "A search has either a law of its number of trials or a number of trials that all "
                "count in full."
            )
        if self.trials is not None and self.trials < 1:
            raise InputError(f"A search needs at least one trial, not {self.trials}.")
        if not 0 < self.epsilon < math.inf:
            raise InputError(f"epsilon is {self.epsilon!r}; it must be a finite number above zero.")

    @property
    def mode(self) -> SearchMode:
        """`random` with a law, `adaptive` without."""
        return "adaptive" if self.law is None else "random"

    @property
    def expected_trials(self) -> float:
        """How many trials there are, on average where that is random."""
        return self.trials if self.law is None else self.law.mean  # type: ignore[return-value]


@dataclass(frozen=True)
class SearchPlan:
    """What each trial of a search may do, so that the search stays within its budget.

    Made by `calibrate`. The formal guarantee is that of `tfdpzoo.privacy.search`.

    Attributes:
        budget: Of the whole search.
        examples: How many examples each trial is trained on.
        held_out_examples: How many each is scored on.
        batch_size: Expected batch of a trial whose settings do not say otherwise.
        updates: Of such a trial, the longest one.
        updates_in_all: Of all trials together, where every trial counts; None otherwise.
        bound: `exact` where all trials have this batch size and at most these updates, or `renyi`.
        noise_multiplier: Sigma of such a trial.
        score_noise_multiplier: Standard deviation of the noise on a number of right answers.

    Example:
        >>> budget = SearchBudget(7.0, 1e-5, law=RepetitionLaw("logarithmic", 10.0))
        >>> plan = SearchPlan.calibrate(budget, examples=45_000, held_out_examples=5_000,
        ...                             batch_size=1024, epochs=30)
        >>> plan.trial_epsilon > 4
        True
    """

    budget: SearchBudget
    examples: int
    held_out_examples: int
    batch_size: int
    updates: int
    updates_in_all: int | None
    bound: Bound
    noise_multiplier: float
    score_noise_multiplier: float

    @classmethod
    def calibrate(
        cls,
        budget: SearchBudget,
        *,
        examples: int,
        held_out_examples: int,
        batch_size: int,
        epochs: float,
        bound: Bound = "exact",
        longest_trials: float | None = None,
    ) -> SearchPlan:
        """Finds the least noise with which the whole search stays within its budget.

        Args:
            budget: Of the whole search.
            examples: How many examples each trial is trained on.
            held_out_examples: How many each is scored on.
            batch_size: Expected batch of a trial.
            epochs: Of a trial, of the longest where they differ.
            bound: `renyi` if trials may differ in batch size and updates.
            longest_trials: To how many trials of the longest kind all trials together amount; by
                default their number. Where `bound` is `renyi` each counts as one of them.

        Raises:
            InputError: A value is out of its range.
            TooSmallBudgetError: The budget is too small for the trials.
        """
        if held_out_examples < 1:
            raise InputError("A search needs at least one held-out example to score trials on.")
        require_sampling(budget.delta, examples, batch_size)
        updates = count_updates(epochs, examples, batch_size)
        if budget.delta >= 1 / (examples + held_out_examples):
            raise InputError(
                f"delta is {budget.delta:g} but must be below 1 / {examples + held_out_examples}, "
                "one over the number of training and held-out examples together."
            )
        trainings = _Trainings(budget, batch_size / examples, updates, longest_trials, bound)
        return cls(
            budget,
            examples,
            held_out_examples,
            batch_size,
            updates,
            trainings.updates_in_all,
            bound,
            trainings.least_noise(),
            _noise_of_scores(budget),
        )

    @property
    def trial(self) -> Segment:
        """The updates of one trial."""
        return Segment(self.noise_multiplier, self.batch_size / self.examples, self.updates)

    @property
    def trial_epsilon(self) -> float:
        """Epsilon of one trial alone, by PLD."""
        return self.trial_plan(clip_norm=1.0).epsilon

    def trial_plan(
        self, *, clip_norm: float, batch_size: int | None = None, epochs: float | None = None
    ) -> TrialPlan:
        """Returns the plan of one trial.

        Args:
            clip_norm: C of the trial; it costs nothing.
            batch_size: Expected batch of the trial; by default that of this plan.
            epochs: Of the trial; by default as many updates as this plan has.

        Raises:
            InputError: The trial differs from this plan although `bound` is `exact`, or a value is
                out of its range.
        """
        batch_size = self.batch_size if batch_size is None else batch_size
        updates = self.updates
        if epochs is not None:
            updates = count_updates(epochs, self.examples, batch_size)
        noise_multiplier = self.noise_multiplier
        if self.bound == "renyi":
            noise_multiplier = self._dominated_noise(batch_size / self.examples, updates)
        elif batch_size != self.batch_size or updates > self.updates:
            raise InputError(
                f"A trial with batches of {batch_size} and {updates} updates does not fit the plan "
                f"of the search, batches of {self.batch_size} and at most {self.updates} updates."
            )
        plan = PrivacyPlan.from_noise_multiplier(
            noise_multiplier=noise_multiplier,
            delta=self.budget.delta,
            examples=self.examples,
            batch_size=batch_size,
            updates=updates,
            clip_norm=clip_norm,
        )
        return TrialPlan(**dataclasses.asdict(plan), runs=self.budget.expected_trials)

    def search(self, released: Released = "the best trial") -> Search:
        """Returns what a record says of the search, with its epsilons computed.

        Args:
            released: What of it is released.
        """
        return account_search(
            mode=self.budget.mode,
            law=self.budget.law,
            trials=self.budget.trials,
            trial=self.trial,
            updates=self.updates_in_all,
            bound=self.bound,
            held_out_examples=self.held_out_examples,
            score_noise_multiplier=self.score_noise_multiplier,
            released=released,
            delta=self.budget.delta,
        )

    def _dominated_noise(self, sampling_rate: float, updates: int) -> float:
        """The least noise with which a trial's Renyi divergences are nowhere above the plan's."""
        allowed = _renyi(self.trial)

        def within(noise_multiplier: float) -> bool:
            return bool(
                np.all(_renyi(Segment(noise_multiplier, sampling_rate, updates)) <= allowed)
            )

        if (sampling_rate, updates) == (self.trial.sampling_rate, self.trial.updates):
            return self.noise_multiplier
        if not within(_MOST_NOISE):
            raise InputError(
                f"No noise brings {updates} updates with a sampling rate of {sampling_rate:g} down "
                "to what the plan of the search allows for one trial."
            )
        return _least(within, _LEAST_NOISE, _MOST_NOISE)


@dataclass(frozen=True)
class _Trainings:
    """The trainings of a search as a function of their noise."""

    budget: SearchBudget
    sampling_rate: float
    updates: int
    longest_trials: float | None
    bound: Bound

    @property
    def updates_in_all(self) -> int | None:
        if self.budget.trials is None:
            return None
        longest = self.budget.trials if self.bound == "renyi" else self.longest_trials
        return math.ceil(self.updates * (longest or self.budget.trials))

    def within_budget(self, noise_multiplier: float) -> bool:
        return self.epsilon(noise_multiplier) <= self.budget.epsilon

    def epsilon(self, noise_multiplier: float) -> float:
        budget = self.budget
        updates = self.updates_in_all or self.updates
        event = accounting.poisson_gaussian_event(noise_multiplier, self.sampling_rate, updates)
        if budget.law is not None:
            event = budget.law.event(event)
        epsilon = accounting.epsilon_by_pld if self.by_pld else accounting.epsilon_by_rdp
        return epsilon(event, budget.delta)

    @property
    def by_pld(self) -> bool:
        return self.budget.law is None and self.bound == "exact"

    def least_noise(self) -> float:
        """Returns the least noise within the budget.

        Raises:
            TooSmallBudgetError: With it, nothing can be learned in a trial.
        """
        least = _least_noise(self)
        if least is not None:
            trial = accounting.poisson_gaussian_event(least, self.sampling_rate, self.updates)
            if accounting.epsilon_by_pld(trial, self.budget.delta) >= SMALLEST_TRIAL_EPSILON:
                return least
        raise self._too_small()

    def _too_small(self) -> TooSmallBudgetError:
        budget = self.budget
        noise_multiplier = accounting.calibrate_noise_multiplier(
            SMALLEST_TRIAL_EPSILON, budget.delta, self.sampling_rate, self.updates
        )
        asked = budget.expected_trials
        if asked == 1:
            return TooSmallBudgetError(
                f"Epsilon {budget.epsilon:g} is too small even for a single trial: with less than "
                f"{SMALLEST_TRIAL_EPSILON:g} nothing can be learned."
            )
        most = _most_trials(
            lambda trials: self._with_trials(trials).within_budget(noise_multiplier),
            too_many=math.ceil(asked),
        )
        fit = "not even two trials fit" if most < 2 else f"at most {most:,} trials fit"
        on_average = "" if budget.law is None else " on average"
        return TooSmallBudgetError(
            f"Epsilon {budget.epsilon:g} is too small for {asked:g} trials{on_average}: it leaves "
            f"each of them less than {SMALLEST_TRIAL_EPSILON:g}, with which nothing can be "
            f"learned; {fit}."
        )

    def _with_trials(self, trials: int) -> _Trainings:
        budget = self.budget
        if budget.law is not None:
            law = dataclasses.replace(budget.law, mean=float(trials))
            return dataclasses.replace(self, budget=dataclasses.replace(budget, law=law))
        share = trials / budget.expected_trials
        return dataclasses.replace(
            self,
            budget=dataclasses.replace(budget, trials=trials),
            longest_trials=None if self.longest_trials is None else self.longest_trials * share,
        )


def _most_trials(fit: Callable[[int], bool], too_many: int) -> int:
    """The largest number from 2 on that fits, 1 if none does."""
    least, most = 1, too_many
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fit(middle) else (least, middle)
    return least


@functools.lru_cache(maxsize=64)
def _least_noise(trainings: _Trainings) -> float | None:
    """The least noise within the budget; None where there is none."""
    budget, updates = trainings.budget, trainings.updates_in_all
    if trainings.by_pld and updates is not None:
        try:
            return max(
                _LEAST_NOISE,
                accounting.calibrate_noise_multiplier(
                    budget.epsilon, budget.delta, trainings.sampling_rate, updates
                ),
            )
        except InputError:
            return None
    if not trainings.within_budget(_MOST_NOISE):
        return None
    return _least(trainings.within_budget, _LEAST_NOISE, _MOST_NOISE)


@functools.lru_cache(maxsize=64)
def _noise_of_scores(budget: SearchBudget) -> float:
    """The scores may cost what the trainings may: an example costs one of the two."""

    def within(noise_multiplier: float) -> bool:
        event = event_of_scores(noise_multiplier, budget.law, budget.trials)
        return accounting.epsilon_by_rdp(event, budget.delta) <= budget.epsilon

    return _least(within, _LEAST_NOISE, _MOST_NOISE)


def _renyi(trial: Segment) -> np.ndarray:
    event = accounting.poisson_gaussian_event(
        trial.noise_multiplier, trial.sampling_rate, trial.updates
    )
    return accounting.renyi_curve(event)[1]


def _least(within: Callable[[float], bool], low: float, high: float) -> float:
    """The least number, to a relative tolerance from above, that is within; `high` has to be."""
    if within(low):
        return low
    while high - low > _TOLERANCE * high:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if within(middle) else (middle, high)
    return high
