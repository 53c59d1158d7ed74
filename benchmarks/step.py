"""Our private step against the ordinary Keras step of the same model, on this machine.

python -m benchmarks.step --model smoothnet-w80d10 --batch 64 --json
"""

from __future__ import annotations

import json
from dataclasses import replace

import click
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import ORDINARY, OURS
from benchmarks.driver import Entrant, alternate
from benchmarks.measurement import Measurement
from benchmarks.models import MODELS
from benchmarks.training_step import StepSettings


@click.command()
@click.option("--model", type=click.Choice(list(MODELS)), default=next(iter(MODELS)))
@click.option(
    "--batch", type=click.IntRange(1), help="Examples in a step; the model's own if left out."
)
@click.option(
    "--pairs", type=click.IntRange(1), default=30, show_default=True, help="Steps of each."
)
@click.option("--chunk", type=click.IntRange(1), help="Examples differentiated at once.")
@click.option(
    "--jit",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="Whether XLA compiles; auto leaves it to each library.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    model: str, batch: int | None, pairs: int, chunk: int | None, jit: str, as_json: bool
) -> None:
    """Times a private step and an ordinary one in turn, each in a process of its own.

    Example: python -m benchmarks.step --model smoothnet-w80d10 --batch 64 --json
    """
    settings = StepSettings(model, batch or MODELS[model].batch, chunk, jit)
    private, ordinary = _measured([Entrant(OURS, settings), Entrant(ORDINARY, settings)], pairs)
    rows = [ordinary, private]
    if private.chunk is not None and private.chunk < settings.batch:
        small = replace(settings, batch=private.chunk)
        rows += _measured([Entrant(ORDINARY, small)], pairs)
    if as_json:
        click.echo(json.dumps(_summary(model, *rows)))
    else:
        _print_table(model, rows)


def _measured(entrants: list[Entrant], pairs: int) -> list[Measurement]:
    measurements = alternate(entrants, pairs)
    for measurement in measurements:
        if measurement.failure:
            raise click.ClickException(f"{measurement.contender}: {measurement.failure}")
    return measurements


def _summary(
    model: str, ordinary: Measurement, private: Measurement, at_chunk: Measurement | None = None
) -> dict[str, object]:
    summary: dict[str, object] = {
        "nonprivate_s": ordinary.median_seconds,
        "private_s": private.median_seconds,
        "ratio": private.ratio_to(ordinary),
        "nonprivate_peak_mb": ordinary.peak_mb,
        "private_peak_mb": private.peak_mb,
        "model": model,
        "parameters": private.parameters,
        "batch": private.batch,
        "chunk": private.chunk,
        "pairs": len(private.seconds),
        "device": private.device,
        "versions": private.versions,
    }
    if at_chunk is not None:
        summary["nonprivate_at_chunk_s"] = at_chunk.median_seconds
        summary["nonprivate_at_chunk_peak_mb"] = at_chunk.peak_mb
    return summary


def _print_table(model: str, rows: list[Measurement]) -> None:
    ordinary = rows[0]
    table = Table("step", "batch", "seconds", "times the ordinary step", "peak MB", title=model)
    for row in rows:
        ratio = f"{row.ratio_to(ordinary):.2f}" if row.batch == ordinary.batch else ""
        table.add_row(
            row.contender, str(row.batch), f"{row.median_seconds:.4g}", ratio, f"{row.peak_mb:.0f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
