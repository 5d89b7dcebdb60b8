"""How large a picture may be before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from recodec.errors import LimitError

DEFAULT_MAX_PIXELS = 2**26

# Encoding and progressive decoding keep a state for every position.
DEFAULT_MAX_MEMORY = 4 * 2**30

# What the process takes beside what grows with a picture: with torch and one tile at work, and without.
TORCH_BYTES, PLAIN_BYTES = 700 * 2**20, 64 * 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may take: pixels, and bytes of memory of the whole process."""

    max_pixels: int = DEFAULT_MAX_PIXELS
    max_memory: int = DEFAULT_MAX_MEMORY


def too_much_memory(needed: int, max_memory: int) -> LimitError:
    """The error for a process of ``needed`` bytes."""
    return LimitError(
        f"this picture takes about {-(-needed // 2**20)} MiB of memory; the limit is "
        f"{max_memory / 2**20:.1f} MiB, raise max_memory (--max-memory)"
    )


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
