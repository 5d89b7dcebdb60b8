"""Targets that are a quality: how far the picture has come after the chunks so far."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from recodec.container.targets import Target
from recodec.errors import TargetError
from recodec.families.protocol import Encoder
from recodec.io.pictures import Picture
from recodec.ssim import fitting_scales, ms_ssim_of_picture


def decibels(squared_error: float) -> float:
    """PSNR of a mean squared error of 0..255."""
    return 10 * math.log10(255**2 / squared_error) if squared_error else math.inf


@dataclass(frozen=True, slots=True)
class Goal:
    """A quality to reach, and how it is measured and said."""

    name: str
    wanted: float
    measure: Callable[[Encoder], float]
    text: Callable[[float], str]

    def missed(self, reached: float, iterations: int) -> TargetError:
        """The error where all there is does not reach it."""
        return TargetError(
            f"{self.name} is {self.wanted}, but all {iterations} iterations reach {self.text(reached)} on this "
            "picture; lower it"
        )


def goal_of(target: Target, picture: Picture) -> Goal | None:
    """The quality that a target asks of a picture, if it does. Raises :class:`TargetError` where there is none."""
    if target.psnr is not None:
        return Goal(
            "psnr", target.psnr, lambda encoder: decibels(encoder.squared_error()), lambda x: f"{x:.2f} dB"
        )
    if target.ms_ssim is None:
        return None
    if not fitting_scales(picture.samples):
        raise TargetError(
            f"ms_ssim is {target.ms_ssim}, but a picture of {picture.width} x {picture.height} pixels has none: its "
            "window takes 11 x 11; give psnr, bpp or quality"
        )
    original = picture.samples
    if original.dtype != torch.uint8:
        original = (original * 255).round().to(torch.uint8)

    def measure(encoder: Encoder) -> float:
        shown = encoder.shown()
        return ms_ssim_of_picture(shown, original.to(shown.device))

    return Goal("ms_ssim", target.ms_ssim, measure, lambda x: f"{x:.4f}")
