"""The file that keeps what was measured, one section for each benchmark."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement

RESULTS = Path(__file__).with_name("results.json")


@dataclasses.dataclass(frozen=True)
class Section:
    """The measurements of one benchmark.

    Attributes:
        measured_on: The machine, the date and the command.
        models: The measurements by model.
    """

    measured_on: Mapping[str, str]
    models: Mapping[str, Sequence[Measurement]]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Section:
        """Makes a section of what JSON made of `dataclasses.asdict`."""
        models = {
            name: [Measurement(**row) for row in rows] for name, rows in content["models"].items()
        }
        return cls(content["measured_on"], models)


def read_sections(path: Path = RESULTS) -> dict[str, Any]:
    """Returns the content of each section by its name; nothing where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_section(name: str, section: Any, path: Path = RESULTS) -> None:
    """Puts a section, any dataclass, into the file in place of the one of the same name."""
    sections = read_sections(path) | {name: dataclasses.asdict(section)}
    path.write_text(json.dumps(sections, indent=1) + "\n", encoding="utf-8")
