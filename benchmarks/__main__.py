"""Measures everything and writes the page: `python -m benchmarks`, or `make bench`."""

from __future__ import annotations

import click
from rich.console import Console

from benchmarks import comparison, growth, inference, replicas, serving
from benchmarks.driver import ROOT
from benchmarks.models import MODELS
from benchmarks.page import write_page
from benchmarks.results import read_sections, update_section, write_section

_BENCHMARKS = {
    "comparison": comparison.measure,
    "growth": growth.measure,
    "inference": inference.measure,
    "replicas": replicas.measure,
    "serving": serving.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(_BENCHMARKS)))
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Choice(list(MODELS)),
    help="Measure this model of the comparison again and keep the others' numbers; repeatable.",
)
@click.option("--page-only", is_flag=True, help="Make the page of the kept results again.")
def main(names: tuple[str, ...], models: tuple[str, ...], page_only: bool) -> None:
    """Measures the benchmarks NAMES, by default all, and writes docs/benchmarks.md.

    Example: python -m benchmarks comparison --model wrn16-4
    """
    if models and (page_only or names != ("comparison",)):
        raise click.UsageError(
            "--model is of the comparison alone: python -m benchmarks comparison --model NAME."
        )
    console = Console(stderr=True)
    if models:
        with console.status("comparison") as status:
            update_section("comparison", comparison.measure(status.update, models))
    for name in () if models or page_only else names or _BENCHMARKS:
        with console.status(name) as status:
            write_section(name, _BENCHMARKS[name](status.update))
    write_page(read_sections(), ROOT / "docs")
    console.print("wrote docs/benchmarks.md")


if __name__ == "__main__":
    main()
