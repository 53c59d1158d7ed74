"""What is said of the time that a run takes, and of a smaller one where there is no GPU."""

from __future__ import annotations

from tfdpzoo import hardware
from tfdpzoo.cli.duration import duration_in_words
from tfdpzoo.cli.train import TrainingOrder
from tfdpzoo.training_job import TrainingJob, prepare
from tfdpzoo.training_time import estimate_seconds
from tfdpzoo.zoo import catalog

_LONG_WITHOUT_GPU = 3600.0


def notice_without_gpu(order: TrainingOrder) -> str | None:
    """What to say before the default recipe starts on a machine without a GPU."""
    entry = catalog.entry(order.model)
    if order.recipe.name != entry.default_recipe or entry.cpu_recipe is None:
        return None
    if hardware.accelerators():
        return None
    return (
        f"This machine has no GPU, for which the recipe {entry.cpu_recipe} is made (--recipe "
        f"{entry.cpu_recipe}). How long {order.recipe.name} takes here is measured on the first "
        "updates."
    )


def estimate_in_words(order: TrainingOrder, job: TrainingJob, seconds: float) -> str:
    """How long the run takes and, where that is long without a GPU, what to do instead."""
    said = f"Estimated time: about {duration_in_words(seconds)}"
    if seconds < _LONG_WITHOUT_GPU or hardware.accelerators():
        return f"{said}."
    said = f"{said} on this machine without a GPU"
    small = catalog.entry(order.model).cpu_recipe
    if small is None or small == order.recipe.name:
        return f"{said}."
    return f"{said}; {_small_recipe(order, job, small)} (--recipe {small}). Going on."


def _small_recipe(order: TrainingOrder, job: TrainingJob, name: str) -> str:
    recipe = catalog.recipe(order.model, name)
    if not order.private or recipe.dataset != order.recipe.dataset:
        return f"the recipe {name} is for such a machine: {recipe.description}"
    other = prepare(recipe, job.dataset, catalog.entry(order.model).build)
    return f"the recipe {name} takes about {duration_in_words(estimate_seconds(other))}"
