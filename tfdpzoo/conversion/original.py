"""The SavedModel that a conversion begins with, verified and loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfdpzoo.conversion.carried_record import CarriedRecord, made_with
from tfdpzoo.errors import InputError
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.verification.folder import verify_folder
from tfdpzoo.version_folder import CLASSES_FILE

OUTPUTS = ("logits", "probabilities")
"""In alphabetical order, in which TensorFlow sorts a signature's outputs."""


@dataclass(frozen=True)
class Original:
    """A SavedModel that verified.

    Attributes:
        folder: The version's folder.
        guarantee: Its privacy record.
        class_names: The names of the classes in the order of the logits, if they are known.
        loaded: The loaded SavedModel; its functions work only as long as it is kept.
    """

    folder: Path
    guarantee: PrivacyGuarantee
    class_names: tuple[str, ...] | None
    loaded: Any

    @classmethod
    def open(cls, folder: Path) -> Original:
        """Verifies a version and loads it.

        Args:
            folder: The version's folder.

        Raises:
            InputError: The version, or its record, is not what was exported.
        """
        report = verify_folder(folder)
        if not report.ok or report.guarantee is None:
            raise InputError(
                f"{folder} is not exported, because it does not verify: {report.problems[0]}"
            )
        file = folder / CLASSES_FILE
        names = tuple(json.loads(file.read_text("utf-8"))) if file.exists() else None
        return cls(folder, report.guarantee, names, tf.saved_model.load(str(folder)))

    @property
    def serve(self) -> Any:
        """The function of `images` that gives `OUTPUTS`."""
        return self.loaded.signatures["serving_default"]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return tuple(self.serve.structured_input_signature[1]["images"].shape[1:])

    def weights(self) -> list[tuple[str, np.ndarray]]:
        """Returns the released weights in their order, by the names that the digest takes in."""
        return [(name, value.numpy()) for name, value in sorted(self.loaded.weights.items())]

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Returns `OUTPUTS` for raw pixels.

        Args:
            images: `(batch, *image_shape)`, float32.
        """
        outputs = self.serve(images=tf.constant(images))
        return {name: outputs[name].numpy() for name in OUTPUTS}

    def record(self, *distributions: str) -> CarriedRecord:
        """Returns what a file says that is converted from this model.

        Args:
            *distributions: The packages that convert it.
        """
        return CarriedRecord(self.guarantee, self.class_names, made_with(*distributions))
