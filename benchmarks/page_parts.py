"""Parts of the page that its sections share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.results import Section


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def number(value: float | None, form: str) -> str:
    """Returns a number in a format; nothing where there is none."""
    return "" if value is None else format(value, form)


def measured_on(section: Section) -> str:
    """Says of each run where it was, and of which models, where there were several."""
    runs: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for model in section.models:
        runs.setdefault(tuple(section.measured_on[model].items()), []).append(model)
    return "\n".join(
        (f"{', '.join(models)}: " if len(runs) > 1 else "") + _facts(dict(run), section, models)
        for run, models in runs.items()
    )


def _facts(measured_on: Mapping[str, str], section: Section, models: Iterable[str]) -> str:
    rows = [row for model in models for row in section.models[model]]
    versions = {name: version for row in rows for name, version in row.versions.items()}
    facts = {
        **measured_on,
        "device": ", ".join(sorted({row.device for row in rows if row.device})),
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
    }
    return "; ".join(f"{name}: {fact}" for name, fact in facts.items()) + ".\n"
