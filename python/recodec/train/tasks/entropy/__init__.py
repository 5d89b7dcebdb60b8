"""Training of an entropy network on the codes of a frozen model."""

from recodec.train.task import Setting
from recodec.train.tasks.entropy.embedded import EmbeddedEntropyTask
from recodec.train.tasks.entropy.recipe import EntropyRecipe
from recodec.train.tasks.entropy.task import EntropyTask
from recodec.weights import load_model

__all__ = ["EmbeddedEntropyTask", "EntropyRecipe", "EntropyTask", "entropy_task"]


def entropy_task(recipe: EntropyRecipe, setting: Setting) -> EntropyTask:
    """The task for the kind of planes that the recipe's model has."""
    model = load_model(recipe.codes_of)
    kind = EntropyTask if model.order is None else EmbeddedEntropyTask
    return kind(recipe, setting, model)
