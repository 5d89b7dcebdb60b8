"""How large a picture may be before it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recodec.errors import LimitError

if TYPE_CHECKING:
    from recodec import _core

DEFAULT_MAX_PIXELS = 2**26

# Encoding and progressive decoding keep a state for every position.
DEFAULT_MAX_MEMORY = 4 * 2**30

# A halo is decoded with every tile; for tiles of 512 pixels and a halo of 128 this is 2.25.
_MOST_TILE_OVERHEAD = 8


def check_pixels(width: int, height: int, max_pixels: int, stride: int = 1) -> None:
    """Raise :class:`LimitError` if a picture exceeds ``max_pixels``.

    What counts is the picture as coded, its sides rounded up to multiples of ``stride``: a long thin one
    costs as much as that.
    """
    coded = -(-width // stride) * stride * -(-height // stride) * stride
    if coded > max_pixels:
        rounded = f", {coded} with sides rounded up to multiples of {stride}" if stride > 1 else ""
        raise LimitError(
            f"the picture has {width} x {height} = {width * height} pixels{rounded}; the limit is {max_pixels}, "
            "raise max_pixels to allow it"
        )


def check_tiles(header: _core.Header, max_pixels: int) -> None:
    """Raise :class:`LimitError` if tiles and their halos add up to more than a sound file's do."""
    rows = -(-header.height // header.stride) + 2 * header.tile_halo * (header.tile_rows - 1)
    columns = -(-header.width // header.stride) + 2 * header.tile_halo * (header.tile_columns - 1)
    if rows * columns * header.stride**2 > _MOST_TILE_OVERHEAD * max_pixels:
        raise LimitError(
            f"{header.tile_columns} x {header.tile_rows} tiles with a halo of {header.tile_halo} positions make "
            f"{rows * columns * header.stride**2} pixels to decode; at most {_MOST_TILE_OVERHEAD} times the limit "
            f"of {max_pixels} are allowed, raise max_pixels to allow it"
        )
