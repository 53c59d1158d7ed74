"""`tfdpzoo train`: from a recipe to a SavedModel that carries its guarantee."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from tfdpzoo.checkpoint_interval import DEFAULT_INTERVAL, CheckpointInterval
from tfdpzoo.cli import options
from tfdpzoo.cli.chosen_recipe import chosen_recipe
from tfdpzoo.cli.destination import destination_of
from tfdpzoo.cli.model_notes import tell_note_on
from tfdpzoo.distribution import STRATEGIES
from tfdpzoo.errors import InputError
from tfdpzoo.memory import parse_memory
from tfdpzoo.overrides import parse_assignments
from tfdpzoo.recipe import Recipe
from tfdpzoo.registry.reference import require_name
from tfdpzoo.zoo import catalog

_DECIDED_BY_THE_RUN = frozenset(
    {
        *("model", "delta", "dataset", "image_size", "recipe_name", "assignments", "engine"),
        *("seed", "out", "runs", "no_dp", "insecure_seed", "tuning"),
    }
)


@dataclass(frozen=True)
class TrainingOrder:
    """What was asked for, checked as far as it can be without data.

    Attributes:
        model: The model's name, or `path/to/file.py:function`.
        recipe: With all that was typed in it.
        destination: The version's folder; None for a run without privacy.
        runs: The folder of all runs.
        data_dir: As `tfdpzoo.data.load` takes it.
        engine: The gradient engine.
        strategy: Where to train, see `tfdpzoo.distribution`.
        replicas: How many; None for as many as there are.
        initialization_seed: Of the initial weights; public.
        insecure_seed: Of sampling and noise, for tests.
        tuning: What the trainer declares of tuning; None for nothing.
        record: The table of results to append to.
        as_json: Whether stdout is for JSON.
        command: What was typed.
        checkpoint_every: The interval between checkpoints.
        keep_checkpoints: How many are kept.
        patience: After how many updates in a row without a finite loss the run stops.
        memory_limit: As `tfdpzoo.data.load` takes it.
        alias: What the new version is to be called; None for no alias.
    """

    model: str
    recipe: Recipe
    destination: Path | None
    runs: Path
    data_dir: Path | None
    engine: str
    strategy: str
    replicas: int | None
    initialization_seed: int | None
    insecure_seed: int | None
    tuning: str | None
    record: Path | None
    as_json: bool
    command: str
    checkpoint_every: CheckpointInterval = DEFAULT_INTERVAL
    keep_checkpoints: int = 2
    patience: int = 10
    memory_limit: int | None = None
    alias: str | None = None

    @property
    def private(self) -> bool:
        """Whether the run is differentially private at all."""
        return self.destination is not None


@dataclass(frozen=True)
class ResumeOrder:
    """What was asked for of a run that is to go on.

    Attributes:
        run: The run's folder.
        more_epochs: How many epochs more than planned; None for the rest of the plan.
        epsilon: The new target; None for the present one.
        data_dir: Where the data lies now; None for where it lay.
        strategy: Where to train now; None for where it was trained.
        replicas: How many now; None for as many as then.
        memory_limit: How many bytes images may take now; None for what the run was given before.
        record: The table of results to append to.
        alias: What the new version is to be called; None for no alias.
        as_json: Whether stdout is for JSON.
        command: What was typed.
        checkpoint_every: The interval between checkpoints.
        keep_checkpoints: How many are kept.
        patience: After how many updates in a row without a finite loss the run stops.
    """

    run: Path
    more_epochs: float | None
    epsilon: float | None
    data_dir: Path | None
    strategy: str | None
    replicas: int | None
    memory_limit: int | None
    record: Path | None
    alias: str | None
    as_json: bool
    command: str
    checkpoint_every: CheckpointInterval
    keep_checkpoints: int
    patience: int


_EXAMPLES = """\b
Examples:
  tfdpzoo train smoothnet --epsilon 7 --dataset digits
  tfdpzoo train smoothnet --epsilon 7 --recipe cifar10-cpu --data-dir ~/tensorflow_datasets
  tfdpzoo train smoothnet --epsilon 3 --dataset mnist --set privacy.epochs=10
  tfdpzoo train nets/my_net.py:build --epsilon 7 --dataset digits --alias champion
  tfdpzoo train --resume runs/smoothnet-mnist-20261125-120000
"""


@click.command(epilog=_EXAMPLES)
@options.model_or_none
@options.epsilon
@options.delta
@options.dataset
@options.data_dir
@options.memory_limit
@options.image_size
@options.recipe
@options.assignments
@options.engine
@options.strategy
@options.replicas
@options.seed
@options.out
@options.runs
@options.record
@options.alias
@options.no_dp
@options.insecure_seed
@options.tuning
@options.resume
@options.more_epochs
@options.checkpoint_every
@options.keep_checkpoints
@options.patience
@options.as_json
@click.pass_obj
def train(
    command: str,
    model: str | None,
    epsilon: float | None,
    delta: float | None,
    dataset: str | None,
    data_dir: Path | None,
    memory_limit: str | None,
    image_size: int | None,
    recipe_name: str | None,
    assignments: tuple[str, ...],
    engine: str,
    strategy: str | None,
    replicas: int | None,
    seed: int | None,
    out: Path | None,
    runs: Path,
    record: Path | None,
    alias: str | None,
    no_dp: bool,
    insecure_seed: int | None,
    tuning: str | None,
    resume: Path | None,
    more_epochs: str | None,
    checkpoint_every: str,
    keep_checkpoints: int,
    patience: int,
    as_json: bool,
) -> None:
    """Train MODEL with differential privacy and save it.

    The recipe says everything that is not given here; without one it is the paper's. The plan is
    printed before training begins. The result is a SavedModel, and inside it lies the privacy loss,
    computed from the updates that were executed; `tfdpzoo verify` checks it, and `tfdpzoo models`
    looks into all that were saved.

    MODEL is one of `tfdpzoo list`, or path/to/file.py:build for a network of your own, with a
    function build(*, input_shape, classes, **arguments) that returns a keras.Model.

    Ctrl-C and SIGTERM let the update end, save the run and say how to go on.
    """
    interval = CheckpointInterval.parse(checkpoint_every)
    limit = None if memory_limit is None else parse_memory(memory_limit)
    if alias is not None:
        require_name("alias", alias)
    if resume is not None:
        _resume(
            ResumeOrder(
                run=resume,
                more_epochs=_more_epochs(more_epochs),
                epsilon=epsilon,
                data_dir=data_dir,
                strategy=strategy,
                replicas=replicas,
                memory_limit=limit,
                record=record,
                alias=alias,
                as_json=as_json,
                command=command,
                checkpoint_every=interval,
                keep_checkpoints=keep_checkpoints,
                patience=patience,
            )
        )
        return
    if more_epochs is not None:
        raise InputError(
            "--epochs trains a run longer and needs --resume; for a new run set epochs."
        )
    if model is None:
        raise InputError("Give the model to train, for example smoothnet, or --resume RUN.")
    tell_note_on(model)
    if no_dp:
        _refuse_beside_no_dp(out, insecure_seed, strategy, tuning, alias)
    texts = parse_assignments(assignments)
    if not no_dp and epsilon is None and not texts.keys() & {"epsilon", "privacy.epsilon"}:
        made_for = catalog.recipe(model, recipe_name, dataset)
        raise InputError(
            "Give --epsilon, the privacy loss that this run may cost; the recipe "
            f"{made_for.name} was made for {made_for.privacy.epsilon:g}."
        )
    typed = {"privacy.epsilon": epsilon, "privacy.delta": delta, "image_size": image_size}
    given = {key: value for key, value in typed.items() if value is not None}
    recipe = chosen_recipe(model, recipe_name, dataset, given, texts)
    order = TrainingOrder(
        model=model,
        recipe=recipe,
        destination=None if no_dp else destination_of(out, recipe),
        runs=runs,
        data_dir=data_dir,
        engine=engine,
        strategy=strategy or STRATEGIES[0],
        replicas=replicas,
        initialization_seed=seed,
        insecure_seed=insecure_seed,
        tuning=tuning,
        record=record,
        as_json=as_json,
        command=command,
        checkpoint_every=interval,
        keep_checkpoints=keep_checkpoints,
        patience=patience,
        memory_limit=limit,
        alias=alias,
    )
    _check_places(order)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo.cli.training_session import run_training

    run_training(order)


def _resume(order: ResumeOrder) -> None:
    context = click.get_current_context()
    typed = ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        if parameter.name in _DECIDED_BY_THE_RUN and (
            context.get_parameter_source(parameter.name) is typed
        ):
            raise InputError(
                f"{parameter.opts[0]} cannot be given with --resume: a run goes on as it began."
            )
    if order.epsilon is not None and order.more_epochs is None:
        raise InputError("--epsilon raises the target of more epochs; give --epochs +N with it.")
    if order.record is not None:
        from tfdpzoo.results import check_results

        check_results(order.record)
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo.cli.training_session import resume_training

    resume_training(order)


def _more_epochs(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text) if text.startswith("+") else math.nan
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(
            f"--epochs is {text!r}; give the number of further epochs with a plus sign, such as +5."
        )
    return number


def _refuse_beside_no_dp(
    out: Path | None,
    insecure_seed: int | None,
    strategy: str | None,
    tuning: str | None,
    alias: str | None,
) -> None:
    if strategy not in (None, STRATEGIES[0]):
        raise InputError(
            f"--strategy {strategy} is for private training and cannot be given with --no-dp."
        )
    if out is not None:
        raise InputError(
            "--out cannot be given with --no-dp: a model without privacy stays in the run's folder "
            "and never lies among the saved models."
        )
    if alias is not None:
        raise InputError("--alias cannot be given with --no-dp: such a model gets no version.")
    if insecure_seed is not None:
        raise InputError("--insecure-seed has no meaning with --no-dp; leave it out.")
    if tuning is not None:
        raise InputError(
            "--tuning belongs to a guarantee, which --no-dp does without; leave it out."
        )


def _check_places(order: TrainingOrder) -> None:
    """Refuses places that cannot be written to, before hours of training lead there."""
    from tfdpzoo.results import check_results
    from tfdpzoo.run_folder import check_runs
    from tfdpzoo.version_folder import check_destination

    if order.destination is not None:
        check_destination(order.destination)
    check_runs(order.runs)
    if order.record is not None:
        check_results(order.record)
