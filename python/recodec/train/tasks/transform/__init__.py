"""Training of the latent codec's transform: rate against distortion at every level."""

from recodec.train.tasks.transform.recipe import TransformRecipe
from recodec.train.tasks.transform.task import TransformTask

__all__ = ["TransformRecipe", "TransformTask"]
