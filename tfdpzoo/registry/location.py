"""From what a person types to the folder of one version."""

from __future__ import annotations

from pathlib import Path

from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.registry.aliases import aliased_version
from tfdpzoo.registry.reference import ModelReference
from tfdpzoo.version_folder import find_version

SAVED_MODELS = Path("saved_models")


def locate(text: str, models: Path = SAVED_MODELS) -> Path:
    """Returns the folder of the version that is meant.

    Args:
        text: The path of a model or of one of its versions, or `NAME`, `NAME:VERSION` or
            `NAME@ALIAS` of a registered one. What exists as a path is taken as one.
        models: The registry's folder.

    Raises:
        InputError: There is no such model, version or alias.
    """
    if Path(text).is_dir() or "/" in text:
        return find_version(text)
    reference = ModelReference.parse(text)
    folder = models / reference.name
    if not folder.is_dir():
        raise _no_model(reference.name, models)
    if reference.alias is not None:
        version: int | None = aliased_version(folder, reference.alias)
    else:
        version = reference.version
    if version is None:
        return find_version(folder)
    if not (folder / str(version)).is_dir():
        raise InputError(f"The model {reference.name} in {models} has no version {version}.")
    return find_version(folder / str(version))


def _no_model(name: str, models: Path) -> InputError:
    known = [each.name for each in models.iterdir() if each.is_dir()] if models.is_dir() else []
    if not known:
        return InputError(f"There are no models in {models}, so none named {name!r}.")
    return unknown_name(f"model in {models}", name, known)
