"""Which model a run trains, if it is somebody's own: the copy of its file in the run's folder."""

from __future__ import annotations

from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_record import ModelFile, RunRecord, digest_of_file
from tfdpzoo.zoo.own_models import OwnModel


def copy_own_model(model: str, folder: RunFolder) -> str:
    """Copies the file of an own model into the run's folder; a model of the zoo needs no copy.

    Args:
        model: The model's name, or `path/to/file.py:function`.
        folder: The run's folder.

    Returns:
        The model as the run has it: `model` itself, or the function of the copy.

    Raises:
        InputError: The file cannot be run or copied, or has no such function.
    """
    own = OwnModel.parse(model)
    if own is None:
        return model
    # What is wrong with the file is told of the file and not of its copy.
    own.load_builder()
    return str(own.copy_to(folder.path))


def model_file(model: str) -> ModelFile | None:
    """Describes the file of an own model in a run's folder; None for a model of the zoo.

    Args:
        model: From `copy_own_model`.

    Raises:
        InputError: The file cannot be read.
    """
    own = OwnModel.parse(model)
    if own is None:
        return None
    return ModelFile(own.file.name, own.function, digest_of_file(own.file))


def model_of_run(folder: RunFolder, record: RunRecord, recipe: Recipe) -> str:
    """Returns the model that a run began with, as the catalogue takes it.

    Args:
        folder: The run's folder.
        record: What the run was started with.
        recipe: The run's recipe.

    Raises:
        InputError: The file of an own model was changed since the run began, or is gone.
    """
    if record.model_file is None:
        return recipe.model
    file = folder.path / record.model_file.name
    if digest_of_file(file) != record.model_file.digest:
        raise InputError(
            f"The model's file {file} was changed since the run began; put it back, or begin a new "
            "run with it."
        )
    return str(OwnModel(file, record.model_file.function))
