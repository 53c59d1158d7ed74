"""The table of recorded runs: every epsilon in it follows from the recipe that was run."""

from __future__ import annotations

import csv
import itertools
import math
import re
import shlex
from pathlib import Path

import dp_accounting
import pytest
from dp_accounting import dp_event, pld, rdp

from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.tuning.search_plan import SearchBudget, SearchPlan
from tfdpzoo.zoo import catalog

TABLE = Path(__file__).resolve().parents[2] / "zoo" / "results.csv"
EXAMPLES = {"digits": 1433, "mnist": 60_000, "fashion_mnist": 60_000, "cifar10": 50_000}

with TABLE.open(newline="") as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['recipe']} of {row['date']}")
def test_the_epsilon_of_a_row_follows_from_its_recipe(row):
    if not row["epsilon"]:
        assert row["guarantee"] != "valid"
        return
    privacy = _recipe_of(row).privacy
    examples = EXAMPLES[row["dataset"]]
    if row["command"].startswith("tfdpzoo tune "):
        _require_search(row, privacy.batch_size, privacy.epochs, examples)
        return
    sigma = PrivacyPlan.calibrate(
        epsilon=float(row["epsilon"]),
        delta=float(row["delta"]),
        examples=examples,
        batch_size=privacy.batch_size,
        updates=int(row["updates"]),
        clip_norm=privacy.clip_norm,
    ).noise_multiplier

    accountant = pld.PLDAccountant(dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE, 1e-3)
    step = dp_accounting.PoissonSampledDpEvent(
        privacy.batch_size / examples, dp_accounting.GaussianDpEvent(sigma)
    )
    accountant.compose(step, int(row["updates"]))

    assert int(row["updates"]) == int(privacy.epochs * examples / privacy.batch_size)
    assert accountant.get_epsilon(float(row["delta"])) <= float(row["epsilon"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['recipe']} of {row['date']}")
def test_a_row_says_how_it_was_made(row):
    assert all(row[name] for name in ("accuracy", "seconds", "hardware", "versions", "commit"))
    assert row["command"] and "-dirty" not in row["commit"]
    assert 0 < float(row["accuracy"]) < 1


def _recipe_of(row):
    """The recipe with what was set for the run."""
    words = shlex.split(row["command"].partition("; best: ")[0])
    assigned = [value for flag, value in itertools.pairwise(words) if flag == "--set"]
    overrides = dict(each.split("=", 1) for each in assigned)
    return catalog.recipe(row["model"], row["recipe"], overrides=overrides)


def _require_search(row, batch_size, epochs, examples):
    """Of a search by the logarithmic law: the total, for as many examples as a trial may have had.

    How many were held out, a tenth on average, is known from the number of updates to a few.
    """
    updates, delta = int(row["updates"]), float(row["delta"])
    trained = math.ceil(updates * batch_size / epochs)
    assert abs(trained - 0.9 * examples) < 6 * math.sqrt(0.09 * examples) + batch_size / epochs
    mean = float(re.search(r"--trials ([\d.]+)", row["command"])[1])
    law = RepetitionLaw("logarithmic", mean)
    plan = SearchPlan.calibrate(
        SearchBudget(float(row["epsilon"]), delta, law=law),
        examples=trained,
        held_out_examples=examples - trained,
        batch_size=batch_size,
        epochs=epochs,
    )
    assert plan.updates == updates
    step = dp_accounting.PoissonSampledDpEvent(
        batch_size / trained, dp_accounting.GaussianDpEvent(plan.noise_multiplier)
    )
    trial = dp_accounting.SelfComposedDpEvent(step, updates)
    best = dp_event.RepeatAndSelectDpEvent(trial, mean, 0.0)
    assert rdp.RdpAccountant().compose(best).get_epsilon(delta) <= float(row["epsilon"])
