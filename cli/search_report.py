"""What a search prints before and after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from tfdpzoo.cli.console import facts, print_json, say
from tfdpzoo.cli.duration import duration_in_words
from tfdpzoo.cli.search_display import setting_in_words
from tfdpzoo.cli.search_order import SearchOrder
from tfdpzoo.cli.training_report import INSECURE, seed_class
from tfdpzoo.data import ImageDataset
from tfdpzoo.fitting import TrainingResult
from tfdpzoo.privacy.statement import round_up
from tfdpzoo.results import ResultRow, append_result
from tfdpzoo.training_job import TrainingJob
from tfdpzoo.tuning.recipe_tuner import RecipeTuner
from tfdpzoo.tuning.trials import TrialOrder

_ADAPTIVE = "adaptive: settings are chosen in view of earlier trials, and every trial counts"


def plan_of_search(
    order: SearchOrder, tuner: RecipeTuner, dataset: ImageDataset
) -> list[tuple[str, str]]:
    """Returns names and values of what is going to be done.

    Args:
        order: What was asked for.
        tuner: Whose search has begun.
        dataset: Of the search.
    """
    plan, state = tuner.state.plan, tuner.state
    budget = plan.budget
    bounded = ", at most" if plan.bound == "renyi" else ""
    return [
        (
            "data set",
            f"{dataset.name}: {plan.examples:,} images to train on, {plan.held_out_examples:,} "
            f"held out to score on, {len(dataset.test_images):,} test images for the end",
        ),
        ("model", f"{order.recipe.model}, recipe {order.recipe.name}"),
        ("searched", ", ".join(tuner.space.keys)),
        ("target", f"epsilon {budget.epsilon:g}, delta {budget.delta:g}, for the whole search"),
        ("mode", _mode(tuner)),
        ("trials", f"{state.trials}" + (", secret" if budget.law is not None else "")),
        (
            "each trial",
            f"epsilon {round_up(plan.trial_epsilon)}{bounded}: {plan.updates:,} updates, "
            f"sigma = {plan.noise_multiplier:.4f}, "
            f"{plan.batch_size:,} of {plan.examples:,} examples an update on average",
        ),
        (
            "scores",
            f"right answers of {plan.held_out_examples:,}, with noise of standard deviation "
            f"{plan.score_noise_multiplier:.3g}",
        ),
        ("search", f"{tuner.folder.path}/, private"),
        ("model goes to", f"{order.destination}/"),
    ]


def report_release(
    console: Console,
    order: SearchOrder,
    tuner: RecipeTuner,
    job: TrainingJob,
    result: TrainingResult,
    others: list[Path],
) -> None:
    """Prints what a search came to, and records it where that was asked for.

    Args:
        console: Where to print.
        order: What was asked for.
        tuner: Whose search has ended.
        job: Of the best trial, with the test images.
        result: What came of it.
        others: Where the models of the other trials lie, if they were kept.
    """
    settings = TrialOrder.read(tuner.found.best_folder).overrides
    console.print()
    say(
        console,
        f"Test accuracy {result.accuracy:.2%} on {len(job.dataset.test_images):,} images.",
        style="bold",
    )
    guarantee = result.guarantee
    if guarantee is not None:
        style = "bold green" if guarantee.valid else "bold red"
        say(console, guarantee.sentence(), style=style)
    rows = [(key, setting_in_words(value)) for key, value in settings.items()]
    rows += [
        ("trained in", duration_in_words(result.seconds)),
        ("model", f"{result.model_path}"),
        *_search_rows(tuner, others),
        ("check it", f"tfdpzoo verify {result.model_path}"),
    ]
    if order.record is not None:
        rows += [("recorded in", str(order.record))]
    console.print(facts(rows))
    if order.insecure_seed is not None:
        say(console, INSECURE, style="bold red")
    if order.as_json:
        print_json(_fields(order, tuner, job, result, settings))
    # Last, so that a table that cannot be written to any more hides nothing of the above.
    if order.record is not None:
        chosen = ", ".join(f"{key} = {value}" for key, value in settings.items())
        row = ResultRow.of_run(
            job,
            result,
            seed_class=seed_class(order.insecure_seed, order.initialization_seed),
            # The folder in a command that goes on has the time at which the search began.
            command=f"{order.command.partition('; ')[0]}; best: {chosen}",
        )
        append_result(order.record, row)


def _search_rows(tuner: RecipeTuner, others: list[Path]) -> list[tuple[str, str]]:
    folder = tuner.folder
    if not others:
        return [("search", f"{folder.path}: private, like everything in it")]
    return [
        ("other models", f"{folder.models}: {len(others)}, covered by the same epsilon"),
        ("search", f"{folder.path}: scores are covered; all but these and the models is private"),
    ]


def _mode(tuner: RecipeTuner) -> str:
    law = tuner.budget.law
    if law is None:
        return _ADAPTIVE
    shape = "" if law.shape is None else f" of shape {law.shape:g}"
    return (
        f"random: the number of trials is drawn, {law.name} law{shape} with mean {law.mean:g}, and "
        "only the best is released"
    )


def _fields(
    order: SearchOrder,
    tuner: RecipeTuner,
    job: TrainingJob,
    result: TrainingResult,
    settings: Any,
) -> dict[str, Any]:
    guarantee = result.guarantee
    if guarantee is None:
        return {}
    plan = tuner.state.plan
    return {
        "valid": guarantee.valid,
        "sentence": guarantee.sentence(),
        "epsilon": guarantee.epsilon,
        "delta": guarantee.delta,
        "trial_epsilon": plan.trial_epsilon,
        "accuracy": result.accuracy,
        "loss": result.loss,
        "settings": dict(settings),
        "model": order.recipe.model,
        "recipe": order.recipe.name,
        "dataset": job.dataset.name,
        "parameters": job.model.count_params(),
        "model_path": str(result.model_path),
        "search_path": str(tuner.folder.path),
    }
