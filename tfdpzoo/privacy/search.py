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
      looks at. Then only accounting by these orders holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import dp_accounting
import numpy as np
from dp_accounting import pld, rdp

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import accounting
from tfdpzoo.privacy.ledger import Segment
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.privacy.strict_json import Epsilon

SearchMode = Literal["random", "adaptive"]
Bound = Literal["exact", "renyi"]
Released = Literal["the best trial", "all trials"]


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
        updates: Of all trials together in the adaptive mode; null in the random one.
        bound: Whether every trial has the noise and the sampling rate of `trial` and no more
            updates (`exact`), or others with Renyi divergences that are no larger at any of the
            orders in the field renyi (`renyi`).
        held_out_examples: How many private examples the scores were computed on. They are protected
            as the training examples are, and are not among these.
        score_noise_multiplier: Standard deviation of the Gaussian noise on the number of right
            answers, which one example changes by at most 1.
        trial_epsilon: Of one trial alone at the claim's delta; by PLD where `bound` is `exact`, or
            else by RDP.
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
        if self.updates is not None and self.updates < self.trial.updates:
            raise InputError("A search has at least the updates of its longest trial.")
        if self.held_out_examples < 1:
            raise InputError("A search needs at least one held-out example to score trials on.")
        if not 0 < self.score_noise_multiplier < math.inf:
            raise InputError(
                "The noise on the scores of a search must be a finite number above 0, not "
                f"{self.score_noise_multiplier!r}."
            )

    @property
    def by_pld(self) -> bool:
        """Whether the claim is by the PLD accountant, which knows no random number of trials."""
        return self.mode == "adaptive" and self.bound == "exact"

    def events(self) -> tuple[dp_accounting.DpEvent, dp_accounting.DpEvent]:
        """Returns what happens to a training example, and what to a held-out one."""
        return self._event_of_trainings(_updates_of(self.trial, self.updates)), self._of_scores()

    def events_without_amplification(self) -> tuple[dp_accounting.DpEvent, dp_accounting.DpEvent]:
        """Returns the same events if only the noise is believed and not the sampling."""
        updates = self.trial.updates if self.updates is None else self.updates
        gaussian = dp_accounting.GaussianDpEvent(self.trial.noise_multiplier)
        passes = passes_of(updates, self.trial.sampling_rate)
        return (
            self._event_of_trainings(dp_accounting.SelfComposedDpEvent(gaussian, passes)),
            self._of_scores(),
        )

    def _event_of_trainings(self, event: dp_accounting.DpEvent) -> dp_accounting.DpEvent:
        return event if self.law is None else self.law.event(event)

    def _of_scores(self) -> dp_accounting.DpEvent:
        return event_of_scores(self.score_noise_multiplier, self.law, self.trials)


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
        self._accountants = [
            _accountant(discretization_interval).compose(event) for event in events
        ]

    @property
    def name(self) -> str:
        """PLD or RDP."""
        return "RDP" if self.discretization_interval is None else "PLD"

    def epsilon(self, delta: float) -> float:
        """Returns the largest epsilon of the events at `delta`."""
        return max(float(each.get_epsilon(delta)) for each in self._accountants)


def largest_renyi_curve(
    events: tuple[dp_accounting.DpEvent, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Returns orders, and the largest Renyi divergence of the events at each."""
    curves = [accounting.renyi_curve(event) for event in events]
    return curves[0][0], np.max([values for _, values in curves], axis=0)


def _accountant(discretization_interval: float | None) -> dp_accounting.PrivacyAccountant:
    relation = accounting.NEIGHBORING_RELATION
    if discretization_interval is None:
        return rdp.RdpAccountant(neighboring_relation=relation)
    return pld.PLDAccountant(relation, discretization_interval)
