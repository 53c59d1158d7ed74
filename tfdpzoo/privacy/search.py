"""The cost of a search for settings: what a record says of it, and what accountants make of that.

A search has one data set of private examples. A part of them, drawn at random before it begins, is
held out: on the others each trial is trained, on these it is scored, by the number of right answers
plus Gaussian noise. An example is in one of the two parts, the same in all trials, so that it costs
either what the trainings cost or what the scores cost. The claim is the larger of both.

Formal guarantee:
    Let M be the search as a function from a data set to what is released. For all data sets D and
    D' that differ by adding or removing one example, in either part, and all sets S of releases,
    P[M(D) in S] <= exp(epsilon) * P[M(D') in S] + delta.

    - Mode `random`: the released best trial is `law`'s `RepeatAndSelectDpEvent` of one trial. By
      Renyi differential privacy, order by order: the trial's divergence is at most that of `trial`
      (training) or that of one noised count (scores).
    - Mode `adaptive`: all trials are released, or could be. Each is chosen in view of the scores
      before it. Together they execute at most `updates` updates with the noise and the sampling
      rate of `trial`, and `trials` noised counts: both are adaptive compositions of one mechanism.
    - With `bound` = `renyi` trials may differ in batch size and updates, each with the noise by
      which its Renyi divergences are at most those of `trial` at every order that the accountant
      looks at. Then only accounting by these orders holds, and in the adaptive mode every trial
      counts as `trial`, also a shorter one.

    Which examples are held out and how many there are in each part is treated as public, as is the
    distribution of the settings.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import dp_accounting
import numpy as np
from dp_accounting import pld, rdp

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import accounting
from tfdpzoo.privacy.ledger import Segment, composed_event
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.privacy.strict_json import Epsilon

SearchMode = Literal["random", "adaptive"]
Bound = Literal["exact", "renyi"]
Released = Literal["the best trial", "all trials"]

_LEAST_SCORE_NOISE = 0.1
"""Less is as good as none, and its privacy losses would fill the memory."""

_ALMOST = 1e-6
"""Relative: by so much may Renyi divergences be above a bound, as far as rounding takes them."""

_NEXT_TO_NOTHING = 1e-12


@dataclass(frozen=True)
class Search:
    """A search whose whole cost is in epsilon.

    Attributes:
        mode: `random`: settings are drawn independently, a secret random number of times, and the
            best trial alone is released. `adaptive`: every trial counts in full.
        law: Of the number of trials in the random mode; null in the adaptive one.
        trials: How many trials epsilon pays for in the adaptive mode, also those that crashed or
            were never begun; null in the random mode, where the number has to stay secret.
        trial: The updates of one trial, of the longest where they differ.
        updates: Of all trials together in the adaptive mode, at most those of `trials` times
            `trial`, and exactly so many where `bound` is `renyi`; null in the random mode.
        bound: Whether every trial has the noise and the sampling rate of `trial` and no more
            updates (`exact`), or others with Renyi divergences that are no larger at any of the
            orders in the field renyi (`renyi`).
        held_out_examples: How many private examples the scores were computed on. They are protected
            as the training examples are, and are not among these.
        score_noise_multiplier: Standard deviation of the Gaussian noise on the number of right
            answers, which one example changes by at most 1.
        trial_epsilon: Of one trial alone with its score at the claim's delta; by PLD where `bound`
            is `exact`, or else by RDP.
        total_epsilon: Of the whole search: the claim.
        released: What of the search is released.

    Raises:
        InputError: The fields do not belong to one mode, or a number is out of its range.
    """

    mode: SearchMode
    law: RepetitionLaw | None
    trials: int | None
    trial: Segment
    updates: int | None
    bound: Bound
    held_out_examples: int
    score_noise_multiplier: float
    trial_epsilon: Epsilon
    total_epsilon: Epsilon
    released: Released

    def __post_init__(self) -> None:
        counted = self.trials is not None and self.updates is not None
        uncounted = self.trials is None and self.updates is None
        if not (counted and self.law is None if self.mode == "adaptive" else uncounted):
            raise InputError(
                "An adaptive search has a number of trials and of updates, a random one has "
                "neither of them but a law."
            )
        if (self.mode == "random") != (self.law is not None):
            raise InputError("A random search has a law of the number of trials, no other has one.")
        if self.mode == "random" and self.released != "the best trial":
            raise InputError("A random search releases its best trial and nothing else.")
        if self.trials is not None and self.trials < 1:
            raise InputError(f"A search has at least one trial, not {self.trials}.")
        if self.updates is not None:
            self._require_possible_updates(self.trials or 1, self.updates)
        if self.held_out_examples < 1:
            raise InputError("A search needs at least one held-out example to score trials on.")
        if not _LEAST_SCORE_NOISE <= self.score_noise_multiplier < math.inf:
            raise InputError(
                "The noise on the scores of a search must be a finite number of at least "
                f"{_LEAST_SCORE_NOISE:g}, not {self.score_noise_multiplier!r}."
            )

    def _require_possible_updates(self, trials: int, updates: int) -> None:
        most = trials * self.trial.updates
        if not self.trial.updates <= updates <= most:
            raise InputError(
                "An adaptive search has at least the updates of its longest trial and at most "
                f"those of {trials} such trials, {most:,}, not {updates:,}."
            )
        if self.bound == "renyi" and updates != most:
            raise InputError(
                "An adaptive search that is bounded by Renyi divergences pays for every trial as "
                f"for the longest: for {most:,} updates, not {updates:,}."
            )

    @property
    def by_pld(self) -> bool:
        """Whether the claim is by the PLD accountant, which knows no random number of trials."""
        return self.mode == "adaptive" and self.bound == "exact"

    def events(self) -> tuple[dp_accounting.DpEvent, dp_accounting.DpEvent]:
        """Returns what happens to a training example, and what to a held-out one."""
        return self._event_of_trainings(_updates_of(self.trial, self.updates)), self._of_scores()

    def events_of_one_trial(self) -> tuple[dp_accounting.DpEvent, dp_accounting.DpEvent]:
        """Returns the same events of a single trial."""
        return _updates_of(self.trial, None), event_of_scores(self.score_noise_multiplier, None, 1)

    def events_without_amplification(self) -> tuple[dp_accounting.DpEvent, dp_accounting.DpEvent]:
        """Returns the same events if only the noise is believed and not the sampling.

        They are those of the search where `bound` is `exact`. Trials that are only bounded by their
        Renyi divergences may have less noise in return for a lower sampling rate.
        """
        updates = self.trial.updates if self.updates is None else self.updates
        gaussian = dp_accounting.GaussianDpEvent(self.trial.noise_multiplier)
        passes = passes_of(updates, self.trial.sampling_rate)
        return (
            self._event_of_trainings(dp_accounting.SelfComposedDpEvent(gaussian, passes)),
            self._of_scores(),
        )

    def accountant(self, discretization_interval: float) -> EventAccountant:
        """Returns what the claim's accountant says of the search.

        Args:
            discretization_interval: Of the PLD accountant, where the claim is by it.
        """
        return EventAccountant(self.events(), discretization_interval if self.by_pld else None)

    def with_epsilons(self, delta: float, discretization_interval: float) -> Search:
        """Returns the search with the epsilons that follow from its other fields.

        Args:
            delta: Of the claim.
            discretization_interval: Of the PLD accountant.

        Raises:
            InputError: They cannot be computed.
        """
        interval = discretization_interval if self.bound == "exact" else None
        try:
            of_one = EventAccountant(self.events_of_one_trial(), interval).epsilon(delta)
            in_total = self.accountant(discretization_interval).epsilon(delta)
        except (ArithmeticError, ValueError) as error:
            raise InputError(f"The cost of the search cannot be computed: {error}.") from error
        return dataclasses.replace(self, trial_epsilon=of_one, total_epsilon=in_total)

    def allows(self, segments: Sequence[Segment]) -> bool:
        """Returns whether updates that were executed are no more than `trial`.

        Args:
            segments: The updates of one trial, by its ledger.
        """
        if self.bound == "exact":
            alike = {(each.noise_multiplier, each.sampling_rate) for each in segments}
            allowed = {(self.trial.noise_multiplier, self.trial.sampling_rate)}
            return alike <= allowed and sum(each.updates for each in segments) <= self.trial.updates
        _, executed = accounting.renyi_curve(composed_event(segments))
        _, most = accounting.renyi_curve(_updates_of(self.trial, None))
        return bool(np.all(executed <= most * (1 + _ALMOST) + _NEXT_TO_NOTHING))

    def _event_of_trainings(self, event: dp_accounting.DpEvent) -> dp_accounting.DpEvent:
        return event if self.law is None else self.law.event(event)

    def _of_scores(self) -> dp_accounting.DpEvent:
        return event_of_scores(self.score_noise_multiplier, self.law, self.trials)


def account_search(
    *,
    mode: SearchMode,
    law: RepetitionLaw | None,
    trials: int | None,
    trial: Segment,
    updates: int | None,
    bound: Bound,
    held_out_examples: int,
    score_noise_multiplier: float,
    released: Released,
    delta: float,
    discretization_interval: float = accounting.PLD_DISCRETIZATION_INTERVAL,
) -> Search:
    """Makes a search of which only the epsilons are not known, and computes these.

    Args:
        mode: As in `Search`, like all that follows but the last two.
        law: Of the number of trials; None in the adaptive mode.
        trials: How many epsilon pays for; None in the random mode.
        trial: The updates of one trial, of the longest where they differ.
        updates: Of all trials together; None in the random mode.
        bound: `exact` or `renyi`.
        held_out_examples: How many examples the scores are computed on.
        score_noise_multiplier: Standard deviation of the noise on the number of right answers.
        released: What of the search is released.
        delta: Of the claim, above 0 and below 1; below 1 over the number of training and held-out
            examples, or the guarantee is invalid.
        discretization_interval: Width of PLD's grid of privacy losses.

    Raises:
        InputError: The arguments do not belong to one mode, a number is out of its range, or the
            search cannot be accounted.

    Example:
        >>> search = account_search(
        ...     mode="random", law=RepetitionLaw("logarithmic", 10.0), trials=None,
        ...     trial=Segment(1.0, 0.02, 100), updates=None, bound="exact",
        ...     held_out_examples=5_000, score_noise_multiplier=20.0, released="the best trial",
        ...     delta=1e-5)
        >>> round(search.trial_epsilon, 2), round(search.total_epsilon, 2)
        (1.43, 3.05)
    """
    if not 0 < delta < 1:
        raise InputError(f"Delta must be above 0 and below 1, not {delta!r}.")
    return Search(
        mode=mode,
        law=law,
        trials=trials,
        trial=trial,
        updates=updates,
        bound=bound,
        held_out_examples=held_out_examples,
        score_noise_multiplier=score_noise_multiplier,
        trial_epsilon=math.inf,
        total_epsilon=math.inf,
        released=released,
    ).with_epsilons(delta, discretization_interval)


def event_of_scores(
    score_noise_multiplier: float, law: RepetitionLaw | None, trials: int | None
) -> dp_accounting.DpEvent:
    """Returns the event of all noised counts of right answers.

    Args:
        score_noise_multiplier: Standard deviation of the noise on a count.
        law: Of the number of counts, of which one is released; None for all of them.
        trials: How many counts, where there is no law.
    """
    count = dp_accounting.GaussianDpEvent(score_noise_multiplier)
    if law is not None:
        return law.event(count)
    return dp_accounting.SelfComposedDpEvent(count, trials or 1)


def passes_of(updates: int, sampling_rate: float) -> int:
    """Returns the epochs, rounded up; 30 * (1 + rounding error) is 30 and not 31."""
    return math.ceil(updates * sampling_rate * (1 - 1e-12))


def _updates_of(trial: Segment, updates: int | None) -> dp_accounting.DpEvent:
    count = trial.updates if updates is None else updates
    return accounting.poisson_gaussian_event(trial.noise_multiplier, trial.sampling_rate, count)


class EventAccountant:
    """What one accountant says of several events, one of which happens to an example.

    Args:
        events: At least one.
        discretization_interval: Of the PLD accountant; None for the RDP accountant.

    Example:
        >>> gaussian = dp_accounting.GaussianDpEvent
        >>> by_rdp = EventAccountant((gaussian(1.0), gaussian(2.0)))
        >>> by_rdp.epsilon(1e-5) == EventAccountant((gaussian(1.0),)).epsilon(1e-5)
        True
    """

    def __init__(
        self,
        events: tuple[dp_accounting.DpEvent, ...],
        discretization_interval: float | None = None,
    ) -> None:
        self.discretization_interval = discretization_interval
        if discretization_interval is None:
            self._epsilons = [_by_rdp(event) for event in events]
        else:
            self._epsilons = [_by_pld(event, discretization_interval) for event in events]

    @property
    def name(self) -> str:
        """PLD or RDP."""
        return "RDP" if self.discretization_interval is None else "PLD"

    def epsilon(self, delta: float) -> float:
        """Returns the largest epsilon of the events at `delta`."""
        return max(float(epsilon(delta)) for epsilon in self._epsilons)


def largest_renyi_curve(
    events: tuple[dp_accounting.DpEvent, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Returns orders, and the largest Renyi divergence of the events at each."""
    curves = [accounting.renyi_curve(event) for event in events]
    return curves[0][0], np.max([values for _, values in curves], axis=0)


def _by_rdp(event: dp_accounting.DpEvent) -> Callable[[float], float]:
    orders, values = accounting.renyi_curve(event)
    return lambda delta: rdp.compute_epsilon(orders, values, delta)[0]


def _by_pld(event: dp_accounting.DpEvent, interval: float) -> Callable[[float], float]:
    accountant = pld.PLDAccountant(accounting.NEIGHBORING_RELATION, interval)
    return accountant.compose(event).get_epsilon
