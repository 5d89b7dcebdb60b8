"""Colours of 16 bits, of which Pillow keeps 8: read twice, once for each byte of a sample.

Pillow's unpackers of 16-bit colours pick the higher byte for either order of bytes, so that the unpacker for the other
order picks the lower one.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_MODES = ("RGB", "RGBA")
# N is this machine's own.
_OTHER_ORDER = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}


def has_deep_colours(image: Image.Image) -> bool:
    """Whether an image, not loaded, has colours of 16 bits that :func:`lower_bytes` can read."""
    tiles: Any = getattr(image, "tile", ())
    return (
        bool(tiles) and image.format in ("PNG", "TIFF") and all(map(_other_raw_mode, map(_raw_mode, tiles)))
    )


def lower_bytes(image: Image.Image) -> Image.Image:
    """A loaded image of the lower bytes, where ``image``, not loaded, will be of the higher ones."""
    source: Any = image
    file, position = source.fp, source.fp.tell()
    file.seek(0)
    again: Any = Image.open(file, formats=[str(image.format)])
    again.tile = [_with_raw_mode(tile, _other_raw_mode(_raw_mode(tile))) for tile in again.tile]
    again.load()
    file.seek(position)
    return again  # type: ignore[no-any-return]


def deep_samples(high: Image.Image, low: Image.Image) -> NDArray[np.uint16]:
    """H×W×C samples from images of their bytes; a colour that stands for transparent makes a further channel."""
    samples: NDArray[np.uint16] = np.asarray(high).astype(np.uint16) << 8 | np.asarray(low)
    key = high.info.get("transparency")
    if key is None or high.mode != "RGB":
        return samples
    alpha = np.where((samples == key).all(axis=2), 0, 65535).astype(np.uint16)
    return np.dstack([samples, alpha])


def _raw_mode(tile: Any) -> str:
    """Of a tile of Pillow's, whose arguments are it or begin with it."""
    arguments = tile[3]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _other_raw_mode(raw_mode: str) -> str:
    mode, _, order = raw_mode.partition(";16")
    return f"{mode};16{_OTHER_ORDER[order]}" if mode in _MODES and order in _OTHER_ORDER else ""


def _with_raw_mode(tile: Any, raw_mode: str) -> Any:
    arguments = tile[3]
    changed = (raw_mode, *arguments[1:]) if isinstance(arguments, tuple) else raw_mode
    return tile._replace(args=changed)
