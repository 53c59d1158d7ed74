"""`tfdpzoo predict`: which classes are these images of, says a served model?"""

from __future__ import annotations

from pathlib import Path

import click

from tfdpzoo.cli import options
from tfdpzoo.cli.console import columns, open_console, print_json, say

_EXAMPLES = """\b
Examples:
  tfdpzoo predict --url http://localhost:8501 --model smoothnet-digits seven.png
  tfdpzoo predict --grpc localhost:8500 --model cifar10 --label champion \\
    --classes cifar10 --json photos/*.jpg
"""


@click.command(epilog=_EXAMPLES)
@click.argument(
    "images", nargs=-1, required=True, metavar="IMAGE...", type=click.Path(path_type=Path)
)
@options.url
@options.grpc_address
@options.served_model
@options.served_version
@options.served_label
@options.class_names
@options.images_at_once
@options.timeout
@options.models
@options.as_json
def predict(
    images: tuple[Path, ...],
    url: str | None,
    grpc_address: str | None,
    model: str | None,
    version: int | None,
    label: str | None,
    classes: str | None,
    batch_size: int,
    timeout: float,
    models: Path,
    as_json: bool,
) -> None:
    """Ask a model that TensorFlow Serving serves for the classes of images.

    IMAGE is a JPEG or PNG file. It is resized and cropped to the size that the server says the
    model takes, as a folder of training images is.
    """
    from tfdpzoo.cli.serving_client import client_of
    from tfdpzoo.serving.class_names import read_class_names
    from tfdpzoo.serving.predictions import predict_files
    from tfdpzoo.serving.served_model import ServedSignatures

    names = None if classes is None else read_class_names(classes, models)
    client = client_of(url, grpc_address, model, version, label, timeout)
    answered: list[ServedSignatures] = []
    found = list(predict_files(client, images, names, batch_size, answered.append))
    if as_json:
        print_json(
            {
                "model": model,
                "version": answered[0].version,
                "predictions": [
                    {
                        "image": str(each.image),
                        "class_number": each.class_number,
                        "class": each.class_name,
                        "probability": each.probability,
                        "probabilities": each.probabilities,
                    }
                    for each in found
                ],
            }
        )
        return
    console = open_console()
    of_version = "" if answered[0].version is None else f", version {answered[0].version}"
    say(console, f"{model}{of_version}", style="bold")
    console.print(
        columns(
            ["image", "class", "probability"],
            (
                (
                    str(each.image),
                    str(each.class_number) if each.class_name is None else each.class_name,
                    f"{each.probability:.4f}",
                )
                for each in found
            ),
            right=["probability"],
        )
    )
