"""ONNX, written by tf2onnx and checked by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfdpzoo.conversion.agreement import Agreement, Predict, require_agreement
from tfdpzoo.conversion.carried_record import CarriedRecord
from tfdpzoo.conversion.converter_errors import told_in_one_sentence
from tfdpzoo.conversion.formats import ONNX
from tfdpzoo.conversion.new_place import appearing
from tfdpzoo.conversion.order import require_packages
from tfdpzoo.conversion.original import OUTPUTS, Original

OPSET = 18
"""The newest set of operators that tf2onnx writes."""


def write_onnx(original: Original, path: Path) -> Agreement:
    """Writes a model in ONNX.

    It takes `images`, `(batch, height, width, channels)` of raw pixels in float32 with any batch
    size, and returns `logits` and `probabilities`, as the SavedModel does. `metadata_props` has the
    entries of `CarriedRecord`.

    Args:
        original: What to write.
        path: The file, which must not exist.

    Returns:
        How far ONNX Runtime's outputs are from TensorFlow's.

    Raises:
        InputError: The path cannot be written, a package is missing, or the model cannot be
            converted.
    """
    require_packages(ONNX)
    import onnx

    with told_in_one_sentence("tf2onnx cannot convert this model"):
        model = _convert(original)
        _name_the_batch(model)
        _add_metadata(model, original.record("tf2onnx", "tensorflow"))
        onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    with told_in_one_sentence("ONNX Runtime cannot execute what tf2onnx made of this model"):
        agreement = require_agreement(original, onnx_runtime(content))
    with appearing(path) as place:
        place.write_bytes(content)
    return agreement


def onnx_runtime(content: bytes) -> Predict:
    """Returns the function that an ONNX file's content stands for, on the processor.

    Args:
        content: Of the file.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def predict(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"images": images}), strict=True))

    return predict


def _convert(original: Original) -> Any:
    from tf2onnx import tf_loader, tfonnx

    # The weights become constants first: tf2onnx takes some constants of a function for inputs.
    frozen = convert_variables_to_constants_v2(original.serve, aggressive_inlining=True)
    (images,) = (tensor.name for tensor in frozen.inputs)
    outputs = [tensor.name for tensor in frozen.outputs]
    with tf.Graph().as_default():
        tf.import_graph_def(frozen.graph.as_graph_def(), name="")
        definition = tf_loader.tf_optimize([images], outputs, frozen.graph.as_graph_def())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
        converted = tfonnx.process_tf_graph(
            graph,
            opset=OPSET,
            input_names=[images],
            output_names=outputs,
            tensors_to_rename={images: "images", **dict(zip(outputs, OUTPUTS, strict=True))},
        )
    # A folder's name may be somebody's: it does not go into the file.
    return _simplified(converted).make_model("an image classifier exported by tfdpzoo")


def _simplified(converted: Any) -> Any:
    """Leaves tf2onnx's TransposeOptimizer out.

    Where an image is 1x1 it makes wrong shapes of transpositions. ONNX Runtime moves them together
    when it loads a file, and no difference in its times was seen beyond those between runs.
    """
    from tf2onnx import optimizer

    chosen = (
        optimizer.ConstFoldOptimizer,
        optimizer.MergeDuplicatedNodesOptimizer,
        optimizer.ReshapeOptimizer,
        optimizer.IdentityOptimizer,
        optimizer.BackToBackOptimizer,
        optimizer.EinsumOptimizer,
    )
    return optimizer.optimize_graph(converted, optimizers={each.__name__: each for each in chosen})


def _name_the_batch(model: Any) -> None:
    """The size that is not fixed gets a name for people instead of a number of tf2onnx's."""
    for each in (*model.graph.input, *model.graph.output):
        each.type.tensor_type.shape.dim[0].dim_param = "batch"


def _add_metadata(model: Any, record: CarriedRecord) -> None:
    for key, text in record.to_entries().items():
        model.metadata_props.add(key=key, value=text)
