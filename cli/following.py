"""A worker that takes part in a training which another one leads, and how it learns of that."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from rich.console import Console

from tfdpzoo import data
from tfdpzoo.checkpoint import CheckpointFolder
from tfdpzoo.cli.console import busy, say
from tfdpzoo.cli.model_of_run import model_of_run
from tfdpzoo.cluster import Cluster, tell_all
from tfdpzoo.dpsgd.secret_key import SecretKey
from tfdpzoo.errors import InputError
from tfdpzoo.metrics_log import read_rows
from tfdpzoo.privacy.ledger import Ledger
from tfdpzoo.recipe import Recipe
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.run_record import RunRecord
from tfdpzoo.run_start import RunStart
from tfdpzoo.trained_weights import follow
from tfdpzoo.training_job import prepare
from tfdpzoo.zoo import catalog


def tell_where_to_start(
    strategy: tf.distribute.Strategy, folder: RunFolder, start: RunStart, patience: int
) -> None:
    """Tells the other workers which run begins or goes on, and where.

    Raises:
        WorkerLostError: Another worker ended.
    """
    checkpoint = None if start.checkpoint is None else start.checkpoint.facts.update
    tell_all(
        strategy,
        {
            "run": str(folder.path.absolute()),
            "update": start.next_update,
            "checkpoint": checkpoint,
            "patience": patience,
        },
    )


def follow_training(
    strategy: tf.distribute.Strategy,
    cluster: Cluster,
    console: Console,
    *,
    data_dir: Path | None,
    memory_limit: int | None,
) -> None:
    """Trains as the first worker says: its recipe, its plan, its key, from its run's folder.

    Args:
        strategy: Of several workers.
        cluster: Which of them this is.
        console: Where to print.
        data_dir: Where the data lies on this machine; None for where it lies on the first.
        memory_limit: How many bytes images may take here; None for as many as on the first.

    Raises:
        InputError: The run's folder or the data cannot be read here, the data is not the first
            worker's, or a worker was lost.
    """
    here = f"Worker {cluster.index + 1} of {len(cluster.workers)}"
    say(console, f"{here}: trains with {cluster.workers[0]}, which reports and writes the model.")
    told = tell_all(strategy, None)
    folder = RunFolder(Path(told["run"]))
    record = _record(folder)
    recipe = Recipe.from_toml(folder.recipe)
    with busy(console, f"reading {recipe.dataset}"):
        dataset = data.load(
            recipe.dataset,
            data_dir=data_dir or record.data_dir,
            image_size=recipe.image_size,
            memory_limit=memory_limit or record.memory_limit,
        )
    record.require_same_data(dataset)
    checkpoints = CheckpointFolder(folder.checkpoints, record.run)
    start = _start(folder, checkpoints, told["update"], told["checkpoint"])
    job = prepare(
        recipe,
        dataset,
        catalog.entry(model_of_run(folder, record, recipe)).build,
        plan=record.plan,
        engine=record.engine,
        initialization_seed=record.initialization_seed,
        strategy=strategy,
    )
    follow(job, start, checkpoints, patience=told["patience"])
    say(console, f"{here}: training has ended.")


def _record(folder: RunFolder) -> RunRecord:
    if not folder.path.is_dir():
        raise InputError(
            f"The run's folder {folder.path}, which the first worker made, cannot be seen here; "
            "give all workers one --runs folder on a file system that they share."
        )
    return RunRecord.read(folder.record)


def _start(
    folder: RunFolder, checkpoints: CheckpointFolder, update: int, checkpoint: int | None
) -> RunStart:
    """What the first worker starts with; updates are counted here in memory alone."""
    key = SecretKey.load(folder.key)
    if key is None:
        raise InputError(f"The run's key {folder.key} cannot be read on this worker.")
    ledger = Ledger()
    for segment in Ledger.load(folder.ledger).segments:
        ledger.record(segment.noise_multiplier, segment.sampling_rate, segment.updates)
    rows = tuple(row for row in read_rows(folder.metrics) if row.updates <= update)
    state = None if checkpoint is None else checkpoints.read(checkpoint)
    return RunStart(key, ledger, update, state, rows)
