"""Seamless networks: states of the whole picture, tiles for analysis and synthesis alone.

Tiles have halos as wide as the network reaches, so that a picture shows nothing of how it was cut, and files need not
say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from recodec import _core
from recodec.limits import too_much_memory
from recodec.networks.plane_network import PlaneNetwork, State
from recodec.ops.backend import use_backend
from recodec.runtime.samples import Samples
from recodec.runtime.states import Workplace, map_state
from recodec.runtime.tiled_network import Codes
from recodec.runtime.tiling import Region, TileGrid, plan_tiles

# Network, samples, rows, columns and place to what the network makes of a picture.
Analyse: TypeAlias = Callable[[PlaneNetwork, Samples, int, int, Workplace], Tensor]

# Positions along a tile's side. Memory grows with it, what is computed twice falls.
TILE_SIDE = 128


def is_whole(rows: int, columns: int) -> bool:
    """Whether a picture of so many positions is computed in one piece."""
    return max(rows, columns) <= TILE_SIDE


class SeamlessDecoder:
    """What a picture of ``rows`` × ``columns`` positions looks like after the planes so far.

    Raises :class:`LimitError` where there is no room for its state.
    """

    def __init__(self, network: PlaneNetwork, rows: int, columns: int, place: Workplace):
        self._network, self._place = network, place
        self._grid = plan_tiles(rows, columns, network.reach.decoder, TILE_SIDE, stretched=True)
        self._state: State = None
        self._waiting: list[Codes] = []
        # Bytes that it counts on, of the whole process.
        self.reserved = _needed(network, rows * columns, place)

    def advance(self, plane: Codes) -> None:
        """Take one more plane (codes, h, w); it is decoded when pixels are asked for."""
        self._waiting.append(plane)

    def _decode_waiting(self) -> State:
        for plane in self._waiting:
            codes = torch.from_numpy(plane)[None].to(self._place.device)
            self._state = self._network.decode_step(codes, self._state)
        self._waiting.clear()
        return self._state

    def pixels(self) -> Iterator[tuple[Region, Tensor]]:
        """Core by core, in positions, its (3, h·s, w·s) pixels in [−0.5, 0.5], not clamped."""
        state = self._decode_waiting()
        for tile in self._grid.tiles():
            window = map_state(state, tile.window.of)
            with use_backend(self._place.backend):
                picture = self._network.synthesise(window)[0]
            yield tile.core, tile.inner.scaled(self._network.stride).of(picture)
            _core.release_free_memory()

    def decode(self, planes: Sequence[Codes]) -> Iterator[tuple[Region, Tensor]]:
        """Like advancing by all planes and asking for the pixels."""
        for plane in planes:
            self.advance(plane)
        return self.pixels()


class SeamlessEncoder:
    """Codes of a picture, plane by plane, from an analysis that is made once: ``make``, by default :func:`analyse`."""

    def __init__(
        self,
        network: PlaneNetwork,
        samples: Samples,
        grid: TileGrid,
        place: Workplace,
        make: Analyse | None = None,
    ):
        self._network, self._place = network, place
        self.decoder = SeamlessDecoder(network, grid.height, grid.width, place)
        self._target = (make or analyse)(network, samples, grid.height, grid.width, place)
        self._state: State = None

    def next_plane(self) -> Codes:
        """Codes (codes, h, w) of the next iteration."""
        codes, self._state = self._network.encode_step(self._target, self._state, None)
        plane: Codes = codes[0].to(torch.int8).cpu().numpy()
        return plane

    def decode(self, plane: Codes) -> None:
        """Take the codes as sent."""
        self.decoder.advance(plane)


def analyse(network: PlaneNetwork, samples: Samples, rows: int, columns: int, place: Workplace) -> Tensor:
    """What the network makes of a picture, tile by tile: (1, depth, rows, columns)."""
    whole: Tensor | None = None
    grid = plan_tiles(rows, columns, network.reach.encoder, TILE_SIDE, stretched=True)
    for tile in grid.tiles():
        with use_backend(place.backend):
            part = network.analyse(samples.pixels(tile.window)[None])
        if whole is None:
            whole = part.new_empty((1, part.shape[1], rows, columns))
        tile.core.of(whole)[:] = tile.inner.of(part)
        _core.release_free_memory()
    assert whole is not None
    return whole


def _needed(network: PlaneNetwork, positions: int, place: Workplace) -> int:
    """Bytes with target and state of a picture. Raises :class:`LimitError` unless they fit."""
    needed = place.reserved + positions * 2 * network.depth * torch.int32.itemsize
    if needed > place.max_memory:
        raise too_much_memory(needed, place.max_memory)
    return needed
