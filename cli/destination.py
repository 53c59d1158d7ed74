"""Where the model of a run goes."""

from __future__ import annotations

import re
from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.registry.location import SAVED_MODELS

_LONGEST_NAME = 40
"""Of what a data set gives to the name of a model, which is to be typed."""


def destination_of(out: Path | None, recipe: Recipe) -> Path:
    """Returns the folder of the version that a run is to write.

    Args:
        out: What was typed; None for the usual place.
        recipe: What is run.

    Raises:
        InputError: The folder is a model itself, or its name cannot be registered.
    """
    # The privacy records take a second to import.
    from tfdpzoo.registry.reference import require_name
    from tfdpzoo.version_folder import GRAPH_FILE, next_version

    folder = out or SAVED_MODELS / f"{recipe.model}-{_name_of(recipe.dataset)}"
    model = folder.absolute()
    require_name("model", model.parent.name if model.name.isdecimal() else model.name)
    if folder.name.isdecimal():
        return folder
    if (folder / GRAPH_FILE).exists():
        raise InputError(
            f"{folder} exists already, is itself a model and is never overwritten; choose another "
            "path."
        )
    return folder / str(next_version(folder))


def _name_of(dataset: str) -> str:
    path = Path(dataset).expanduser().resolve()
    name = path.stem if path.suffix.lower() == ".npz" else path.name
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name)[:_LONGEST_NAME].strip("-.") or "images"
