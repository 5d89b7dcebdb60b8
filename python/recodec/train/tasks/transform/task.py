"""The task that trains the latent codec's transform: bits plus weighted distortion, at a level drawn for each crop.

Ballé et al. 2017 (arXiv 1611.01704), with uniform noise for the rate and rounding with a straight-through gradient
for the distortion, as Minnen and Singh 2020 (arXiv 2007.08739) have it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recodec.errors import TrainingError
from recodec.networks.latent.context import TransformContext
from recodec.networks.latent.levels import TransformNetwork
from recodec.train.precision import bfloat16_gain, working_type
from recodec.train.recipe import Phase
from recodec.train.task import LOSS, Batch, Moment, ParameterGroup, Setting, Task, Terms
from recodec.train.tasks.crop_steps import pixel_batches, sample_pixels
from recodec.train.tasks.curves import CurveValidator
from recodec.train.tasks.distortion import balance
from recodec.train.tasks.transform.recipe import TransformPhase, TransformRecipe
from recodec.train.tasks.transform.start import start_from_principal_components
from recodec.train.tasks.transform.validation import code_at_levels
from recodec.weights import Model, save_model

_SAMPLE_CROPS, _SAMPLE_SIZE = 1024, 128
# What is random follows from (seed, purpose, phase, number).
_CROPS, _LEVELS, _NOISE, _SAMPLES = range(4)
_NETWORK, _CONTEXT = "network.", "context."


class TransformTask(Task[TransformRecipe]):
    """Trains a :class:`TransformNetwork` beside a context model that tells what its latents cost."""

    lambdas: Tensor

    def __init__(self, recipe: TransformRecipe, setting: Setting):
        super().__init__(recipe, setting)
        torch.manual_seed(recipe.seed)
        config = recipe.network
        self.network = TransformNetwork(config)
        self.context = TransformContext(config.channels, config.levels, recipe.context_width)
        self._lambdas = [recipe.lambda_of(level) for level in range(config.levels)]
        self.register_buffer("lambdas", torch.tensor(self._lambdas), persistent=False)
        device = setting.processes.device
        self.dtype = working_type(recipe.compute, device)
        self._validator: CurveValidator | None = None
        if setting.processes.first:
            measured = {} if device.type == "cuda" else {"bfloat16_gain": bfloat16_gain()}
            setting.journal.record("computes in", dtype=str(self.dtype).removeprefix("torch."), **measured)
            if setting.validation is not None:
                self._validator = CurveValidator(setting.validation, recipe.validation, setting.journal)

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

    def prepare(self, *, step: int, origin: str, stopped: object) -> None:
        """Judge what a new run starts from, so that validation can tell the gain."""
        if step == 0 and self._validator is not None:
            state = {name: value.detach().clone() for name, value in self.state_dict().items()}
            self._validator.judge_start(code_at_levels(*self._parts(state)))

    def parameter_groups(self) -> list[ParameterGroup]:
        """Steps and gains of the levels have a rate of their own."""
        fast = [self.network.levels.log_step, self.network.levels.log_gain]
        others = [p for p in self.parameters() if p.requires_grad and not any(p is f for f in fast)]
        return [ParameterGroup(others, 1.0), ParameterGroup(fast, self.recipe.optimizer.level_rate)]

    def batches(self, phase: Phase, number: int, start: int) -> Generator[Batch]:
        """Crops of the phase."""
        assert isinstance(phase, TransformPhase)
        seed = (self.recipe.seed, _CROPS, number)
        return pixel_batches(self.setting, self.recipe.data, phase.crop, phase.batch, seed, start)

    def forward(self, pixels: Tensor, moment: Moment) -> Terms:
        """Rate in bits per pixel, squared error and MS-SSIM of one step, and their weighted sum."""
        phase = self.recipe.phases[moment.phase]
        levels = self._levels(len(pixels), moment)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            shown, bits = self._code(pixels, levels, moment)
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

    def _levels(self, count: int, moment: Moment) -> Tensor:
        """A level for each crop of this process."""
        processes = self.setting.processes
        drawn = self.generator(_LEVELS, moment).integers(
            self.recipe.network.levels, size=count * processes.count
        )
        own = drawn[processes.rank * count : (processes.rank + 1) * count]
        return torch.from_numpy(own).to(processes.device)

    def _code(self, pixels: Tensor, levels: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
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
        for module, prefix in ((network, _NETWORK), (context, _CONTEXT)):
            module.load_state_dict(_named(state, prefix))
            module.requires_grad_(False).eval()
        return network, context

    def validate(self, average: Mapping[str, Tensor], step: int, pictures: Path) -> str | None:
        """Rate, PSNR and MS-SSIM at every level, against JPEG, AVIF and the start."""
        if self._validator is None:
            return None
        return self._validator.judge(code_at_levels(*self._parts(average)), step, pictures)

    def figures(self) -> dict[str, Any]:
        """What the last validation found."""
        return {} if self._validator is None else self._validator.last

    def export(self, path: Path, average: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Weights as fp16, and beside them the context model, which only training reads."""
        network, context = self._parts(average)
        training = {_CONTEXT + name: value for name, value in context.state_dict().items()}
        save_model(path, network, dict(notes), training=training)


def _named(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value.cpu().half().float()
        for name, value in state.items()
        if name.startswith(prefix)
    }
