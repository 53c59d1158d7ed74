"""The numbers on the page about tuning are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tfdpzoo.privacy.repetition import RepetitionLaw
from tfdpzoo.tuning.search_plan import SearchBudget, SearchPlan

PAGE = (Path(__file__).parents[1] / "docs" / "tuning.md").read_text()
SIZES = {"examples": 45_000, "held_out_examples": 5_000, "batch_size": 1024, "epochs": 30}
COLUMNS = (("logarithmic", None), ("truncated negative binomial", 0.5), ("geometric", None))


def _budgets(trials: int) -> list[SearchBudget]:
    laws = [RepetitionLaw(name, float(trials), shape) for name, shape in COLUMNS]  # type: ignore[arg-type]
    laws.append(RepetitionLaw("poisson", float(trials)))
    budgets = [SearchBudget(7.0, 1e-5, law=law) for law in laws]
    return [*budgets, SearchBudget(7.0, 1e-5, trials=trials)]


@pytest.mark.parametrize("trials", [2, 10])
def test_the_table_of_epsilons_is_recomputed(trials: int) -> None:
    (row,) = re.findall(rf"^\| {trials} \| (.*) \|$", PAGE, re.MULTILINE)
    found = [float(cell) for cell in row.split(" | ")]
    plans = [SearchPlan.calibrate(budget, **SIZES) for budget in _budgets(trials)]
    assert found == [round(plan.trial_epsilon, 2) for plan in plans]


def test_the_code_in_python_is_python() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "tuning.md", "exec")


def test_readme_quotes_the_table() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    quoted = re.search(
        r"each trial has epsilon ([\d.]+\d),\s+where adding them up would leave ([\d.]+\d)", readme
    )
    assert quoted is not None
    (row,) = re.findall(r"^\| 10 \| (.*) \|$", PAGE, re.MULTILINE)
    cells = row.split(" | ")
    assert quoted.groups() == (cells[0], f"{cells[-1]}")
