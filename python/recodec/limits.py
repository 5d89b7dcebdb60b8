"""How large a picture may be before it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

from recodec.errors import LimitError, TargetError

DEFAULT_MAX_PIXELS = 2**26

# Encoding and progressive decoding keep a state for every position.
DEFAULT_MAX_MEMORY = 4 * 2**30

# What the process takes beside what grows with a picture: with torch and one tile at work, and without.
TORCH_BYTES, PLAIN_BYTES = 700 * 2**20, 64 * 2**20


MAX_MEMORY_TEXT = """Refuse pictures for which the process would take more bytes of memory, of which some 700 MiB are
for anything; None is no limit."""

# More than any picture has, and little enough to reckon with.
_NO_LIMIT = 2**48


@dataclass(frozen=True, slots=True, init=False)
class Limits:
    """What one picture may take: pixels, and bytes of memory of the whole process. None is no limit.

    Raises :class:`TargetError` for what is no number.
    """

    max_pixels: int
    max_memory: int

    def __init__(
        self, max_pixels: float | None = DEFAULT_MAX_PIXELS, max_memory: float | None = DEFAULT_MAX_MEMORY
    ):
        for name, value in (("max_pixels", max_pixels), ("max_memory", max_memory)):
            object.__setattr__(self, name, _limit(name, value))

    def less(self, taken: int) -> Limits:
        """What is left beside so many bytes. Raises :class:`LimitError` where that is nothing."""
        if taken >= self.max_memory:
            raise too_much_memory(taken, self.max_memory)
        return Limits(self.max_pixels, self.max_memory - taken)


def _limit(name: str, value: Any) -> int:
    if value is None:
        return _NO_LIMIT
    number = isinstance(value, Real) and not isinstance(value, bool)
    # NaN is neither.
    if not number or not (value >= 0 or value < 0):
        raise TargetError(f"{name} is {value!r}; it must be a number, or None for no limit")
    return int(max(-1, min(value, _NO_LIMIT)))


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
