"""Writing a card: a folder for Markdown, one file for HTML, each there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from tfdpzoo.cards.context import Card
from tfdpzoo.cards.html import render_html
from tfdpzoo.cards.markdown import UNKNOWN_LICENCE, render_markdown
from tfdpzoo.errors import InputError
from tfdpzoo.version_folder import check_destination

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def default_place(card: Card, card_format: str) -> Path:
    """Returns where a card goes if nothing else is said, in the current folder.

    Args:
        card: The facts.
        card_format: `"markdown"` or `"html"`.
    """
    version = "" if card.version is None else f"-{card.version}"
    ending = ".html" if card_format == "html" else ""
    return Path(f"{_UNSAFE.sub('_', card.name)}{version}-card{ending}")


def write_card(card: Card, card_format: str, out: Path, licence: str | None = None) -> Path:
    """Writes a card.

    Args:
        card: The facts.
        card_format: `"markdown"` for a folder with README.md and pictures, `"html"` for one file.
        out: The folder or file, which must not exist.
        licence: The identifier of the model's licence, for Markdown; None where it is not known.

    Returns:
        What a person opens: `README.md` in the folder, or the file.

    Raises:
        InputError: The place is taken or cannot be written.
    """
    check_destination(out)
    if card_format == "html":
        text = render_html(card)
        with _appearing(out) as place:
            _write(place, text)
        return out
    files = render_markdown(card, licence or UNKNOWN_LICENCE)
    with _appearing(out) as place:
        _write_folder(place, files)
    return out / "README.md"


def _write_folder(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir()
    for name, text in files.items():
        _write(folder / name, text)


def _write(file: Path, text: str) -> None:
    """Facts in JSON may hold halves of characters, which UTF-8 does not have."""
    file.write_bytes(text.encode("utf-8", errors="replace"))


@contextlib.contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """Gives a place beside `out` that is renamed to it if all goes well."""
    place = out.absolute()
    temporary = place.parent / f".{place.name}.{secrets.token_hex(8)}.part"
    created = [parent for parent in place.parents if not parent.exists()]
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.rename(temporary, place)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.unlink(missing_ok=True)
        for parent in created:
            with contextlib.suppress(OSError):
                parent.rmdir()
        if isinstance(error, OSError):
            raise InputError(f"{out} cannot be written: {error.strerror}.") from error
        raise
