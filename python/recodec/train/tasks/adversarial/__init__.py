"""Adversarial training of the zoo's autoencoders: an autoencoder and a critic, in turns."""

from recodec.train.tasks.adversarial.recipe import AdversarialRecipe
from recodec.train.tasks.adversarial.task import AdversarialTask

__all__ = ["AdversarialRecipe", "AdversarialTask"]
