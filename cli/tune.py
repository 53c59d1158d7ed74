"""`tfdpzoo tune`: a search for settings within one privacy budget, and the model that it finds."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from tfdpzoo.cli import options, search_options
from tfdpzoo.cli.chosen_recipe import chosen_recipe
from tfdpzoo.cli.destination import destination_of
from tfdpzoo.cli.model_notes import tell_note_on
from tfdpzoo.cli.search_order import SearchOrder
from tfdpzoo.errors import InputError
from tfdpzoo.memory import parse_memory
from tfdpzoo.overrides import parse_assignments
from tfdpzoo.registry.reference import require_name
from tfdpzoo.tuning.objective import require_counted_objective

_MAY_BE_GIVEN_AGAIN = frozenset(
    {"resume", "data_dir", "memory_limit", "record", "alias", "as_json", "parallel"}
)

_EXAMPLES = """\b
Examples:
  tfdpzoo plan smoothnet --recipe mnist --epsilon 3 --tune 10
  tfdpzoo tune smoothnet --recipe digits --epsilon 7 --trials 5
  tfdpzoo tune smoothnet --recipe digits --epsilon 7 --mode adaptive --oracle bayesian --trials 8
  tfdpzoo tune smoothnet --dataset mnist --epsilon 3 --space spaces/mine.py:space --parallel 2
  tfdpzoo tune --resume searches/smoothnet-digits-20261125-120000
"""


@click.command(epilog=_EXAMPLES)
@options.model_or_none
@options.epsilon
@options.delta
@search_options.trials
@search_options.mode
@search_options.law
@search_options.shape
@search_options.oracle
@search_options.held_out
@search_options.objective
@search_options.space
@search_options.keep_trials
@search_options.parallel
@options.dataset
@options.data_dir
@options.memory_limit
@options.image_size
@options.recipe
@options.assignments
@options.engine
@options.seed
@options.out
@search_options.searches
@options.record
@options.alias
@options.insecure_seed
@search_options.resume_search
@options.as_json
@click.pass_obj
def tune(
    command: str,
    model: str | None,
    epsilon: float | None,
    delta: float | None,
    trials: float,
    mode: str,
    law: str | None,
    shape: float | None,
    oracle_name: str | None,
    held_out: float,
    objective: str,
    space: str | None,
    keep_trials: bool,
    parallel: int,
    dataset: str | None,
    data_dir: Path | None,
    memory_limit: str | None,
    image_size: int | None,
    recipe_name: str | None,
    assignments: tuple[str, ...],
    engine: str,
    seed: int | None,
    out: Path | None,
    searches: Path,
    record: Path | None,
    alias: str | None,
    insecure_seed: int | None,
    resume: Path | None,
    as_json: bool,
) -> None:
    """Search for the best settings of MODEL and save the best model, all within --epsilon.

    --epsilon is for the whole search: trainings, scores and the choice of the best. A part of the
    training examples is held out, and each trial is scored on it with noise. Which settings are
    searched stands in the recipe's table [tune], or in a function of yours. `tfdpzoo plan --tune`
    says beforehand what is left for each trial.

    Ctrl-C and SIGTERM save the trial that runs and say how to go on. Nothing that ran is run or
    counted twice.
    """
    limit = None if memory_limit is None else parse_memory(memory_limit)
    if alias is not None:
        require_name("alias", alias)
    if record is not None:
        from tfdpzoo.results import check_results

        check_results(record)
    if resume is not None:
        _refuse_beside_resume()
        order = SearchOrder.read(resume).going_on(
            data_dir=data_dir,
            memory_limit=limit,
            record=record,
            alias=alias,
            as_json=as_json,
            parallel=parallel,
            command=command,
        )
        _run(order, resume)
        return
    if model is None:
        raise InputError(
            "Give the model to search with, for example smoothnet, or --resume SEARCH."
        )
    tell_note_on(model)
    require_counted_objective(objective)
    if epsilon is None:
        raise InputError(
            "Give --epsilon, the privacy loss that the whole search may cost; see what it leaves "
            "for each trial with `tfdpzoo plan --tune`."
        )
    typed = {"privacy.epsilon": epsilon, "privacy.delta": delta, "image_size": image_size}
    given = {key: value for key, value in typed.items() if value is not None}
    recipe = chosen_recipe(model, recipe_name, dataset, given, parse_assignments(assignments))
    order = SearchOrder(
        model=model,
        recipe=recipe,
        mode=mode,
        trials=trials,
        law=law,
        shape=shape,
        oracle=oracle_name,
        held_out=held_out,
        space=space,
        keep_trials=keep_trials,
        parallel=parallel,
        data_dir=data_dir,
        memory_limit=limit,
        engine=engine,
        initialization_seed=seed,
        insecure_seed=insecure_seed,
        destination=destination_of(out, recipe),
        record=record,
        alias=alias,
        as_json=as_json,
        command=command,
    )
    order.check()
    _check_places(order.destination, searches)
    _run(order, None, searches)


def _run(order: SearchOrder, folder: Path | None, searches: Path | None = None) -> None:
    from tfdpzoo.cli.tensorflow_startup import start_tensorflow

    start_tensorflow()
    from tfdpzoo.cli.search_session import begin_search, go_on_with_search

    if folder is not None:
        go_on_with_search(order, folder)
    elif searches is not None:
        begin_search(order, searches)


def _refuse_beside_resume() -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in _MAY_BE_GIVEN_AGAIN and (
            context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            shown = parameter.opts[0] if parameter.opts[0].startswith("-") else name.upper()
            raise InputError(
                f"{shown} cannot be given with --resume: a search goes on as it began."
            )


def _check_places(destination: Path, searches: Path) -> None:
    from tfdpzoo.run_folder import check_runs
    from tfdpzoo.version_folder import check_destination

    check_destination(destination)
    try:
        check_runs(searches)
    except InputError as error:
        raise InputError(
            f"The search's folder cannot be made in {searches}; give another one with --searches."
        ) from error
