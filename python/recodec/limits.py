"""How large a picture may be before it is refused."""

from __future__ import annotations

from recodec.errors import LimitError

# Without tiles the working memory grows with the picture; about 3 GB at this size.
DEFAULT_MAX_PIXELS = 2**25


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raise :class:`LimitError` if a picture exceeds ``max_pixels``."""
    if width * height > max_pixels:
        raise LimitError(
            f"the picture has {width} x {height} = {width * height} pixels; the limit is {max_pixels}, "
            "raise max_pixels to allow it"
        )
