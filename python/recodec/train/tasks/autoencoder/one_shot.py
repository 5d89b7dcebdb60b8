"""What all training of an :class:`Autoencoder` shares: crops in, files that judge it, weights with tables out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from recodec.errors import TrainingError
from recodec.networks.autoencoder.network import Autoencoder
from recodec.train.losses import ReconstructionLoss
from recodec.train.precision import working_type
from recodec.train.recipe import Phase
from recodec.train.task import Batch, Setting, Task
from recodec.train.tasks.autoencoder.fitting import fit_tables
from recodec.train.tasks.autoencoder.recipe import OneShotPhase, OneShotRecipe
from recodec.train.tasks.autoencoder.surrogates import SURROGATES
from recodec.train.tasks.autoencoder.validation import Judge
from recodec.train.tasks.crop_steps import pixel_batches, sample_pixels
from recodec.weights import Model, save_model

AnyRecipe = TypeVar("AnyRecipe", bound=OneShotRecipe)
# Uniform numbers in [0, 1) of a shape.
Draw = Callable[[torch.Size], Tensor]

# What is random in a step follows from (seed, purpose, phase, number); tasks have purposes of their own.
_CROPS, ROUNDING, OWN, _SAMPLES = range(4)
_NETWORK = "network."
# Pixels that tables are fitted on.
_SAMPLE_PIXELS = 1 << 22


class OneShotTask(Task[AnyRecipe]):
    """A task whose result is an :class:`Autoencoder`, in files of the zoo's family."""

    def __init__(self, recipe: AnyRecipe, setting: Setting):
        super().__init__(recipe, setting)
        torch.manual_seed(recipe.seed)
        self.network = Autoencoder(recipe.network)
        # Tables stay as they are until weights are written, and processes cannot exchange integers of 16 bits.
        self._ddp_params_and_buffers_to_ignore = [
            f"{_NETWORK}tables.{name}" for name, _ in self.network.tables.named_buffers()
        ]
        self.loss = ReconstructionLoss(recipe.loss)
        self.dtype = working_type(recipe.compute, setting.processes.device)
        self._judge: Judge | None = None
        if setting.validation is not None and setting.processes.first:
            self._judge = Judge(setting.validation, recipe.validation.images)

    def identity(self) -> dict[str, str]:
        """The task and the network."""
        texts = self.recipe.network.to_texts()
        return {"task": self.recipe.task, "network": texts["encoder"] + texts["decoder"]}

    def companions(self) -> dict[str, nn.Module]:
        """What only training has beside the network, by attribute; weights carry it along as ``training.…``."""
        return {}

    def start_from(self, model: Model) -> None:
        """Take the weights of a model of the same network, and those of its companions that are alike."""
        if model.architecture != self.recipe.architecture or model.network.config != self.recipe.network:
            raise TrainingError(f"model {model.id} to start from has another network than the recipe")
        self.network.load_state_dict(model.network.state_dict())
        for name, companion in self.companions().items():
            found = _part(model.training, f"{name}.")
            wanted = {key: value.shape for key, value in companion.state_dict().items()}
            if {key: value.shape for key, value in found.items()} == wanted:
                companion.load_state_dict(found)

    def place(self) -> None:
        """Go to the device, laid out as convolutions want it."""
        self.to(self.setting.processes.device)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def batches(self, phase: Phase, number: int, start: int) -> Generator[Batch]:
        """Crops of the phase."""
        assert isinstance(phase, OneShotPhase)
        seed = (self.recipe.seed, _CROPS, number)
        return pixel_batches(self.setting, self.recipe.data, phase.crop, phase.batch, seed, start)

    def patches(self, pixels: Tensor, phase: OneShotPhase) -> Tensor:
        """What a step works on, of its crops."""
        return _cut(pixels, phase.patch).contiguous(memory_format=torch.channels_last)

    def through(
        self, pixels: Tensor, draw: Draw, stage: int = 0, level: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Latents of what a stage gets before rounding, what it makes of them after, and what was drawn for it."""
        rounding = SURROGATES[self.recipe.surrogate]
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            latents = self.network.analyse(pixels, stage, level)
            uniform = draw(latents.shape)
            return latents, self.network.synthesise(rounding(latents, uniform), stage, level), uniform

    def shipped(self, average: Mapping[str, Tensor]) -> Autoencoder:
        """The network with averaged weights as a file of weights holds them, and tables that fit them."""
        network = Autoencoder(self.recipe.network)
        network.load_state_dict(
            {
                name: value.cpu().half().float() if value.is_floating_point() else value.cpu()
                for name, value in _part(average, _NETWORK).items()
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
        """Weights as fp16 with integer tables, and beside them the companions, which only training reads."""
        prefixes = tuple(f"{name}." for name in self.companions())
        training = {name: value for name, value in average.items() if prefixes and name.startswith(prefixes)}
        save_model(path, self.shipped(average), dict(notes), training=training)


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


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
