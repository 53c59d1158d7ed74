"""The classes that a served model takes images for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.errors import InputError
from tfdpzoo.serving.client import Client
from tfdpzoo.serving.images import read_images
from tfdpzoo.serving.served_model import ServedSignatures

_MOST_IMAGES = 4096


@dataclass(frozen=True)
class Prediction:
    """What a model takes an image for.

    Attributes:
        image: The image's file.
        class_number: The class with the largest probability.
        class_name: Its name; None where the names are not known.
        probability: Its probability.
        probabilities: The probability of every class.
    """

    image: Path
    class_number: int
    class_name: str | None
    probability: float
    probabilities: tuple[float, ...]


def predict_files(
    client: Client,
    files: Sequence[Path],
    class_names: Sequence[str] | None = None,
    batch_size: int = 32,
    answered: Callable[[ServedSignatures], object] = lambda _: None,
) -> Iterator[Prediction]:
    """Asks a served model for the classes of image files.

    Args:
        client: Asks the model.
        files: JPEG or PNG files.
        class_names: The names of the classes, in order.
        batch_size: How many images are sent at once; results do not depend on it.
        answered: Called with what the model says of itself, before the first image is read.

    Yields:
        A prediction of each file, in order.

    Raises:
        InputError: The server cannot be asked, the model is no image classifier of tfdpzoo, a file
            is no image, or there are not as many names as classes.

    Example:
        >>> from tfdpzoo.serving.rest import RestClient
        >>> from tfdpzoo.serving.served_model import ServedModel
        >>> client = RestClient("http://localhost:8501", ServedModel("digits"))
        >>> list(predict_files(client, [Path("seven.png")]))  # doctest: +SKIP
    """
    if not 1 <= batch_size <= _MOST_IMAGES:
        raise InputError(
            f"{batch_size} images cannot be sent at once; give from 1 to {_MOST_IMAGES:,}."
        )
    found = client.signatures()
    shape, classes = found.require_classifier(client.place)
    if class_names is not None and len(class_names) != classes:
        raise InputError(
            f"There are {len(class_names)} class names, but {client.place[0].lower()}"
            f"{client.place[1:]} tells {classes} classes apart."
        )
    answered(found)
    for start in range(0, len(files), batch_size):
        batch = files[start : start + batch_size]
        rows = client.probabilities(read_images(batch, shape), classes)
        for file, row in zip(batch, rows, strict=True):
            number = int(row.argmax())
            name = None if class_names is None else class_names[number]
            yield Prediction(file, number, name, float(row[number]), tuple(row.tolist()))
