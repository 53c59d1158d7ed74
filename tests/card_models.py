"""Small models with all kinds of facts, for tests of cards and of the gallery."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from searches import LAWS, random_search, record_of
from stand_in import StandIn

from tfdpzoo.model_facts import FACTS_FILE, CurvePoint, TrainingFacts
from tfdpzoo.privacy.record import Status
from tfdpzoo.saved_model import export
from tfdpzoo.version_folder import read_privacy_file, write_privacy_file

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


def export_searched(folder: Path) -> Path:
    """The best trial of an accounted search with a secret number of trials."""
    return export(StandIn(), folder, guarantee=record_of(random_search(law=LAWS[2])))


def export_invalid(folder: Path) -> Path:
    """A model whose guarantee does not hold, and without facts of its training."""
    private = StandIn()
    guarantee = dataclasses.replace(
        private.guarantee(), status=Status(False, ("the seed was <b>known</b>",))
    )
    return export(private, folder, guarantee=guarantee)


def export_without_facts(folder: Path) -> Path:
    """A model of an earlier tfdpzoo: it tells nothing of its network, but is intact."""
    exported = export(StandIn(), folder)
    record = read_privacy_file(exported)
    (exported / FACTS_FILE).unlink()
    write_privacy_file(exported, record.guarantee)
    return exported
