"""The rate-distortion curve of weights in training, on photographs kept apart."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recodec.codec import Codec
from recodec.errors import ImageError
from recodec.eval.comparison import Panel, draw_comparison
from recodec.eval.curve import Step, measure
from recodec.eval.metrics import Pixels
from recodec.families.registry import engine_of
from recodec.train.data.photographs import Photographs
from recodec.weights import Model

_PICTURES = 2
_SHOWN_ITERATIONS = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Curve:
    """Means over photographs after each iteration, by the sizes of real files.

    ``ms_ssim`` is None where a photograph is too small for it.
    """

    bpp: list[float]
    psnr: list[float]
    ms_ssim: list[float | None]
    images: int

    def to_dict(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return asdict(self)


class Validator:
    """Encodes some photographs with the weights as they are, and draws what the first of them look like."""

    def __init__(self, photographs: Photographs, images: int, device: torch.device):
        self._originals: list[Pixels] = []
        self._device = device
        for index in range(len(photographs)):
            if len(self._originals) < images:
                with suppress(ImageError):
                    self._originals.append(np.asarray(photographs.read(index)))
        if not self._originals:
            raise ImageError(f"none of {len(photographs)} validation photographs can be read")

    def run(self, network: Any, iterations: int, pictures: Path | None = None) -> Curve:
        """Curve over ``iterations`` iterations; ``pictures`` is a folder for comparisons."""
        # The files live as long as this function, so the model needs no true identity.
        model = Model("validation", bytes(8), network.eval().requires_grad_(False), {})
        codec = Codec(engine_of(model, self._device))
        measured = []
        for index, original in enumerate(self._originals):
            steps = list(measure(codec, original, iterations))
            measured.append([step.score for step in steps])
            if pictures is not None and index < _PICTURES:
                pictures.mkdir(parents=True, exist_ok=True)
                draw_comparison(_panels(original, steps)).save(pictures / f"{index}.png")
        scores = list(zip(*measured, strict=True))
        return Curve(
            [statistics.fmean(s.bpp for s in column) for column in scores],
            [statistics.fmean(s.psnr for s in column) for column in scores],
            [_mean_or_none([s.ms_ssim for s in column]) for column in scores],
            len(measured),
        )


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _panels(original: Pixels, steps: list[Step]) -> list[Panel]:
    panels = [Panel("original", f"{original.shape[1]} x {original.shape[0]}", original)]
    for step in steps:
        if step.iterations in _SHOWN_ITERATIONS:
            score = step.score
            panels.append(
                Panel(f"{step.iterations} chunks", f"{score.bpp:.3f} bpp, {score.psnr:.2f} dB", step.pixels)
            )
    return panels
