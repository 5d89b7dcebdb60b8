"""Lists in, lists out: every item is tried, and one that fails costs itself alone. Loads no torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol, TypeAlias, TypeVar

from recodec.errors import BatchError

Item = TypeVar("Item")
Result = TypeVar("Result")
Given_co = TypeVar("Given_co", covariant=True)


class Indexed(Protocol[Given_co]):
    """What torch calls a map-style ``Dataset``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Given_co: ...


# Lists and tuples among them, generators, and Datasets of both styles.
Several: TypeAlias = Iterable[Item] | Indexed[Item]

# Of arrays whose items are things of their own: objects, and text, which is paths.
_KINDS = "OU"


def is_several(data: object) -> bool:
    """Whether a caller gave several things instead of one: a sequence, an iterable or a map-style ``Dataset``.

    A path, bytes, an open file, pixels, and what has no order or is found by key are one thing, whatever that may be.
    """
    if isinstance(data, str | os.PathLike | Mapping | AbstractSet | type) or hasattr(data, "read"):
        return False
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(data, numpy.ndarray):
        return data.ndim == 1 and data.dtype.kind in _KINDS
    # Tensors, images, and arrays of other libraries; to ask an image itself would load it.
    kind = type(data)
    if hasattr(kind, "__dlpack__") or hasattr(kind, "__array_interface__") or _is_memory(data):
        return False
    return isinstance(data, Iterable) or (hasattr(data, "__len__") and hasattr(data, "__getitem__"))


def _is_memory(data: Any) -> bool:
    try:
        memoryview(data)
    # Of released memory and the like.
    except (ValueError, BufferError):
        return True
    except TypeError:
        return False
    return True


class Items(Iterable[Any]):
    """The things of several, one after the other and each once; an error stands in the place of what cannot be had."""

    def __init__(self, several: Any):
        self._several = several
        mixed_in = getattr(type(several), "__iter__", None) in (None, Sequence.__iter__)
        # Such iterators end with their first error; by index the others are to be had.
        self._by_index = mixed_in and hasattr(several, "__getitem__")
        known = self._by_index or isinstance(several, Sequence) or hasattr(several, "ndim")
        self.count: int | None = len(several) if known else None

    def counted(self) -> Items:
        """The same, and how many: those of an iterator are all taken now."""
        return self if self.count is not None else Items([*self])

    def __iter__(self) -> Iterator[Any]:
        if self._by_index:
            for index in range(self.count or 0):
                yield attempt(self._several.__getitem__, index)
            return
        iterator = iter(self._several)
        while True:
            try:
                item = next(iterator)
            except StopIteration:
                return
            # What would have come after it nobody knows.
            except Exception as error:  # noqa: BLE001 - whatever happens, those before it have had their turn
                yield error
                return
            yield item


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


def outcomes(function: Callable[..., Any], items: Sequence[Any], **options: Any) -> list[Any]:
    """What a function of several gives, and errors in the places of those that fail."""
    try:
        return [*function(items, **options)]
    except BatchError as error:
        return [error.errors.get(place, one) for place, one in enumerate(error.results)]


def tried(function: Callable[[Item], Result], item: Item | Exception) -> Result | Exception:
    """:func:`attempt` of an item, or the error that stands in its place."""
    return item if isinstance(item, Exception) else attempt(function, item)


def each(function: Callable[[Any], Result], items: Iterable[Any]) -> list[Result]:
    """``function`` of every item. Raises :class:`BatchError` if it fails on some."""
    return collected(tried(function, item) for item in items)
