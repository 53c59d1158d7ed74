"""What every card says, whatever the model: use, limits, and how the model is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from tfdpzoo.cards import formatting
from tfdpzoo.cards.context import Card

TEST_METRICS = (
    "These numbers are measured on test images, which were not used for training. The privacy "
    "guarantee speaks of the training images alone and does not cover the test images: whoever "
    "publishes these numbers tells something of them."
)
VERIFIED = (
    "When this card was written the model was intact: all files had their recorded digests, the "
    "model itself answered with the same record, and epsilon was computed again from the updates. "
    "That finds alterations; it does not tell who wrote the record."
)
NO_TRAINING_FACTS = (
    "Not known. The model was exported without facts of its training, so this card cannot say by "
    "which recipe, on which data and with which result it was trained."
)
NO_LAYERS = "Not known. The model does not tell the layers of its network."


def intended_use(card: Card) -> tuple[str, ...]:
    """Returns what the model is meant for, one sentence each."""
    training = card.training
    images = f"images like those of {training.dataset}" if training else "images like its own"
    classes = f" into {card.facts.classes} classes" if card.facts else ""
    if not card.guarantee.valid:
        return (
            "Tests and comparisons alone. Its privacy guarantee is not valid: do not publish the "
            "model as one that keeps its training images private.",
        )
    return (
        f"Sorting {images}{classes}, where the training images are to stay private although the "
        "model is published.",
        "Comparing what accuracy costs at which privacy, and how private training behaves.",
    )


def limits(card: Card) -> tuple[str, ...]:
    """Returns the limits that every private model has, one sentence each."""
    guarantee = card.guarantee
    unit = guarantee.unit.unit
    shape = formatting.shape(card.facts.input_shape) if card.facts else "its own shape"
    search = guarantee.tuning.search
    protected = "training" if search is None else "training or held-out"
    protection = (
        f"The guarantee protects one {protected} {unit}. Somebody of whom there are several has a "
        "weaker one."
    )
    elsewhere = "" if search is None else ", but for the search that is accounted,"
    if not guarantee.valid:
        protection = "There is no valid guarantee: the model may tell of its training images."
    return (
        protection,
        "Privacy is not secrecy of what all images have in common: the classes, the number of "
        f"training images ({guarantee.sampling.examples:,}) and their size count as public.",
        f"Hyper-parameters that were tried out on the same images{elsewhere} are not in epsilon, "
        "nor is any other use of them.",
        "Training with noise costs accuracy, and rare classes or unusual images often more than "
        "others: look at the accuracy of each class, and measure on your own images before use.",
        "Not examined: fairness between groups of people, robustness against altered images, and "
        "whether probabilities mean what they say. Do not let the model decide about people.",
        f"It takes images of {shape} with pixels from 0 to 255, and gives one of its classes for "
        "any image, also for one that belongs to none.",
    )


def load_code(card: Card) -> str:
    """Returns three lines of Python that load the model and classify a black image."""
    shape = list(card.facts.input_shape) if card.facts else ["height", "width", "channels"]
    size = ", ".join(str(side) for side in [1, *shape])
    return (
        "import tensorflow as tf\n"
        f"classify = tf.saved_model.load({_place(card)!r}).signatures['serving_default']\n"
        f"probabilities = classify(images=tf.zeros([{size}]))['probabilities']\n"
    )


def _place(card: Card) -> str:
    """Where the model is, without the folders of whoever writes the card."""
    if not card.folder.is_absolute():
        return os.fspath(card.folder)
    if card.folder.is_relative_to(Path.cwd()):
        return os.fspath(card.folder.relative_to(Path.cwd()))
    return card.name if card.version is None else f"{card.name}/{card.version}"
