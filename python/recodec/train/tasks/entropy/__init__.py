"""Training of an entropy network on the codes of a frozen model."""

from recodec.train.tasks.entropy.recipe import EntropyRecipe
from recodec.train.tasks.entropy.task import EntropyTask

__all__ = ["EntropyRecipe", "EntropyTask"]
