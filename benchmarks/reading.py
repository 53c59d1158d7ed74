"""What it costs to read images by index: time of an update, and memory, each way in a process.

python -m benchmarks.reading --json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.driver import ROOT
from benchmarks.machine import measured_on
from benchmarks.reading_worker import Reading, ReadingTask

_MIB = 2**20
_DIFFERENT_IMAGES = 64
_CLASSES = 10


@click.command()
@click.option("--batch", type=click.IntRange(1), default=256, show_default=True)
@click.option("--updates", type=click.IntRange(3), default=30, show_default=True)
@click.option("--side", type=click.IntRange(8), default=128, show_default=True, help="In pixels.")
@click.option(
    "--limit", type=click.IntRange(1), default=64, show_default=True, help="In MiB; data is ten."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(batch: int, updates: int, side: int, limit: int, as_json: bool) -> None:
    """Trains on JPEG files of ten times the memory limit, from memory and by index.

    Example: python -m benchmarks.reading --batch 256 --json
    """
    much = 10 * limit * _MIB // (3 * side**2) + 2 * _CLASSES
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, images in (("much", much), ("little", much // 9)):
            _write_jpegs(root / name, images, side)
        tasks = [
            ReadingTask("from memory", str(root / "much"), 100 * limit * _MIB, batch, updates),
            ReadingTask("by index", str(root / "much"), limit * _MIB, batch, updates),
            ReadingTask(
                "by index, nothing ahead", str(root / "much"), limit * _MIB, batch, updates, ahead=0
            ),
            ReadingTask(
                "by index, a ninth of the data", str(root / "little"), limit * _MIB, batch, updates
            ),
        ]
        readings = [_measured(task) for task in tasks]
    if as_json:
        machine = measured_on("python -m benchmarks.reading", os.cpu_count() or 1)
        click.echo(json.dumps(machine | {"readings": [asdict(each) for each in readings]}))
    else:
        _print_table(readings)


def _write_jpegs(root: Path, images: int, side: int) -> None:
    """Writes photographs of noise, smooth as photographs are; most are links to a few files."""
    generator = np.random.default_rng(0)
    originals = []
    for number in range(_DIFFERENT_IMAGES):
        pixels = generator.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        originals.append(root.with_name(f"{root.name}-{number}.jpg"))
        smooth = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
        smooth.save(originals[-1], quality=90)
    for number in range(images):
        split = "test" if number < 2 * _CLASSES else "train"
        place = root / split / f"class{number % _CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        os.link(originals[number % _DIFFERENT_IMAGES], place / f"{number:06d}.jpg")


def _measured(task: ReadingTask) -> Reading:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reading_worker", json.dumps(asdict(task))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        text=True,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(f"{task.name}: ended with status {done.returncode}")
    return Reading(**json.loads(done.stdout))


def _print_table(readings: list[Reading]) -> None:
    columns = ("images", "data MB", "loading s", "batch alone ms", "update ms", "peak MB")
    table = Table(*columns, title="Reading JPEG files")
    for each in readings:
        table.add_row(
            each.name,
            f"{each.data_mb:.0f}",
            f"{each.seconds_to_load:.1f}",
            f"{1e3 * each.batch_seconds:.0f}",
            f"{1e3 * each.update_seconds:.0f}",
            f"{each.peak_mb:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
