"""The fields of family 1 in a file's header: planes of codes, tiles, entropy coder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from recodec import _core
from recodec.container.core import core_errors
from recodec.container.info import Details
from recodec.errors import FormatError, UnsupportedError
from recodec.families.protocol import Family
from recodec.families.recurrent.planes import (
    CoderPart,
    PlaneChecker,
    PlaneDecoder,
    coder_bytes,
    needs_model,
)
from recodec.limits import PLAIN_BYTES, TORCH_BYTES, Limits, check_pixels

if TYPE_CHECKING:
    from recodec.weights import Model

_ENTROPY_NAMES = {1: "adaptive", 2: "network"}
# Number types that a header can name.
ARITHMETIC = {0: "float32", 1: "float16", 2: "bfloat16"}


@dataclass(frozen=True)
class PlaneDetails(Details):
    """What a file of planes says of itself.

    ``stride`` and ``depth`` are those of the codes; ``tile_columns`` × ``tile_rows`` tiles with ``tile_halo`` positions
    around are decoded one by one. ``arithmetic`` is the number type that the encoder's networks computed in.
    ``embedded`` codes are bits of latents.
    """

    stride: int
    depth: int
    entropy: str
    tile_columns: int
    tile_rows: int
    tile_halo: int
    arithmetic: str
    embedded: bool

    def rows(self) -> dict[str, str]:
        """For a reader."""
        block = f"{self.stride} x {self.stride} block"
        codes = (
            f"planes of {self.depth} latents per {block}"
            if self.embedded
            else f"{self.depth} per {block} and iteration"
        )
        return {
            "codes": f"{codes}, entropy {self.entropy}",
            "tiles": f"{self.tile_columns} x {self.tile_rows}, halo of {self.tile_halo} positions",
            "numbers": self.arithmetic,
        }


class PlaneFileHeader:
    """A header whose chunks are planes. Raises :class:`FormatError` and :class:`UnsupportedError`."""

    def __init__(self, family: Family, common: _core.Header):
        self.family, self.common = family, common
        with core_errors():
            self.fields = _core.read_plane_header(common)

    @cached_property
    def details(self) -> PlaneDetails:
        """What :func:`recodec.info` says of them."""
        fields = self.fields
        return PlaneDetails(
            fields.stride,
            fields.depth,
            f"{_ENTROPY_NAMES[fields.entropy]}-{fields.entropy_version}",
            fields.tile_columns,
            fields.tile_rows,
            fields.tile_halo,
            ARITHMETIC.get(fields.arithmetic, "unknown"),
            fields.embedded,
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of positions."""
        return self.fields.positions(self.common.height), self.fields.positions(self.common.width)

    @property
    def _positions(self) -> int:
        rows, columns = self.grid
        return rows * columns

    @property
    def _alpha_bytes(self) -> int:
        # Inflated, and without its filters.
        return 2 * self.common.alpha * self.common.width * self.common.height

    def check(self, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels as coded, and for tiles out of proportion to them."""
        check_pixels(self.common.width, self.common.height, limits.max_pixels, self.fields.stride)
        with core_errors():
            _core.check_tiles(self.common, self.fields)

    def checker(self, limits: Limits) -> PlaneChecker:
        """Codes need no network, but what the entropy coder takes from the model."""
        if not needs_model(self.fields):
            with core_errors():
                _core.check_codes(self.fields, 1)
            reserved = PLAIN_BYTES + self._alpha_bytes + self._positions * self.fields.depth
            return PlaneChecker(self.plane_decoder(limits, None, reserved), self.fields)
        import torch

        from recodec.weights import shared_model

        model = shared_model(self.common.model, self.common.model_hash.hex())
        self.require(model)
        threads = torch.get_num_threads()
        network = model.plane_network()
        codes = self._positions * sum(map(network.codes_in, range(network.iterations)))
        reserved = TORCH_BYTES + self._alpha_bytes + codes
        decoder = self.plane_decoder(limits, model.coder_part(self.fields), reserved, threads)
        return PlaneChecker(decoder, self.fields, network.iterations)

    def require(self, model: Model) -> None:
        """Raise :class:`WeightsError` for another model's file, :class:`FormatError` for one that contradicts it."""
        model.require(self.common)
        fields, network = self.fields, model.plane_network()
        if (fields.stride, fields.depth) != (network.stride, network.depth):
            raise FormatError(
                f"the file has stride {fields.stride} and depth {fields.depth}, but model {model.id} has "
                f"{network.stride} and {network.depth}: the file is damaged"
            )
        if network.order is not None and not fields.embedded:
            raise UnsupportedError(
                f"the file has planes of {fields.depth} codes, but all that model {model.id} has are embedded planes: "
                "the file is damaged"
            )

    def coder_bytes(self, part: CoderPart | None) -> int:
        """About what decoding the file's planes takes on one thread. Raises like :meth:`plane_decoder`."""
        return coder_bytes(self.common.model, self.fields, self.grid, part)

    def plane_decoder(
        self, limits: Limits, part: CoderPart | None, reserved: int, threads: int = 1
    ) -> PlaneDecoder:
        """Of the file's planes; ``reserved`` bytes are for what else the process holds. Raises :class:`LimitError`."""
        return PlaneDecoder(
            self.common.model, self.fields, self.grid, limits.max_memory, part, threads, reserved
        )
