"""A training run on the command line: how it begins, goes on and ends."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import tensorflow as tf
from rich.console import Console

from tfdpzoo import data
from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.checkpointing import TrainingStoppedError
from tfdpzoo.cli.console import busy, facts, open_console, say
from tfdpzoo.cli.exits import StoppedByUserError
from tfdpzoo.cli.following import follow_training, tell_where_to_start
from tfdpzoo.cli.model_of_run import copy_own_model, model_file, model_of_run
from tfdpzoo.cli.train import ResumeOrder, TrainingOrder
from tfdpzoo.cli.training_display import TrainingDisplay
from tfdpzoo.cli.training_estimate import estimate_in_words, notice_without_gpu
from tfdpzoo.cli.training_report import plan_of_run, print_warnings, report_result
from tfdpzoo.cluster import Cluster, cluster_of
from tfdpzoo.data import ImageDataset
from tfdpzoo.distribution import make_strategy
from tfdpzoo.dpsgd.plan import PrivacyPlan
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.interruption import StopRequest, stop_on_signals
from tfdpzoo.privacy.accesses import Tuning
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.privacy.statement import round_up
from tfdpzoo.recipe import Recipe
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_lock import locked
from tfdpzoo.run_record import RunRecord, current_environment, digest_of_file
from tfdpzoo.run_start import RunStart, first_start, later_start
from tfdpzoo.trained_weights import Durability
from tfdpzoo.training import train
from tfdpzoo.training_job import TrainingJob, plan_for, prepare
from tfdpzoo.training_without_privacy import train_without_privacy
from tfdpzoo.version_folder import free_version
from tfdpzoo.zoo import catalog


def run_training(order: TrainingOrder) -> None:
    """Trains as ordered, and reports.

    Raises:
        InputError: Something in the order cannot be used.
        StoppedByUserError: Ctrl-C or SIGTERM.
    """
    console = open_console(stderr=order.as_json)
    print_warnings(console, order)
    notice = notice_without_gpu(order)
    if notice is not None:
        say(console, notice, style="yellow")
    strategy = make_strategy(order.strategy, order.replicas)
    cluster = cluster_of(strategy)
    if cluster is not None and not cluster.leads:
        _follow(order, strategy, cluster, console)
        return
    with stop_on_signals() as stop:
        dataset = _load(order, console)
        plan = plan_for(order.recipe, dataset.examples)
        with (
            RunFolder.kept_once_started(order.runs, order.recipe) as folder,
            locked(folder.lock),
        ):
            order = dataclasses.replace(order, model=copy_own_model(order.model, folder))
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
                tuning=order.tuning,
                command=order.command,
                plan=plan,
                recipe=folder.recipe,
                dataset=dataset,
                model_file=model_file(order.model),
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
        _follow(resumed, strategy, cluster, console)
        return
    with stop_on_signals() as stop, locked(folder.lock):
        record = RunRecord.read(folder.record)
        plan = _plan_to_go_on(record, resumed)
        order = _order_of(record, resumed, folder)
        print_warnings(console, order)
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


def _follow(
    asked: TrainingOrder | ResumeOrder,
    strategy: tf.distribute.Strategy,
    cluster: Cluster,
    console: Console,
) -> None:
    follow_training(
        strategy, cluster, console, data_dir=asked.data_dir, memory_limit=asked.memory_limit
    )


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
            catalog.entry(order.model).build,
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
    recipe = Recipe.from_toml(folder.recipe)
    recorded = None if record.data_dir is None else Path(record.data_dir)
    strategy, replicas = _strategy_of(record, resumed)
    return TrainingOrder(
        model=model_of_run(folder, record, recipe),
        recipe=recipe,
        destination=Path(record.destination),
        runs=folder.path.parent,
        data_dir=resumed.data_dir or recorded,
        engine=record.engine,
        strategy=strategy,
        replicas=replicas,
        initialization_seed=record.initialization_seed,
        insecure_seed=record.insecure_seed,
        tuning=record.tuning,
        record=resumed.record,
        as_json=resumed.as_json,
        command=f"{record.command}; {resumed.command}",
        checkpoint_every=resumed.checkpoint_every,
        keep_checkpoints=resumed.keep_checkpoints,
        patience=resumed.patience,
        memory_limit=resumed.memory_limit or record.memory_limit,
        alias=resumed.alias,
    )


def _train(session: _Session, record: RunRecord, destination: Path, start: RunStart) -> None:
    """Trains with privacy, from wherever the run is, and reports."""
    order, job, folder, console = session.order, session.job, session.folder, session.console
    rows = plan_of_run(order, job, folder, destination)
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
                tuning=Tuning.declared(order.tuning),
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
    report_result(console, order, job, folder, result)
    if order.alias is not None:
        set_alias(result.model_path.parent, order.alias, int(result.model_path.name))
        say(console, f"{result.model_path} is {order.alias} now.")


def _train_without_privacy(session: _Session) -> None:
    order, job, folder, console = session.order, session.job, session.folder, session.console
    console.print(facts(plan_of_run(order, job, folder, None), title="The plan"))
    console.print()
    display = _display(session, 0)
    try:
        with display:
            result = train_without_privacy(
                job, folder, callbacks=[display], observers=(display.show_epoch,)
            )
    except KeyboardInterrupt as interrupt:
        raise StoppedByUserError(_stopped(session, goes_on=False)) from interrupt
    report_result(console, order, job, folder, result)


def _display(session: _Session, done: int) -> TrainingDisplay:
    order, job, console = session.order, session.job, session.console

    def advise(seconds: float) -> None:
        say(console, estimate_in_words(order, job, seconds), style="bold")

    return TrainingDisplay(console, job, private=order.private, done=done, on_estimate=advise)


def _key(order: TrainingOrder) -> SecretKey:
    if order.insecure_seed is None:
        return SecretKey.generate()
    return SecretKey.from_seed(order.insecure_seed)


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
