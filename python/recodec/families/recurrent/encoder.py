"""One picture to the code chunks of its file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import core_errors
from recodec.errors import TargetError, WeightsError
from recodec.families.recurrent.header import ARITHMETIC
from recodec.families.recurrent.planes import ADAPTIVE, EMBEDDED, NETWORK, Codes, PlaneEncoder
from recodec.io.pictures import Picture
from recodec.limits import Limits
from recodec.runtime.ambient import inference
from recodec.runtime.refinement import refine
from recodec.runtime.samples import Samples, to_uint8
from recodec.runtime.seamless import Analyse, SeamlessEncoder, is_whole
from recodec.runtime.tiled_network import TiledEncoder
from recodec.runtime.tiling import Region, TileGrid, grid_shape, plan_tiles

if TYPE_CHECKING:
    from recodec.families.recurrent.engine import RecurrentEngine

# Positions along a tile's side. Larger ones leave the processor's caches, smaller ones are mostly halo.
TILE_SIDE = 64
# When a picture is looked at before it is coded.
_ROWS_LOOKED_AT = 8

_ARITHMETIC = {getattr(torch, name): number for number, name in ARITHMETIC.items()}

# Of the search for better latents, for each effort.
STEPS = 0, 2, 4, 7, 12, 20, 35, 60, 100, 200

# Which entropy coder writes: the model's network, adaptive contexts, or the network where the model has one.
Entropy: TypeAlias = Literal["auto", "network", "adaptive"]


class RecurrentEncoder:
    """Codes of a picture, plane by plane, as chunks. Raises :class:`TargetError` and :class:`WeightsError`."""

    def __init__(
        self,
        engine: RecurrentEngine,
        picture: Picture,
        header: _core.Header,
        limits: Limits,
        entropy: Entropy = "auto",
        effort: int | None = None,
        on_progress: Callable[[float], object] | None = None,
    ):
        network = engine.network
        self._engine, self._picture, self._limits = engine, picture, limits
        self._search = engine.search if effort else None
        self._steps, self._on_progress = STEPS[effort or 0], on_progress
        rows, columns = grid_shape(picture.width, picture.height, network.stride)
        # Tiles that leave no trace in the picture are not in the file.
        halo = network.reach.decoder
        self._grid = (
            TileGrid(rows, columns) if network.seamless else plan_tiles(rows, columns, halo, TILE_SIDE)
        )
        fields = _fields(engine, self._grid, _entropy_coder(engine, entropy))
        with core_errors():
            self.fields = _core.write_plane_header(fields, header)
        part = engine.model.coder_part(fields)
        self._new_coder = partial(PlaneEncoder, network.depth, rows, columns, fields.entropy_version, part)
        self._coder = self._new_coder()
        self._count = 0
        self._sent: Codes | None = None  # and not yet decoded
        self._computed: Sequence[Codes] | None = None

    @property
    def batch_key(self) -> tuple[int, int] | None:
        """Of pictures in one piece, how large they are."""
        grid = self._grid
        seamless = self._engine.network.seamless
        whole = is_whole(grid.height, grid.width) if seamless else grid.rows * grid.columns == 1
        return (grid.height, grid.width) if whole and self._search is None else None

    def pixels(self) -> torch.Tensor:
        """(3, h·s, w·s) in [−0.5, 0.5] of the whole picture."""
        return self._samples.pixels(Region(0, 0, self._grid.height, self._grid.width))

    def use(self, planes: Sequence[Codes]) -> None:
        """Take planes of codes that were computed together with those of other pictures."""
        self._computed = planes

    @inference()
    def next(self) -> bytes | None:
        """Payload of the next plane; the one before is decoded only now that its picture is needed."""
        if self._count == (self._engine.iterations if self._computed is None else len(self._computed)):
            return None
        if self._computed is None:
            self._decode_sent()
            self._sent = plane = self._tiles.next_plane()
        else:
            plane = self._computed[self._count]
        self._count += 1
        return self._coder.encode(plane)

    @inference()
    def squared_error(self) -> float:
        """Mean over the samples that are stored, as a decoder shows them."""
        self._decode_sent()
        total, count = 0.0, 0
        for region, pixels in self._tiles.decoder.pixels():
            original = self._samples.original(region)
            channels, height, width = original.shape
            if original.dtype != torch.uint8:
                original = (original * 255).round()
            shown = to_uint8(pixels[:, :height, :width], channels).float()
            total += float((shown - original.to(shown)).square().sum(dtype=torch.float64))
            count += original.numel()
        return total / count

    @inference()
    def shown(self) -> torch.Tensor:
        """(channels, H, W) uint8, as a decoder shows them."""
        self._decode_sent()
        found = torch.empty(self._picture.samples.shape, dtype=torch.uint8, device=self._engine.device)
        for region, pixels in self._tiles.decoder.pixels():
            part = region.scaled(self._engine.network.stride).of(found)
            part[:] = to_uint8(pixels[:, : part.shape[1], : part.shape[2]], len(part))
        return found

    @inference()
    def least_error(self) -> float:
        """From some rows of positions, evenly spaced."""
        rows = range(0, self._grid.height, max(1, self._grid.height // _ROWS_LOOKED_AT))
        network, width = self._engine.network, self._grid.width
        errors = [network.least_error(self._samples.pixels(Region(row, 0, 1, width))[None]) for row in rows]
        return 255**2 * sum(errors) / len(errors)

    @cached_property
    def _samples(self) -> Samples:
        return Samples(self._picture.samples, self._engine.network.stride, self._engine.device)

    @cached_property
    def _tiles(self) -> TiledEncoder | SeamlessEncoder:
        network, positions = self._engine.network, self._grid.height * self._grid.width
        place = self._engine.workplace(positions * network.stride**2, self._limits.max_memory)
        codes = positions * sum(map(network.codes_in, range(network.iterations)))
        place = replace(place, reserved=place.reserved + codes)
        if not network.seamless:
            return TiledEncoder(network, self._samples, self._grid, place)
        make: Analyse | None = None
        if self._search is not None:
            make = partial(
                refine,
                search=self._search,
                bits=self._bits,
                steps=self._steps,
                progress=self._on_progress,
            )
        return SeamlessEncoder(network, self._samples, self._grid, place, make)

    def _bits(self, target: torch.Tensor) -> NDArray[np.float64]:
        """Of each chunk of a seamless network's target."""
        coder, found, state = self._new_coder(), [], None
        for _ in range(self._engine.iterations):
            codes, state = self._engine.network.encode_step(target, state, None)
            found.append(8.0 * len(coder.encode(codes[0].cpu().numpy())))
        return np.array(found)

    def _decode_sent(self) -> None:
        if self._sent is not None:
            self._tiles.decode(self._sent)
            self._sent = None


def stack(encoders: Sequence[RecurrentEncoder]) -> torch.Tensor:
    """(N, 3, h·s, w·s) pixels of pictures with one batch key."""
    return torch.stack([encoder.pixels() for encoder in encoders])


def distribute(encoders: Sequence[RecurrentEncoder], planes: Sequence[torch.Tensor]) -> None:
    """Hand out planes of codes (N, D, h, w) that were computed together."""
    found = [plane.cpu().numpy() for plane in planes]
    for number, encoder in enumerate(encoders):
        encoder.use([plane[number] for plane in found])


def _entropy_coder(engine: RecurrentEngine, entropy: Entropy) -> int:
    """The kind of coder that codes are to be written with."""
    if entropy not in get_args(Entropy):
        raise TargetError(f"entropy is {entropy!r}; it must be one of {', '.join(get_args(Entropy))}")
    has_network = engine.model.entropy_tables is not None
    if entropy == "network" and not has_network:
        raise WeightsError(f"entropy is 'network', but model {engine.id} has no entropy network")
    return NETWORK if has_network and entropy != "adaptive" else ADAPTIVE


def _fields(engine: RecurrentEngine, grid: TileGrid, entropy: int) -> _core.PlaneHeader:
    fields, network = _core.PlaneHeader(), engine.network
    fields.stride, fields.depth = network.stride, network.depth
    fields.tile_rows, fields.tile_columns, fields.tile_halo = grid.rows, grid.columns, grid.halo
    fields.arithmetic = _ARITHMETIC[engine.dtype]
    fields.entropy = entropy
    if network.order is not None:
        fields.entropy_version = EMBEDDED[entropy]
    elif entropy == ADAPTIVE and network.symbols == 3:
        # Readers from before version 3 can read what does not need it.
        fields.entropy_version = 3
    return fields
