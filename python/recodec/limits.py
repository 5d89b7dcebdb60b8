"""How large a picture may be before it is refused."""

from __future__ import annotations

from recodec.errors import LimitError

# Without tiles the working memory grows with the picture: about 3.5 GB to encode one of this size.
DEFAULT_MAX_PIXELS = 2**24


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
