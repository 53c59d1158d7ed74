"""A training run on the command line: what is printed before, during and after it."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console

from tfdpzoo import data, hardware
from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.checkpointing import TrainingStoppedError
from tfdpzoo.cli.console import busy, facts, open_console, print_json, say
from tfdpzoo.cli.duration import duration_in_words
from tfdpzoo.cli.exits import StoppedByUserError
from tfdpzoo.cli.following import follow_training, tell_where_to_start
from tfdpzoo.cli.plan_facts import plan_fields, plan_rows
from tfdpzoo.cli.train import ResumeOrder, TrainingOrder
from tfdpzoo.cli.training_display import TrainingDisplay
from tfdpzoo.cluster import cluster_of
from tfdpzoo.data import ImageDataset
from tfdpzoo.distribution import describe, make_strategy
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.interruption import StopRequest, stop_on_signals
from tfdpzoo.memory import memory_in_words
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.privacy.statement import round_up
from tfdpzoo.recipe import Recipe
from tfdpzoo.results import ResultRow, append_result
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_lock import locked
from tfdpzoo.run_record import RunRecord, current_environment, digest_of_file
from tfdpzoo.run_start import RunStart, first_start, later_start
from tfdpzoo.training import (
    Durability,
    TrainingJob,
    TrainingResult,
    plan_for,
    prepare,
    train,
    train_without_privacy,
)
from tfdpzoo.training_time import estimate_seconds
from tfdpzoo.version_folder import free_version
from tfdpzoo.zoo import catalog

_LONG_WITHOUT_GPU = 3600.0

NOT_PRIVATE = (
    "NOT PRIVATE: this run has no differential privacy. Its model reveals training examples; "
    "do not publish it as a private one."
)
INSECURE = (
    "INSECURE SEED: sampling and noise come from a known seed, so whoever knows it can take the "
    "noise away. The guarantee is marked invalid; use this for tests alone."
)


def run_training(order: TrainingOrder) -> None:
    """Trains as ordered, and reports.

    Raises:
        InputError: Something in the order cannot be used.
        StoppedByUserError: Ctrl-C or SIGTERM.
    """
    console = open_console(stderr=order.as_json)
    _print_warnings(console, order)
    notice = _notice_without_gpu(order)
    if notice is not None:
        say(console, notice, style="yellow")
    strategy = make_strategy(order.strategy, order.replicas)
    cluster = cluster_of(strategy)
    if cluster is not None and not cluster.leads:
        follow_training(
            strategy,
            cluster,
            console,
            data_dir=order.data_dir,
            memory_limit=order.memory_limit,
        )
        return
    with stop_on_signals() as stop:
        dataset = _load(order, console)
        plan = plan_for(order.recipe, dataset.examples)
        with (
            RunFolder.kept_once_started(order.runs, order.recipe) as folder,
            locked(folder.lock),
        ):
            if order.destination is None:
                job = _prepare(order, dataset, plan, strategy, console)
                _train_without_privacy(_Session(order, job, folder, console, stop))
                return
            record = RunRecord.new(
                data_dir=order.data_dir,
                memory_limit=order.memory_limit,
                destination=order.destination,
                engine=order.engine,
                strategy=order.strategy,
                replicas=order.replicas,
                environment=current_environment(strategy),
                initialization_seed=order.initialization_seed,
                insecure_seed=order.insecure_seed,
                command=order.command,
                plan=plan,
                recipe=folder.recipe,
                dataset=dataset,
            )
            record.write(folder.record)
            start = first_start(folder, _key(order))
            if cluster is not None:
                tell_where_to_start(strategy, folder, start, order.patience)
            job = _prepare(order, dataset, plan, strategy, console)
            session = _Session(order, job, folder, console, stop)
            _train(session, record, order.destination, start)


def resume_training(resumed: ResumeOrder) -> None:
    """Goes on with a run that was stopped or has ended, and reports.

    Raises:
        InputError: The run cannot go on, or something in the order cannot be used.
        StoppedByUserError: Ctrl-C or SIGTERM.
    """
    console = open_console(stderr=resumed.as_json)
    folder = RunFolder(resumed.run)
    recorded = RunRecord.read(folder.record)
    strategy = make_strategy(*_strategy_of(recorded, resumed))
    cluster = cluster_of(strategy)
    if cluster is not None and not cluster.leads:
        follow_training(
            strategy,
            cluster,
            console,
            data_dir=resumed.data_dir,
            memory_limit=resumed.memory_limit,
        )
        return
    with stop_on_signals() as stop, locked(folder.lock):
        record = RunRecord.read(folder.record)
        plan = _plan_to_go_on(record, resumed)
        order = _order_of(record, resumed, folder)
        _print_warnings(console, order)
        dataset = _load(order, console)
        record.require_same_data(dataset)
        environment = current_environment(strategy)
        start = later_start(
            folder,
            CheckpointFolder(folder.checkpoints, record.run, resumed.keep_checkpoints),
            same_environment=record.environment == environment,
            notify=lambda sentence: say(console, sentence, style="yellow"),
        )
        record = dataclasses.replace(
            record,
            memory_limit=order.memory_limit,
            plan=plan,
            strategy=order.strategy,
            replicas=order.replicas,
            environment=environment,
            model=None,
        )
        record.write(folder.record)
        if cluster is not None:
            tell_where_to_start(strategy, folder, start, order.patience)
        job = _prepare(order, dataset, plan, strategy, console)
        session = _Session(order, job, folder, console, stop)
        _train(session, record, free_version(Path(record.destination)), start)


@dataclasses.dataclass(frozen=True)
class _Session:
    """What all parts of a session share."""

    order: TrainingOrder
    job: TrainingJob
    folder: RunFolder
    console: Console
    stop: StopRequest


def _load(order: TrainingOrder, console: Console) -> ImageDataset:
    with busy(console, f"reading {order.recipe.dataset}"):
        return data.load(
            order.recipe.dataset,
            data_dir=order.data_dir,
            image_size=order.recipe.image_size,
            memory_limit=order.memory_limit,
        )


def _prepare(
    order: TrainingOrder,
    dataset: ImageDataset,
    plan: PrivacyPlan,
    strategy: tf.distribute.Strategy,
    console: Console,
) -> TrainingJob:
    with busy(console, "building the model"):
        return prepare(
            order.recipe,
            dataset,
            catalog.entry(order.recipe.model).build,
            plan=plan,
            engine=order.engine,
            initialization_seed=order.initialization_seed,
            strategy=strategy,
        )


def _strategy_of(record: RunRecord, resumed: ResumeOrder) -> tuple[str, int | None]:
    """What was typed, or else what the run was trained with last."""
    if resumed.strategy in (None, record.strategy):
        return record.strategy, resumed.replicas or record.replicas
    return resumed.strategy, resumed.replicas


def _plan_to_go_on(record: RunRecord, resumed: ResumeOrder) -> PrivacyPlan:
    if resumed.more_epochs is not None:
        return record.plan.extended(resumed.more_epochs, resumed.epsilon)
    if record.model is not None:
        raise InputError(
            f"The run has ended; its model is {record.model}. Give --epochs +N to train it longer, "
            "which costs more epsilon."
        )
    return record.plan


def _order_of(record: RunRecord, resumed: ResumeOrder, folder: RunFolder) -> TrainingOrder:
    """The order that a run began with, with what was typed to resume it."""
    if digest_of_file(folder.recipe) != record.recipe_digest:
        raise InputError(
            f"The recipe {folder.recipe} was changed since the run began; put it back, or begin a "
            "new run with it."
        )
    recorded = None if record.data_dir is None else Path(record.data_dir)
    strategy, replicas = _strategy_of(record, resumed)
    return TrainingOrder(
        recipe=Recipe.from_toml(folder.recipe),
        destination=Path(record.destination),
        runs=folder.path.parent,
        data_dir=resumed.data_dir or recorded,
        engine=record.engine,
        strategy=strategy,
        replicas=replicas,
        initialization_seed=record.initialization_seed,
        insecure_seed=record.insecure_seed,
        record=resumed.record,
        as_json=resumed.as_json,
        command=f"{record.command}; {resumed.command}",
        checkpoint_every=resumed.checkpoint_every,
        keep_checkpoints=resumed.keep_checkpoints,
        patience=resumed.patience,
        memory_limit=resumed.memory_limit or record.memory_limit,
    )


def _train(session: _Session, record: RunRecord, destination: Path, start: RunStart) -> None:
    """Trains with privacy, from wherever the run is, and reports."""
    order, job, folder, console = session.order, session.job, session.folder, session.console
    rows = _plan_rows(order, job, folder, destination)
    if start.next_update:
        rows.append(("goes on", f"after {start.next_update:,} updates"))
    console.print(facts(rows, title="The plan"))
    console.print()
    display = _display(session, start.next_update)
    checkpoints = CheckpointFolder(folder.checkpoints, record.run, order.keep_checkpoints)
    try:
        with display, session.stop.finishing():
            result = train(
                job,
                folder,
                destination,
                start=start,
                checkpoints=checkpoints,
                durability=Durability(
                    order.checkpoint_every, order.keep_checkpoints, order.patience
                ),
                stop=session.stop,
                callbacks=[display],
                observers=(display.show_epoch,),
            )
    except TrainingStoppedError as stopped:
        raise StoppedByUserError(_stopped(session, goes_on=True), 128 + stopped.signal) from stopped
    except KeyboardInterrupt as interrupt:
        raise StoppedByUserError(_stopped(session, goes_on=True)) from interrupt
    dataclasses.replace(record, model=str(result.model_path)).write(folder.record)
    folder.key.unlink(missing_ok=True)
    _report(session, result)


def _train_without_privacy(session: _Session) -> None:
    order, job, folder, console = session.order, session.job, session.folder, session.console
    console.print(facts(_plan_rows(order, job, folder, None), title="The plan"))
    console.print()
    display = _display(session, 0)
    try:
        with display:
            result = train_without_privacy(
                job, folder, callbacks=[display], observers=(display.show_epoch,)
            )
    except KeyboardInterrupt as interrupt:
        raise StoppedByUserError(_stopped(session, goes_on=False)) from interrupt
    _report(session, result)


def _display(session: _Session, done: int) -> TrainingDisplay:
    order, job, console = session.order, session.job, session.console

    def advise(seconds: float) -> None:
        say(console, _estimate(order, job, seconds), style="bold")

    return TrainingDisplay(console, job, private=order.private, done=done, on_estimate=advise)


def _report(session: _Session, result: TrainingResult) -> None:
    order, job, folder, console = session.order, session.job, session.folder, session.console
    _print_summary(console, order, job, folder, result)
    if order.as_json:
        print_json(_fields(order, job, folder, result))
    # Last, so that a table that cannot be written to any more hides nothing of the above.
    if order.record is not None:
        row = ResultRow.of_run(job, result, seed_class=_seed_class(order), command=order.command)
        append_result(order.record, row)


def _key(order: TrainingOrder) -> SecretKey:
    if order.insecure_seed is None:
        return SecretKey.generate()
    return SecretKey.from_seed(order.insecure_seed)


def _notice_without_gpu(order: TrainingOrder) -> str | None:
    """What to say before the default recipe starts on a machine without a GPU."""
    entry = catalog.entry(order.recipe.model)
    if order.recipe.name != entry.default_recipe or entry.cpu_recipe is None:
        return None
    if hardware.accelerators():
        return None
    return (
        f"This machine has no GPU, for which the recipe {entry.cpu_recipe} is made (--recipe "
        f"{entry.cpu_recipe}). How long {order.recipe.name} takes here is measured on the first "
        "updates."
    )


def _estimate(order: TrainingOrder, job: TrainingJob, seconds: float) -> str:
    """How long the run takes and, where that is long without a GPU, what to do instead."""
    said = f"Estimated time: about {duration_in_words(seconds)}"
    if seconds < _LONG_WITHOUT_GPU or hardware.accelerators():
        return f"{said}."
    said = f"{said} on this machine without a GPU"
    small = catalog.entry(order.recipe.model).cpu_recipe
    if small is None or small == order.recipe.name:
        return f"{said}."
    return f"{said}; {_small_recipe(order, job, small)} (--recipe {small}). Going on."


def _small_recipe(order: TrainingOrder, job: TrainingJob, name: str) -> str:
    recipe = catalog.recipe(order.recipe.model, name)
    if not order.private or recipe.dataset != order.recipe.dataset:
        return f"the recipe {name} is for such a machine: {recipe.description}"
    other = prepare(recipe, job.dataset, catalog.entry(recipe.model).build)
    return f"the recipe {name} takes about {duration_in_words(estimate_seconds(other))}"


def _plan_rows(
    order: TrainingOrder, job: TrainingJob, folder: RunFolder, destination: Path | None
) -> list[tuple[str, str]]:
    dataset, recipe = job.dataset, order.recipe
    shape = " x ".join(map(str, dataset.input_shape))
    rows = [
        (
            "data set",
            f"{dataset.name}: {dataset.examples:,} training and {len(dataset.test_images):,} test "
            f"images of {shape}, {dataset.classes} classes",
        ),
        *_reading_rows(dataset),
        (
            "model",
            f"{recipe.model}, recipe {recipe.name}, {job.model.count_params():,} parameters",
        ),
    ]
    if order.private:
        rows += [("target", f"epsilon {job.plan.epsilon:g}, delta {job.plan.delta:g}")]
        rows += plan_rows(job.plan)
        where = describe(job.strategy)
        rows += [("gradients", f"engine {job.engine}, {where}")]
    else:
        rows += [
            ("privacy", "NONE: no noise, nothing that bounds one example's influence"),
            ("updates", f"{job.plan.updates:,} ({job.plan.epochs:.4g} epochs)"),
        ]
    rows += [("random numbers", _seed_class(order)), ("run", f"{folder.path}/")]
    if destination is not None:
        rows += [("model goes to", f"{destination}/")]
    return rows


def _reading_rows(dataset: ImageDataset) -> list[tuple[str, str]]:
    if dataset.in_memory:
        return []
    size = memory_in_words(dataset.decoded_bytes)
    return [("images", f"read when they are used: decoded, all would take {size}")]


def _seed_class(order: TrainingOrder) -> str:
    secret = (
        "secret entropy"
        if order.insecure_seed is None
        else f"INSECURE known seed {order.insecure_seed}"
    )
    if order.initialization_seed is None:
        return f"{secret}; initialisation not seeded"
    return f"{secret}; initialisation seed {order.initialization_seed}"


def _stopped(session: _Session, *, goes_on: bool) -> str:
    job, folder = session.job, session.folder
    if not folder.metrics.exists():
        return "Stopped before the first update; nothing was written."
    if not goes_on:
        return f"Stopped; no model was written. The metrics so far are in {folder.path}."
    done = Ledger.load(folder.ledger).updates
    spent = job.plan.epsilon_after(done)
    return (
        f"Stopped after {done:,} of {job.plan.updates:,} updates, which spent epsilon "
        f"{round_up(spent)} of {job.plan.epsilon:g}; no model was written. Go on with: "
        f"tfdpzoo train --resume {shlex.quote(str(folder.path))}"
    )


def _print_warnings(console: Console, order: TrainingOrder) -> None:
    if not order.private:
        say(console, NOT_PRIVATE, style="bold red")
    if order.insecure_seed is not None:
        say(console, INSECURE, style="bold red")


def _print_summary(
    console: Console,
    order: TrainingOrder,
    job: TrainingJob,
    folder: RunFolder,
    result: TrainingResult,
) -> None:
    console.print()
    say(
        console,
        f"Test accuracy {result.accuracy:.2%} on {len(job.dataset.test_images):,} images, after "
        f"{result.updates:,} updates in {duration_in_words(result.seconds)}.",
        style="bold",
    )
    if result.guarantee is not None:
        style = "bold green" if result.guarantee.valid else "bold red"
        say(console, result.guarantee.sentence(), style=style)
    if result.warning is not None:
        say(console, result.warning, style="bold red")
    if result.discarded_examples:
        say(
            console,
            f"{result.discarded_examples:,} contributions had NaN or infinite gradients and "
            "counted as zero. This number is not differentially private.",
            style="yellow",
        )
    rows = [
        ("model", f"{result.model_path}"),
        ("run", f"{folder.path}: metrics.csv, {folder.learning_curve.name}, tensorboard"),
    ]
    if order.private:
        rows += [("check it", f"tfdpzoo verify {result.model_path}")]
    if order.record is not None:
        rows += [("recorded in", str(order.record))]
    console.print(facts(rows))
    _print_warnings(console, order)


def _fields(
    order: TrainingOrder, job: TrainingJob, folder: RunFolder, result: TrainingResult
) -> dict[str, Any]:
    guarantee = result.guarantee
    return {
        "private": guarantee is not None,
        "valid": guarantee is not None and guarantee.valid,
        "sentence": guarantee.sentence() if guarantee is not None else NOT_PRIVATE,
        "epsilon": guarantee.epsilon if guarantee is not None else None,
        "delta": guarantee.delta if guarantee is not None else None,
        "accuracy": result.accuracy,
        "loss": result.loss,
        "seconds": result.seconds,
        "updates": result.updates,
        "discarded_examples": result.discarded_examples,
        "model": order.recipe.model,
        "recipe": order.recipe.name,
        "dataset": job.dataset.name,
        "parameters": job.model.count_params(),
        "model_path": str(result.model_path),
        "run_path": str(folder.path),
        "plan": plan_fields(job.plan) if order.private else None,
    }
