"""Training of the zoo's autoencoders: distortion, and bits where latents are not bounded."""

from recodec.train.tasks.autoencoder.recipe import AutoencoderRecipe
from recodec.train.tasks.autoencoder.task import AutoencoderTask

__all__ = ["AutoencoderRecipe", "AutoencoderTask"]
