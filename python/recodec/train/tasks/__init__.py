"""What can be trained: each task with its recipe, imported when a recipe asks for it."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from recodec.errors import RecipeError
from recodec.train.recipe import Recipe
from recodec.train.task import Setting, Task


class _Entry(NamedTuple):
    module: str
    recipe: str
    task: str
    architectures: tuple[str, ...]


_TASKS = {
    "pixel": _Entry("recodec.train.tasks.pixel", "PixelRecipe", "PixelTask", ("pixel",)),
    "transform": _Entry(
        "recodec.train.tasks.transform", "TransformRecipe", "TransformTask", ("latent-transform",)
    ),
    "prefixes": _Entry("recodec.train.tasks.prefixes", "PrefixRecipe", "PrefixTask", ("latent",)),
    "autoencoder": _Entry(
        "recodec.train.tasks.autoencoder", "AutoencoderRecipe", "AutoencoderTask", ("autoencoder",)
    ),
    "adversarial": _Entry(
        "recodec.train.tasks.adversarial", "AdversarialRecipe", "AdversarialTask", ("autoencoder",)
    ),
    "entropy": _Entry("recodec.train.tasks.entropy", "EntropyRecipe", "entropy_task", ("pixel",)),
}


def _entry(name: object) -> _Entry:
    if not isinstance(name, str) or name not in _TASKS:
        raise RecipeError(f"the task is {name!r}; it must be one of {', '.join(_TASKS)}")
    return _TASKS[name]


def recipe_class(task: object, architecture: object) -> type[Recipe]:
    """The recipe of a task. Raises :class:`RecipeError` for an unknown task, or another architecture than its own."""
    entry = _entry(task)
    if architecture not in entry.architectures:
        raise RecipeError(
            f"the architecture is {architecture!r}; the task {task!r} trains {' and '.join(entry.architectures)}"
        )
    found: type[Recipe] = getattr(import_module(entry.module), entry.recipe)
    return found


def make_task(recipe: Recipe, setting: Setting) -> Task[Any]:
    """An untrained task. Raises :class:`RecipeError` and what reading data raises."""
    entry = _entry(recipe.task)
    task: Task[Any] = getattr(import_module(entry.module), entry.task)(recipe, setting)
    return task
