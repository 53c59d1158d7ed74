"""What was asked for of a search, kept in its folder so that it can go on."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdpzoo.cli.search_options import law_of, whole_number_of
from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.recipe import Recipe
from tfdpzoo.toml import parse_table
from tfdpzoo.tuning.held_out_share import require_share

_FILE = "asked-for.json"
_PATHS = ("data_dir", "destination", "record")


@dataclass(frozen=True)
class SearchOrder:
    """What was asked for, checked as far as it can be without data.

    Attributes:
        model: The model's name, or `path/to/file.py:function`.
        recipe: With all that was typed in it.
        mode: `random` or `adaptive`.
        trials: How many, on average in the random mode.
        law: Of their number, as typed; None for the default.
        shape: Of the law, as typed.
        oracle: Who chooses settings; None for the mode's own.
        held_out: The share of examples that trials are scored on.
        space: `path/to/file.py:function`; None for the recipe's own space.
        keep_trials: Whether all trials are kept.
        parallel: How many trials run side by side.
        data_dir: As `tfdpzoo.data.load` takes it.
        memory_limit: As `tfdpzoo.data.load` takes it.
        engine: The gradient engine.
        initialization_seed: Of the initial weights; public.
        insecure_seed: Of all draws, for tests.
        destination: The version's folder of the best model.
        record: The table of results to append to.
        alias: What the new version is to be called.
        as_json: Whether stdout is for JSON.
        command: What was typed.
    """

    model: str
    recipe: Recipe
    mode: str
    trials: float
    law: str | None
    shape: float | None
    oracle: str | None
    held_out: float
    space: str | None
    keep_trials: bool
    parallel: int
    data_dir: Path | None
    memory_limit: int | None
    engine: str
    initialization_seed: int | None
    insecure_seed: int | None
    destination: Path
    record: Path | None
    alias: str | None
    as_json: bool
    command: str

    def check(self) -> None:
        """Refuses what does not go together, before TensorFlow is imported.

        Raises:
            InputError: A sentence says what.
        """
        require_share(self.held_out)
        if self.mode == "adaptive":
            whole_number_of(self.trials)
            for option, value in (("--law", self.law), ("--shape", self.shape)):
                if value is not None:
                    raise InputError(
                        f"{option} belongs to --mode random: in the adaptive mode the number of "
                        "trials is fixed and each of them counts."
                    )
            return
        law_of(self.law, self.trials, self.shape)
        if self.oracle not in (None, "random"):
            raise InputError(
                f"--oracle {self.oracle} chooses settings in view of earlier trials, but a random "
                "number of trials is accounted for settings that are drawn independently; give "
                "--mode adaptive, in which every trial counts in full."
            )
        if self.keep_trials:
            raise InputError(
                "--keep-trials needs --mode adaptive: with a random number of trials only the best "
                "one may be released. --mode adaptive --oracle random draws settings alike and "
                "covers all of them, with less epsilon for each."
            )

    def going_on(
        self,
        *,
        data_dir: Path | None,
        memory_limit: int | None,
        record: Path | None,
        alias: str | None,
        as_json: bool,
        parallel: int,
        command: str,
    ) -> SearchOrder:
        """Returns the order with what was typed to go on with it.

        Args:
            data_dir: Where the data lies now; None for where it lay.
            memory_limit: For images now; None for what it was.
            record: The table of results to append to.
            alias: What the new version is to be called; None for what was asked for first.
            as_json: Whether stdout is for JSON.
            parallel: How many trials run side by side.
            command: What was typed.
        """
        return dataclasses.replace(
            self,
            data_dir=data_dir or self.data_dir,
            memory_limit=memory_limit or self.memory_limit,
            record=record or self.record,
            alias=alias or self.alias,
            as_json=as_json,
            parallel=parallel,
            command=f"{self.command}; {command}",
        )

    def write(self, folder: Path) -> None:
        """Keeps the order in the folder of its search."""
        fields: dict[str, Any] = {
            each.name: getattr(self, each.name) for each in dataclasses.fields(self)
        }
        fields["recipe"] = self.recipe.to_toml()
        for name in _PATHS:
            fields[name] = None if fields[name] is None else str(fields[name].absolute())
        replace_durably(folder / _FILE, (json.dumps(fields, indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> SearchOrder:
        """Reads the order that a search began with.

        Raises:
            InputError: The folder is not that of a search, or the file is damaged.
        """
        path = folder / _FILE
        try:
            fields = json.loads(path.read_bytes())
            fields["recipe"] = Recipe.from_dict(parse_table(fields["recipe"]))
            for name in _PATHS:
                fields[name] = None if fields[name] is None else Path(fields[name])
            return cls(**fields)
        except FileNotFoundError as error:
            raise InputError(
                f"{folder} is not the folder of a search that can go on: it has no {_FILE}."
            ) from error
        except OSError as error:
            raise InputError(f"The file {path} cannot be read: {error.strerror}.") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"The file {path} is damaged or was altered; put back what tfdpzoo wrote."
            ) from error
