"""What files without loss ask of a picture: that its samples are levels, and that nothing was converted on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recodec.errors import ImageError

# Modes of Pillow whose conversion to what is stored rounds, and what they become.
_ROUNDED = {
    **dict.fromkeys(("CMYK", "YCbCr", "LAB", "HSV"), "RGB"),
    "La": "LA",
    "RGBa": "RGBA",
}
# What float32 makes of levels, and far less than any picture has between them.
_TOLERANCE = 1e-3


def check_mode(mode: str) -> None:
    """Raise :class:`ImageError` for a mode whose samples are not those that a file holds."""
    if stored := _ROUNDED.get(mode):
        raise ImageError(
            f"the image has mode {mode}, which becomes {stored} by rounding: no lossless file keeps it; convert it to "
            f"{stored} yourself, and encode what comes of it"
        )


def levels(values: NDArray[Any], white: int = 255) -> NDArray[np.uint8]:
    """Floats of 0..255, or of 0..1 with ``white`` 1, as the levels that they are. Raises :class:`ImageError`."""
    scaled = values.astype(np.float64) * (255 / white)
    found = np.rint(scaled.clip(0, 255))
    # NaN is not close either.
    if not (np.abs(scaled - found) <= _TOLERANCE).all():
        raise ImageError(
            "the picture has samples that are none of the 256 levels (fractions, NaN, or beyond black and white), "
            "which no lossless file keeps; round and clamp them to uint8 first"
        )
    return np.asarray(found, np.uint8)
