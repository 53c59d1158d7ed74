"""What a loop over chunks calls stays out of the loop's graph."""

from __future__ import annotations

import keras
import tensorflow as tf
from reference_gradients import LOSS

from tfdpzoo.dpsgd.chunks import sum_over_chunks
from tfdpzoo.dpsgd.engine import FastEngine, UncompiledEngine

layers = keras.layers


def called(nodes) -> set[str]:
    """The functions that nodes of a graph call or branch into."""
    names = set()
    for node in nodes:
        for attribute in node.attr.values():
            names |= {attribute.func.name} | {each.name for each in attribute.list.func}
    return names - {""}


def operations(nodes) -> set[str]:
    return {node.op for node in nodes}


def test_max_pooling_is_not_differentiated_inside_a_loop() -> None:
    """There it would be by oneDNN or not, as the addresses of nodes have it."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    engine = UncompiledEngine(FastEngine(model, LOSS, 1.0))

    @tf.function(autograph=False)
    def summed(images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        return sum_over_chunks(engine, images, labels, tf.ones(8), 2).gradients

    traced = summed.get_concrete_function(tf.zeros((8, 8, 8, 1)), tf.zeros(8, tf.int64))
    graph = traced.graph.as_graph_def()
    functions = {each.signature.name: each for each in graph.library.function}
    (loop,) = (node for node in graph.node if node.op in ("While", "StatelessWhile"))
    body = functions[loop.attr["body"].func.name].node_def
    inside = [functions[name] for name in called(body)]
    (own,) = (each for each in inside if "MaxPoolGrad" in operations(each.node_def))

    assert own.attr["_noinline"].b
    assert not {"MaxPool", "MaxPoolGrad"} & operations(body)
