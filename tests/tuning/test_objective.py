from __future__ import annotations

import subprocess
import sys

import pytest

from tfdpzoo.errors import InputError
from tfdpzoo.tuning.objective import OBJECTIVE, counted_objective, require_counted_objective


def test_the_counted_objective_is_to_be_large():
    objective = counted_objective()

    assert (objective.name, objective.direction) == (OBJECTIVE, "max")
    require_counted_objective(objective.name)


@pytest.mark.parametrize("name", ["val_accuracy", "val_loss", "test_accuracy"])
def test_scores_outside_of_the_guarantee_are_refused(name):
    with pytest.raises(InputError, match=f"{name} is computed on examples that the guarantee does"):
        require_counted_objective(name)


@pytest.mark.parametrize("name", ["accuracy", "loss", "", "held_out_accuracy "])
def test_scores_of_training_examples_are_refused(name):
    with pytest.raises(InputError, match="without noise, so that choosing by it costs privacy"):
        require_counted_objective(name)


def test_its_name_is_there_without_tensorflow():
    code = "import sys, tfdpzoo.tuning.objective; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
