"""`tfdpzoo export`: a model in the format that somebody needs, with its privacy record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import busy, facts, open_console, print_json, say
from tfdpzoo.errors import InputError

if TYPE_CHECKING:
    import keras

    from tfdpzoo.conversion.conversion import Conversion

_EXAMPLES = """\b
Examples:
  tfdpzoo export smoothnet-digits@champion --format onnx
  tfdpzoo export runs/smoothnet-digits-20261127-101500 --format keras --out model.keras
  tfdpzoo export saved_models/smoothnet-digits/3 --format tflite --batch-size 8
"""


@click.command(epilog=_EXAMPLES)
@options.model_or_run
@options.export_format
@options.export_out
@options.images_per_call
@options.models
@options.as_json
def export(
    source: str,
    format_name: str,
    path: Path | None,
    batch_size: int | None,
    models: Path,
    as_json: bool,
) -> None:
    """Write a model in another format, with its privacy record in it.

    The model is NAME, NAME:VERSION or NAME@ALIAS of a registered one, the path of a SavedModel, or
    the folder of a run that has ended. It is verified first. What is written computes the same,
    which is measured on random images, and carries the record as far as the format can.
    """
    folder = _find(source, models)
    from tfdpzoo.conversion.formats import default_path
    from tfdpzoo.conversion.order import check_order

    path = path or default_path(folder, format_name)
    check_order(format_name, path, batch_size)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow, stderr_aside

    start_tensorflow()
    from tfdpzoo.conversion.conversion import convert

    console = open_console(stderr=as_json)
    # Converters report on stderr, past Python, what is no news to anybody.
    with busy(console, f"exporting {folder}"), stderr_aside():
        written = convert(folder, format_name, path, builder=_build, batch_size=batch_size)
    if as_json:
        print_json(_fields(written))
        return
    say(console, f"{folder} is intact; exported to {path}.", style="green")
    console.print(facts(_rows(written)))
    guarantee = written.original.guarantee
    say(console, guarantee.sentence(), style="bold" if guarantee.valid else "bold red")


def _build(name: str, **arguments: Any) -> keras.Model:
    """Builds what is installed. A stranger's record must not name a file of Python to be run."""
    from tfdpzoo.zoo import catalog

    if name not in catalog.names():
        raise InputError(
            f"The model's layers cannot be built again: no installed package has the network "
            f"{name!r}. Export to saved_model, onnx or tflite."
        )
    return catalog.build(name, **arguments)


def _find(source: str, models: Path) -> Path:
    from tfdpzoo.conversion.run import is_run, model_of_run
    from tfdpzoo.registry.location import locate

    if not is_run(Path(source)):
        return locate(source, models)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    return model_of_run(Path(source))


def _rows(written: Conversion) -> list[tuple[str, str]]:
    rows = [("record", written.record_place), ("loaded by", written.needs)]
    if written.agreement is None:
        return [*rows, ("compared", "the copy verifies and has the same files")]
    from tfdpzoo.conversion.agreement import TOLERANCE

    found = ", ".join(
        f"{name} {difference:.1e}" for name, difference in written.agreement.differences.items()
    )
    sizes = written.agreement.batch_sizes
    return [
        *rows,
        (
            "compared",
            f"largest difference on {sum(sizes)} random images: {found} ({TOLERANCE:g} allowed)",
        ),
    ]


def _fields(written: Conversion) -> dict[str, Any]:
    guarantee, agreement = written.original.guarantee, written.agreement
    return {
        "path": str(written.path),
        "format": written.format,
        "source": str(written.original.folder),
        "record": written.record_place,
        "loaded_by": written.needs,
        "differences": None if agreement is None else dict(agreement.differences),
        "batch_sizes": None if agreement is None else agreement.batch_sizes,
        "weights_sha256": guarantee.provenance.weights_sha256,
        "valid": guarantee.valid,
        "epsilon": guarantee.epsilon,
        "delta": guarantee.delta,
        "sentence": guarantee.sentence(),
    }
