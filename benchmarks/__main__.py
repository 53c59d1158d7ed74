"""Measures everything and writes the page: `python -m benchmarks`, or `make bench`."""

from __future__ import annotations

import click
from rich.console import Console

from benchmarks import comparison, growth
from benchmarks.driver import ROOT
from benchmarks.page import write_page
from benchmarks.results import read_sections, write_section

_BENCHMARKS = {"comparison": comparison.measure, "growth": growth.measure}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(_BENCHMARKS)))
@click.option("--page-only", is_flag=True, help="Make the page of the kept results again.")
def main(names: tuple[str, ...], page_only: bool) -> None:
    """Measures the benchmarks NAMES, by default all, and writes docs/benchmarks.md.

    Example: python -m benchmarks growth
    """
    console = Console(stderr=True)
    for name in () if page_only else names or _BENCHMARKS:
        with console.status(name) as status:
            write_section(name, _BENCHMARKS[name](status.update))
    write_page(read_sections(), ROOT / "docs")
    console.print("wrote docs/benchmarks.md")


main()
