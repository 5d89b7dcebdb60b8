"""Steps on crops, and judgement by the curve of quality over rate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from recodec.runtime.precision import bfloat16_gain
from recodec.train.precision import working_type
from recodec.train.recipe import Phase
from recodec.train.task import Batch, Moment, ParameterGroup, Setting, Task
from recodec.train.tasks.crop_steps import pixel_batches
from recodec.train.tasks.rate_distortion.curves import Code, CurveValidator
from recodec.train.tasks.rate_distortion.recipe import RateDistortionPhase, RateDistortionRecipe

AnyRecipe = TypeVar("AnyRecipe", bound=RateDistortionRecipe)

# Crops are random by (seed, 0, phase, number); tasks have further purposes of their own.
_CROPS = 0


class RateDistortionTask(Task[AnyRecipe]):
    """A task whose network serves many rates, one of which is drawn for each crop."""

    def __init__(self, recipe: AnyRecipe, setting: Setting):
        super().__init__(recipe, setting)
        torch.manual_seed(recipe.seed)
        device = setting.processes.device
        self.dtype = working_type(recipe.compute, device)
        self._validator: CurveValidator | None = None
        if setting.processes.first:
            measured = {} if device.type == "cuda" else {"bfloat16_gain": bfloat16_gain()}
            setting.journal.record("computes in", dtype=str(self.dtype).removeprefix("torch."), **measured)
            if setting.validation is not None:
                self._validator = CurveValidator(setting.validation, recipe.validation, setting.journal)

    @abstractmethod
    def code(self, state: Mapping[str, Tensor]) -> Code:
        """Coding of pictures at all rates with weights from ``state``, as a file of weights holds them."""

    @property
    @abstractmethod
    def fast(self) -> list[nn.Parameter]:
        """What each rate has of its own and trains at the ``level_rate``."""

    def prepare(self, *, step: int, origin: str, stopped: object) -> None:
        """Judge what a new run starts from, so that validation can tell the gain."""
        if step == 0 and self._validator is not None:
            state = {name: value.detach().clone() for name, value in self.state_dict().items()}
            self._validator.judge_start(self.code(state))

    def parameter_groups(self) -> list[ParameterGroup]:
        """What each rate has of its own has a rate of its own."""
        fast = self.fast
        others = [p for p in self.parameters() if p.requires_grad and not any(p is f for f in fast)]
        return [ParameterGroup(others, 1.0), ParameterGroup(fast, self.recipe.optimizer.level_rate)]

    def batches(self, phase: Phase, number: int, start: int) -> Generator[Batch]:
        """Crops of the phase."""
        assert isinstance(phase, RateDistortionPhase)
        seed = (self.recipe.seed, _CROPS, number)
        return pixel_batches(self.setting, self.recipe.data, phase.crop, phase.batch, seed, start)

    def draw(self, purpose: int, below: int, count: int, moment: Moment) -> Tensor:
        """A number for each of ``count`` crops of this process."""
        processes = self.setting.processes
        drawn = self.generator(purpose, moment).integers(below, size=count * processes.count)
        own = drawn[processes.rank * count : (processes.rank + 1) * count]
        return torch.from_numpy(own).to(processes.device)

    def validate(self, average: Mapping[str, Tensor], step: int, pictures: Path) -> str | None:
        """Rate, PSNR and MS-SSIM at every rate, against JPEG, AVIF and the start."""
        if self._validator is None:
            return None
        return self._validator.judge(self.code(average), step, pictures)

    def figures(self) -> dict[str, Any]:
        """What the last validation found."""
        return {} if self._validator is None else self._validator.last


def as_shipped(module: nn.Module, state: Mapping[str, Tensor], prefix: str) -> None:
    """Give a module its part of ``state``, rounded as a file of weights holds it, for inference."""
    found = {}
    for name, value in state.items():
        if name.startswith(prefix):
            value = value.cpu()
            found[name.removeprefix(prefix)] = value.half().float() if value.is_floating_point() else value
    module.load_state_dict(found)
    module.requires_grad_(False).eval()
