"""Two versions side by side, and which of their facts differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdpzoo.errors import InputError
from tfdpzoo.foreign_text import printable
from tfdpzoo.model_facts import ModelFacts
from tfdpzoo.privacy.guarantee import PrivacyGuarantee
from tfdpzoo.recipe import Recipe
from tfdpzoo.registry.version_facts import VersionFacts
from tfdpzoo.toml import parse_table
from tfdpzoo.version_folder import read_privacy_file


@dataclass(frozen=True)
class ComparedFact:
    """One fact of two versions; None where a version does not have it.

    Attributes:
        name: What it is.
        first: Of the first version.
        second: Of the second version.
    """

    name: str
    first: Any
    second: Any

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return self.first != self.second


def compare(first: Path, second: Path) -> list[ComparedFact]:
    """Compares two versions: guarantee, accuracy, network, and every value of their recipes.

    A guarantee that is not valid has no epsilon here.

    Args:
        first: A version's folder.
        second: Another one.

    Raises:
        InputError: One of them cannot be read.
    """
    one, other = _facts(first), _facts(second)
    return [ComparedFact(name, one.get(name), other.get(name)) for name in {**one, **other}]


def _facts(folder: Path) -> dict[str, Any]:
    facts = VersionFacts.read(folder)
    guarantee = read_privacy_file(folder).guarantee
    return {
        "guarantee": "valid" if facts.valid else "not valid",
        "epsilon": facts.epsilon if facts.valid else None,
        "delta": facts.delta,
        "accuracy": facts.accuracy,
        "parameters": facts.parameters,
        "network": facts.model,
        "data set": facts.dataset,
        "recipe": facts.recipe,
        "date": facts.date,
        "weights": guarantee.provenance.weights_sha256,
        **_mechanism(guarantee),
        **_recipe(folder),
    }


def _mechanism(guarantee: PrivacyGuarantee) -> dict[str, Any]:
    sampling = guarantee.sampling
    return {
        "training examples": sampling.examples,
        "sampling rate": sampling.sampling_rate,
        "updates executed": guarantee.updates.executed,
        "noise multiplier": guarantee.mechanism.noise_multiplier,
        "clip norm": guarantee.mechanism.clip_norm,
    }


def _recipe(folder: Path) -> dict[str, Any]:
    """The values of the recipe by their keys; none of a recipe that this tfdpzoo cannot read."""
    facts = ModelFacts.read(folder)
    if facts is None or facts.training is None:
        return {}
    try:
        recipe = Recipe.from_dict(parse_table(facts.training.recipe_text))
    except InputError:
        return {}
    return {printable(key): _plain(value) for key, value in recipe.settings().items()}


def _plain(value: Any) -> Any:
    """As it can be written as JSON and for people."""
    if isinstance(value, float) and math.isinf(value):
        return "infinity"
    if isinstance(value, list | tuple | dict):
        return printable(repr(value))
    return printable(value) if isinstance(value, str) else value
