"""The table of recorded runs: every epsilon in it follows from the recipe that was run."""

from __future__ import annotations

import csv
from pathlib import Path

import dp_accounting
import pytest
from dp_accounting import pld

from tfdpzoo.dpsgd.plan import PrivacyPlan
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
    privacy = catalog.recipe(row["model"], row["recipe"]).privacy
    examples = EXAMPLES[row["dataset"]]
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
