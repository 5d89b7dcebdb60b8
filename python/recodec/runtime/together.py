"""How many pictures of a list are computed together."""

from __future__ import annotations

from recodec.container.targets import positive_int


def check_batch_size(wanted: int | None) -> int | None:
    """Raise :class:`TargetError` unless it is a number of pictures."""
    return None if wanted is None else positive_int("batch_size", wanted)


def pictures_together(most: int, wanted: int | None, *, alone: bool) -> int:
    """How many are computed at once where a device takes ``most`` by itself; a CPU, which takes one, always does so.

    Raises :class:`TargetError` for a wish that is none.
    """
    size = check_batch_size(wanted) or most
    return 1 if alone or most == 1 else size
