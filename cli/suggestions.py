"""What the shell proposes while somebody types; nothing here imports TensorFlow."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from tfdpzoo.errors import InputError

_FILES = CompletionItem("", type="file")


def models(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Proposes the architectures of the zoo."""
    from tfdpzoo.zoo import catalog

    described = {name: catalog.entry(name).description for name in catalog.names()}
    return _beginning(described, incomplete)


def recipes(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Proposes the recipes of the model that was typed, or of all; then files."""
    from tfdpzoo.zoo import catalog

    # Behind an option that waits for its value Click leaves the arguments where they are.
    typed = {context.params.get("model"), *context.args}
    known = [name for name in catalog.names() if name in typed] or catalog.names()
    names = {name: "" for each in known for name in catalog.entry(each).recipes}
    return _beginning(names, incomplete) or [_FILES]


def datasets(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Proposes the data sets that have a name; then folders and archives."""
    from tfdpzoo.data.published import SIZES

    return _beginning(dict.fromkeys(SIZES, ""), incomplete) or [_FILES]


def registered_models(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Proposes registered models, behind `:` their versions and behind `@` their aliases."""
    from tfdpzoo.registry.location import SAVED_MODELS

    if "/" in incomplete:
        return [_FILES]
    name = incomplete.partition(":")[0].partition("@")[0]
    with contextlib.suppress(OSError, InputError):
        if name != incomplete:
            return _beginning(_versions(SAVED_MODELS / name), incomplete)
        names = [each.name for each in sorted(SAVED_MODELS.iterdir()) if _is_model(each)]
        return _beginning(dict.fromkeys(names, ""), incomplete) or [_FILES]
    return [_FILES]


def _versions(model: Path) -> Mapping[str, str]:
    from tfdpzoo.registry.aliases import read_aliases

    numbers = sorted(int(each.name) for each in model.iterdir() if each.name.isdecimal())
    aliases = read_aliases(model)
    return {
        **{f"{model.name}:{number}": "" for number in numbers},
        **{f"{model.name}@{alias}": f"version {number}" for alias, number in aliases.items()},
    }


def _is_model(folder: Path) -> bool:
    return folder.is_dir() and any(each.name.isdecimal() for each in folder.iterdir())


def _beginning(texts: Mapping[str, str], incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(text, help=words or None)
        for text, words in texts.items()
        if text.startswith(incomplete)
    ]
