"""A search on the command line: how it begins, goes on and ends."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf
from rich.console import Console

from tfdpzoo import data
from tfdpzoo.cli.console import busy, facts, open_console, say
from tfdpzoo.cli.exits import StoppedByUserError
from tfdpzoo.cli.parallel_search import as_chief, is_worker
from tfdpzoo.cli.search_display import SearchDisplay
from tfdpzoo.cli.search_options import law_of, whole_number_of
from tfdpzoo.cli.search_oracle import oracle_of, trials_of
from tfdpzoo.cli.search_order import SearchOrder
from tfdpzoo.cli.search_report import plan_of_search, report_release
from tfdpzoo.cli.search_space import space_of
from tfdpzoo.cli.training_report import INSECURE
from tfdpzoo.data import ImageDataset
from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.run_folder import make_free_folder
from tfdpzoo.tuning.recipe_tuner import RecipeTuner
from tfdpzoo.tuning.release import release_best
from tfdpzoo.tuning.search_folder import SearchFolder
from tfdpzoo.tuning.search_plan import SearchBudget
from tfdpzoo.tuning.trial_process import TrialStoppedError
from tfdpzoo.tuning.trials import RecipeTrials
from tfdpzoo.version_folder import free_version
from tfdpzoo.zoo import catalog


def begin_search(order: SearchOrder, searches: Path) -> None:
    """Makes the folder of a search, searches, and releases the best model.

    Args:
        order: What was asked for.
        searches: Where the folders of searches go.

    Raises:
        InputError: Something in the order cannot be used.
        StoppedByUserError: Ctrl-C or SIGTERM.
    """
    # What is wrong with the space is told before anything is made.
    space_of(order)
    moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = make_free_folder(searches, f"{order.recipe.model}-{order.recipe.name}-{moment}")
    try:
        order.write(folder)
        _search(order, folder)
    except BaseException:
        if not SearchFolder(folder).state.exists():
            _remove_what_never_began(folder, searches)
        raise


def go_on_with_search(order: SearchOrder, folder: Path) -> None:
    """Goes on with a search that was stopped, as `begin_search` would have.

    Args:
        order: From the folder.
        folder: Of the search.
    """
    _search(order, folder)


def _search(order: SearchOrder, path: Path) -> None:
    console = open_console(stderr=order.as_json)
    if order.insecure_seed is not None:
        say(console, INSECURE, style="bold red")
    # Trials have the GPU, in processes of their own.
    tf.config.set_visible_devices([], "GPU")
    with busy(console, f"reading {order.recipe.dataset}"):
        dataset = _load(order)
    tuner = _tuner(order, path)
    if is_worker():
        tuner.search(dataset, verbose=0)
        return
    with _stopping(path), as_chief(order.parallel, path):
        tuner.begin(dataset)
        console.print(facts(plan_of_search(order, tuner, dataset), title="The plan"))
        console.print()
        with SearchDisplay(console, tuner):
            tuner.search(dataset, verbose=0)
    destination = free_version(order.destination)
    with busy(console, "testing and exporting the best model"):
        job, result = release_best(tuner, dataset, destination)
    report_release(console, order, tuner, job, result)
    if order.alias is not None:
        set_alias(result.model_path.parent, order.alias, int(result.model_path.name))
        say(console, f"{result.model_path} is {order.alias} now.")


def _tuner(order: SearchOrder, path: Path) -> RecipeTuner:
    space = space_of(order)
    budget = _budget(order, space.size)
    return RecipeTuner(
        RecipeTrials(
            order.recipe,
            functools.partial(catalog.builder, order.model),
            functools.partial(_load, order),
            order.engine,
            order.initialization_seed,
        ),
        space,
        budget,
        path,
        oracle=oracle_of(order, budget),
        held_out=order.held_out,
        keep_trials=order.keep_trials,
        insecure_seed=order.insecure_seed,
    )


def _budget(order: SearchOrder, size: int | None) -> SearchBudget:
    privacy = order.recipe.privacy
    if order.mode == "random":
        law = law_of(order.law, order.trials, order.shape)
        return SearchBudget(privacy.epsilon, privacy.delta, law=law)
    trials = trials_of(order.oracle, whole_number_of(order.trials), size)
    return SearchBudget(privacy.epsilon, privacy.delta, trials=trials)


def _load(order: SearchOrder) -> ImageDataset:
    return data.load(
        order.recipe.dataset,
        data_dir=order.data_dir,
        image_size=order.recipe.image_size,
        memory_limit=order.memory_limit,
    )
