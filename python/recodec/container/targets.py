"""From what a caller asks for to where an encode or a truncation stops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, TypedDict

import numpy as np

from recodec.errors import TargetError
from recodec.options import Option

DEFAULT_QUALITY = 60.0

_LARGEST = 2**62
# Pixels from which on a quality is one rate.
_FULL_SIZE = 512**2


def quality_to_bpp(quality: float, pixels: int = _FULL_SIZE) -> float:
    """Target rate of a quality: 2^(quality/20 − 4) bits per pixel, and more in small pictures.

    0 is 1/16 bpp, 20 is 1/8, 40 is 1/4, 60 is 1/2, 80 is 1 and 100 is 2, whatever the model. Small pictures show more
    in each pixel: those of less than 512×512 get the cube root of (512² / pixels) times as much to look as good.
    """
    return float(2.0 ** (quality / 20 - 4) * max(1.0, (_FULL_SIZE / pixels) ** (1 / 3)))


@dataclass(frozen=True, slots=True)
class Target:
    """Where to stop: at a number of iterations, a file size, a PSNR or an MS-SSIM, whichever is given.

    With ``soft`` the size is that of codes and alpha channel, without header, metadata and what frames chunks, which
    would be most of a small picture's file; and one too small for the first chunk still gets that chunk. Without
    ``alpha`` it is that of codes alone.
    """

    iterations: int | None = None
    max_bytes: int | None = None
    psnr: float | None = None
    ms_ssim: float | None = None
    soft: bool = False
    alpha: bool = True


def _number(name: str, value: object) -> float:
    if not isinstance(value, int | float | np.number) or isinstance(value, bool):
        raise TargetError(f"{name} is {value!r}; it must be a number")
    # Whole numbers too large for a float are cut: no picture comes near.
    return float(min(value, _LARGEST)) if isinstance(value, int) else float(value)


def positive(name: str, value: float) -> float:
    """``value`` as a number above 0. Raises :class:`TargetError` if it is none."""
    number = _number(name, value)
    if not (math.isfinite(number) and number > 0):
        raise TargetError(f"{name} is {value}; it must be a positive number")
    return number


def positive_int(name: str, value: float) -> int:
    """``value`` as a whole number from 1. Raises :class:`TargetError` if it is none."""
    number = _number(name, value)
    if not (math.isfinite(number) and number >= 1 and number == int(number)):
        raise TargetError(f"{name} is {value}; it must be a whole number from 1")
    return int(number)


class Targets(TypedDict, total=False):
    """The keyword arguments that say where to stop; at most one is given."""

    iterations: Annotated[
        int | None,
        Option(None, "Target: so many chunks, from 1 to the model's most (Codec.iterations)."),
    ]
    quality: Annotated[
        float | None,
        Option(
            None,
            """Target: 0 to 100, a rate of 2^(quality/20 - 4) bits per pixel (more below 512x512 pixels) for codes and
            alpha channel, without header and metadata; at least one chunk. Without any target it is 60.""",
        ),
    ]
    bpp: Annotated[
        float | None,
        Option(None, "Target: at most so many bits per pixel for the whole file, never exceeded."),
    ]
    max_bytes: Annotated[
        int | None,
        Option(
            None,
            """Target: at most so many bytes for the whole file, never exceeded. Where not even one chunk fits beside
            all metadata, XMP, EXIF and ICC are dropped in that order, with a MetadataDroppedWarning; for bpp too.""",
        ),
    ]
    psnr: Annotated[
        float | None,
        Option(
            None, "Target: as few chunks as reach so many dB, over grey or RGB; a TargetError if all do not."
        ),
    ]
    ms_ssim: Annotated[
        float | None,
        Option(
            None,
            """Target: as few chunks as reach such an MS-SSIM, between 0 and 1, over grey or RGB; a TargetError if all
            do not. Where the shorter side has 160 pixels or less, fewer than the customary five scales count.""",
        ),
    ]


def resolve_target(
    pixels: int,
    *,
    iterations: int | None = None,
    quality: float | None = None,
    bpp: float | None = None,
    max_bytes: int | None = None,
    psnr: float | None = None,
    ms_ssim: float | None = None,
) -> Target:
    """Turn keyword arguments into a :class:`Target` for a picture of ``pixels`` pixels.

    Raises :class:`TargetError` if more than one is given or one is out of range. None at all means
    quality 60.
    """
    named = {
        "iterations": iterations,
        "quality": quality,
        "bpp": bpp,
        "max_bytes": max_bytes,
        "psnr": psnr,
        "ms_ssim": ms_ssim,
    }
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise TargetError(f"{' and '.join(given)} are given; give at most one of them")
    if iterations is not None:
        return Target(iterations=positive_int("iterations", iterations))
    if bpp is not None:
        return Target(max_bytes=int(min(positive("bpp", bpp) * pixels / 8, _LARGEST)))
    if max_bytes is not None:
        return Target(max_bytes=positive_int("max_bytes", max_bytes))
    if psnr is not None:
        return Target(psnr=positive("psnr", psnr))
    if ms_ssim is not None:
        if positive("ms_ssim", ms_ssim) >= 1:
            raise TargetError(
                f"ms_ssim is {ms_ssim}; it must lie between 0 and 1, which only lossless files reach"
            )
        return Target(ms_ssim=float(ms_ssim))
    quality = DEFAULT_QUALITY if quality is None else _number("quality", quality)
    if not 0 <= quality <= 100:
        raise TargetError(f"quality is {quality}; it must lie in 0..100")
    return Target(max_bytes=int(quality_to_bpp(quality, pixels) * pixels / 8), soft=True)


def preview_target(pixels: int, bpp: float) -> Target:
    """For a lossy picture in front of the exact one, beside which all that a file must hold counts little."""
    return Target(max_bytes=int(min(bpp * pixels / 8, _LARGEST)), soft=True, alpha=False)


def too_small(max_bytes: int, minimum: int, alpha: int = 0) -> TargetError:
    """The error for a size that cannot hold the first chunk; ``alpha`` bytes of it are the alpha channel."""
    because = f", of which {alpha} hold its alpha channel without loss" if alpha else ""
    remedy = "raise the limit or drop the alpha channel" if alpha else "raise the limit"
    return TargetError(
        f"the size limit is {max_bytes} bytes, but this picture needs at least {minimum}{because}; {remedy}"
    )
