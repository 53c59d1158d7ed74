"""What a card is made of: the facts of one exported model, verified before they are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tfdpzoo.cards.architecture_notes import ArchitectureNotes
from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import printable
from tfdpzoo.model_facts import ModelFacts, TrainingFacts
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.privacy.reservations import reservations
from tfdpzoo.registry.aliases import read_aliases
from tfdpzoo.version_folder import CLASSES_FILE, find_version

NotesOf = Callable[[str], ArchitectureNotes | None]
"""Finds what is written of an architecture by its name; None where nothing is."""


@dataclass(frozen=True)
class Card:
    """The facts of a model.

    Attributes:
        name: The model's name, which may hold any characters.
        version: Its version; None where its folder is not numbered.
        aliases: Names that the version goes by.
        folder: Where the SavedModel lies.
        guarantee: Its privacy record.
        reservations: What weakens the claim although it is honest.
        facts: Its network and training; None where it tells nothing of them.
        class_names: Of all classes, in order; made up of numbers where they have no names.
        notes: What is written of its architecture; None where nothing is.
    """

    name: str
    version: int | None
    aliases: tuple[str, ...]
    folder: Path
    guarantee: PrivacyGuarantee
    reservations: tuple[str, ...]
    facts: ModelFacts | None
    class_names: tuple[str, ...]
    notes: ArchitectureNotes | None

    @property
    def title(self) -> str:
        """The name, with the version where there is one."""
        return self.name if self.version is None else f"{self.name}:{self.version}"

    @property
    def training(self) -> TrainingFacts | None:
        """How the model was trained; None where it does not tell."""
        return self.facts.training if self.facts else None

    @property
    def metrics(self) -> dict[str, float]:
        """The recorded results on test images, by name."""
        evaluation = self.guarantee.evaluation
        return {each.name: each.value for each in evaluation.metrics} if evaluation else {}

    @property
    def accuracy(self) -> float | None:
        """The share of test images that are classified right; None where it is not recorded."""
        return self.metrics.get("accuracy")


def read_card(folder: str | Path, notes_of: NotesOf | None = None) -> Card:
    """Reads the facts of a model after verifying it; imports TensorFlow and takes seconds.

    Args:
        folder: A version's folder, or a model's folder, of which the newest version is taken.
        notes_of: Finds what is written of the architecture.

    Returns:
        The facts, all of which agree with the model.

    Raises:
        InputError: There is no model, or something in it was altered.

    Example:
        >>> read_card("saved_models/smoothnet-digits").title  # doctest: +SKIP
        'smoothnet-digits:1'
    """
    folder = find_version(folder)
    guarantee = _verified(folder)
    facts = ModelFacts.read(folder)
    place = folder.resolve()
    numbered = place.name.isdecimal()
    training = facts.training if facts else None
    return Card(
        name=printable(place.parent.name if numbered else place.name),
        version=int(place.name) if numbered else None,
        aliases=_aliases(place) if numbered else (),
        folder=folder,
        guarantee=guarantee,
        reservations=reservations(guarantee),
        facts=facts,
        class_names=_class_names(folder, facts),
        notes=notes_of(training.model) if training and notes_of else None,
    )


def _verified(folder: Path) -> PrivacyGuarantee:
    """The record of a model of which nothing was altered: a card must not spread a false claim."""
    from tfdpzoo.verification.folder import verify_folder

    report = verify_folder(folder)
    if not report.ok or report.guarantee is None:
        more = len(report.problems) - 1
        others = f" ({more} more: tfdpzoo verify lists them)" if more > 0 else ""
        raise InputError(f"{folder} is not intact: {report.problems[0]}{others}")
    return report.guarantee


def _aliases(version: Path) -> tuple[str, ...]:
    aliases = read_aliases(version.parent)
    return tuple(alias for alias, number in aliases.items() if number == int(version.name))


def _class_names(folder: Path, facts: ModelFacts | None) -> tuple[str, ...]:
    """The names in the model, or numbers. Their digest was verified, but not who wrote them."""
    try:
        names = json.loads((folder / CLASSES_FILE).read_bytes())
    except FileNotFoundError:
        return tuple(f"class {index}" for index in range(facts.classes if facts else 0))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / CLASSES_FILE} cannot be read: {error}.") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{folder / CLASSES_FILE} is not a list of names.")
    if facts and len(names) != facts.classes:
        raise InputError(
            f"{folder / CLASSES_FILE} has {len(names)} names for {facts.classes} classes."
        )
    return tuple(map(printable, names))
