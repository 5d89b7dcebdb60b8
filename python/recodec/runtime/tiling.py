"""Tiles: how a plane of positions is cut so that networks see one part at a time.

Only the networks work by tiles; a code plane is always that of the whole picture. A tile is computed
with a *halo*, positions around it whose results are thrown away. Where the halo is as wide as the
networks reach, tiles give what the whole picture would give, and there is no seam.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

# Positions of a tile that is longer than others since its plane is so narrow.
_STRETCHED = 1024


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of positions."""

    top: int
    left: int
    height: int
    width: int

    def of(self, plane: Any) -> Any:
        """The part of an array or tensor whose last two axes are rows and columns of positions."""
        return plane[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def within(self, height: int, width: int) -> Region:
        """What of it lies in a plane of this size."""
        return Region(
            self.top, self.left, min(self.height, height - self.top), min(self.width, width - self.left)
        )

    def scaled(self, stride: int) -> Region:
        """The same rectangle in pixels."""
        return Region(self.top * stride, self.left * stride, self.height * stride, self.width * stride)


@dataclass(frozen=True, slots=True)
class Tile:
    """What is kept of a tile, and the window that is computed for it: core and halo."""

    core: Region
    window: Region

    @property
    def inner(self) -> Region:
        """The core in coordinates of the window."""
        top, left = self.core.top - self.window.top, self.core.left - self.window.left
        return Region(top, left, self.core.height, self.core.width)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """How a plane of ``height`` × ``width`` positions is cut; FORMAT.md, section 7."""

    height: int
    width: int
    rows: int = 1
    columns: int = 1
    halo: int = 0

    def tiles(self, halo: int | None = None) -> list[Tile]:
        """All tiles, row by row; ``halo`` replaces that of the grid."""
        halo = self.halo if halo is None else halo
        return [
            _tile(top, left, bottom, right, self.height, self.width, halo)
            for top, bottom in _cuts(self.height, self.rows)
            for left, right in _cuts(self.width, self.columns)
        ]


def grid_shape(width: int, height: int, stride: int) -> tuple[int, int]:
    """Rows and columns of the grid of positions: ⌈height/stride⌉ and ⌈width/stride⌉."""
    return -(-height // stride), -(-width // stride)


def _cuts(size: int, parts: int) -> Iterator[tuple[int, int]]:
    for part in range(parts):
        yield part * size // parts, (part + 1) * size // parts


def _tile(top: int, left: int, bottom: int, right: int, height: int, width: int, halo: int) -> Tile:
    outer_top, outer_left = max(0, top - halo), max(0, left - halo)
    outer_bottom, outer_right = min(height, bottom + halo), min(width, right + halo)
    return Tile(
        Region(top, left, bottom - top, right - left),
        Region(outer_top, outer_left, outer_bottom - outer_top, outer_right - outer_left),
    )


def plan_tiles(height: int, width: int, halo: int, side: int, *, stretched: bool = False) -> TileGrid:
    """Cut a plane into tiles of about ``side`` positions, at least 1; a plane that small stays whole.

    With ``stretched`` those of a very narrow plane are longer.
    """
    longest = [max(side, _STRETCHED // other) if stretched else side for other in (width, height)]
    rows, columns = -(-height // longest[0]), -(-width // longest[1])
    if rows == columns == 1:
        return TileGrid(height, width)
    return TileGrid(height, width, rows, columns, halo)


def group_tiles(tiles: Sequence[Tile], batch: int, positions: int = 0) -> list[list[Tile]]:
    """Tiles of equal windows in groups to be computed together: ``batch``, or as many as have so many ``positions``."""

    def size(tile: Tile) -> tuple[int, int]:
        return tile.window.height, tile.window.width

    groups = []
    for (height, width), equal in groupby(sorted(tiles, key=size), key=size):
        members = list(equal)
        count = max(batch, positions // (height * width))
        groups += [members[i : i + count] for i in range(0, len(members), count)]
    return groups
