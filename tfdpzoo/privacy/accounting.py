"""Epsilon for DP-SGD, computed by dp-accounting.

One mechanism is accounted here: at every update each example is drawn independently with
probability q (Poisson sampling), the clipped gradients of the drawn examples are summed, and
Gaussian noise of standard deviation sigma * C is added to the sum. Both accountants assume the
add-or-remove-one neighbouring relation.

The PLD accountant (privacy loss distributions, pessimistic estimates) gives the headline epsilon:
it is an upper bound and the tightest that is available. The RDP accountant is an independent
derivation, always larger, and is reported beside it.
"""

from __future__ import annotations

import functools

import dp_accounting
import numpy as np
from dp_accounting import mechanism_calibration, pld, rdp

from tfdpzoo.errors import InputError

NEIGHBORING_RELATION = dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE

PLD_DISCRETIZATION_INTERVAL = 1e-3
"""Width of the grid of privacy losses; dp-accounting rounds pessimistically, so a coarser grid only
claims less: at sigma 0.845, q 0.02048 and 1464 updates epsilon is 6.9982 with this width and 6.9978
with a tenth of it, in a tenth of the time."""

SMALLEST_DELTA = 1e-9
"""Below it the Fourier transforms of PLD round by more than the probabilities that are looked for:
for 1000 Gaussian releases of sigma 10.54 epsilon is 25.090 at delta 1e-12 and comes out as 25.073,
at 1e-13 as 25.938 instead of 26.042. At 1e-9 it was never too small in the cases that can be
computed exactly."""

_CALIBRATION_TOLERANCE = 1e-5


def poisson_gaussian_event(
    noise_multiplier: float, sampling_rate: float, updates: int
) -> dp_accounting.DpEvent:
    """Describes `updates` releases of a Poisson-sampled, noised sum of clipped gradients.

    Args:
        noise_multiplier: Sigma, the noise's standard deviation divided by the clipping norm.
        sampling_rate: q, the probability with which each example takes part in an update.
        updates: How many updates were, or will be, released.

    Returns:
        The event that both accountants understand.

    Example:
        >>> poisson_gaussian_event(1.0, 0.02, 1000).count
        1000
    """
    gaussian = dp_accounting.GaussianDpEvent(noise_multiplier)
    sampled = dp_accounting.PoissonSampledDpEvent(sampling_rate, gaussian)
    return dp_accounting.SelfComposedDpEvent(sampled, updates)


def epsilon_by_pld(event: dp_accounting.DpEvent, delta: float) -> float:
    """Returns an upper bound of epsilon at `delta` by privacy loss distributions.

    Example:
        >>> round(epsilon_by_pld(poisson_gaussian_event(0.845, 1024 / 50_000, 1464), 1e-5), 1)
        7.0
    """
    return float(_pld_accountant().compose(event).get_epsilon(delta))


def epsilon_by_rdp(event: dp_accounting.DpEvent, delta: float) -> float:
    """Returns an upper bound of epsilon at `delta` by Renyi differential privacy (Mironov 2017)."""
    orders, values = renyi_curve(event)
    return float(rdp.compute_epsilon(orders, values, delta)[0])


def renyi_curve(event: dp_accounting.DpEvent) -> tuple[np.ndarray, np.ndarray]:
    """Returns orders and the Renyi divergences at them, which are never negative.

    Example:
        >>> orders, values = renyi_curve(poisson_gaussian_event(1.0, 1.0, 1))
        >>> float(values[list(orders).index(4.0)])  # order / (2 sigma^2)
        2.0
    """
    accountant = rdp.RdpAccountant(neighboring_relation=NEIGHBORING_RELATION).compose(event)
    # Where next to nothing is released, rounding takes it below zero.
    return np.asarray(accountant.orders), np.maximum(accountant.rdp, 0.0)


def epsilon_without_amplification(noise_multiplier: float, passes: int, delta: float) -> float:
    """Returns the epsilon that holds when only the noise is believed, not the sampling.

    If every example takes part in `passes` updates, in whatever order, the run is a composition of
    `passes` Gaussian mechanisms. Training that shuffles instead of sampling can claim no more.

    Args:
        noise_multiplier: Sigma.
        passes: How often one example is used, the number of epochs rounded up.
        delta: The delta of the statement.

    Example:
        >>> round(epsilon_without_amplification(0.845, 30, 1e-5), 1)
        47.9
    """
    event = dp_accounting.SelfComposedDpEvent(
        dp_accounting.GaussianDpEvent(noise_multiplier), passes
    )
    return epsilon_by_pld(event, delta)


@functools.lru_cache(maxsize=256)
def calibrate_noise_multiplier(
    epsilon: float, delta: float, sampling_rate: float, updates: int
) -> float:
    """Returns the smallest noise multiplier (to 1e-5) whose PLD epsilon is at most `epsilon`.

    Args:
        epsilon: The target, above zero.
        delta: The delta of the statement.
        sampling_rate: q, the probability with which each example takes part in an update.
        updates: How many updates the budget has to last for.

    Raises:
        InputError: The accountant finds no noise multiplier, as for an epsilon of a thousand.

    Example:
        >>> sigma = calibrate_noise_multiplier(7.0, 1e-5, 1024 / 50_000, 1464)
        >>> 0.84 < sigma < 0.85
        True
    """
    try:
        return float(
            dp_accounting.calibrate_dp_mechanism(
                _pld_accountant,
                lambda sigma: poisson_gaussian_event(sigma, sampling_rate, updates),
                epsilon,
                delta,
                tol=_CALIBRATION_TOLERANCE,
            )
        )
    except (
        ValueError,
        mechanism_calibration.NoBracketIntervalFoundError,
        mechanism_calibration.NoOptimumFoundError,
    ) as error:
        raise InputError(
            f"No noise multiplier can be accounted for epsilon {epsilon:g} at delta {delta:g}; "
            "epsilon is usually between 0.1 and 20."
        ) from error


def _pld_accountant() -> dp_accounting.PrivacyAccountant:
    return pld.PLDAccountant(NEIGHBORING_RELATION, PLD_DISCRETIZATION_INTERVAL)
