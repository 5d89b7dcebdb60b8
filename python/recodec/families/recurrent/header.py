"""The fields of family 1 in a file's header: planes of codes, tiles, entropy coder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from recodec import _core
from recodec.container.core import core_errors
from recodec.container.info import Details
from recodec.errors import LimitError
from recodec.families.protocol import Family
from recodec.families.recurrent.planes import CoderPart, PlaneDecoder, needs_model
from recodec.limits import Limits, check_pixels

_ENTROPY_NAMES = {1: "adaptive", 2: "network"}
# Number types that a header can name.
ARITHMETIC = {0: "float32", 1: "float16", 2: "bfloat16"}

# A halo is decoded with every tile; for tiles of 512 pixels and a halo of 128 this is 2.25.
_MOST_TILE_OVERHEAD = 8


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

    def check(self, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels, as coded and with all halos."""
        fields, most = self.fields, limits.max_pixels
        check_pixels(self.common.width, self.common.height, most, fields.stride)
        rows, columns = self.grid
        rows += 2 * fields.tile_halo * (fields.tile_rows - 1)
        columns += 2 * fields.tile_halo * (fields.tile_columns - 1)
        if rows * columns * fields.stride**2 > _MOST_TILE_OVERHEAD * most:
            raise LimitError(
                f"{fields.tile_columns} x {fields.tile_rows} tiles with a halo of {fields.tile_halo} positions make "
                f"{rows * columns * fields.stride**2} pixels to decode; at most {_MOST_TILE_OVERHEAD} times the limit "
                f"of {most} are allowed, raise max_pixels to allow it"
            )

    def checker(self, limits: Limits) -> PlaneDecoder:
        """Codes need no network, but what the entropy coder takes from the model."""
        if not needs_model(self.fields):
            return self.plane_decoder(limits, None)
        import torch

        from recodec.weights import load_model

        model = load_model(self.common.model, self.common.model_hash.hex())
        return self.plane_decoder(limits, model.coder_part(self.fields), torch.get_num_threads())

    def plane_decoder(self, limits: Limits, part: CoderPart | None, threads: int = 1) -> PlaneDecoder:
        """Of the file's planes."""
        return PlaneDecoder(self.common.model, self.fields, self.grid, limits.max_pixels, part, threads)
