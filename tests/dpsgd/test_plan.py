"""The plan: calibrated, checked again, and refused in one sentence where it cannot be."""

from __future__ import annotations

import dataclasses
import math

import dp_accounting
import numpy as np
import pytest
from dp_accounting import pld
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tfdpzoo.dpsgd.plan import PrivacyPlan, TrialPlan
from tfdpzoo.dpsgd.sampling import PoissonBatches
from tfdpzoo.errors import InputError

SETTING = {
    "epsilon": 7.0,
    "delta": 1e-5,
    "examples": 1_000,
    "batch_size": 100,
    "updates": 10,
    "clip_norm": 1.0,
}


def independent_epsilon(plan: PrivacyPlan, updates: int) -> float:
    """From the plan's plain numbers, by dp-accounting alone."""
    accountant = pld.PLDAccountant(value_discretization_interval=5e-4)
    one = dp_accounting.PoissonSampledDpEvent(
        plan.batch_size / plan.examples, dp_accounting.GaussianDpEvent(plan.noise_multiplier)
    )
    return accountant.compose(one, updates).get_epsilon(plan.delta)


@pytest.fixture(scope="module")
def plan() -> PrivacyPlan:
    return PrivacyPlan.calibrate(**SETTING)


def test_paper_setting():
    """N = 50,000, B = 1024, 30 epochs, epsilon 7 at delta 1e-5: sigma 0.845."""
    plan = PrivacyPlan.calibrate(
        epsilon=7.0, delta=1e-5, examples=50_000, batch_size=1024, epochs=30, clip_norm=1.0
    )
    assert plan.updates == 1464
    assert plan.noise_multiplier == pytest.approx(0.845, abs=5e-4)
    assert 6.99 < plan.epsilon_after(plan.updates) <= 7.0
    assert 6.99 < independent_epsilon(plan, plan.updates) <= 7.0
    assert plan.updates_per_epoch == 49
    assert plan.epochs == pytest.approx(30, abs=0.02)
    assert plan.sampling_rate == 1024 / 50_000


@settings(max_examples=4)
@given(
    epsilon=st.floats(0.3, 12.0),
    batch_size=st.integers(1, 1_000),
    updates=st.integers(1, 100),
    exponent=st.floats(-8, -3.5),
)
def test_calibrated_plans_stay_within_epsilon_and_use_it(epsilon, batch_size, updates, exponent):
    """Never above the target; below it by at most a hundredth or the accountant's grid."""
    plan = PrivacyPlan.calibrate(
        epsilon=epsilon,
        delta=10**exponent,
        examples=1_000,
        batch_size=batch_size,
        updates=updates,
        clip_norm=1.0,
    )
    assert plan.epsilon_after(updates) <= epsilon
    assert independent_epsilon(plan, updates) <= epsilon + 1e-9
    assert independent_epsilon(plan, updates) > 0.98 * epsilon - 0.01


def test_both_constructors_agree(plan):
    same = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=plan.noise_multiplier,
        delta=1e-5,
        examples=1_000,
        batch_size=100,
        updates=10,
        clip_norm=1.0,
    )
    assert same.epsilon == plan.epsilon_after(10) == same.epsilon_after(10)
    assert dataclasses.replace(same, epsilon=plan.epsilon) == plan


def test_epsilon_is_that_of_executed_updates(plan):
    spent = [plan.epsilon_after(updates) for updates in range(11)]
    assert spent[0] == 0.0
    assert spent == sorted(spent)
    assert spent[4] == pytest.approx(independent_epsilon(plan, 4), abs=0.01)
    # Going on beyond the plan costs more than its target, and is not hidden.
    assert plan.epsilon_after(20) > plan.epsilon


def test_event_can_be_accounted_by_anyone(plan):
    event = plan.dp_event(3)
    assert event.count == 3
    assert plan.dp_event().count == 10
    accountant = pld.PLDAccountant(value_discretization_interval=1e-3)
    assert accountant.compose(plan.dp_event()).get_epsilon(1e-5) == plan.epsilon_after(10)


@pytest.mark.parametrize(
    ("epochs", "examples", "batch_size", "updates"),
    [
        (1, 1_000, 100, 10),
        (1.5, 1_000, 100, 15),
        (3, 1_000, 300, 10),
        (0.3, 1_000, 100, 3),  # 0.3 * 10 is 2.9999999999999996 in binary.
        (30, 50_000, 1_024, 1_464),  # 1464.8 is rounded down: never more than was asked for.
        (1, 1_000, 1_000, 1),
    ],
)
def test_epochs_are_counted_in_updates(epochs, examples, batch_size, updates):
    plan = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=20.0, delta=1e-6, examples=examples, batch_size=batch_size, epochs=epochs
    )
    assert plan.updates == updates
    assert 1 <= plan.updates_per_epoch <= updates


def test_plan_is_frozen(plan):
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.noise_multiplier = 0.1


@pytest.mark.parametrize(
    "change", [{"noise_multiplier": 0.5}, {"updates": 1_000}, {"epsilon": 6.9}, {"batch_size": 900}]
)
def test_a_plan_that_costs_more_than_its_target_cannot_exist(plan, change):
    with pytest.raises(InputError, match=r"cost epsilon .* above the target"):
        dataclasses.replace(plan, **change)


def test_a_plan_with_more_noise_than_needed_may_exist(plan):
    assert dataclasses.replace(plan, noise_multiplier=3.0).epsilon == 7.0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"epsilon": 0.0}, "epsilon is 0.0; it must be a finite number above zero"),
        ({"epsilon": -1.0}, "epsilon is -1.0"),
        ({"epsilon": math.nan}, "epsilon is nan"),
        ({"epsilon": math.inf}, "epsilon is inf"),
        ({"epsilon": "7"}, "epsilon is '7'"),
        ({"epsilon": None}, "epsilon is None"),
        ({"delta": 1e-3}, r"delta is 0.001 but must be below 1/1000 = 0.001"),
        ({"delta": 0.5}, "must be below 1/1000"),
        ({"delta": 0.0}, "delta is 0.0; it must be above 0 and below 1"),
        ({"delta": -1e-5}, "delta is -1e-05"),
        ({"delta": math.nan}, "delta is nan"),
        ({"delta": "1e-5"}, "delta is '1e-5'"),
        ({"batch_size": 1_001}, "batch_size is 1001 but there are only 1000 examples"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": -5}, "batch_size is -5"),
        ({"batch_size": 99.5}, "batch_size is 99.5; it must be a whole number"),
        ({"examples": 0}, "examples is 0"),
        ({"examples": 1e3}, "examples is 1000.0; it must be a whole number"),
        ({"updates": 0}, "updates is 0; a run needs a whole number of at least one"),
        ({"updates": -3}, "updates is -3"),
        ({"updates": 2.5}, "updates is 2.5"),
        ({"updates": math.nan}, "updates is nan"),
        ({"updates": None}, "Give either epochs or updates"),
        ({"epochs": 1}, "Give either epochs or updates"),
        ({"updates": None, "epochs": 0}, "epochs is 0"),
        ({"updates": None, "epochs": -1}, "epochs is -1"),
        ({"updates": None, "epochs": math.nan}, "epochs is nan"),
        ({"updates": None, "epochs": 0.05}, "make no update at all"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0"),
        ({"clip_norm": -1.0}, "clip_norm is -1.0"),
        ({"clip_norm": math.nan}, "clip_norm is nan"),
        ({"clip_norm": math.inf}, "clip_norm is inf"),
    ],
)
def test_bad_numbers_are_one_sentence(change, text):
    with pytest.raises(InputError, match=text):
        PrivacyPlan.calibrate(**{**SETTING, **change})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"noise_multiplier": 0.0}, "noise_multiplier is 0.0"),
        ({"noise_multiplier": -1.0}, "noise_multiplier is -1.0"),
        ({"noise_multiplier": math.nan}, "noise_multiplier is nan"),
        ({"delta": 1e-2}, "must be below 1/1000"),
        ({"batch_size": 2_000}, "only 1000 examples"),
        ({"updates": 0}, "updates is 0"),
    ],
)
def test_bad_noise_is_one_sentence(change, text):
    arguments = {
        "noise_multiplier": 1.0,
        "delta": 1e-5,
        "examples": 1_000,
        "batch_size": 100,
        "updates": 10,
    }
    with pytest.raises(InputError, match=text):
        PrivacyPlan.from_noise_multiplier(**{**arguments, **change})


@pytest.mark.slow  # The accountant tries long grids before it gives up.
def test_huge_epsilon_is_one_sentence():
    with pytest.raises(InputError, match="No noise multiplier can be accounted for epsilon 1e"):
        PrivacyPlan.calibrate(**{**SETTING, "epsilon": 1e6})


def test_delta_too_small_for_the_accountant_is_one_sentence():
    with pytest.raises(InputError, match="delta is 1e-300; below 1e-09"):
        PrivacyPlan.calibrate(**{**SETTING, "delta": 1e-300})


def test_batches_are_of_this_plan(plan):
    batches = plan.batches(np.zeros((1_000, 2, 2, 1), np.float32), np.zeros(1_000))
    assert isinstance(batches, PoissonBatches)
    assert batches.plan is plan
    assert not batches.key.reproducible


@pytest.mark.parametrize("runs", [2.0, 10.0, 1000.0])
def test_the_noise_of_many_runs_reaches_further(runs: float) -> None:
    """All of them together go beyond it no more often than one run may, by the normal tail."""
    alone = PrivacyPlan.from_noise_multiplier(
        noise_multiplier=1.0, delta=1e-5, examples=50_000, batch_size=1_000, updates=500
    )
    plan = TrialPlan(**dataclasses.asdict(alone), runs=runs)
    beyond = stats.norm.sf(plan.noise_reach - 1 / plan.noise_multiplier)
    assert runs * plan.updates * beyond == pytest.approx(1e-3 * plan.delta)
    assert plan.noise_reach > alone.noise_reach
