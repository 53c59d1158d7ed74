"""Which model of a server is asked, and what it says that it takes and gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfdpzoo.errors import InputError

GUARANTEE = "privacy_guarantee"
GUARANTEE_BY_REST = "privacy_guarantee_rest"
"""The same with an input: TensorFlow Serving's REST API refuses signatures without any."""

SERVING = "serving_default"

_NAME = re.compile(r"[^/:\s\x00-\x1f\x7f?#%]+")
_CHANNELS = (1, 3)


@dataclass(frozen=True)
class ServedModel:
    """A model as a server knows it.

    Attributes:
        name: Its name in the server's configuration.
        version: The version that is asked for; None for the newest that the server has loaded, or
            for the label.
        label: The label of the version that is asked for; None without one.

    Example:
        >>> str(ServedModel("smoothnet", version=3))
        'smoothnet, version 3'
    """

    name: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        for kind, name in (("model's name", self.name), ("label", self.label)):
            if name is not None and not _NAME.fullmatch(name):
                raise InputError(
                    f"The {kind} {name!r} cannot be asked for: servers know no names that are "
                    "empty or have spaces, slashes, colons, '?', '#' or '%'."
                )
        if self.version is not None and self.version < 0:
            raise InputError(f"The version {self.version} is not a whole number of 0 or more.")
        if self.version is not None and self.label is not None:
            raise InputError("Give a version or a label of the model, not both.")

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}, version {self.version}"
        return self.name if self.label is None else f"{self.name}, label {self.label}"


@dataclass(frozen=True)
class ServedSignatures:
    """What a server says of a model's signatures.

    Attributes:
        version: The version that answered; None where the server does not say.
        names: The signatures' names.
        image_shape: Height, width and channels of an image that `serving_default` takes.
        classes: How many classes it tells apart.
    """

    version: int | None
    names: frozenset[str]
    image_shape: tuple[int, int, int] | None
    classes: int | None

    @classmethod
    def parse(cls, version: Any, signatures: Any) -> ServedSignatures:
        """Reads what a server's answer says; an answer of another form leaves things unknown.

        Args:
            version: The version.
            signatures: JSON of the protocol buffers `SignatureDef`, by name.

        Example:
            >>> ServedSignatures.parse("1", {"other": {}}).names
            frozenset({'other'})
        """
        signatures = signatures if isinstance(signatures, Mapping) else {}
        serving = signatures.get(SERVING)
        images = _shape(serving, "inputs", "images", "DT_FLOAT")
        probabilities = _shape(serving, "outputs", "probabilities", "DT_FLOAT")
        takes_images = len(images) == 4 and min(images[1:]) > 0 and images[3] in _CHANNELS
        gives_classes = len(probabilities) == 2 and probabilities[1] > 0
        return cls(
            version=int(version) if str(version).isdecimal() else None,
            names=frozenset(map(str, signatures)),
            image_shape=(images[1], images[2], images[3]) if takes_images else None,
            classes=probabilities[1] if gives_classes else None,
        )

    def require_classifier(self, where: str) -> tuple[tuple[int, int, int], int]:
        """Returns the shape of an image and the number of classes.

        Args:
            where: The model and its server, for the error.

        Raises:
            InputError: The model is no image classifier that tfdpzoo exported.
        """
        if self.image_shape is None or self.classes is None:
            raise InputError(
                f"{where} is not a model that tfdpzoo exported: its signature {SERVING} does not "
                "take 'images' of a fixed size and give 'probabilities'."
            )
        return self.image_shape, self.classes


def _shape(signature: Any, side: str, name: str, dtype: str) -> tuple[int, ...]:
    """The shape of a tensor, -1 where it is open; empty where there is no such tensor."""
    try:
        tensor = signature[side][name]
        if tensor["dtype"] != dtype:
            return ()
        return tuple(int(each["size"]) for each in tensor["tensor_shape"]["dim"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()
