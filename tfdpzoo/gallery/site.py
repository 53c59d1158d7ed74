"""Builds the gallery's site; it appears as a whole, in place of an earlier one."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tfdpzoo.cards.context import NotesOf
from tfdpzoo.cards.html import render_page
from tfdpzoo.cards.templating import page_templates
from tfdpzoo.errors import InputError
from tfdpzoo.gallery.models import GalleryModel, RegisteredVersion, read_model, registered_versions
from tfdpzoo.gallery.plot import data_set_plots, plot_data

MARKER = ".tfdpzoo-gallery"
"""The file that marks a folder as a site of ours, which may be replaced."""

_PACKAGE = "tfdpzoo.gallery"
_ASSETS = ("style.css", "theme.js", "gallery.css", "gallery.js")
_MARKER_TEXT = "This folder was written by `tfdpzoo gallery`, which replaces it as a whole.\n"

Progress = Callable[[RegisteredVersion], None]


def build_gallery(
    models: str | Path,
    out: str | Path,
    *,
    notes_of: NotesOf | None = None,
    progress: Progress = lambda registered: None,
) -> tuple[GalleryModel, ...]:
    """Writes a site of all models in the registry.

    Each model is verified before its page is written. What is not intact, or cannot be read, is
    listed with the reason and has no page. The site is written beside its place and renamed, so
    that it is there as a whole or not at all.

    Args:
        models: The registry's folder.
        out: The site's folder. An earlier site of ours is replaced, nothing else ever is.
        notes_of: Finds what is written of an architecture.
        progress: Is told each version before it is read.

    Returns:
        What is in the site.

    Raises:
        InputError: There is no registry, or the folder cannot be written or is none of ours.

    Example:
        >>> build_gallery("saved_models", "site")  # doctest: +SKIP
    """
    models, out = Path(models), Path(out)
    require_replaceable(out)
    found = []
    for registered in registered_versions(models):
        progress(registered)
        found.append(read_model(registered, notes_of))
    with _replaced_at_once(out) as folder:
        _write_site(folder, found)
    return tuple(found)


def require_replaceable(out: Path) -> None:
    """Refuses a folder that is there already and is no site of ours.

    Raises:
        InputError: It is not empty and has not the mark of a site, or it is no folder.
    """
    if not os.path.lexists(out):
        return
    if out.is_symlink() or not out.is_dir():
        raise InputError(f"{out} exists already and is no folder; choose another with --out.")
    if not (out / MARKER).is_file() and any(out.iterdir()):
        raise InputError(
            f"{out} exists already and is no gallery, so it is not replaced; choose another folder "
            "with --out."
        )


def _write_site(folder: Path, models: Sequence[GalleryModel]) -> None:
    from plotly.offline import get_plotlyjs

    assets, pages = folder / "assets", folder / "models"
    assets.mkdir()
    pages.mkdir()
    templates = page_templates(_PACKAGE)
    for name in _ASSETS:
        _write(assets / name, templates.get_template(name).render())
    _write(assets / "plotly.min.js", get_plotlyjs())
    shown = [model for model in models if model.card is not None]
    for model in shown:
        page = render_page(model.card, _PACKAGE, "model.html") if model.card else ""
        _write(pages / model.registered.page, page)
    plots = data_set_plots(models)
    index = templates.get_template("index.html").render(
        models=shown,
        unreadable=[model for model in models if model.card is None],
        plots=plots,
        plot_data=plot_data(plots),
    )
    _write(folder / "index.html", index)
    _write(folder / MARKER, _MARKER_TEXT)


def _write(file: Path, text: str) -> None:
    # Facts in JSON may hold halves of characters, which UTF-8 does not have.
    file.write_bytes(text.encode("utf-8", errors="replace"))


@contextmanager
def _replaced_at_once(out: Path) -> Iterator[Path]:
    """Gives a hidden folder beside `out` that takes its place if all goes well."""
    place = out.absolute()
    token = secrets.token_hex(8)
    new = place.parent / f".{place.name}.{token}.part"
    old = place.parent / f".{place.name}.{token}.old"
    created = [parent for parent in place.parents if not parent.exists()]
    try:
        new.mkdir(parents=True)
        yield new
        require_replaceable(out)
        if place.exists():
            os.rename(place, old)
        _rename_or_undo(new, place, old)
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)
        for parent in created:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        if isinstance(error, OSError):
            raise InputError(f"{out} cannot be written: {error.strerror}.") from error
        raise
    shutil.rmtree(old, ignore_errors=True)


def _rename_or_undo(new: Path, place: Path, old: Path) -> None:
    try:
        os.rename(new, place)
    except OSError:
        if old.exists():
            os.rename(old, place)
        raise
