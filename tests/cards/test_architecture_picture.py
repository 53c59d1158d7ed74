"""The picture of a network, and the rows that it is made of."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tfdpzoo import build
from tfdpzoo.cards.architecture_graph import Row, architecture_graph
from tfdpzoo.cards.architecture_picture import draw_architecture
from tfdpzoo.model_facts import LayerFacts, ModelFacts

IMAGE = (32, 32, 3)


def facts_of(name: str, **arguments: object) -> ModelFacts:
    return ModelFacts.of(build(name, input_shape=IMAGE, classes=10, **arguments), IMAGE, 10)


def graph_of(facts: ModelFacts):
    return architecture_graph(facts.layers, facts.input_shape)


def connected(rows: tuple[Row, ...]) -> bool:
    """Whether every row takes rows above it, and all but the last are taken."""
    taken = {source for row in rows for source in row.inputs}
    assert all(source < index for index, row in enumerate(rows) for source in row.inputs)
    return taken == {*range(len(rows) - 1)}


def test_dense_connections():
    graph = graph_of(facts_of("smoothnet", width=1, depth=2))
    types = [" ".join(row.types) for row in graph.rows]
    assert types[:6] == [
        "Input",
        "SmoothBlock",
        "Concatenate",
        "SmoothBlock",
        "Concatenate",
        "Conv2D",
    ]
    assert graph.rows[2].inputs == (0, 1)
    assert graph.rows[4].inputs == (2, 3)
    assert connected(graph.rows)
    assert graph.repetitions == ()


def test_repeated_blocks_of_a_wide_resnet_are_shown_once():
    facts = facts_of("wrn40_4")
    graph = graph_of(facts)
    assert len(facts.layers) == 140
    assert len(graph.rows) == 25
    assert [each.times for each in graph.repetitions] == [5, 5, 5]
    for each in graph.repetitions:
        assert graph.rows[each.last].types == ("Add",)
        assert each.first - 1 in graph.rows[each.last].inputs
    assert connected(graph.rows)


def test_parameters_of_rows_that_are_not_repeated_add_up():
    facts = facts_of("resnet9", widths=[32, 32, 32])
    rows = graph_of(facts).rows
    assert sum(row.parameters for row in rows) == facts.parameters
    assert rows[1].types == ("Conv2D", "GroupNormalization", "Activation")


def test_blocks_that_grow_are_shown_once_where_there_are_many():
    facts = facts_of("smoothnet", width=1, depth=12)
    graph = graph_of(facts)
    assert len(graph.rows) < 30
    assert graph.repetitions[0].last_shape is not None
    assert "to 32 × 32 ×" in draw_architecture(facts).svg


def test_operations_that_are_no_layers_are_named():
    picture = draw_architecture(facts_of("smoothnet", width=1, depth=2, connections="residual"))
    assert "also takes pad" in picture.svg


def test_layers_that_do_not_tell_their_inputs_are_listed():
    layers = (LayerFacts("a", "Dense", None, 3, ()), LayerFacts("b", "Dense", None, 4, ()))
    facts = ModelFacts("", (8, 8, 1), 2, 7, layers, None)
    graph = graph_of(facts)
    assert not graph.connected
    assert all(row.inputs == () for row in graph.rows)
    assert "How the layers are connected is not known" in draw_architecture(facts).text


@pytest.mark.parametrize("name", ["equivariant_resnet9", "tanh_cnn"])
def test_pictures_are_valid_and_say_what_they_show(name):
    picture = draw_architecture(facts_of(name))
    root = ElementTree.fromstring(picture.file)
    assert root.attrib["aria-label"] == picture.text
    assert "var(" not in picture.file
    assert "parameters to 10 classes" in picture.text


def test_names_of_layers_are_escaped():
    layers = (LayerFacts("<b>&", "Dense", (2,), 3, ("images",)),)
    svg = draw_architecture(ModelFacts("", (8, 8, 1), 2, 3, layers, None)).svg
    ElementTree.fromstring(svg)
    assert "<b>" not in svg
