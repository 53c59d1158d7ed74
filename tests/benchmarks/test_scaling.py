"""The estimate for many GPUs: its parts shrink and grow as they must."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from benchmarks.models import MODELS
from benchmarks.scaling import FIXED_SECONDS, WORKLOADS, estimate


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each.model)
def test_parts_of_an_update(workload) -> None:
    one, eight, many = (estimate(workload, gpus) for gpus in (1, 8, 64))

    assert one.adding_up == 0
    assert one.computing == pytest.approx(8 * eight.computing) == pytest.approx(64 * many.computing)
    assert 0 < eight.adding_up < many.adding_up
    assert one.seconds > eight.seconds > many.seconds > FIXED_SECONDS


@pytest.mark.parametrize(
    ("workload", "name"),
    zip(WORKLOADS, ("smoothnet-w80d50", "equivariant-resnet9"), strict=True),
    ids=lambda each: getattr(each, "model", each),
)
def test_operations_are_those_that_tensorflow_counts(workload, name) -> None:
    model = MODELS[name].build("keras")
    function = tf.function(lambda images: model(images, training=False), autograph=False)
    image = tf.TensorSpec((1, *model.inputs[0].shape[1:]))
    graph = convert_variables_to_constants_v2(function.get_concrete_function(image)).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    counted = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops

    assert workload.parameters == model.count_params()
    assert workload.operations == pytest.approx(counted, rel=1e-3)
