"""A search on the command line: how it begins, goes on and ends."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import shlex
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import tensorflow as tf

from tfdpzoo import data
from tfdpzoo.cli import exits
from tfdpzoo.cli.console import busy, facts, open_console, say
from tfdpzoo.cli.exits import StoppedByUserError
from tfdpzoo.cli.model_of_run import copy_own_model, model_file
from tfdpzoo.cli.parallel_search import as_chief, is_worker
from tfdpzoo.cli.search_display import SearchDisplay
from tfdpzoo.cli.search_options import law_of, whole_number_of
from tfdpzoo.cli.search_oracle import oracle_of, trials_of
from tfdpzoo.cli.search_order import SearchOrder
from tfdpzoo.cli.search_report import plan_of_search, report_release
from tfdpzoo.cli.search_space import space_of
from tfdpzoo.cli.training_report import INSECURE
from tfdpzoo.data import ImageDataset
from tfdpzoo.durable_file import replace_durably
from tfdpzoo.errors import InputError
from tfdpzoo.registry.aliases import set_alias
from tfdpzoo.run_folder import RunFolder, make_free_folder
from tfdpzoo.tuning.progress import ended_trials
from tfdpzoo.tuning.recipe_tuner import RecipeTuner
from tfdpzoo.tuning.release import release_best, release_others
from tfdpzoo.tuning.search_folder import SearchFolder
from tfdpzoo.tuning.search_plan import SearchBudget
from tfdpzoo.tuning.trial_process import TrialStoppedError
from tfdpzoo.tuning.trials import RecipeTrials
from tfdpzoo.version_folder import free_version
from tfdpzoo.zoo import catalog
from tfdpzoo.zoo.own_models import OwnModel


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
    name = f"{order.recipe.model}-{order.recipe.name}-{moment}"
    try:
        folder = make_free_folder(searches, name)
    except OSError as error:
        raise InputError(
            f"The search's folder cannot be made in {searches} ({error.strerror}); give another "
            "one with --searches."
        ) from error
    try:
        order = _with_copied_code(order, folder)
        order.write(folder)
        _search(order, folder)
    except BaseException:
        if not SearchFolder(folder).state.exists():
            _remove_what_never_began(folder)
        raise


def go_on_with_search(order: SearchOrder, folder: Path) -> None:
    """Goes on with a search that was stopped, as `begin_search` would have.

    Args:
        order: From the folder.
        folder: Of the search.

    Raises:
        InputError: The search has ended, or cannot go on.
        StoppedByUserError: Ctrl-C or SIGTERM.
    """
    released = SearchFolder(folder).released
    if released.exists():
        raise InputError(f"The search has ended; its model is {released.read_text()}.")
    _search(order, folder)


def _with_copied_code(order: SearchOrder, folder: Path) -> SearchOrder:
    """The order with the user's files as they are now, which a search keeps to."""
    own = None if order.space is None else OwnModel.parse(order.space)
    return dataclasses.replace(
        order,
        model=copy_own_model(order.model, RunFolder(folder)),
        space=None if own is None else str(own.copy_to(folder)),
    )


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
        with _stopping(path):
            tuner.search(dataset, verbose=0)
        return
    with _stopping(path), as_chief(order.parallel, path):
        tuner.begin(dataset)
        console.print(facts(plan_of_search(order, tuner, dataset), title="The plan"))
        console.print()
        with SearchDisplay(console, tuner):
            tuner.search(dataset, verbose=0)
    with busy(console, "testing and exporting the best model"):
        others = release_others(tuner) if order.keep_trials else []
        job, result = release_best(tuner, dataset, free_version(order.destination))
        replace_durably(tuner.folder.released, str(result.model_path.absolute()).encode())
    report_release(console, order, tuner, job, result, others)
    # What is left of the trials is not covered: exact scores, and states of optimizers.
    tuner.folder.remove_trials()
    if order.alias is not None:
        set_alias(result.model_path.parent, order.alias, int(result.model_path.name))
        say(console, f"{result.model_path} is {order.alias} now.")


@contextmanager
def _stopping(path: Path) -> Iterator[None]:
    """Lets SIGTERM stop the search as Ctrl-C does, and says how to go on."""
    code = [exits.STOPPED]

    def stop(number: int, frame: FrameType | None) -> None:
        code[0] = 128 + number
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except (KeyboardInterrupt, TrialStoppedError) as stopped:
        raise StoppedByUserError(_stopped(SearchFolder(path)), code[0]) from stopped
    finally:
        signal.signal(signal.SIGTERM, before)


def _stopped(folder: SearchFolder) -> str:
    if not folder.state.exists():
        return "Stopped before the first trial; nothing was written."
    ended = len(ended_trials(folder))
    trials = "1 trial" if ended == 1 else f"{ended} trials"
    return (
        f"Stopped after {trials}; nothing is released before the search has ended. Go on "
        f"with: tfdpzoo tune --resume {shlex.quote(str(folder.path))}"
    )


def _remove_what_never_began(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _tuner(order: SearchOrder, path: Path) -> RecipeTuner:
    space, file = space_of(order), model_file(order.model)
    budget = _budget(order, space.size)
    return RecipeTuner(
        RecipeTrials(
            order.recipe,
            functools.partial(catalog.builder, order.model),
            functools.partial(_load, order),
            engine=order.engine,
            initialization_seed=order.initialization_seed,
            model_digest="" if file is None else file.digest,
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
