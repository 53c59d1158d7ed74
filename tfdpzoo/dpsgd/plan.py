"""The privacy plan: the one place where every number of a guarantee meets."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import TYPE_CHECKING

from scipy import special

from tfdpzoo.errors import InputError
from tfdpzoo.privacy import accounting

if TYPE_CHECKING:
    import dp_accounting
    import numpy as np

    from tfdpzoo.data.indexed import IndexedImages
    from tfdpzoo.dpsgd.sampling import PoissonBatches
    from tfdpzoo.dpsgd.secret_key import SecretKey


_SMALLEST_CLIP_NORM = 1e-6
_SMALLEST_NOISE_MULTIPLIER = 0.1
_MOST_UPDATES = 1e9
_SHARE_BEYOND_REACH = 1e-3


@dataclasses.dataclass(frozen=True)
class PrivacyPlan:
    """What a training run may do to stay (epsilon, delta)-differentially private.

    Made by `calibrate` (epsilon in, noise out) or `from_noise_multiplier` (the other way round).

    Formal guarantee:
        `updates` Poisson-sampled Gaussian sums with sampling rate `batch_size / examples`, clipping
        norm C and noise of standard deviation `noise_multiplier` * C are together
        (`epsilon`, `delta`)-differentially private with respect to adding or removing one example,
        by the PLD accountant. `examples` is treated as public.

    Attributes:
        epsilon: The target; the plan's own epsilon is at most this.
        delta: Below 1 / `examples`.
        examples: Training examples N.
        batch_size: Expected size of a Poisson sample; the sampling rate is `batch_size / examples`.
        updates: How many updates may be executed, T.
        clip_norm: C, the largest Euclidean norm of one example's gradient, over all variables.
        noise_multiplier: Sigma, the noise's standard deviation divided by C.

    Raises:
        InputError: A value is out of its range, or the updates cost more than `epsilon`.

    Example:
        >>> plan = PrivacyPlan.calibrate(epsilon=7.0, delta=1e-5, examples=50_000,
        ...                              batch_size=1024, epochs=30, clip_norm=1.0)
        >>> plan.updates, round(plan.noise_multiplier, 3)
        (1464, 0.845)
    """

    epsilon: float
    delta: float
    examples: int
    batch_size: int
    updates: int
    clip_norm: float
    noise_multiplier: float

    def __post_init__(self) -> None:
        _require_positive("epsilon", self.epsilon)
        _require_noise_multiplier(self.noise_multiplier)
        _require_clip_norm(self.clip_norm)
        require_sampling(self.delta, self.examples, self.batch_size)
        _require_updates(self.updates)
        spent = self.epsilon_after(self.updates)
        if spent > self.epsilon:
            raise InputError(
                f"{self.updates} updates with noise multiplier {self.noise_multiplier:g} cost "
                f"epsilon {spent:.4g}, above the target {self.epsilon:g}; add noise or do fewer."
            )

    @classmethod
    def calibrate(
        cls,
        *,
        epsilon: float,
        delta: float,
        examples: int,
        batch_size: int,
        epochs: float | None = None,
        updates: int | None = None,
        clip_norm: float = 1.0,
    ) -> PrivacyPlan:
        """Finds the least noise with which the whole run stays within epsilon.

        Args:
            epsilon: The target, above zero.
            delta: Above 0 and below 1 / `examples`.
            examples: Training examples N.
            batch_size: Expected size of a sample, at most N.
            epochs: Passes over the data; the updates are `epochs * examples / batch_size`, rounded
                down. Give either this or `updates`.
            updates: The number of updates.
            clip_norm: C, above zero.

        Raises:
            InputError: A value is out of its range, or no noise reaches the target.
        """
        _require_positive("epsilon", epsilon)
        _require_clip_norm(clip_norm)
        require_sampling(delta, examples, batch_size)
        updates = _updates_of(epochs, updates, examples, batch_size)
        sigma = accounting.calibrate_noise_multiplier(
            epsilon, delta, batch_size / examples, updates
        )
        return cls(epsilon, delta, examples, batch_size, updates, clip_norm, sigma)

    @classmethod
    def from_noise_multiplier(
        cls,
        *,
        noise_multiplier: float,
        delta: float,
        examples: int,
        batch_size: int,
        epochs: float | None = None,
        updates: int | None = None,
        clip_norm: float = 1.0,
    ) -> PrivacyPlan:
        """Makes the plan of a given noise multiplier; its target is the epsilon that this costs.

        Args:
            noise_multiplier: Sigma, above zero.
            delta: Above 0 and below 1 / `examples`.
            examples: Training examples N.
            batch_size: Expected size of a sample, at most N.
            epochs: Passes over the data; give either this or `updates`.
            updates: The number of updates.
            clip_norm: C, above zero.

        Raises:
            InputError: A value is out of its range.
        """
        _require_noise_multiplier(noise_multiplier)
        require_sampling(delta, examples, batch_size)
        updates = _updates_of(epochs, updates, examples, batch_size)
        event = accounting.poisson_gaussian_event(noise_multiplier, batch_size / examples, updates)
        epsilon = accounting.epsilon_by_pld(event, delta)
        if not 0 < epsilon < math.inf:
            raise InputError(
                f"The noise multiplier {noise_multiplier:g} gives epsilon {epsilon:g} at delta "
                f"{delta:g}, which is no target; use {'less' if epsilon == 0 else 'more'} noise."
            )
        return cls(epsilon, delta, examples, batch_size, updates, clip_norm, noise_multiplier)

    def extended(self, epochs: float, epsilon: float | None = None) -> PrivacyPlan:
        """Returns the plan with more updates of the same noise and the same sampling.

        Formal guarantee:
            All updates together, the present ones and the new ones, are within the new plan's
            epsilon by composition: they are one sequence of the same mechanism.

        Args:
            epochs: How many epochs more.
            epsilon: The new target; by default the present one.

        Raises:
            InputError: The updates cost more than the target.

        Example:
            >>> plan = PrivacyPlan.from_noise_multiplier(
            ...     noise_multiplier=1.0, delta=1e-3, examples=500, batch_size=50, updates=20)
            >>> plan.extended(epochs=2, epsilon=8.0).updates
            40
        """
        more = count_updates(epochs, self.examples, self.batch_size)
        updates, target = self.updates + more, self.epsilon if epsilon is None else epsilon
        _require_positive("epsilon", target)
        spent = self.epsilon_after(updates)
        if spent > target:
            raise InputError(
                f"{updates} updates, {more} more than planned, cost epsilon {spent:.4g}, above the "
                f"target {target:g}; give a target of at least {math.ceil(1000 * spent) / 1000:g}, "
                "or fewer epochs."
            )
        return dataclasses.replace(self, updates=updates, epsilon=target)

    @property
    def sampling_rate(self) -> float:
        """q, the probability with which an example takes part in an update."""
        return self.batch_size / self.examples

    @property
    def updates_per_epoch(self) -> int:
        """How many updates are shown as one epoch: N / B, rounded."""
        return max(1, min(self.updates, round(self.examples / self.batch_size)))

    @property
    def epochs(self) -> float:
        """How often an example is used on average: T * q."""
        return self.updates * self.sampling_rate

    @property
    def noise_reach(self) -> float:
        """How many standard deviations the noise has to be able to reach.

        A sampled noise that ends somewhere proves what lies beyond. One example moves a sum by at
        most 1 / sigma deviations: with this reach it comes beyond the end with a probability of at
        most a thousandth of delta over all updates.

        Example:
            >>> plan = PrivacyPlan.from_noise_multiplier(
            ...     noise_multiplier=0.845, delta=1e-5, examples=50_000, batch_size=1024, epochs=30
            ... )
            >>> round(plan.noise_reach, 2)
            7.94
        """
        return self._reach_beside(1.0)

    def _reach_beside(self, runs: float) -> float:
        """The reach with which all of so many equal runs together stay within that share."""
        of_an_update = _SHARE_BEYOND_REACH * self.delta / (self.updates * runs)
        return 1 / self.noise_multiplier + float(-special.ndtri(of_an_update))

    def dp_event(self, updates: int | None = None) -> dp_accounting.DpEvent:
        """Returns the dp-accounting event of the first `updates` updates, by default of all."""
        count = self.updates if updates is None else updates
        return accounting.poisson_gaussian_event(self.noise_multiplier, self.sampling_rate, count)

    def epsilon_after(self, updates: int) -> float:
        """Returns the epsilon that `updates` executed updates cost, by PLD."""
        if updates == 0:
            return 0.0
        return accounting.epsilon_by_pld(self.dp_event(updates), self.delta)

    def batches(
        self,
        images: np.ndarray | IndexedImages,
        labels: np.ndarray,
        key: SecretKey | None = None,
    ) -> PoissonBatches:
        """Returns the Poisson samples of this plan, as `PrivateModel.fit` takes them.

        Args:
            images: `(examples, height, width, channels)`, as the model takes them: an array, or
                images that are read by index when they are sampled.
            labels: `(examples,)` whole numbers, or `(examples, classes)` one-hot rows.
            key: The secret to draw from; by default new bits of the operating system.

        Raises:
            InputError: The arrays do not fit the plan or each other, or have NaN pixels.
        """
        from tfdpzoo.dpsgd.sampling import PoissonBatches
        from tfdpzoo.dpsgd.secret_key import SecretKey

        return PoissonBatches(self, images, labels, key or SecretKey.generate())


@dataclasses.dataclass(frozen=True)
class TrialPlan(PrivacyPlan):
    """The plan of one of several runs whose losses add up, such as the trials of a search.

    Attributes:
        runs: How many there are, on average where that is random.
    """

    runs: float = 1.0

    @property
    def noise_reach(self) -> float:
        """How many standard deviations the noise has to be able to reach, for all runs together."""
        return self._reach_beside(self.runs)


def count_updates(epochs: float, examples: int, batch_size: int) -> int:
    """Returns how many updates some epochs make, rounded down.

    Args:
        epochs: How often an example is used on average, above zero.
        examples: Training examples N.
        batch_size: Expected size of a sample.

    Raises:
        InputError: That is none, or more than can be accounted.

    Example:
        >>> count_updates(30, 50_000, 1024)
        1464
    """
    _require_positive("epochs", epochs)
    if epochs * examples / batch_size > _MOST_UPDATES:
        raise InputError(f"epochs is {epochs:g}, which makes more updates than can be accounted.")
    # The tiny term keeps an exact quotient from being rounded down.
    updates = int(epochs * examples / batch_size + 1e-9)
    if updates < 1:
        raise InputError(
            f"{epochs:g} epochs of {examples} examples in batches of {batch_size} make no update "
            "at all; use more epochs or a smaller batch."
        )
    return updates


def _updates_of(epochs: float | None, updates: int | None, examples: int, batch_size: int) -> int:
    if updates is not None and epochs is None:
        _require_updates(updates)
        return updates
    if epochs is None or updates is not None:
        raise InputError("Give either epochs or updates.")
    return count_updates(epochs, examples, batch_size)


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _require_positive(name: str, value: float) -> None:
    if not _is_number(value, numbers.Real) or not math.isfinite(value) or value <= 0:
        raise InputError(f"{name} is {value!r}; it must be a finite number above zero.")


def _require_clip_norm(clip_norm: float) -> None:
    _require_positive("clip_norm", clip_norm)
    if not _SMALLEST_CLIP_NORM <= clip_norm <= 1 / _SMALLEST_CLIP_NORM:
        raise InputError(
            f"clip_norm is {clip_norm:g}; float32 sums are exact enough from "
            f"{_SMALLEST_CLIP_NORM:g} to {1 / _SMALLEST_CLIP_NORM:g}."
        )


def _require_noise_multiplier(noise_multiplier: float) -> None:
    _require_positive("noise_multiplier", noise_multiplier)
    if noise_multiplier < _SMALLEST_NOISE_MULTIPLIER:
        raise InputError(
            f"noise_multiplier is {noise_multiplier:g}; below {_SMALLEST_NOISE_MULTIPLIER:g} "
            "epsilon is in the hundreds, which protects nobody, and takes long to account."
        )


def _require_updates(updates: int) -> None:
    if not _is_number(updates, numbers.Integral) or updates < 1:
        raise InputError(f"updates is {updates!r}; a run needs a whole number of at least one.")
    if updates > _MOST_UPDATES:
        raise InputError(f"updates is {updates:.3g}, more than can be accounted.")


def require_sampling(delta: float, examples: int, batch_size: int) -> None:
    """Refuses a delta and a batch that do not fit a number of examples.

    Args:
        delta: Above 0 and below 1 / `examples`.
        examples: Training examples N.
        batch_size: Expected size of a sample, at most N.

    Raises:
        InputError: They do not.
    """
    if not _is_number(examples, numbers.Integral) or examples < 1:
        raise InputError(f"examples is {examples!r}; it must be a whole number above zero.")
    if not _is_number(batch_size, numbers.Integral) or batch_size < 1:
        raise InputError(f"batch_size is {batch_size!r}; it must be a whole number above zero.")
    if batch_size > examples:
        raise InputError(
            f"batch_size is {batch_size} but there are only {examples} examples; "
            "make the batch smaller."
        )
    if not _is_number(delta, numbers.Real) or not 0 < delta < 1:
        raise InputError(f"delta is {delta!r}; it must be above 0 and below 1.")
    if delta < accounting.SMALLEST_DELTA:
        raise InputError(
            f"delta is {delta:g}; below {accounting.SMALLEST_DELTA:g} the rounding of the "
            "accountant may understate epsilon. Give that or more."
        )
    if delta >= 1 / examples:
        raise InputError(
            f"delta is {delta:g} but must be below 1/{examples} = {1 / examples:.2g}: with a "
            "larger one, publishing a random example would count as private."
        )
