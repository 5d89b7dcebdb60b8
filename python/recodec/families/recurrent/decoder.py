"""The code chunks of one file to its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from recodec.families.recurrent.header import PlaneFileHeader
from recodec.families.recurrent.planes import Codes
from recodec.limits import Limits
from recodec.runtime.ambient import inference
from recodec.runtime.samples import to_uint8
from recodec.runtime.seamless import SeamlessDecoder, is_whole
from recodec.runtime.tiled_network import TiledDecoder
from recodec.runtime.tiling import Region, TileGrid

if TYPE_CHECKING:
    from recodec.families.recurrent.engine import RecurrentEngine


class RecurrentDecoder:
    """A picture from planes: after each if ``progressive``, otherwise once, with the states of one tile at a time."""

    def __init__(
        self,
        engine: RecurrentEngine,
        header: PlaneFileHeader,
        limits: Limits,
        *,
        progressive: bool = False,
        threads: int = 1,
    ):
        self._header, self._progressive = header, progressive
        fields, network = header.fields, engine.network
        rows, columns = header.grid
        place = engine.workplace(rows * columns * fields.stride**2, limits.max_memory)
        codes = rows * columns * sum(map(network.codes_in, range(network.iterations)))
        part = engine.model.coder_part(fields)
        coder = header.coder_bytes(part)
        place = replace(place, reserved=place.reserved + codes + coder)
        self._tiles: TiledDecoder | SeamlessDecoder
        if network.seamless:
            self._tiles = SeamlessDecoder(network, rows, columns, place)
        else:
            grid = TileGrid(rows, columns, fields.tile_rows, fields.tile_columns, fields.tile_halo)
            self._tiles = TiledDecoder(network, grid.tiles(), place)
        # More threads than one take what is left.
        self._coder = header.plane_decoder(limits, part, self._tiles.reserved - coder, threads)
        self._planes: list[Codes] = []  # and not yet decoded
        self._computed: Tensor | None = None

    @property
    def batch_key(self) -> tuple[int, ...] | None:
        """Of pictures in one piece, how many planes there are and how large."""
        fields, grid = self._header.fields, self._header.grid
        whole = is_whole(*grid) if fields.embedded else fields.tile_rows * fields.tile_columns == 1
        return (len(self._planes), *grid) if whole else None

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the planes that come next."""
        self._planes += self._coder.decode(payloads)

    @property
    def planes(self) -> Sequence[Codes]:
        """All planes that have been taken."""
        return self._planes

    def use(self, picture: Tensor) -> None:
        """Take pixels (3, h·s, w·s) that were computed together with those of other files."""
        self._computed = picture

    def show(self) -> Iterator[tuple[Region, Tensor]]:
        """The picture that the planes so far make."""
        common, stride = self._header.common, self._header.fields.stride
        for region, pixels in self._cores():
            part = region.scaled(stride).within(common.height, common.width)
            yield part, to_uint8(pixels[:, : part.height, : part.width], common.channels)

    def _cores(self) -> Iterator[tuple[Region, Tensor]]:
        if self._computed is not None:
            yield Region(0, 0, *self._header.grid), self._computed
        elif self._progressive:
            with inference():
                for plane in self._planes:
                    self._tiles.advance(plane)
            self._planes.clear()
            yield from self._tiles.pixels()
        else:
            yield from self._tiles.decode(self._planes)
