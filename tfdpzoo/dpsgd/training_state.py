"""All that an update changes, so that training can go on from where it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    import keras

    from tfdpzoo.dpsgd.model import PrivateModel


def training_state(private: PrivateModel) -> dict[str, np.ndarray]:
    """Returns copies of the variables of a compiled model, by their places.

    With the plan, the data and the secret key they decide all later updates: the weights, those
    that layers draw random numbers with included, their average, the optimizer's variables and the
    number of the update.
    """
    return {name: np.array(variable) for name, variable in _variables(private).items()}


def restore_training_state(private: PrivateModel, state: Mapping[str, np.ndarray]) -> None:
    """Puts variables back that `training_state` returned; nothing is changed if they do not fit.

    Which update comes next is another matter: see `PrivateModel.go_on_from`.

    Raises:
        InputError: They are of a model or an optimizer of another form.
    """
    variables = _variables(private)
    found = {name: tuple(values.shape) for name, values in state.items()}
    expected = {name: tuple(variable.shape) for name, variable in variables.items()}
    if found != expected:
        different = min(found.items() ^ expected.items())[0]
        raise InputError(
            f"The saved variables do not fit the model {private.model.name} and its optimizer "
            f"{type(private.optimizer).__name__}: {different} is missing, is too much or has "
            "another shape."
        )
    for name, variable in variables.items():
        variable.assign(state[name])


def _variables(private: PrivateModel) -> dict[str, keras.Variable]:
    private.optimizer.build(private.model.trainable_variables)
    groups = {
        "model": private.model.variables,
        "average": private.averages,
        "optimizer": private.optimizer.variables,
        "count": [private.executed_updates, private.discarded_examples],
    }
    return {
        f"{group}/{index}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }
