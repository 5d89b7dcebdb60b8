"""How much of a file a picture needs that will be shown small. Loads no torch."""

from __future__ import annotations

import math

# A small picture is made of what one of twice its size would need, as Pillow makes thumbnails.
_GAP = 2.0


def draft_factor(size: tuple[int, int], most: tuple[int, int]) -> float:
    """What a picture of so many pixels may be coarser by if its sides are to be ``most`` at most; 1 for not at all."""
    return max(1.0, *(side / limit / _GAP for side, limit in zip(size, most, strict=True)))


def draft_iterations(count: int, factor: float) -> int:
    """How many of ``count`` chunks a picture needs that is shown at 1/factor of its width, from 1.

    About 1/factor of them look as good, since scaling averages errors away.
    """
    return math.ceil(count / max(1.0, factor))
