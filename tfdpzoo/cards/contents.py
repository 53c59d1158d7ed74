"""What is on a card, in whatever form it is rendered: pictures, tables and statements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfdpzoo.cards import charts, statements
from tfdpzoo.cards.architecture_picture import draw_architecture
from tfdpzoo.cards.context import Card
from tfdpzoo.cards.picture import Picture
from tfdpzoo.cards.recipe_table import Setting, recipe_settings
from tfdpzoo.cards.record_tables import Table, event_text, record_tables

_MOST_TABLED_CLASSES = 25
_MOST_CONFUSED = 5


@dataclass(frozen=True)
class ClassRow:
    """How well a class is told apart.

    Attributes:
        name: The class.
        images: How many test images it has.
        accuracy: The share of them that is classified right; None without images.
    """

    name: str
    images: int
    accuracy: float | None


@dataclass(frozen=True)
class Mistake:
    """Two classes of which one is taken for the other."""

    name: str
    taken_for: str
    images: int


@dataclass(frozen=True)
class Contents:
    """Everything that a template puts on a card.

    Attributes:
        card: The facts.
        pictures: By name; what cannot be drawn is missing.
        settings: The recipe.
        classes: The accuracy of each class; empty where it is not known.
        mistakes: The most frequent ones.
        confusion: The confusion matrix; empty where it is not known or too large for a table.
        tables: The privacy record.
        event: The record's event as JSON.
        intended_use: One sentence each.
        limits: One sentence each.
        load_code: How the model is loaded.
    """

    card: Card
    pictures: dict[str, Picture]
    settings: tuple[Setting, ...]
    classes: tuple[ClassRow, ...]
    mistakes: tuple[Mistake, ...]
    confusion: tuple[tuple[int, ...], ...]
    tables: tuple[Table, ...]
    event: str
    intended_use: tuple[str, ...]
    limits: tuple[str, ...]
    load_code: str


def contents_of(card: Card) -> Contents:
    """Draws and writes what is on a card.

    Args:
        card: The facts.

    Returns:
        What a template needs.
    """
    training = card.training
    confusion = training.confusion if training else ()
    return Contents(
        card=card,
        pictures={picture.name: picture for picture in _pictures(card)},
        settings=recipe_settings(training.recipe_text) if training else (),
        classes=_classes(card),
        mistakes=_mistakes(card),
        confusion=confusion if len(confusion) <= _MOST_TABLED_CLASSES else (),
        tables=record_tables(card.guarantee),
        event=event_text(card.guarantee),
        intended_use=statements.intended_use(card),
        limits=statements.limits(card),
        load_code=statements.load_code(card),
    )


def _pictures(card: Card) -> list[Picture]:
    training = card.training
    drawn = [charts.draw_epsilon_of_delta(card.guarantee)]
    if card.facts and card.facts.layers:
        drawn.append(draw_architecture(card.facts))
    if training:
        drawn.append(charts.draw_learning_curve(training))
        drawn.append(charts.draw_confusion(training, card.class_names))
    return [picture for picture in drawn if picture is not None]


def _classes(card: Card) -> tuple[ClassRow, ...]:
    training = card.training
    if training is None:
        return ()
    images = [sum(row) for row in training.confusion]
    rows = zip(card.class_names, images, training.per_class_accuracy, strict=True)
    return tuple(ClassRow(*row) for row in rows)


def _mistakes(card: Card) -> tuple[Mistake, ...]:
    if card.training is None or not card.training.confusion:
        return ()
    counts = np.asarray(card.training.confusion)
    wrong = counts * (1 - np.eye(len(counts), dtype=int))
    most = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSED]
    pairs = [divmod(int(each), len(counts)) for each in most]
    return tuple(
        Mistake(card.class_names[row], card.class_names[column], int(wrong[row, column]))
        for row, column in pairs
        if wrong[row, column]
    )
