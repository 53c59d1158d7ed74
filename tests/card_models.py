"""Small models with all kinds of facts, for tests of cards and of the gallery."""

from __future__ import annotations

from pathlib import Path

from stand_in import CLASSES, StandIn

from tfdpzoo.model_facts import CurvePoint, TrainingFacts
from tfdpzoo.saved_model import export

SCRIPT = "<script>document.title = 'broken'</script>"
"""If any page runs it, its title shows it."""

CLASS_NAMES = (SCRIPT, "b & c", "*d*", "|e|")

RECIPE = """\
model = "smoothnet"
dataset = "images"
[privacy]
delta = 1e-4
[sources]
"privacy.delta" = "ours: <b>small</b>"
"""


def training_facts(dataset: str = "cifar10", recipe: str = RECIPE) -> TrainingFacts:
    """Three epochs, and 40 test images of which 30 are classified right."""
    confusion = ((10, 0, 0, 0), (2, 8, 0, 0), (0, 5, 5, 0), (0, 0, 3, 7))
    curve = tuple(CurvePoint(6 * i, 0.8 * i, 0.25 * i, 1.0 / i) for i in (1, 2, 3))
    return TrainingFacts("smoothnet", "small", recipe, dataset, 12.0, curve, confusion)


def export_full(folder: Path, *, dataset: str = "cifar10") -> Path:
    """A model that tells everything, with HTML in its classes and its recipe."""
    private = StandIn()
    guarantee = private.guarantee().with_metrics({"accuracy": 0.75, "loss": 0.5})
    return export(
        private,
        folder,
        guarantee=guarantee,
        class_names=CLASS_NAMES,
        training=training_facts(dataset),
    )


def export_invalid(folder: Path) -> Path:
    """A model whose guarantee does not hold."""
    private = StandIn()
    private.weaknesses = ("the seed of sampling and noise is known",)
    return export(private, folder)


def export_bare(folder: Path) -> Path:
    """A model without class names and without facts of its training or its network."""
    exported = export(StandIn(), folder)
    assert CLASSES == 4
    return exported
