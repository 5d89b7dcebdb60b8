"""How large pictures become that are made smaller: their shape kept, and never larger. Loads no torch."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from recodec.container.targets import positive_int
from recodec.errors import TargetError

# Pixels of the longer side at most, or of width and height.
MaxSize: TypeAlias = int | tuple[int, int]


def check_max_size(wanted: Any) -> tuple[int, int] | None:
    """Width and height at most. Raises :class:`TargetError` for what is neither one whole number nor two."""
    if wanted is None:
        return None
    sides = tuple(wanted) if isinstance(wanted, tuple | list) else (wanted, wanted)
    if len(sides) != 2:
        raise TargetError(f"max_size is {wanted!r}; give one number for the longer side, or (width, height)")
    return positive_int("max_size", sides[0]), positive_int("max_size", sides[1])


def reduced_size(width: int, height: int, most: tuple[int, int]) -> tuple[int, int]:
    """The largest width and height of the same shape that keep to the most of each; the same where they do already."""
    scale = min(most[0] / width, most[1] / height)
    if scale >= 1:
        return width, height
    return tuple(
        max(1, min(limit, round(side * scale))) for side, limit in zip((width, height), most, strict=True)
    )  # type: ignore[return-value]


def covering_size(width: int, height: int, wanted: tuple[float, float]) -> tuple[int, int] | None:
    """The ``max_size`` that makes the smallest picture no smaller than wanted; None if that is the picture itself."""
    across, down = (max(1, math.ceil(side)) for side in wanted)
    if across >= width or down >= height:
        return None
    return max(across, -(-width * down // height)), max(down, -(-height * across // width))
