"""From what a caller asks for to where an encode or a truncation stops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

from recodec.errors import TargetError

DEFAULT_QUALITY = 60.0


def quality_to_bpp(quality: float) -> float:
    """Target rate of a quality: 2^(quality/20 − 4) bits per pixel.

    0 is 1/16 bpp, 20 is 1/8, 40 is 1/4, 60 is 1/2, 80 is 1 and 100 is 2, whatever the model.
    """
    return float(2.0 ** (quality / 20 - 4))


@dataclass(frozen=True, slots=True)
class Target:
    """Where to stop: at a number of iterations, a file size or a PSNR, whichever is given.

    With ``soft`` a size too small for the first chunk still gets that chunk.
    """

    iterations: int | None = None
    max_bytes: int | None = None
    psnr: float | None = None
    soft: bool = False


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise TargetError(f"{name} is {value}; it must be a positive number")
    return value


class Targets(TypedDict, total=False):
    """The keyword arguments that say where to stop; at most one is given."""

    iterations: int | None
    quality: float | None
    bpp: float | None
    max_bytes: int | None
    psnr: float | None


def resolve_target(
    pixels: int,
    *,
    iterations: int | None = None,
    quality: float | None = None,
    bpp: float | None = None,
    max_bytes: int | None = None,
    psnr: float | None = None,
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
    }
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise TargetError(f"{' and '.join(given)} are given; give at most one of them")
    if iterations is not None:
        if iterations != int(iterations) or iterations < 1:
            raise TargetError(f"iterations is {iterations}; it must be a whole number from 1")
        return Target(iterations=int(iterations))
    if bpp is not None:
        return Target(max_bytes=int(_positive("bpp", bpp) * pixels / 8))
    if max_bytes is not None:
        return Target(max_bytes=int(_positive("max_bytes", max_bytes)))
    if psnr is not None:
        return Target(psnr=_positive("psnr", psnr))
    quality = DEFAULT_QUALITY if quality is None else quality
    if not 0 <= quality <= 100:
        raise TargetError(f"quality is {quality}; it must lie in 0..100")
    return Target(max_bytes=int(quality_to_bpp(quality) * pixels / 8), soft=True)


def too_small(max_bytes: int, minimum: int) -> TargetError:
    """The error for a size below the first chunk."""
    return TargetError(
        f"the size limit is {max_bytes} bytes, but this picture needs at least {minimum}; raise the limit"
    )
