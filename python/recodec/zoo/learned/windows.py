"""How a picture is cut for the networks: patches that know nothing of each other, or tiles that leave no trace."""

from __future__ import annotations

from collections.abc import Iterator

from recodec.networks.autoencoder.config import AutoencoderConfig
from recodec.runtime.tiling import Region, Tile, TileGrid, plan_tiles

# Pixels along a tile's side.
_TILE_SIDE = 1024


def tiles_of(config: AutoencoderConfig, grid: tuple[int, int], patch: int) -> Iterator[Tile]:
    """All of a plane of positions.

    A tile's window reaches as far as an analysis sees, and the syntheses behind what it sees of earlier stages, so
    that every way to cut gives what the whole picture would. A patch is its own window.
    """
    if patch:
        side = patch // config.stride
        for top in range(0, grid[0], side):
            for left in range(0, grid[1], side):
                region = Region(top, left, side, side)
                yield Tile(region, region)
        return
    halo = config.analysis_reach + config.synthesis_reach
    planned = plan_tiles(*grid, halo, max(1, _TILE_SIDE // config.stride))
    yield from TileGrid(*grid, planned.rows, planned.columns, halo).tiles()
