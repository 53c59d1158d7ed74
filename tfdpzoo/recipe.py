"""A recipe: every number that a training run needs, with the source of each.

A recipe is a TOML file. `Recipe.from_toml` is its only reader; overrides go on top with
`Recipe.with_overrides`. What is checked here is the file itself; the zoo checks whether a model
takes the architecture's arguments, the plan whether the privacy settings fit the data.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfdpzoo import toml
from tfdpzoo.dimension import Dimension, read_dimensions, refuse_not_searched
from tfdpzoo.dpsgd.augmentation import Augmentation
from tfdpzoo.dpsgd.execution import ExecutionSettings
from tfdpzoo.errors import InputError, unknown_name
from tfdpzoo.overrides import full_key, read_value
from tfdpzoo.settings import (
    check_settings,
    check_value,
    dependent_names,
    required_names,
    setting,
    settings_table,
    typed_fields,
)

if TYPE_CHECKING:
    import keras

OPTIMIZERS = ("sgd", "adam", "adamw", "nadam")
SCHEDULES = ("constant", "cosine", "step")


@dataclass(frozen=True)
class PrivacySettings:
    """The privacy target and what the plan is made from.

    Args:
        epsilon: Target epsilon, above 0.
        delta: Target delta, above 0 and below 1.
        batch_size: Expected number of examples an update under Poisson sampling, at least 1.
        epochs: Updates times batch size over examples, above 0; need not be whole.
        clip_norm: L2 norm to which each example's gradient is clipped, above 0.
    """

    epsilon: float = setting(above=0)
    delta: float = setting(above=0, below=1)
    batch_size: int = setting(at_least=1)
    epochs: float = setting(above=0)
    clip_norm: float = setting(above=0)

    def __post_init__(self) -> None:
        check_settings(self, "privacy")


@dataclass(frozen=True)
class OptimizerSettings:
    """The optimizer and its learning rate over the updates.

    Args:
        name: One of `OPTIMIZERS`.
        learning_rate: The highest learning rate of the run, above 0.
        schedule: "constant"; "cosine", half a cosine to 0 over all updates; or "step", a factor
            every so many epochs.
        momentum: Momentum of "sgd", at least 0 and below 1.
        weight_decay: Share of each weight taken off per update, times the learning rate (Keras'
            decoupled form), at least 0.
        warmup_updates: Updates over which a "cosine" schedule rises to the learning rate.
        step_epochs: Epochs between two steps of a "step" schedule, above 0.
        decay_rate: Factor at each step of a "step" schedule, above 0 and at most 1.
    """

    name: str = setting(choices={"optimizer": OPTIMIZERS})
    learning_rate: float = setting(above=0)
    schedule: str = setting(choices={"learning-rate schedule": SCHEDULES})
    momentum: float = setting(0.0, at_least=0, below=1, belongs_to=("name", "sgd"))
    weight_decay: float = setting(0.0, at_least=0)
    warmup_updates: int = setting(0, at_least=0, belongs_to=("schedule", "cosine"))
    step_epochs: float | None = setting(None, above=0, belongs_to=("schedule", "step"))
    decay_rate: float | None = setting(None, above=0, at_most=1, belongs_to=("schedule", "step"))

    def __post_init__(self) -> None:
        check_settings(self, "optimizer")
        if self.schedule == "step" and (self.step_epochs is None or self.decay_rate is None):
            raise InputError(
                "optimizer.schedule = 'step' needs optimizer.step_epochs and optimizer.decay_rate."
            )

    def build(self, updates: int, updates_per_epoch: float) -> keras.optimizers.Optimizer:
        """Makes the Keras optimizer, its learning rate counted in updates.

        Args:
            updates: Updates of the whole run, at least 1.
            updates_per_epoch: Examples over batch size, above 0; need not be whole.

        Returns:
            A new Keras optimizer.

        Raises:
            InputError: The warm-up takes all of the updates.
        """
        # Keras takes seconds to import and reading a recipe does not need it.
        from tfdpzoo.optimizers import build_optimizer

        return build_optimizer(self, updates=updates, updates_per_epoch=updates_per_epoch)


_TABLES: Mapping[str, type] = {
    "privacy": PrivacySettings,
    "optimizer": OptimizerSettings,
    "augmentation": Augmentation,
    "execution": ExecutionSettings,
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that a training run is made from.

    Args:
        name: The recipe's name; of a file without one, the file's name without its ending.
        model: The zoo model that it trains.
        description: One sentence for people.
        dataset: A name or a path that `tfdpzoo.data.load` takes.
        privacy: The privacy target and what the plan is made from.
        optimizer: The optimizer and its learning rate over the updates.
        architecture: Arguments of the model's build function.
        image_size: Side in pixels to which images are brought, at least 8; None keeps their own.
        averaging_decay: Decay of the exponential moving average of the weights per update, at
            least 0 and below 1; 0 turns the average off.
        augmentation: Random views of each example whose gradients are averaged before clipping.
        precision: "float32", or "bfloat16" for layers that compute in it; weights, clipping, sums
            and noise are float32 in any case.
        execution: How an update is computed.
        tune: What a search for settings varies: dimensions by dotted key.
        sources: For a dotted key such as `privacy.epsilon` a sentence saying where its value
            comes from.
    """

    name: str = setting()
    model: str = setting()
    description: str = setting()
    dataset: str = setting()
    privacy: PrivacySettings
    optimizer: OptimizerSettings
    architecture: Mapping[str, Any] = field(default_factory=dict)
    image_size: int | None = setting(None, at_least=8)
    averaging_decay: float = setting(0.999, at_least=0, below=1)
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = setting("float32", choices={"precision": ("float32", "bfloat16")})
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    tune: Mapping[str, Dimension] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_settings(self)
        architecture = check_value("architecture", _as_table("architecture", self.architecture))
        object.__setattr__(self, "architecture", architecture)
        object.__setattr__(self, "sources", dict(_as_table("sources", self.sources)))
        object.__setattr__(self, "tune", read_dimensions(_as_table("tune", self.tune)))
        self._check_searched()
        known = [*_setting_keys(), *(f"architecture.{name}" for name in architecture)]
        known += [f"tune.{key}" for key in self.tune]
        for key, sentence in self.sources.items():
            if key not in known:
                raise unknown_name("recipe key with a source", key, known)
            if not isinstance(sentence, str) or not sentence.strip():
                raise InputError(f"The source of {key} must be a sentence, got {sentence!r}.")

    @classmethod
    def from_toml(cls, path: str | Path) -> Recipe:
        """Reads a recipe file.

        Args:
            path: The TOML file.

        Returns:
            The recipe; its name is the file's name without the ending where the file gives none.

        Raises:
            InputError: The file cannot be read, or a key is unknown, missing or has a value that
                cannot be used. The sentence names the file.
        """
        table = toml.read_table(path)
        try:
            return cls.from_dict({"name": Path(path).stem, **table})
        except InputError as error:
            raise InputError(f"In the recipe {path}: {error}") from error

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Recipe:
        """Makes a recipe from nested tables, the inverse of `to_dict`.

        Args:
            table: Keys as in a recipe file, and `name`.

        Returns:
            The recipe.

        Raises:
            InputError: A key is unknown, missing or has a value that cannot be used.
        """
        table = {
            key: dict(_as_table(key, value)) if key in _TABLES else value
            for key, value in table.items()
        }
        _refuse_unknown_keys(table)
        _refuse_missing_keys(table)
        values: dict[str, Any] = dict(table)
        for name, kind in _TABLES.items():
            values[name] = kind(**typed_fields(kind, name, table.get(name, {})))
        values["tune"] = read_dimensions(_as_table("tune", table.get("tune", {})))
        values["sources"] = _dotted(_as_table("sources", table.get("sources", {})))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Returns the recipe as nested tables that hold no None, as TOML and JSON take them."""
        table: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name in _TABLES:
                value = settings_table(value)
            elif item.name == "tune":
                value = {key: each.to_table() for key, each in value.items()} or None
            elif isinstance(value, Mapping):
                # check_value copies, so that a change to the table leaves the recipe alone.
                value = check_value(item.name, value)
            if value is not None:
                table[item.name] = value
        return table

    def to_toml(self) -> str:
        """Returns the recipe as the text of a recipe file."""
        return toml.write_table(self.to_dict())

    def settings(self) -> dict[str, Any]:
        """Returns every value that has a meaning, defaults too, by its dotted key."""
        table = self.to_dict()
        flat = {key: table[key] for key in _plain_keys() if key in table}
        for name in ("architecture", *_TABLES):
            flat |= {f"{name}.{key}": value for key, value in table[name].items()}
        return flat

    def with_overrides(
        self, overrides: Mapping[str, Any], *, architecture_arguments: Iterable[str] = ()
    ) -> Recipe:
        """Returns the recipe with some values replaced.

        Settings that have no meaning with an overridden optimizer or schedule (the momentum of SGD,
        the steps of a step schedule) fall back to their defaults unless they are overridden too. A
        setting that is overridden or has no meaning any more is no longer searched.

        Args:
            overrides: New values by dotted key, or by the last part of a key where only one key
                ends so. Text is read as a TOML value, or as it stands where it is none.
            architecture_arguments: Arguments of the model that may be set although the recipe does
                not mention them.

        Returns:
            A new recipe whose `sources` say which values were overridden.

        Raises:
            InputError: A key is unknown, ambiguous or given twice, or a value cannot be used.

        Example:
            >>> recipe = Recipe(
            ...     name="example",
            ...     model="smoothnet",
            ...     description="An example",
            ...     dataset="digits",
            ...     privacy=PrivacySettings(
            ...         epsilon=7.0, delta=1e-4, batch_size=256, epochs=50, clip_norm=1.0
            ...     ),
            ...     optimizer=OptimizerSettings("sgd", learning_rate=1.0, schedule="cosine"),
            ... )
            >>> recipe.with_overrides({"batch_size": "512"}).privacy.batch_size
            512
        """
        arguments = dict.fromkeys([*self.architecture, *architecture_arguments])
        keys = [*_setting_keys(), *(f"architecture.{name}" for name in arguments)]
        values: dict[str, Any] = {}
        for given, value in overrides.items():
            key = full_key(given, keys)
            if key in values:
                raise InputError(f"{key} is set twice; give it once.")
            values[key] = read_value(value, hint=_hint(key))
        before = self.settings()
        table = self.to_dict()
        for key in _without_meaning(values):
            _remove(table, key)
        for key, value in values.items():
            _put(table, key, value)
            _stop_searching(table, key)
            if key not in before:
                table["sources"][key] = "set for this run; the recipe does not set it"
            elif value != before[key]:
                table["sources"][key] = f"set for this run; the recipe has {before[key]!r}"
        return Recipe.from_dict(table)

    def with_searched(self, values: Mapping[str, Any]) -> Recipe:
        """Returns the recipe with the values of a trial, by their dotted keys.

        Args:
            values: What a search may set, also arguments of the architecture that the recipe does
                not mention.

        Raises:
            InputError: A key is not dotted, not one of the recipe or must not be searched, or a
                value cannot be used.
        """
        for key in values:
            refuse_not_searched(key)
            if "." not in key and key not in _plain_keys():
                full_key(key, _setting_keys())
                raise InputError(
                    f"{key!r} is short for a key of the recipe; write it with its dot."
                )
        prefix = "architecture."
        arguments = [key.removeprefix(prefix) for key in values if key.startswith(prefix)]
        return self.with_overrides(values, architecture_arguments=arguments)

    def _check_searched(self) -> None:
        if not self.tune:
            return
        bare = dataclasses.replace(self, tune={}, sources={})
        for key, dimension in self.tune.items():
            for value in dimension.ends:
                try:
                    bare.with_searched({key: value})
                except InputError as error:
                    raise InputError(f"tune.{key}: {error}") from error


def _plain_keys() -> list[str]:
    return ["dataset", "image_size", "averaging_decay", "precision"]


def _setting_keys() -> list[str]:
    inner = [
        f"{table}.{item.name}"
        for table, kind in _TABLES.items()
        for item in dataclasses.fields(kind)
    ]
    return [*_plain_keys(), *inner]


def _hint(key: str) -> Any:
    table, _, name = key.rpartition(".")
    kind = _TABLES.get(table) if table else Recipe
    return typing.get_type_hints(kind).get(name) if kind else None


def _as_table(key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{key} must be a table, got {value!r}.")
    return value


def _refuse_unknown_keys(table: Mapping[str, Any]) -> None:
    fields = [item.name for item in dataclasses.fields(Recipe)]
    choices = [*(name for name in fields if name not in _TABLES), *_setting_keys()]
    for key in table:
        if key not in fields:
            raise unknown_name("recipe key", key, dict.fromkeys(choices))
    for name in _TABLES:
        for key in table.get(name, {}):
            if f"{name}.{key}" not in choices:
                raise unknown_name("recipe key", f"{name}.{key}", dict.fromkeys(choices))


def _refuse_missing_keys(table: Mapping[str, Any]) -> None:
    missing = [key for key in required_names(Recipe) if key not in table and key not in _TABLES]
    for name, kind in _TABLES.items():
        inner = table.get(name, {})
        missing += [f"{name}.{key}" for key in required_names(kind) if key not in inner]
    if missing:
        raise InputError(f"Required and missing: {', '.join(missing)}.")


def _dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _dotted(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _without_meaning(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        if table in _TABLES:
            for dependent in dependent_names(_TABLES[table], name, value):
                if f"{table}.{dependent}" not in values:
                    yield f"{table}.{dependent}"


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    outer, _, inner = key.rpartition(".")
    (table[outer] if outer else table)[inner] = value


def _remove(table: dict[str, Any], key: str) -> None:
    outer, _, inner = key.rpartition(".")
    (table[outer] if outer else table).pop(inner, None)
    table["sources"].pop(key, None)
    _stop_searching(table, key)


def _stop_searching(table: dict[str, Any], key: str) -> None:
    table.get("tune", {}).pop(key, None)
    table["sources"].pop(f"tune.{key}", None)
