"""The task that trains autoencoders: what their stages show, and bits where those count."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recodec.train.task import LOSS, Moment, Setting, Terms
from recodec.train.tasks.autoencoder.density import Density
from recodec.train.tasks.autoencoder.one_shot import OWN, ROUNDING, OneShotTask
from recodec.train.tasks.autoencoder.recipe import AutoencoderRecipe
from recodec.train.tasks.autoencoder.surrogates import noise

# The level of a step.
_LEVELS = OWN
# The squared error of a uniform quantiser of step s is s²/12; at the best rate its slope is 6 dB a bit.
_STEP_SQUARED = 26.0


class AutoencoderTask(OneShotTask[AutoencoderRecipe]):
    """Trains an :class:`Autoencoder` by distortion, or by distortion and bits."""

    def __init__(self, recipe: AutoencoderRecipe, setting: Setting):
        super().__init__(recipe, setting)
        config = recipe.network
        self.density = Density(config.levels, config.stages * config.channels) if recipe.lambdas else None
        if self.network.log_step is not None:
            steps = (_STEP_SQUARED / torch.tensor(recipe.lambdas)).sqrt()
            with torch.no_grad():
                self.network.log_step.copy_(steps.log()[:, None].expand_as(self.network.log_step))

    def identity(self) -> dict[str, str]:
        """The network, and how many levels of quality count."""
        return {**super().identity(), "levels": str(len(self.recipe.lambdas))}

    def companions(self) -> dict[str, nn.Module]:
        """The density that tells bits."""
        return {} if self.density is None else {"density": self.density}

    @property
    def may_leave_unused(self) -> bool:
        """A step is of one level."""
        return self.recipe.network.levels > 1

    def forward(self, pixels: Tensor, moment: Moment) -> Terms:
        """The distortion of what each stage shows, their mean, and bits per pixel if they count."""
        pixels = self.patches(pixels, self.recipe.phases[moment.phase])
        level = int(self.generator(_LEVELS, moment).integers(self.recipe.network.levels))
        pictures, bits = self._code(pixels, level, moment)
        losses = self.loss(pictures, pixels)
        names = (
            [f"stage {number}" for number in range(1, len(losses) + 1)] if len(losses) > 1 else ["distortion"]
        )
        terms: Terms = dict(zip(names, losses, strict=True))
        if self.density is None:
            return {LOSS: losses.mean(), **terms}
        rate = bits.mean() / pixels[0, 0].numel()
        weight = self.recipe.lambdas[level]
        # So that no level drowns the others.
        loss = (rate + weight * losses.mean()) / weight**0.5
        return {LOSS: loss, "rate": rate, **terms}

    def _code(self, pixels: Tensor, level: int, moment: Moment) -> tuple[list[Tensor], Tensor]:
        """What a decoder would show after each stage, and about how many bits all take of each sample."""
        draw = self.uniform(ROUNDING, moment)
        channels = self.recipe.network.channels
        left, shown, pictures = pixels, torch.zeros(()), []
        bits = pixels.new_zeros(len(pixels))
        for stage in range(self.recipe.network.stages):
            latents, addition, uniform = self.through(left, draw, stage, level)
            shown = shown + addition
            left = pixels - shown
            pictures.append(shown)
            if self.density is not None:
                bits = bits + self.density(noise(latents, uniform), level, stage * channels)
        return pictures, bits
