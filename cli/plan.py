"""`tfdpzoo plan`: noise for an epsilon, or epsilon for a noise, without training."""

from __future__ import annotations

from typing import Any

import click

from tfdpzoo.cli import options, search_options
from tfdpzoo.cli.console import facts, open_console, print_json, say
from tfdpzoo.cli.model_notes import tell_note_on
from tfdpzoo.errors import InputError
from tfdpzoo.zoo import catalog

_DEFAULT_CLIP_NORM = 1.0

_EXAMPLES = """\b
Examples:
  tfdpzoo plan --epsilon 7 --delta 1e-5 --examples 50000 --batch-size 1024 --epochs 30
  tfdpzoo plan --noise-multiplier 0.845 --delta 1e-5 --examples 50000 --batch-size 1024 \\
               --updates 1464
  tfdpzoo plan smoothnet --recipe mnist --epsilon 1
  tfdpzoo plan smoothnet --recipe mnist --epsilon 3 --tune 10
"""


@click.command(epilog=_EXAMPLES)
@options.model_or_none
@options.recipe
@options.dataset
@options.epsilon
@options.noise_multiplier
@options.delta
@options.examples
@options.batch_size
@options.epochs
@options.updates
@options.clip_norm
@search_options.tune
@search_options.held_out
@options.as_json
def plan(
    model: str | None,
    recipe_name: str | None,
    dataset: str | None,
    tune: float | None,
    held_out: float,
    as_json: bool,
    **given: Any,
) -> None:
    """Say what noise an epsilon takes, or what epsilon a noise gives.

    With --tune: what each way of searching for settings leaves for a single trial, so that the
    whole search stays within --epsilon.

    Nothing is trained. With a MODEL, what is not given comes from its recipe. A MODEL is one of
    `tfdpzoo list`, or path/to/file.py:build.
    """
    settings = {name: value for name, value in given.items() if value is not None}
    if model is not None:
        tell_note_on(model)
        settings = _with_recipe(settings, model, recipe_name, dataset)
    elif recipe_name is not None or dataset is not None:
        raise InputError("--recipe and --dataset belong to a MODEL; name it first.")
    if tune is not None:
        _tell_of_search(settings, tune, held_out, as_json)
        return
    made = _make_plan(settings)
    # The accountants take a second to import.
    from tfdpzoo.cli.plan_facts import plan_fields, plan_rows

    if as_json:
        print_json(plan_fields(made))
        return
    open_console().print(facts(plan_rows(made)))


def _tell_of_search(
    settings: dict[str, Any], trials: float, held_out: float, as_json: bool
) -> None:
    for name in ("noise_multiplier", "updates"):
        if name in settings:
            raise InputError(
                f"{_option(name)} cannot be given with --tune, which finds the noise for --epsilon "
                "and --epochs."
            )
    _require_complete(settings)
    # The accountants take a second to import.
    from tfdpzoo.cli.plan_of_search import fields_of_ways, table_of_ways, ways_of_searching

    ways = ways_of_searching(settings, trials, held_out)
    if as_json:
        print_json(fields_of_ways(ways))
        return
    console = open_console()
    console.print(table_of_ways(ways))
    for reason in dict.fromkeys(way.reason for way in ways if way.reason is not None):
        say(console, reason, style="yellow")


def _with_recipe(
    settings: dict[str, Any], model: str, recipe_name: str | None, dataset: str | None
) -> dict[str, Any]:
    from tfdpzoo.data.published import published_size

    recipe = catalog.recipe(model, recipe_name, dataset)
    privacy = recipe.privacy
    taken: dict[str, Any] = {
        "delta": privacy.delta,
        "batch_size": privacy.batch_size,
        "clip_norm": privacy.clip_norm,
    }
    if "epochs" not in settings and "updates" not in settings:
        taken["epochs"] = privacy.epochs
    if "epsilon" not in settings and "noise_multiplier" not in settings:
        taken["epsilon"] = privacy.epsilon
    size = published_size(recipe.dataset)
    if size is not None:
        taken["examples"] = size.examples
    return {**taken, **settings}


def _make_plan(settings: dict[str, Any]) -> Any:
    _require_complete(settings)
    from tfdpzoo.dpsgd.plan import PrivacyPlan

    settings = {"clip_norm": _DEFAULT_CLIP_NORM, **settings}
    if "noise_multiplier" in settings:
        return PrivacyPlan.from_noise_multiplier(**settings)
    return PrivacyPlan.calibrate(**settings)


def _require_complete(settings: dict[str, Any]) -> None:
    for one, other in (("epsilon", "noise_multiplier"), ("epochs", "updates")):
        if one in settings and other in settings:
            raise InputError(f"Give either {_option(one)} or {_option(other)}, not both.")
    missing = [
        _option(name) for name in ("examples", "batch_size", "delta") if name not in settings
    ]
    if "epsilon" not in settings and "noise_multiplier" not in settings:
        missing.insert(0, "--epsilon or --noise-multiplier")
    if "epochs" not in settings and "updates" not in settings:
        missing.append("--epochs or --updates")
    if missing:
        raise InputError(f"A plan needs more: give {', '.join(missing)}.")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
