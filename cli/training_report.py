"""What a training run prints before and after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from tfdpzoo.cli.console import facts, print_json, say
from tfdpzoo.cli.duration import duration_in_words
from tfdpzoo.cli.plan_facts import plan_fields, plan_rows
from tfdpzoo.cli.train import TrainingOrder
from tfdpzoo.data import ImageDataset
from tfdpzoo.distribution import describe
from tfdpzoo.fitting import TrainingResult
from tfdpzoo.memory import memory_in_words
from tfdpzoo.results import ResultRow, append_result
from tfdpzoo.run_folder import RunFolder
from tfdpzoo.training_job import TrainingJob

NOT_PRIVATE = (
    "NOT PRIVATE: this run has no differential privacy. Its model reveals training examples; "
    "do not publish it as a private one."
)
INSECURE = (
    "INSECURE SEED: sampling and noise come from a known seed, so whoever knows it can take the "
    "noise away. The guarantee is marked invalid; use this for tests alone."
)


def print_warnings(console: Console, order: TrainingOrder) -> None:
    """Prints what must not be overlooked of a run that protects nobody, or not for certain."""
    if not order.private:
        say(console, NOT_PRIVATE, style="bold red")
    if order.insecure_seed is not None:
        say(console, INSECURE, style="bold red")


def plan_of_run(
    order: TrainingOrder, job: TrainingJob, folder: RunFolder, destination: Path | None
) -> list[tuple[str, str]]:
    """Returns names and values of what is going to be done.

    Args:
        order: What was asked for.
        job: What is run.
        folder: The run's folder.
        destination: Where the model goes; None for a run without privacy.
    """
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
    rows += [("random numbers", _seeds_of(order)), ("run", f"{folder.path}/")]
    if destination is not None:
        rows += [("model goes to", f"{destination}/")]
    return rows


def _reading_rows(dataset: ImageDataset) -> list[tuple[str, str]]:
    if dataset.in_memory:
        return []
    size = memory_in_words(dataset.decoded_bytes)
    return [("images", f"read when they are used: decoded, all would take {size}")]


def seed_class(insecure_seed: int | None, initialization_seed: int | None) -> str:
    """Says where the random numbers of a run come from.

    Args:
        insecure_seed: Of sampling and noise, for tests; None for secret entropy.
        initialization_seed: Of the initial weights; None for any.

    Example:
        >>> seed_class(None, 0)
        'secret entropy; initialisation seed 0'
    """
    secret = "secret entropy" if insecure_seed is None else f"INSECURE known seed {insecure_seed}"
    if initialization_seed is None:
        return f"{secret}; initialisation not seeded"
    return f"{secret}; initialisation seed {initialization_seed}"


def report_result(
    console: Console,
    order: TrainingOrder,
    job: TrainingJob,
    folder: RunFolder,
    result: TrainingResult,
) -> None:
    """Prints what a run came to, and records it where that was asked for."""
    _print_summary(console, order, job, folder, result)
    if order.as_json:
        print_json(_fields(order, job, folder, result))
    # Last, so that a table that cannot be written to any more hides nothing of the above.
    if order.record is not None:
        row = ResultRow.of_run(job, result, seed_class=_seeds_of(order), command=order.command)
        append_result(order.record, row)


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
    print_warnings(console, order)


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


def _seeds_of(order: TrainingOrder) -> str:
    return seed_class(order.insecure_seed, order.initialization_seed)
