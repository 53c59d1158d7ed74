"""From what a person types to the folder of one version."""

from __future__ import annotations

import os
from pathlib import Path

from tfdpzoo.errors import InputError, require_utf8, unknown_name
from tfdpzoo.registry.aliases import aliased_version
from tfdpzoo.registry.reference import ModelReference, is_name
from tfdpzoo.version_number import versions

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
    require_utf8("The model", text)
    if text and (os.path.isdir(text) or "/" in text):
        # The privacy records, which this imports, take a second.
        from tfdpzoo.version_folder import find_version

        return find_version(text)
    return locate_registered(ModelReference.parse(text), models)


def locate_registered(reference: ModelReference, models: Path = SAVED_MODELS) -> Path:
    """Returns the folder of a registered version; without version and alias it is the newest.

    Args:
        reference: What is meant.
        models: The registry's folder.

    Raises:
        InputError: There is no such model, version or alias.
    """
    folder = model_folder(reference.name, models)
    found = versions(folder)
    version = reference.version
    if reference.alias is not None:
        version = aliased_version(folder, reference.alias)
    if version is None and found:
        version = max(found)
    if version not in found:
        raise _no_version(reference, version, list(found), models)
    return found[version]


def model_folder(name: str, models: Path = SAVED_MODELS) -> Path:
    """Returns the folder of a registered model.

    Args:
        name: The model's name.
        models: The registry's folder.

    Raises:
        InputError: There is no such model.
    """
    known = model_names(models)
    if name in known:
        return models / name
    if not known:
        raise InputError(
            f"There are no models in {models}, so none named {name!r}; a model that lies elsewhere "
            "is named by its path."
        )
    raise unknown_name(f"model in {models}", name, known)


def model_names(models: Path = SAVED_MODELS) -> list[str]:
    """Returns the names of the models in a registry, in alphabetical order.

    Args:
        models: The registry's folder; it need not exist.
    """
    try:
        entries = list(os.scandir(models))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(each.name for each in entries if is_name(each.name) and each.is_dir())


def _no_version(
    reference: ModelReference, version: int | None, found: list[int], models: Path
) -> InputError:
    if not found:
        return InputError(f"The model {reference.name} in {models} has no versions.")
    listed = ", ".join(map(str, sorted(found)))
    return InputError(
        f"The model {reference.name} in {models} has no version {version}; it has {listed}."
    )
