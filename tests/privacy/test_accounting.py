"""Accounting: the numbers of a guarantee, against dp-accounting used directly."""

from __future__ import annotations

import math

import dp_accounting
import pytest
from dp_accounting import pld, rdp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.accounting import (
    NEIGHBORING_RELATION,
    SMALLEST_DELTA,
    calibrate_noise_multiplier,
    epsilon_by_pld,
    epsilon_by_rdp,
    epsilon_without_amplification,
    poisson_gaussian_event,
    renyi_curve,
)

CIFAR_RATE = 1024 / 50_000
DELTA = 1e-5

mechanisms = st.tuples(
    st.floats(0.6, 8.0),  # noise multiplier
    st.floats(0.001, 1.0),  # sampling rate
    st.integers(1, 200),  # updates
    st.floats(-9, -4).map(lambda exponent: 10**exponent),  # delta
)


def epsilon_with_a_finer_grid(noise_multiplier, rate, updates, delta, interval=5e-4) -> float:
    """An accountant put together here, from the definition of the mechanism."""
    accountant = pld.PLDAccountant(
        dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=interval
    )
    one = dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(noise_multiplier))
    return accountant.compose(one, updates).get_epsilon(delta)


@pytest.mark.parametrize(
    ("noise_multiplier", "epochs", "by_pld", "by_rdp", "unamplified"),
    [(0.845, 30, 7.00, 7.75, 47.9), (1.009, 60, 7.00, 7.63, 61.4)],
)
def test_published_table(noise_multiplier, epochs, by_pld, by_rdp, unamplified):
    """N = 50,000, B = 1024, delta = 1e-5; tolerances are a unit of the table's last digit."""
    updates = int(epochs * 50_000 / 1024)
    event = poisson_gaussian_event(noise_multiplier, CIFAR_RATE, updates)
    assert epsilon_by_pld(event, DELTA) == pytest.approx(by_pld, abs=0.01)
    assert epsilon_by_rdp(event, DELTA) == pytest.approx(by_rdp, abs=0.01)
    assert epsilon_without_amplification(noise_multiplier, epochs, DELTA) == pytest.approx(
        unamplified, abs=0.1
    )


def exact_epsilon(mu: float, delta: float) -> float:
    """Of Gaussian releases of all examples, in closed form (Balle and Wang 2018, theorem 8).

    Args:
        mu: The square root of the number of releases, divided by sigma.
        delta: Of the statement.
    """

    def excess(epsilon: float) -> float:
        far = stats.norm.logcdf(-mu / 2 - epsilon / mu) + epsilon
        return stats.norm.cdf(mu / 2 - epsilon / mu) - math.exp(far) - delta

    return optimize.brentq(excess, 0, 500)


@pytest.mark.parametrize("mu", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("updates", [10, 1000])
def test_epsilon_is_no_less_than_the_exact_one_down_to_the_smallest_delta(mu, updates):
    event = poisson_gaussian_event(math.sqrt(updates) / mu, 1.0, updates)
    for delta in (1e-5, SMALLEST_DELTA):
        assert epsilon_by_pld(event, delta) >= exact_epsilon(mu, delta)


def test_epsilon_would_be_too_small_at_smaller_deltas():
    """Why there is a smallest: the control for the test above. Processors round differently."""
    exact = exact_epsilon(3.0, 1e-13)
    assert any(
        epsilon_by_pld(poisson_gaussian_event(math.sqrt(updates) / 3.0, 1.0, updates), 1e-13)
        < exact
        for updates in (100, 1000, 10_000)
    )


def test_next_to_nothing_is_not_less_than_nothing():
    """Rounding takes the Renyi divergence below zero, which dp-accounting refuses to convert."""
    event = poisson_gaussian_event(100.0, 1e-6, 10_000)
    orders, values = renyi_curve(event)
    assert len(orders) == len(values) and (values >= 0).all()
    assert 0 <= epsilon_by_rdp(event, 1e-5) < 0.1


def test_relation_is_add_or_remove_one():
    """Replacing one example costs 10.60 instead of 7.00 in the same run."""
    assert NEIGHBORING_RELATION is dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE


def test_event_says_what_is_done():
    event = poisson_gaussian_event(0.9, 0.25, 17)
    assert isinstance(event, dp_accounting.SelfComposedDpEvent)
    assert event.count == 17
    assert event.event.sampling_probability == 0.25
    assert event.event.event.noise_multiplier == 0.9


def test_one_unsampled_update_is_the_gaussian_mechanism():
    """Balle and Wang 2018 (arXiv 1805.06530), theorem 8: delta in closed form.

    0.002 is two widths of the accountant's grid, which rounds upwards.
    """
    sigma = 1.3
    epsilon = epsilon_by_pld(poisson_gaussian_event(sigma, 1.0, 1), DELTA)

    def cumulative(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    def delta_of(epsilon: float) -> float:
        shift, middle = epsilon * sigma, 1 / (2 * sigma)
        return cumulative(middle - shift) - math.exp(epsilon) * cumulative(-middle - shift)

    assert delta_of(epsilon) <= DELTA
    assert delta_of(epsilon - 0.002) > DELTA


@settings(max_examples=8)
@given(mechanisms)
def test_epsilon_agrees_with_an_independent_accountant(mechanism):
    """A finer grid claims less; both are upper bounds, 0.5 % or 0.01 apart at the most."""
    noise_multiplier, rate, updates, delta = mechanism
    ours = epsilon_by_pld(poisson_gaussian_event(noise_multiplier, rate, updates), delta)
    other = epsilon_with_a_finer_grid(noise_multiplier, rate, updates, delta)
    assert ours == pytest.approx(other, rel=0.005, abs=0.01)


@settings(max_examples=10)
@given(mechanisms)
def test_renyi_accounting_never_claims_less(mechanism):
    """Two derivations of upper bounds; the PLD one is tight, so that it is the smaller.

    0.01 allows for the PLD grid where epsilon itself is almost nothing.
    """
    noise_multiplier, rate, updates, delta = mechanism
    event = poisson_gaussian_event(noise_multiplier, rate, updates)
    assert epsilon_by_pld(event, delta) <= epsilon_by_rdp(event, delta) + 0.01


@settings(max_examples=5)
@given(mechanisms, st.floats(1.1, 3.0))
def test_epsilon_falls_with_noise_and_grows_with_rate_and_updates(mechanism, factor):
    noise_multiplier, rate, updates, delta = mechanism
    epsilon = epsilon_by_pld(poisson_gaussian_event(noise_multiplier, rate, updates), delta)

    def changed(noise_multiplier=noise_multiplier, rate=rate, updates=updates, delta=delta):
        return epsilon_by_pld(poisson_gaussian_event(noise_multiplier, rate, updates), delta)

    tiny = 1e-6
    assert changed(noise_multiplier=factor * noise_multiplier) <= epsilon + tiny
    assert changed(rate=rate / factor) <= epsilon + tiny
    assert changed(updates=math.ceil(updates * factor)) >= epsilon - tiny
    assert changed(delta=delta * factor) <= epsilon + tiny


@settings(max_examples=5)
@given(
    epsilon=st.floats(0.2, 12.0),
    rate=st.floats(0.002, 1.0),
    updates=st.integers(1, 100),
    exponent=st.floats(-8, -4),
)
def test_calibrated_noise_is_enough_and_not_more(epsilon, rate, updates, exponent):
    """At most the target; and less noise by a relative 1e-3 would be above it."""
    delta = 10**exponent
    sigma = calibrate_noise_multiplier(epsilon, delta, rate, updates)
    assert epsilon_by_pld(poisson_gaussian_event(sigma, rate, updates), delta) <= epsilon
    less_noise = poisson_gaussian_event(sigma * (1 - 1e-3) - 1e-5, rate, updates)
    assert epsilon_by_pld(less_noise, delta) > epsilon - 1e-4


def test_calibration_by_an_accountant_of_the_test():
    sigma = calibrate_noise_multiplier(7.0, DELTA, CIFAR_RATE, 1464)
    assert sigma == pytest.approx(0.845, abs=5e-4)
    assert epsilon_with_a_finer_grid(sigma, CIFAR_RATE, 1464, DELTA, 1e-4) <= 7.0


@pytest.mark.slow  # Twenty evaluations on the long grids of little noise.
@pytest.mark.parametrize("epsilon", [1_000.0, 1e6])
def test_absurd_epsilon_is_one_sentence(epsilon):
    with pytest.raises(InputError, match="No noise multiplier can be accounted for epsilon"):
        calibrate_noise_multiplier(epsilon, DELTA, 0.1, 10)


def test_unamplified_epsilon_is_that_of_plain_composition():
    accountant = rdp.RdpAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(2.0), 10)
    by_rdp = accountant.get_epsilon(DELTA)
    by_pld = epsilon_without_amplification(2.0, 10, DELTA)
    assert by_pld <= by_rdp <= 1.2 * by_pld
