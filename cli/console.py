"""Where and how the commands print."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

_WIDTH_OF_A_FILE = 120


def open_console(*, stderr: bool = False) -> Console:
    """Returns a console for people; in a file or a pipe it writes lines without control codes.

    Args:
        stderr: Whether it writes to stderr, as beside JSON on stdout.
    """
    console = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_OF_A_FILE)
    return console


def say(console: Console, text: str, style: str | None = None) -> None:
    """Prints a text: wrapped between words on a terminal, in one line elsewhere."""
    console.print(text, style=style, soft_wrap=not console.is_terminal)


def facts(rows: Iterable[tuple[str, str]], title: str | None = None) -> Table:
    """Returns a table of names and values."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        pad_edge=False,
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def columns(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> Table:
    """Returns a table with a head.

    Args:
        head: The names of the columns.
        rows: The cells.
        right: The columns that are aligned on the right.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in head:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def busy(console: Console, what: str) -> contextlib.AbstractContextManager[Any]:
    """Shows a spinner in a `with` block on a terminal, and nothing elsewhere."""
    return console.status(f"{what} ...") if console.is_terminal else contextlib.nullcontext()


def print_json(value: Any) -> None:
    """Writes JSON to stdout; an infinite number is written as a text, since JSON has none."""
    click.echo(json.dumps(_without_infinities(value), indent=2, allow_nan=False))


def _without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_infinities(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinities(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "infinity"
    return value
