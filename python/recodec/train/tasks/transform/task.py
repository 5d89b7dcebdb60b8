"""The task that trains the latent codec's transform: bits plus weighted distortion, at a level drawn for each crop.

Ballé et al. 2017 (arXiv 1611.01704), with uniform noise for the rate and rounding with a straight-through gradient
for the distortion, as Minnen and Singh 2020 (arXiv 2007.08739) have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recodec.errors import TrainingError
from recodec.networks.latent.context import TransformContext
from recodec.networks.latent.levels import TransformNetwork
from recodec.train.task import LOSS, Moment, Setting, Terms
from recodec.train.tasks.crop_steps import sample_pixels
from recodec.train.tasks.rate_distortion.curves import Code
from recodec.train.tasks.rate_distortion.distortion import balance
from recodec.train.tasks.rate_distortion.task import RateDistortionTask, as_shipped
from recodec.train.tasks.transform.recipe import TransformRecipe
from recodec.train.tasks.transform.start import start_from_principal_components
from recodec.train.tasks.transform.validation import code_at_levels
from recodec.weights import Model, save_model

_SAMPLE_CROPS, _SAMPLE_SIZE = 1024, 128
# What is random follows from (seed, purpose, phase, number).
_LEVELS, _NOISE, _SAMPLES = range(1, 4)
_NETWORK, _CONTEXT = "network.", "context."


class TransformTask(RateDistortionTask[TransformRecipe]):
    """Trains a :class:`TransformNetwork` beside a context model that tells what its latents cost."""

    lambdas: Tensor

    def __init__(self, recipe: TransformRecipe, setting: Setting):
        super().__init__(recipe, setting)
        config = recipe.network
        self.network = TransformNetwork(config)
        self.context = TransformContext(config.channels, config.levels, recipe.context_width)
        self._lambdas = [recipe.lambda_of(level) for level in range(config.levels)]
        self.register_buffer("lambdas", torch.tensor(self._lambdas), persistent=False)

    def identity(self) -> dict[str, str]:
        """Network, context model and levels."""
        recipe = self.recipe
        texts = recipe.network.to_texts()
        return {
            "task": recipe.task,
            "network": texts["encoder"] + texts["decoder"],
            "context_width": str(recipe.context_width),
            "lambdas": str(recipe.lambdas),
        }

    def start(self) -> None:
        """Begin as a transform coder by principal components."""
        recipe = self.recipe
        seed = (recipe.seed, _SAMPLES)
        pixels = sample_pixels(self.setting, recipe.data, _SAMPLE_SIZE, _SAMPLE_CROPS, seed)
        start_from_principal_components(self.network, pixels, self._lambdas)
        self.context.scale.copy_(self.network.scale)

    def start_from(self, model: Model) -> None:
        """Go on with the transform of a model, and with its context model if the file has one of this width."""
        if model.architecture != self.recipe.architecture:
            raise TrainingError(f"model {model.id} to start from is of another architecture than the recipe")
        if model.network.config != self.recipe.network:
            raise TrainingError(f"model {model.id} to start from has another network than the recipe")
        self.network.load_state_dict(model.network.state_dict())
        wanted = self.context.state_dict()
        found = {
            name.removeprefix(_CONTEXT): value
            for name, value in model.training.items()
            if name.startswith(_CONTEXT)
        }
        if {name: value.shape for name, value in found.items()} == {n: v.shape for n, v in wanted.items()}:
            self.context.load_state_dict(found)
        else:
            self.context.scale.copy_(self.network.scale)
            self.setting.journal.console.say(
                f"model {model.id} has no context model of this width; it is trained anew"
            )

    @property
    def fast(self) -> list[nn.Parameter]:
        """Steps and gains of the levels."""
        return [self.network.levels.log_step, self.network.levels.log_gain]

    def forward(self, pixels: Tensor, moment: Moment) -> Terms:
        """Rate in bits per pixel, squared error and MS-SSIM of one step, and their weighted sum."""
        phase = self.recipe.phases[moment.phase]
        levels = self.draw(_LEVELS, self.recipe.network.levels, len(pixels), moment)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            shown, bits = self._code_crops(pixels, levels, moment)
        rate = bits / pixels[0, 0].numel()
        found = phase.distortion.measure(shown, pixels)
        lambdas = self.lambdas[levels]
        loss = balance(rate + lambdas * found.distortion, lambdas)
        return {
            LOSS: loss,
            "rate": rate.mean(),
            "mse": found.error.mean(),
            "ms_ssim": found.similarity.mean(),
        }

    def _code_crops(self, pixels: Tensor, levels: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
        """What a decoder would show of each crop at its level, and about how many bits it takes."""
        network = self.network
        steps = network.levels.steps(levels)
        scaled = network.analyse(pixels) / steps
        noisy = scaled + (self.uniform(_NOISE, moment)(scaled.shape) - 0.5)
        rounded = scaled + (scaled.round() - scaled).detach()
        bits: Tensor = self.context(noisy * steps, steps, levels)
        return network.synthesise(rounded * steps, levels), bits

    def _parts(self, state: Mapping[str, Tensor]) -> tuple[TransformNetwork, TransformContext]:
        """Network and context model with weights from ``state``, as a file of weights holds them."""
        config = self.recipe.network
        network = TransformNetwork(config)
        context = TransformContext(config.channels, config.levels, self.recipe.context_width)
        as_shipped(network, state, _NETWORK)
        as_shipped(context, state, _CONTEXT)
        return network, context

    def code(self, state: Mapping[str, Tensor]) -> Code:
        """At every level, by estimated rates."""
        return code_at_levels(*self._parts(state))

    def export(self, path: Path, average: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Weights as fp16, and beside them the context model, which only training reads."""
        network, context = self._parts(average)
        training = {_CONTEXT + name: value for name, value in context.state_dict().items()}
        save_model(path, network, dict(notes), training=training)
