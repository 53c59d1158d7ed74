"""The file that keeps what was measured, one section for each benchmark."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement

RESULTS = Path(__file__).with_name("results.json")


@dataclasses.dataclass(frozen=True)
class Section:
    """The measurements of one benchmark.

    Attributes:
        measured_on: The machine, the date and the command, by model.
        models: The measurements by model.
    """

    measured_on: Mapping[str, Mapping[str, str]]
    models: Mapping[str, Sequence[Measurement]]

    @classmethod
    def of_one_run(
        cls, measured_on: Mapping[str, str], models: Mapping[str, Sequence[Measurement]]
    ) -> Section:
        """Makes a section of models that were measured on the same machine."""
        return cls(dict.fromkeys(models, measured_on), models)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Section:
        """Makes a section of what JSON made of `dataclasses.asdict`."""
        models = {
            name: [Measurement(**row) for row in rows] for name, rows in content["models"].items()
        }
        return cls(content["measured_on"], models)

    def in_order_of(self, names: Iterable[str]) -> Section:
        """Returns this section with its models, those that are among the names, in their order."""
        return Section(self.measured_on, {n: self.models[n] for n in names if n in self.models})

    def updated_by(self, newer: Section) -> Section:
        """Returns this section with the newer measurements of those models that have some."""
        return Section({**self.measured_on, **newer.measured_on}, {**self.models, **newer.models})


def read_sections(path: Path = RESULTS) -> dict[str, Any]:
    """Returns the content of each section by its name; nothing where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_section(name: str, section: Any, path: Path = RESULTS) -> None:
    """Puts a section, any dataclass, into the file in place of the one of the same name."""
    sections = read_sections(path) | {name: dataclasses.asdict(section)}
    path.write_text(json.dumps(sections, indent=1) + "\n", encoding="utf-8")


def update_section(name: str, newer: Section, path: Path = RESULTS) -> None:
    """Puts the models of a section into the one of the same name, which keeps its others."""
    kept = read_sections(path).get(name)
    write_section(name, Section.from_json(kept).updated_by(newer) if kept else newer, path)
