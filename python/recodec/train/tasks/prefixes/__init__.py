"""Training of the latent codec's decoder on prefixes of real planes, with the encoder as it is."""

from recodec.train.tasks.prefixes.recipe import PrefixRecipe
from recodec.train.tasks.prefixes.task import PrefixTask

__all__ = ["PrefixRecipe", "PrefixTask"]
