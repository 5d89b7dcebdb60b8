"""The task that trains autoencoders: what their stages show, and bits where those count."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recodec.errors import TrainingError
from recodec.networks.autoencoder.network import Autoencoder
from recodec.train.losses import ReconstructionLoss
from recodec.train.precision import working_type
from recodec.train.recipe import Phase
from recodec.train.task import LOSS, Batch, Moment, Setting, Task, Terms
from recodec.train.tasks.autoencoder.density import Density
from recodec.train.tasks.autoencoder.fitting import fit_tables
from recodec.train.tasks.autoencoder.recipe import AutoencoderPhase, AutoencoderRecipe
from recodec.train.tasks.autoencoder.surrogates import SURROGATES
from recodec.train.tasks.autoencoder.validation import Judge
from recodec.train.tasks.crop_steps import pixel_batches, sample_pixels
from recodec.weights import Model, save_model

# What is random in a step follows from (seed, purpose, phase, number).
_CROPS, _ROUNDING, _LEVELS, _SAMPLES = range(4)
_NETWORK, _DENSITY = "network.", "density."
# Pixels that tables are fitted on.
_SAMPLE_PIXELS = 1 << 22
# The squared error of a uniform quantiser of step s is s²/12; at the best rate its slope is 6 dB a bit.
_STEP_SQUARED = 26.0


class AutoencoderTask(Task[AutoencoderRecipe]):
    """Trains an :class:`Autoencoder`."""

    def __init__(self, recipe: AutoencoderRecipe, setting: Setting):
        super().__init__(recipe, setting)
        torch.manual_seed(recipe.seed)
        config = recipe.network
        self.network = Autoencoder(config)
        self.loss = ReconstructionLoss(recipe.loss)
        self.density = Density(config.levels, config.stages * config.channels) if recipe.lambdas else None
        if self.network.log_step is not None:
            steps = (_STEP_SQUARED / torch.tensor(recipe.lambdas)).sqrt()
            with torch.no_grad():
                self.network.log_step.copy_(steps.log()[:, None].expand_as(self.network.log_step))
        self.dtype = working_type(recipe.compute, setting.processes.device)
        self._judge: Judge | None = None
        if setting.validation is not None and setting.processes.first:
            self._judge = Judge(setting.validation, recipe.validation.images)

    def identity(self) -> dict[str, str]:
        """The network, and how many levels of quality count."""
        texts = self.recipe.network.to_texts()
        return {
            "task": self.recipe.task,
            "network": texts["encoder"] + texts["decoder"],
            "levels": str(len(self.recipe.lambdas)),
        }

    def start_from(self, model: Model) -> None:
        """Take the weights of a model of the same network, and its density if it has one."""
        if model.architecture != self.recipe.architecture or model.network.config != self.recipe.network:
            raise TrainingError(f"model {model.id} to start from has another network than the recipe")
        self.network.load_state_dict(model.network.state_dict())
        found = {
            name.removeprefix(_DENSITY): value
            for name, value in model.training.items()
            if name.startswith(_DENSITY)
        }
        if self.density is not None and found:
            self.density.load_state_dict(found)

    def place(self) -> None:
        """Go to the device, laid out as convolutions want it."""
        self.to(self.setting.processes.device)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def batches(self, phase: Phase, number: int, start: int) -> Generator[Batch]:
        """Crops of the phase."""
        assert isinstance(phase, AutoencoderPhase)
        seed = (self.recipe.seed, _CROPS, number)
        return pixel_batches(self.setting, self.recipe.data, phase.crop, phase.batch, seed, start)

    @property
    def may_leave_unused(self) -> bool:
        """A step is of one level."""
        return self.recipe.network.levels > 1

    def forward(self, pixels: Tensor, moment: Moment) -> Terms:
        """The distortion of what each stage shows, their mean, and bits per pixel if they count."""
        phase = self.recipe.phases[moment.phase]
        pixels = _cut(pixels, phase.patch).contiguous(memory_format=torch.channels_last)
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
        draw = self.uniform(_ROUNDING, moment)
        rounding = SURROGATES[self.recipe.surrogate]
        channels = self.recipe.network.channels
        left, shown, pictures = pixels, torch.zeros(()), []
        bits = pixels.new_zeros(len(pixels))
        for stage in range(self.recipe.network.stages):
            with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
                latents = self.network.analyse(left, stage, level)
                uniform = draw(latents.shape)
                addition = self.network.synthesise(rounding(latents, uniform), stage, level)
            shown = shown + addition
            left = pixels - shown
            pictures.append(shown)
            if self.density is not None:
                noisy = SURROGATES["noise"](latents, uniform)
                bits = bits + self.density(noisy, level, stage * channels)
        return pictures, bits

    def shipped(self, average: Mapping[str, Tensor]) -> Autoencoder:
        """The network with averaged weights as a file of weights holds them, and tables that fit them."""
        network = Autoencoder(self.recipe.network)
        network.load_state_dict(
            {
                name.removeprefix(_NETWORK): value.cpu().half().float()
                if value.is_floating_point()
                else value.cpu()
                for name, value in average.items()
                if name.startswith(_NETWORK)
            }
        )
        network.eval().requires_grad_(False)
        phase = self.recipe.phases[self.phase]
        count = max(1, _SAMPLE_PIXELS // phase.crop**2)
        pixels = sample_pixels(
            self.setting, self.recipe.data, phase.crop, count, (self.recipe.seed, _SAMPLES)
        )
        _fit(network, _cut(pixels, phase.patch))
        return network

    def validate(self, average: Mapping[str, Tensor], step: int, pictures: Path) -> str | None:
        """Code the validation photographs to real files, at every level."""
        if self._judge is None:
            return None
        found = self._judge.judge(self.shipped(average))
        self.setting.journal.record("validation", step=step, **found)
        return ", ".join(
            f"{bpp:.3f} bpp {psnr:.2f} dB" for bpp, psnr in zip(found["bpp"], found["psnr"], strict=True)
        )

    def figures(self) -> dict[str, Any]:
        """What the last validation found."""
        return {} if self._judge is None else self._judge.last

    def export(self, path: Path, average: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Weights as fp16 with integer tables, and beside them the density, which only training reads."""
        training = {name: value for name, value in average.items() if name.startswith(_DENSITY)}
        save_model(path, self.shipped(average), dict(notes), training=training)


def _cut(pixels: Tensor, patch: int) -> Tensor:
    """(N, 3, H, W) to patches (N·…, 3, patch, patch); 0 leaves them whole."""
    if patch == 0:
        return pixels
    count, channels, height, width = pixels.shape
    cut = pixels.reshape(count, channels, height // patch, patch, width // patch, patch)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, patch, patch)


@torch.no_grad()
def _fit(network: Autoencoder, pixels: Tensor) -> None:
    """Tables of every stage and level, of what the stages before them leave of sample crops."""
    for level in range(network.config.levels):
        shown = torch.zeros(())
        for stage in range(network.config.stages):
            parts = [
                network.quantise(network.analyse(part, stage, level))
                for part in torch.split(pixels - shown, 16)
            ]
            fit_tables(network, torch.cat(parts), stage, level)
            shown = shown + torch.cat([network.synthesise(part, stage, level) for part in parts])
