"""The page's section on serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement
from benchmarks.models import SERVED_MODELS
from benchmarks.page_parts import measured_on, number, table
from benchmarks.results import Section
from benchmarks.serving import GRPC_CLIENT, OPENVINO, REST_CLIENT, TENSORFLOW

_SERVING = """\
## Serving

The exported models of the recipes for a processor: the signature that TensorFlow Serving calls,
called in TensorFlow, and beside it the same SavedModel in OpenVINO, in float32 both, one call of
each in turn. No server and no network is in these times. The ratio is the median of those within
the rounds: above 1 OpenVINO is slower.
"""
_CLIENTS = """\
### What a client adds

The clients of `tfdpzoo predict` with a server in the same process that answers at once and infers
nothing: writing the pixels, sending them over loopback, reading the probabilities. REST sends
numbers as text. A real server adds the model's time and its own reading and writing.
"""


def serving_section(content: Mapping[str, Any], folder: Path) -> str:
    """Makes the section's text.

    Args:
        content: The section of `results.json`.
        folder: Where pictures go; there is none.
    """
    del folder
    section = Section.from_json(content).in_order_of(SERVED_MODELS)
    runtimes = table(
        [
            "model",
            "images",
            "median, ms",
            "95th percentile, ms",
            "images a second",
            "OpenVINO, images a second",
            "OpenVINO / TensorFlow, time",
            "remark",
        ],
        _runtimes(section.models),
    )
    clients = table(
        ["image", "images", "REST, ms", "95th percentile, ms", "gRPC, ms", "95th percentile, ms"],
        _clients(section.models),
    )
    return "\n".join([_SERVING, runtimes, _CLIENTS, clients, measured_on(section)])


def _runtimes(models: Mapping[str, Sequence[Measurement]]) -> Iterator[Sequence[str]]:
    for model, rows in models.items():
        for batch, by_name in _by_batch(rows).items():
            ours, other = by_name[TENSORFLOW.name], by_name[OPENVINO.name]
            yield [
                model,
                f"{batch:,}",
                *_times(ours),
                number(ours.examples_a_second, ",.0f"),
                number(other.examples_a_second, ",.0f"),
                number(other.ratio_to(ours), ".2f"),
                ours.failure or other.failure,
            ]


def _clients(models: Mapping[str, Sequence[Measurement]]) -> Iterator[Sequence[str]]:
    for model, rows in models.items():
        size = " x ".join(map(str, SERVED_MODELS[model].input_shape))
        for batch, by_name in _by_batch(rows).items():
            if REST_CLIENT.name in by_name:
                rest, by_grpc = by_name[REST_CLIENT.name], by_name[GRPC_CLIENT.name]
                yield [size, f"{batch:,}", *_times(rest), *_times(by_grpc)]


def _times(row: Measurement) -> list[str]:
    """The median and the 95th percentile in milliseconds."""
    seconds = (row.median_seconds, row.slow_seconds)
    return [number(None if each is None else 1e3 * each, ".3g") for each in seconds]


def _by_batch(rows: Sequence[Measurement]) -> dict[int, dict[str, Measurement]]:
    found: dict[int, dict[str, Measurement]] = {}
    for row in rows:
        found.setdefault(row.batch, {})[row.contender] = row
    return found
