"""`tfdpzoo evaluate`: how good is a model on test images?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import facts, open_console, print_json, say
from tfdpzoo.errors import InputError
from tfdpzoo.memory import parse_memory
from tfdpzoo.registry.location import locate

_EXAMPLES = """\b
Examples:
  tfdpzoo evaluate smoothnet-digits@champion --dataset digits
  tfdpzoo evaluate saved_models/smoothnet-digits/1 --dataset digits
"""


@click.command(epilog=_EXAMPLES)
@options.reference
@options.models
@options.dataset
@options.data_dir
@options.image_size
@options.memory_limit
@options.as_json
def evaluate(
    reference: str,
    models: Path,
    dataset: str | None,
    data_dir: Path | None,
    image_size: int | None,
    memory_limit: str | None,
    as_json: bool,
) -> None:
    """Measure a model on the test images of a data set.

    REFERENCE is a registered model, as NAME (its newest version), NAME:VERSION or NAME@ALIAS, or
    the path of a model or of one of its versions.
    """
    if dataset is None:
        raise InputError("Give --dataset, whose test images the model is measured on.")
    limit = None if memory_limit is None else parse_memory(memory_limit)
    folder = locate(reference, models)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo import data
    from tfdpzoo.evaluation import evaluate_saved_model

    loaded = data.load(dataset, data_dir=data_dir, image_size=image_size, memory_limit=limit)
    found = evaluate_saved_model(folder, loaded.test_images, loaded.test_labels)
    classes = dict(zip(loaded.class_names, found.per_class_accuracy, strict=False))
    if as_json:
        fields = dataclasses.asdict(found) | {"per_class_accuracy": classes}
        print_json({"path": str(folder), "dataset": loaded.name, **fields})
        return
    console = open_console()
    say(
        console,
        f"{folder} on the {found.examples:,} test images of {loaded.name}: "
        f"{found.accuracy:.2%} right, mean loss {found.loss:.4f}.",
        style="bold",
    )
    console.print(
        facts(
            (name, "no test image" if share is None else f"{share:.2%}")
            for name, share in classes.items()
        )
    )
