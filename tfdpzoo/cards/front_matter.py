"""The front matter of a Markdown card: YAML as model hubs read it, with a block on privacy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import yaml

from tfdpzoo.cards.context import Card
from tfdpzoo.data.published import SIZES
from tfdpzoo.privacy import strict_json
from tfdpzoo.privacy.search import Search

_ON_THE_HUB: Mapping[str, str] = MappingProxyType(
    {
        "cifar10": "uoft-cs/cifar10",
        "fashion_mnist": "zalando-datasets/fashion_mnist",
        "imagenette": "frgfm/imagenette",
        "mnist": "ylecun/mnist",
    }
)
"""Published data sets by what they are called on Hugging Face's hub."""

_TASK = "image-classification"


def front_matter(card: Card, licence: str) -> str:
    """Returns the lines between the dashes, in YAML.

    Args:
        card: The facts.
        licence: The identifier of the model's licence.
    """
    return yaml.safe_dump(_fields(card, licence), sort_keys=False, allow_unicode=True)


def _fields(card: Card, licence: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "license": licence,
        "library_name": "tensorflow",
        "pipeline_tag": _TASK,
        "tags": _tags(card),
    }
    # A data set of one's own may be called as somebody else's public one.
    if card.training and card.training.dataset in SIZES:
        fields["datasets"] = [_data_set(card.training.dataset)]
    if card.metrics:
        fields["metrics"] = sorted(card.metrics)
        fields["model-index"] = [_index(card)]
    fields["privacy"] = _privacy(card)
    return fields


def _tags(card: Card) -> list[str]:
    valid = card.guarantee.valid
    claim = ["differential-privacy", "dp-sgd"] if valid else ["invalid-privacy-guarantee"]
    architecture = [card.training.model] if card.training else []
    return ["tensorflow", "saved-model", _TASK, *claim, *architecture]


def _data_set(name: str) -> str:
    return _ON_THE_HUB.get(name, name)


def _index(card: Card) -> dict[str, Any]:
    name = card.training.dataset if card.training else "not stated"
    return {
        "name": card.title,
        "results": [
            {
                "task": {"type": _TASK, "name": "Image classification"},
                "dataset": {"type": _data_set(name), "name": name, "split": "test"},
                "metrics": [
                    {"type": metric, "name": f"Test {metric}", "value": value}
                    for metric, value in card.metrics.items()
                ],
            }
        ],
    }


def _privacy(card: Card) -> dict[str, Any]:
    guarantee = card.guarantee
    fields: dict[str, Any] = {
        "valid": guarantee.valid,
        "epsilon": _epsilon(guarantee.epsilon),
        "delta": guarantee.delta,
        "unit": guarantee.unit.unit,
        "relation": guarantee.relation.name,
        "accountant": guarantee.results[0].accountant,
        "accountant_version": guarantee.results[0].accountant_version,
        "covers": guarantee.results[0].covers,
        "tuning": guarantee.tuning.kind,
        "weaknesses": list(guarantee.weaknesses),
        "test_metrics_covered": False,
    }
    if guarantee.tuning.search is not None:
        fields["search"] = _search(guarantee.tuning.search)
    return fields


def _search(search: Search) -> dict[str, Any]:
    law = search.law
    trials = {"trials": search.trials} if law is None else {"law": law.name, "mean": law.mean}
    shape = {} if law is None or law.shape is None else {"shape": law.shape}
    return {
        "mode": search.mode,
        **trials,
        **shape,
        "trial_epsilon": _epsilon(search.trial_epsilon),
        "total_epsilon": _epsilon(search.total_epsilon),
        "released": search.released,
    }


def _epsilon(value: float) -> float | str:
    return strict_json.INFINITY if math.isinf(value) else value
