"""A `.keras` file: the network's layers with the released weights, and the record beside them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras

from tfdpzoo.conversion.agreement import Agreement, require_agreement
from tfdpzoo.conversion.carried_record import CarriedRecord
from tfdpzoo.conversion.network import NamedBuilder, custom_layers, keras_runtime, rebuild
from tfdpzoo.conversion.new_place import appearing
from tfdpzoo.conversion.original import Original
from tfdpzoo.conversion.reading import member_of


@dataclass(frozen=True)
class KerasFile:
    """A `.keras` file that was written.

    Attributes:
        agreement: How far its logits are from the original's.
        custom_layers: The layers that it needs `tfdpzoo.layers` for; without any, Keras alone
            loads it.
    """

    agreement: Agreement
    custom_layers: tuple[str, ...]


def write_keras(original: Original, path: Path, builder: NamedBuilder) -> KerasFile:
    """Writes a model as a `.keras` file, which `keras.models.load_model` reads.

    The model takes raw pixels in float32 and returns logits. Its layers are those of the zoo, but
    that group convolutions and standardised ones have become plain ones with the filters that are
    served. The zip archive has the entries of `CarriedRecord` as members.

    Args:
        original: What to write.
        path: The file, which must not exist.
        builder: Builds the architectures that recipes name, as `tfdpzoo.zoo.build` does.

    Returns:
        What was written.

    Raises:
        InputError: The path cannot be written, or the network cannot be built again.
    """
    model = rebuild(original, builder)
    with appearing(path) as place:
        model.save(place)
        _add_members(place, original.record("keras", "tensorflow"))
        loaded = keras.models.load_model(place)
        agreement = require_agreement(original, keras_runtime(loaded))
    return KerasFile(agreement, tuple(custom_layers(model)))


def _add_members(place: Path, record: CarriedRecord) -> None:
    with zipfile.ZipFile(place, "a", zipfile.ZIP_DEFLATED) as archive:
        for key, text in record.to_entries().items():
            archive.writestr(member_of(key), text)
