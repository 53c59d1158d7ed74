"""Laws of a random number of trials, of which only the best is released.

Releasing the best of a fixed number of private trials costs up to as much as releasing all of
them. If the number is drawn at random and stays secret, it costs far less than all of them
(Papernot and Steinke 2022, "Hyperparameter Tuning with Renyi Differential Privacy", arXiv
2110.03620, theorems 2 and 6). Their conditions are part of every claim that is made with it: the
trials are independent and alike (settings are drawn anew for each, by one distribution, whatever
came of the others), and nothing but the best of them is released, also not how many there were.
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import dp_accounting
import numpy as np
from dp_accounting import dp_event
from scipy import optimize, stats

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.privacy.law_names import LAWS

LawName = Literal["logarithmic", "geometric", "poisson", "truncated negative binomial"]

_SMALLEST_MEAN, _LARGEST_MEAN = 1.01, 10_000
_LAST = 40
"""Of the logarithmic law at most exp(-40) is beyond this number divided by gamma."""

_SMALLEST_SHAPE, _LARGEST_SHAPE = 0.01, 100.0


@dataclass(frozen=True)
class RepetitionLaw:
    """How the number of trials is drawn.

    Attributes:
        name: One of `LAWS`.
        mean: The mean number of trials, at least 1.01.
        shape: Eta of the truncated negative binomial law, which lies between the logarithmic (0)
            and the geometric one (1), and beyond; null for the others.

    Raises:
        InputError: The law is unknown, or a number is out of its range.

    Example:
        >>> law = RepetitionLaw("logarithmic", 10.0)
        >>> [law.quantile(share) for share in (0.5, 0.9, 0.99)]
        [4, 26, 81]
    """

    name: LawName
    mean: float
    shape: float | None = None

    def __post_init__(self) -> None:
        if self.name not in LAWS:
            raise unknown_name("law of the number of trials", self.name, LAWS)
        if not _SMALLEST_MEAN <= self.mean <= _LARGEST_MEAN:
            raise InputError(
                f"The mean number of trials must be from {_SMALLEST_MEAN:g} to {_LARGEST_MEAN:,}, "
                f"not {self.mean!r}; to train once, use `tfdpzoo train`."
            )
        if (self.name == "truncated negative binomial") != (self.shape is not None):
            raise InputError(
                "The truncated negative binomial law needs a shape, such as 0.5, and no other law "
                "takes one."
            )
        if self.shape is not None and not _SMALLEST_SHAPE <= self.shape <= _LARGEST_SHAPE:
            raise InputError(
                f"The shape of the law must be from {_SMALLEST_SHAPE:g} to {_LARGEST_SHAPE:g}, not "
                f"{self.shape!r}."
            )

    @property
    def may_be_none(self) -> bool:
        """Whether the number can be 0, with which nothing is run and nothing released."""
        return self.name == "poisson"

    @property
    def description(self) -> str:
        """The law with its parameters, such as `the geometric law with mean 10`."""
        name = "Poisson" if self.name == "poisson" else self.name
        shape = "" if self.shape is None else f" and shape {self.shape:g}"
        return f"the {name} law with mean {self.mean:g}{shape}"

    def event(self, trial: dp_accounting.DpEvent) -> dp_accounting.DpEvent:
        """Returns the event of the release of the best trial.

        Args:
            trial: The event of one trial.
        """
        return dp_event.RepeatAndSelectDpEvent(trial, self.mean, self._eta)

    def quantile(self, share: float) -> int:
        """Returns the number of trials that is exceeded with a probability of at most 1 - `share`.

        Args:
            share: From 0 to below 1.
        """
        if self.name == "geometric":
            return max(1, int(stats.geom.ppf(share, 1 / self.mean)))
        if self.name == "poisson":
            return max(0, int(stats.poisson.ppf(share, self.mean)))
        gamma = self._halting_probability()
        if self.name == "logarithmic":
            return self._logarithmic_quantile(share, gamma)
        some = -math.expm1(self._eta * math.log(gamma))
        return max(1, int(stats.nbinom.isf((1 - share) * some, self._eta, gamma)))

    def draw(self, seed: int | None = None) -> int:
        """Draws the number of trials, which has to stay secret.

        Args:
            seed: Of a reproducible draw, for tests; by default the operating system's entropy.

        Returns:
            At least 1, for the Poisson law at least 0. Numbers that come with a probability below
            2 to the power of -53 are never drawn.
        """
        generator = secrets.SystemRandom() if seed is None else random.Random(seed)
        return self.quantile(generator.random())

    @staticmethod
    def _logarithmic_quantile(share: float, gamma: float) -> int:
        """SciPy's fills the memory where the tail is long."""
        numbers = np.arange(1, math.ceil(_LAST / gamma) + 1)
        below = np.cumsum(stats.logser.pmf(numbers, 1 - gamma))
        return int(np.searchsorted(below, share)) + 1

    @property
    def _eta(self) -> float:
        fixed: Mapping[str, float] = {"logarithmic": 0.0, "geometric": 1.0, "poisson": math.inf}
        return fixed[self.name] if self.shape is None else self.shape

    def _halting_probability(self) -> float:
        """Gamma of definition 1 in the paper: that whose law has the mean."""
        return float(
            optimize.brentq(
                lambda gamma: self._mean(gamma) - self.mean, 1e-9, 1 - 1e-12, xtol=1e-15
            )
        )

    def _mean(self, gamma: float) -> float:
        eta: Any = self._eta
        if eta == 0:
            return (1 - 1 / gamma) / math.log(gamma)
        return eta * (1 / gamma - 1) / (1 - gamma**eta)
