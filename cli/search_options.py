"""The options of a search for settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfdpzoo.errors import InputError
from tfdpzoo.privacy.law_names import LAWS
from tfdpzoo.tuning.objective import OBJECTIVE

if TYPE_CHECKING:
    from tfdpzoo.privacy.repetition import RepetitionLaw

MODES = ("random", "adaptive")
ORACLES = ("random", "bayesian", "hyperband", "grid")

_PATH = click.Path(path_type=Path)

trials = click.option(
    "--trials",
    type=float,
    metavar="N",
    default=10,
    show_default=True,
    help="How many trials: on average in the random mode, where their number is drawn; exactly in "
    "the adaptive one, and at most with --oracle grid and hyperband.",
)
tune = click.option(
    "--tune",
    type=float,
    metavar="N",
    help="Plan a search of N trials, on average where their number is random, instead of one run.",
)
mode = click.option(
    "--mode",
    type=click.Choice(MODES),
    default=MODES[0],
    show_default=True,
    help="random: settings are drawn independently, a secret random number of times, and only the "
    "best model is released, which costs far less than many trials together. adaptive: an oracle "
    "chooses settings in view of earlier trials, and every trial counts in full.",
)
law = click.option(
    "--law",
    type=click.Choice(tuple(each.replace(" ", "-") for each in LAWS)),
    help="With --mode random: how the number of trials is drawn.  [default: logarithmic]",
)
shape = click.option(
    "--shape",
    type=float,
    metavar="ETA",
    help="With --law truncated-negative-binomial: its shape; 0 would be logarithmic, 1 is "
    "geometric.  [default: 0.5]",
)
oracle = click.option(
    "--oracle",
    "oracle_name",
    type=click.Choice(ORACLES),
    help="Who chooses settings, one of KerasTuner's oracles.  [default: random in the random mode, "
    "bayesian in the adaptive one]",
)
held_out = click.option(
    "--held-out",
    type=float,
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="The share of the training examples that trials are scored on instead of trained. They "
    "are protected by the guarantee as well.",
)
objective = click.option(
    "--objective",
    metavar="NAME",
    default=OBJECTIVE,
    show_default=True,
    help="What the best trial is best at. No other objective is counted.",
)
space = click.option(
    "--space",
    metavar="FILE:FUNCTION",
    help="A Python function space(hp) that returns settings by their dotted names, in place of the "
    "recipe's table [tune].",
)
keep_trials = click.option(
    "--keep-trials",
    is_flag=True,
    help="Keep weights and scores of all trials. The guarantee covers them too, which needs --mode "
    "adaptive.",
)
parallel = click.option(
    "--parallel",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="How many trials run side by side on this machine, by KerasTuner's chief and workers.",
)
searches = click.option(
    "--searches",
    type=_PATH,
    metavar="FOLDER",
    default=Path("searches"),
    show_default=True,
    help="Where the private folders of searches go.",
)
resume_search = click.option(
    "--resume",
    type=_PATH,
    metavar="SEARCH",
    help="Go on with a search that was stopped, given its folder, instead of beginning one.",
)


def law_of(name: str | None, mean: float, shape: float | None) -> RepetitionLaw:
    """Returns the law that was asked for.

    Args:
        name: As typed; None for the default.
        mean: The mean number of trials.
        shape: As typed; None for the default.

    Raises:
        InputError: The shape belongs to another law, or a number is out of its range.
    """
    # scipy and the accountants take a second to import.
    from tfdpzoo.privacy.repetition import RepetitionLaw

    chosen = (name or LAWS[0]).replace("-", " ")
    if chosen == "truncated negative binomial" and shape is None:
        shape = 0.5
    return RepetitionLaw(chosen, mean, shape)  # type: ignore[arg-type]


def whole_number_of(trials: float) -> int:
    """Returns a number of trials that is exact.

    Raises:
        InputError: It is not a whole number above 0.
    """
    if not trials.is_integer() or trials < 1:
        raise InputError(
            f"--trials is {trials:g}; in the adaptive mode it is a whole number of at least 1."
        )
    return int(trials)
