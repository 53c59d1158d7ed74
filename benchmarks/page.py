"""`docs/benchmarks.md`, made of `results.json` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import scaling
from benchmarks.contenders import (
    CONTENDERS,
    JAX_PRIVACY,
    NOT_PRIVATE,
    OPACUS,
    ORDINARY,
    OURS,
    TF_PRIVACY,
)
from benchmarks.inference import EXPORTED, PLAIN
from benchmarks.measurement import Measurement
from benchmarks.models import MODELS
from benchmarks.page_parts import measured_on, number, table
from benchmarks.plots import draw_comparison, draw_growth
from benchmarks.replicas import ALONE, SILENT
from benchmarks.results import Section
from benchmarks.serving_page import serving_section

_HEAD = """\
# Benchmarks

Made by `make bench`, which measures on the machine that it runs on and keeps the numbers in
`benchmarks/results.json`; `python -m benchmarks --page-only` makes this page of them again. A cell
is empty where nothing was measured.
"""
_COMPARISON = """\
## A training step

One update of all weights: the gradient of every example, clipped to norm 1, their sum, Gaussian
noise, SGD; where it is not private, the gradient of the mean loss and SGD. Ours also updates the
average of the weights. All train the same network on the same images in float32, each in a process
of its own, and take turns, one step each. A time is the median of the steps. The ratios, to our
step and to the ordinary step in the same framework, are medians of those within the rounds. Memory
is the most that a process, libraries included, has held.

Our step of every model: its time and memory as multiples of an ordinary step's in TensorFlow, and
how many times faster it is than the others; of Opacus' modes, than the one that comes nearest.
"""
_COMPARISON_PLOT = """\
![Time of a step](benchmarks-comparison.png)
"""
_GROWTH = """\
## Larger batches

![Time and memory against the batch](benchmarks-growth.png)
"""
_INFERENCE = """\
## Inference

The exported Equivariant ResNet-9 beside the same network with a plain convolution of the same shape
in place of each group convolution: the signature that TensorFlow Serving calls, one call of each in
turn. The filters are expanded at export, so that nothing of the group should be left to pay for.
"""
_REPLICAS = """\
## Replicas

An update of two replicas beside that of one device, on the same two cores, which count as two
devices (`--strategy mirrored --replicas 2`). There is nothing more to compute on, so that two gain
only what one leaves idle. What adding up takes is the time of an update less that of two replicas
which keep their own sums.
"""
_ESTIMATE = """\
### Many GPUs, an estimate

Not measured. An update on n GPUs takes c B / n + a + f:

- c B / n: the operations of a forward pass, counted by TensorFlow's profiler, times {passes} for
  both passes, times {private} for what is private of them, at {operations:.0f}e12 operations a
  second (assumed); shares have equal sizes;
- a: 2 (n - 1) / n of the gradient, 4 bytes a parameter, through a ring: at {within:.0f} GB/s among
  the {gpus} GPUs of a machine, then at {between:.0f} GB/s between machines (assumed);
- f: {fixed:.0f} ms for what does not shrink: starting kernels, noise, the optimizer (assumed).
"""
_LINEAR_WITHIN = 0.10
_CONSTANT_WITHIN = 0.10


def write_page(sections: Mapping[str, Any], folder: Path) -> None:
    """Writes the page and its pictures.

    Args:
        sections: The content of `results.json`.
        folder: Where `benchmarks.md` and the pictures are written.
    """
    texts = [make(sections[name], folder) for name, make in SECTIONS.items() if name in sections]
    (folder / "benchmarks.md").write_text("\n".join([_HEAD, *texts]), encoding="utf-8")


def _comparison(content: Mapping[str, Any], folder: Path) -> str:
    section = Section.from_json(content).in_order_of(MODELS)
    draw_comparison(section.models, folder / "benchmarks-comparison.png")
    parts = [_COMPARISON, _summary_table(section.models), _COMPARISON_PLOT]
    for model, rows in section.models.items():
        parameters = number(rows[0].parameters, ",")
        parts.append(f"### {model}, {rows[0].batch} examples, {parameters} parameters\n")
        parts.append(_comparison_table(rows))
    return "\n".join([*parts, measured_on(section)])


def _summary_table(models: Mapping[str, Sequence[Measurement]]) -> str:
    return table(
        [
            "our step",
            "parameters",
            "batch",
            "× ordinary step",
            "× ordinary memory",
            "times faster than TF-Privacy",
            "than Opacus' fastest mode",
            "than JAX-Privacy",
        ],
        (_summary(model, {row.contender: row for row in rows}) for model, rows in models.items()),
    )


def _summary(model: str, rows: Mapping[str, Measurement]) -> list[str]:
    ours, ordinary = rows[OURS.name], rows[ORDINARY.name]
    modes = {mode.name: rows[mode.name].ratio_to(ours) for mode in OPACUS}
    ratio, mode = min(((ratio, mode) for mode, ratio in modes.items() if ratio), default=(None, ""))
    memory = ours.peak_mb / ordinary.peak_mb if ours.peak_mb and ordinary.peak_mb else None
    return [
        model,
        number(ours.parameters, ","),
        f"{ours.batch:,}",
        number(ours.ratio_to(ordinary), ".2f"),
        number(memory, ".2f"),
        number(rows[TF_PRIVACY.name].ratio_to(ours), ".1f"),
        f"{number(ratio, '.1f')} {mode.partition(', ')[2]}".strip(),
        number(rows[JAX_PRIVACY.name].ratio_to(ours), ".1f"),
    ]


def _comparison_table(rows: Sequence[Measurement]) -> str:
    by_name = {row.contender: row for row in rows}
    frameworks = {each.name: each.framework for each in CONTENDERS}
    return table(
        ["", "step, s", "× ours", "× ordinary", "peak MB", "steps", "remark"],
        (
            [
                row.contender,
                number(row.median_seconds, ".3g"),
                number(row.ratio_to(by_name[OURS.name]), ".2f"),
                number(row.ratio_to(by_name[NOT_PRIVATE[frameworks[row.contender]]]), ".2f"),
                number(row.peak_mb, ",.0f"),
                str(len(row.seconds) or ""),
                row.failure,
            ]
            for row in rows
        ),
    )


def _growth(content: Mapping[str, Any], folder: Path) -> str:
    section = Section.from_json(content)
    ((model, rows),) = section.models.items()
    draw_growth(rows, folder / "benchmarks-growth.png")
    rows_table = table(
        [model, "batch", "step, s", "ms an example", "peak MB", "the images, MB", "remark"],
        (
            [
                row.contender,
                f"{row.batch:,}",
                number(row.median_seconds, ".3g"),
                number(row.milliseconds_an_example, ".2f"),
                number(row.peak_mb, ",.0f"),
                f"{MODELS[model].megabytes(row.batch):,.1f}",
                row.failure,
            ]
            for row in rows
        ),
    )
    ours = [row for row in rows if row.contender == OURS.name]
    return "\n".join(
        [
            _GROWTH,
            rows_table,
            _time_verdict(ours),
            _memory_verdict(model, rows),
            measured_on(section),
        ]
    )


def _time_verdict(ours: Sequence[Measurement]) -> str:
    # The largest batch has a single step, which is there for its memory.
    timed = {row.batch: row.milliseconds_an_example for row in ours if len(row.seconds) > 1}
    costs = [cost for cost in timed.values() if cost is not None]
    if not costs:
        return ""
    spread = max(costs) / min(costs) - 1
    verdict = "linear" if spread <= _LINEAR_WITHIN else "not linear"
    return (
        f"The time of an example differs by {spread:.0%} between {min(timed):,} and "
        f"{max(timed):,} examples: time is {verdict} in the batch within {_LINEAR_WITHIN:.0%}.\n"
    )


def _memory_verdict(model: str, rows: Sequence[Measurement]) -> str:
    held = {row.batch: row.peak_mb for row in rows if row.contender == OURS.name and row.peak_mb}
    ordinary = {row.batch: row.peak_mb for row in rows if row.contender == ORDINARY.name}
    if len(held) < 2:
        return ""
    low, high = min(held), max(held)
    growth = held[high] - held[low]
    images = MODELS[model].megabytes(high - low)
    verdict = "constant" if growth - images <= _CONSTANT_WITHIN * held[low] else "not constant"
    sentence = (
        f"Peak memory grows by {growth:,.0f} MB between {low:,} and {high:,} examples, where the "
        f"added images themselves take {images:,.0f} MB: apart from them it is {verdict} within "
        f"{_CONSTANT_WITHIN:.0%}.\n"
    )
    for batch, peak in ordinary.items():
        if peak:
            ratio = held[high] / peak
            sentence += (
                f"It ends at {ratio:.2f} times an ordinary step's with {batch:,} examples.\n"
            )
    return sentence


def _inference(content: Mapping[str, Any], folder: Path) -> str:
    del folder  # There is no picture.
    section = Section.from_json(content)
    ((model, rows),) = section.models.items()
    by_batch: dict[int, dict[str, Measurement]] = {}
    for row in rows:
        by_batch.setdefault(row.batch, {})[row.contender] = row
    rows_table = table(
        [model, "images", "exported, ms an image", "plain twin, ms an image", "ratio"],
        (
            [
                "",
                f"{batch:,}",
                number(pair[EXPORTED.name].milliseconds_an_example, ".3g"),
                number(pair[PLAIN.name].milliseconds_an_example, ".3g"),
                number(pair[EXPORTED.name].ratio_to(pair[PLAIN.name]), ".3f"),
            ]
            for batch, pair in by_batch.items()
        ),
    )
    return "\n".join([_INFERENCE, rows_table, measured_on(section)])


def _replicas(content: Mapping[str, Any], folder: Path) -> str:
    del folder  # There is no picture.
    section = Section.from_json(content)
    rows_table = table(
        ["model", "batch", "", "step, s", "updates a second", "× one device", "adding up, share"],
        (
            [model, f"{row.batch:,}", *_replicas_row(row, {r.contender: r for r in rows})]
            for model, rows in section.models.items()
            for row in rows
            if row.contender != SILENT.name
        ),
    )
    head = _ESTIMATE.format(
        passes=scaling.PASSES,
        private=scaling.PRIVATE,
        operations=scaling.OPERATIONS / 1e12,
        within=scaling.WITHIN_MACHINE / 1e9,
        between=scaling.BETWEEN_MACHINES / 1e9,
        gpus=scaling.GPUS_OF_A_MACHINE,
        fixed=scaling.FIXED_SECONDS * 1e3,
    )
    return "\n".join([_REPLICAS, rows_table, measured_on(section), head, _estimates()])


def _replicas_row(row: Measurement, rows: Mapping[str, Measurement]) -> list[str]:
    seconds, alone, silent = (
        each.median_seconds for each in (row, rows[ALONE.name], rows[SILENT.name])
    )
    if row.failure or not seconds:
        return [row.contender, row.failure, "", "", ""]
    share = 1 - silent / seconds if silent and row.contender != ALONE.name else None
    return [
        row.contender,
        number(seconds, ".3g"),
        number(1 / seconds, ".2f"),
        number(alone / seconds if alone else None, ".2f"),
        number(share, ".0%"),
    ]


def _estimates() -> str:
    rows = []
    for workload in scaling.WORKLOADS:
        on_one = scaling.estimate(workload, 1)
        for gpus in (1, 8, 64):
            found = scaling.estimate(workload, gpus)
            rows.append(
                [
                    workload.model,
                    f"{workload.batch:,}",
                    str(gpus),
                    number(found.computing * 1e3, ".1f"),
                    number(found.adding_up * 1e3, ".2f"),
                    number(found.fixed * 1e3, ".0f"),
                    number(1 / found.seconds, ".1f"),
                    number(on_one.seconds / found.seconds, ".1f"),
                ]
            )
    head = ["model", "B", "n", "c B / n, ms", "a, ms", "f, ms", "updates a second", "× one GPU"]
    return table(head, rows)


SECTIONS: dict[str, Callable[[Mapping[str, Any], Path], str]] = {
    "comparison": _comparison,
    "growth": _growth,
    "inference": _inference,
    "serving": serving_section,
    "replicas": _replicas,
}
"""What makes the text of a section of the results, in the order of the page."""
