"""TensorFlow Serving's `models.config`: which registered models and versions a server loads.

The file is a protocol buffer `ModelServerConfig` in text form. Aliases become version labels, which
a client can ask for in place of a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.durable_file import replacing
from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import read_aliases
from tfdpzoo.registry.location import locate, model_names
from tfdpzoo.registry.reference import ModelReference, require_name
from tfdpzoo.version_folder import GRAPH_FILE
from tfdpzoo.version_number import versions

MODELS_IN_SERVER = "/models"

_HEAD = "# Written by `tfdpzoo serve-config`, which replaces this file.\n"
_READABLE_BY_ALL = 0o644
"""The server is often another user, and nothing here is secret."""


@dataclass(frozen=True)
class ServedVersions:
    """A model that a server is to serve.

    Attributes:
        name: Its name.
        versions: The versions that are loaded; none for the newest, also one that comes later.
        labels: Names of versions among them, in order.
    """

    name: str
    versions: tuple[int, ...] = ()
    labels: tuple[tuple[str, int], ...] = ()


def served_versions(references: Sequence[str], models: Path) -> tuple[ServedVersions, ...]:
    """Says which versions of which registered models a server is to load.

    A model without aliases is served in its newest version, also when a newer one is registered
    later. One with aliases is served in the versions that they stand for and in the newest of now:
    TensorFlow Serving loads labelled versions only if they are listed.

    Args:
        references: `NAME`, `NAME:VERSION` or `NAME@ALIAS` each, or the folder of a registered model
            or version; none for all models.
        models: The registry's folder.

    Returns:
        The models in alphabetical order.

    Raises:
        InputError: There is no such model, version or alias, or an alias stands for a version that
            is gone.
    """
    if not models.is_dir():
        raise InputError(f"There is no folder {models}, so no registered models to serve.")
    wanted = [_reference(each, models) for each in references] or _all_models(models)
    by_name: dict[str, list[ModelReference]] = {}
    for reference in wanted:
        by_name.setdefault(reference.name, []).append(reference)
    return tuple(_merged(name, by_name[name], models) for name in sorted(by_name))


def configuration_text(served: Iterable[ServedVersions], base: str = MODELS_IN_SERVER) -> str:
    """Returns the text of a `models.config`.

    Args:
        served: The models.
        base: The folder of the models where the server runs.

    Example:
        >>> print(configuration_text([ServedVersions("digits")]), end="")
        # Written by `tfdpzoo serve-config`, which replaces this file.
        model_config_list {
          config {
            name: "digits"
            base_path: "/models/digits"
            model_platform: "tensorflow"
            model_version_policy { latest { num_versions: 1 } }
          }
        }
    """
    lines = ["model_config_list {"]
    for each in served:
        lines += [
            "  config {",
            f'    name: "{each.name}"',
            f'    base_path: "{base}/{each.name}"',
            '    model_platform: "tensorflow"',
            f"    model_version_policy {{ {_policy(each)} }}",
            *(
                f'    version_labels {{ key: "{label}" value: {version} }}'
                for label, version in each.labels
            ),
            "  }",
        ]
    return _HEAD + "\n".join([*lines, "}"]) + "\n"


def write_configuration(path: Path, text: str) -> None:
    """Writes a `models.config` as a whole, in place of one that was written by this before.

    Args:
        path: The file.
        text: From `configuration_text`.

    Raises:
        InputError: Another file is there, or it cannot be written.
    """
    try:
        if path.is_dir() or (path.exists() and not path.read_bytes().startswith(_HEAD.encode())):
            raise InputError(
                f"{path} exists and was not written by `tfdpzoo serve-config`; choose another "
                "--out, or move it away."
            )
        with replacing(path) as stream:
            stream.write(text.encode())
            Path(stream.name).chmod(_READABLE_BY_ALL)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}).") from error


def _reference(text: str, models: Path) -> ModelReference:
    if not Path(text).is_dir() and "/" not in text:
        locate(text, models)
        return ModelReference.parse(text)
    folder, root = locate(text, models).resolve(), models.resolve()
    given = Path(text).resolve()
    if given.parent == root:
        return ModelReference(require_name("model", given.name))
    if folder.parent.parent == root and folder.name.isdecimal():
        return ModelReference(require_name("model", folder.parent.name), version=int(folder.name))
    raise InputError(
        f"{text} is not registered in {models}, the folder that the server would see; give "
        "--models the folder that it is in, as in FOLDER/NAME/VERSION."
    )


def _all_models(models: Path) -> list[ModelReference]:
    names = [name for name in model_names(models) if _versions(models / name)]
    if not names:
        raise InputError(f"There are no registered models in {models}.")
    return [ModelReference(name) for name in names]


def _merged(name: str, references: Sequence[ModelReference], models: Path) -> ServedVersions:
    """One entry of a model that may be asked for in several ways."""
    folder = models / name
    present, aliases = _versions(folder), read_aliases(folder)
    if not present:
        raise InputError(f"The model {name} in {models} has no version with a {GRAPH_FILE}.")
    wanted: set[int] = set()
    for reference in references:
        if reference.version is not None:
            wanted.add(reference.version)
        elif reference.alias is not None:
            wanted.add(aliases[reference.alias])
        else:
            wanted |= {max(present), *aliases.values()}
    labels = tuple((alias, version) for alias, version in aliases.items() if version in wanted)
    for label, version in labels:
        if version not in present:
            raise InputError(
                f"The alias {label} of {name} stands for version {version}, which is not in "
                f"{folder}; set it again or remove it."
            )
    unfinished = wanted - present
    if unfinished:
        raise InputError(f"{folder / str(min(unfinished))} holds no {GRAPH_FILE} to serve.")
    only_newest = all(each.version is None and each.alias is None for each in references)
    if only_newest and not labels:
        return ServedVersions(name)
    return ServedVersions(name, tuple(sorted(wanted)), labels)


def _versions(folder: Path) -> set[int]:
    """The versions that TensorFlow Serving can load; others are still being copied."""
    return {number for number, path in versions(folder).items() if (path / GRAPH_FILE).is_file()}


def _policy(served: ServedVersions) -> str:
    if not served.versions:
        return "latest { num_versions: 1 }"
    return f"specific {{ {' '.join(f'versions: {each}' for each in served.versions)} }}"
