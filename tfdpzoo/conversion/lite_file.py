"""LiteRT (TensorFlow Lite), written by TensorFlow's converter and checked by LiteRT's interpreter.

Weights stay float32: a quantised model would be another model than the one that was measured.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from tfdpzoo.conversion.agreement import Agreement, Predict, require_agreement
from tfdpzoo.conversion.carried_record import CarriedRecord
from tfdpzoo.conversion.converter_errors import told_in_one_sentence
from tfdpzoo.conversion.formats import TFLITE
from tfdpzoo.conversion.new_place import appearing
from tfdpzoo.conversion.order import require_packages
from tfdpzoo.conversion.original import OUTPUTS, Original
from tfdpzoo.errors import InputError

_FILE_IDENTIFIER = b"TFL3"
_SIGNATURE = "serving_default"
_COMPARED_BATCHES = 3


def write_lite(original: Original, path: Path, batch_size: int = 1) -> Agreement:
    """Writes a model for LiteRT.

    The signature `serving_default` takes `images`, `(batch_size, height, width, channels)` of raw
    pixels in float32, and returns `logits` and `probabilities`. The batch size is fixed: LiteRT
    cannot execute group normalisation of any other. The file's metadata has the entries of
    `CarriedRecord`, each in a buffer of its own.

    Args:
        original: What to write.
        path: The file, which must not exist.
        batch_size: How many images a call takes, at least 1.

    Returns:
        How far LiteRT's outputs are from TensorFlow's.

    Raises:
        InputError: The path cannot be written, a package is missing or the
            model cannot be converted.
    """
    require_packages(TFLITE)
    with told_in_one_sentence("TensorFlow's converter cannot convert this model to LiteRT"):
        content = _convert(original, batch_size)
    content = _with_metadata(content, original.record("tensorflow"))
    compared = (batch_size,) * _COMPARED_BATCHES
    with told_in_one_sentence("LiteRT cannot execute what the converter made of this model"):
        agreement = require_agreement(original, lite_runtime(content), compared)
    with appearing(path) as place:
        place.write_bytes(content)
    return agreement


def lite_runtime(content: bytes) -> Predict:
    """Returns the function that a LiteRT file's content stands for.

    Args:
        content: Of the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    runner = interpreter.get_signature_runner(_SIGNATURE)

    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        outputs = runner(images=images)
        return {name: outputs[name] for name in OUTPUTS}

    return predict


def _convert(original: Original, batch_size: int) -> bytes:
    """By way of a SavedModel with the batch size in its signature, whose names then stay."""
    images = tf.TensorSpec([batch_size, *original.image_shape], tf.float32, name="images")

    @tf.function(input_signature=[images], autograph=False)
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return original.serve(images=images)

    module = tf.Module()
    module.loaded = original.loaded
    with tempfile.TemporaryDirectory() as folder:
        try:
            tf.saved_model.save(module, folder, signatures={_SIGNATURE: serve})
        except (OSError, tf.errors.OpError) as error:
            raise InputError(
                f"The converter's temporary files cannot be written to {tempfile.gettempdir()}: "
                "make room there, or set TMPDIR to another folder."
            ) from error
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[_SIGNATURE])
        return converter.convert()


def _with_metadata(content: bytes, record: CarriedRecord) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for key, text in record.to_entries().items():
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(text.encode(), np.uint8)
        model.buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = key, len(model.buffers) - 1
        model.metadata = [*(model.metadata or ()), entry]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=_FILE_IDENTIFIER)
    return bytes(builder.Output())
