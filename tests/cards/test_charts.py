"""The charts of a card."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import card_models
import numpy as np

from tfdpzoo.cards import charts


def test_charts_follow_the_page_or_stand_alone():
    picture = charts.draw_learning_curve(card_models.training_facts())
    ElementTree.fromstring(picture.svg)
    assert "var(--accent, #1b5e6b)" in picture.svg
    assert "var(" not in picture.file
    assert "from 25.0 % to 75.0 %" in picture.text


def test_nothing_is_drawn_of_nothing():
    training = card_models.training_facts()
    assert charts.draw_learning_curve(dataclasses.replace(training, curve=())) is None
    assert charts.draw_confusion(dataclasses.replace(training, confusion=()), ()) is None


def test_many_classes_are_drawn_without_numbers():
    confusion = tuple(map(tuple, np.eye(100, dtype=int).tolist()))
    training = dataclasses.replace(card_models.training_facts(), confusion=confusion)
    picture = charts.draw_confusion(training, [f"class {i}" for i in range(100)])
    ElementTree.fromstring(picture.svg)
    assert "class 5" not in picture.svg
    assert "100 classes" in picture.text


def test_names_are_neither_tags_nor_mathematics():
    names = ("<script>$x$</script>", "$\\frac{", "b & c", "_^")
    svg = charts.draw_confusion(card_models.training_facts(), names).svg
    ElementTree.fromstring(svg)
    assert "<script" not in svg


def test_the_same_facts_give_the_same_picture(full):
    first, second = (charts.draw_epsilon_of_delta(full.guarantee) for _ in range(2))
    assert first == second
