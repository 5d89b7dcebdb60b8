"""Lists in, lists out: every item is tried, and one that fails costs itself alone. Loads no torch."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeGuard, TypeVar

from recodec.errors import BatchError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Sequences, to Python, that are one thing to us: a path, or the bytes of a file.
_ONE = (str, bytes, bytearray, memoryview, array)


def is_several(data: object) -> TypeGuard[Sequence[Any]]:
    """Whether a caller gave a list, a tuple or another sequence of things instead of one."""
    return isinstance(data, Sequence) and not isinstance(data, _ONE)


def attempt(function: Callable[[Item], Result], item: Item) -> Result | Exception:
    """What a function returns or, as a value, what it raises."""
    try:
        return function(item)
    except Exception as error:  # noqa: BLE001 - whatever happens, the other items get their turn
        return error


def single(results: Sequence[Result | Exception]) -> Result:
    """The one result. Raises the error that stands in its place."""
    (result,) = results
    if isinstance(result, Exception):
        raise result
    return result


def collected(results: Iterable[Result | Exception]) -> list[Result]:
    """All results. Raises :class:`BatchError` if errors are among them."""
    found: list[Result] = []
    errors: dict[int, Exception] = {}
    everything: list[Result | None] = []
    for index, result in enumerate(results):
        if isinstance(result, Exception):
            errors[index] = result
            everything.append(None)
        else:
            found.append(result)
            everything.append(result)
    if errors:
        raise BatchError(everything, errors)
    return found


def each(function: Callable[[Any], Result], items: Iterable[Any]) -> list[Result]:
    """``function`` of every item. Raises :class:`BatchError` if it fails on some."""
    return collected(attempt(function, item) for item in items)
