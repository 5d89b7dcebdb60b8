"""Training of the recurrent codec."""

from recodec.train.tasks.pixel.recipe import PixelRecipe
from recodec.train.tasks.pixel.task import PixelTask

__all__ = ["PixelRecipe", "PixelTask"]
