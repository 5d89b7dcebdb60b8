"""Where a caller would like results written: a path, which gets all or nothing, or an open binary file.

Loads no torch.
"""

from __future__ import annotations

import errno
import io
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from recodec.errors import OptionError, OutputError
from recodec.file_errors import of_file
from recodec.io import outputs
from recodec.several import Items

Destination: TypeAlias = str | os.PathLike[str] | BinaryIO


def destinations(out: Any, items: int | None) -> list[Destination | None]:
    """One destination for every item, None where nothing is written; ``items`` None is one that is no list.

    What cannot work is found before anything slow. Raises :class:`OptionError` unless ``out`` fits, and
    :class:`OutputError` for what cannot be written.
    """
    if items is None:
        places = [out]
    elif out is None:
        return [None] * items
    elif not isinstance(out, Sequence) or isinstance(out, str | bytes) or len(out) != items:
        raise OptionError(f"out is {out!r:.80}; for a list of {items} give a list of as many paths or files")
    else:
        places = list(out)
    for place in places:
        if place is not None:
            _check(place)
    paths = [os.path.realpath(place) for place in places if isinstance(place, str | os.PathLike)]
    if twice := [path for path, times in Counter(paths).items() if times > 1]:
        raise OptionError(f"out names {twice[0]!r} more than once; give every item a file of its own")
    return places


def placed(items: Items, out: Any) -> tuple[Items, Iterable[Destination | None]]:
    """The same items, and a destination for every one. Raises like :func:`destinations`."""
    if out is None:
        return items, repeat(None)
    items = items.counted()
    return items, destinations(out, items.count)


def deliver(place: Destination | Replaced, data: bytes) -> None:
    """Write a result. Raises :class:`OutputError`; a path then has what it had before."""
    try:
        if isinstance(place, str | os.PathLike):
            outputs.write(place, data)
            return
        if isinstance(place, Replaced):
            place = place.emptied()
        view = memoryview(data)
        while view:
            # Unbuffered files may take a part.
            written = place.write(view)
            view = view[len(view) if written is None else written :]
    except OSError as error:
        raise _failed(place, error) from error
    except ValueError as error:
        raise OutputError(f"the output {_name(place)} cannot be written: {error}") from error


class Replaced:
    """An open file in which results take each other's place. Raises :class:`OptionError` if it cannot go back."""

    def __init__(self, file: BinaryIO):
        self._file, self.name = file, getattr(file, "name", None)
        try:
            self._start = file.tell()
            file.seek(self._start)
        except (AttributeError, OSError, ValueError):
            raise OptionError(
                f"out is {_name(file)}, which cannot go back to where it stands; give a path, or a file that can"
            ) from None

    def emptied(self) -> BinaryIO:
        """The file, where it stood, without what was written since."""
        self._file.seek(self._start)
        self._file.truncate()
        return self._file


def _check(place: Any) -> None:
    if isinstance(place, str | os.PathLike):
        folder = Path(place).parent
        if os.path.isdir(place):
            raise _failed(place, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), place))
        if not folder.is_dir():
            raise _failed(
                place, FileNotFoundError(errno.ENOENT, f"there is no folder {str(folder)!r}", place)
            )
    elif not hasattr(place, "write"):
        raise OptionError(f"out is {place!r:.80}; give a path or an open binary file")
    elif isinstance(place, io.TextIOBase):
        raise OptionError(f"out is {_name(place)}, which takes text; open the file in binary mode ('wb')")


def _name(place: Any) -> str:
    return (
        repr(os.fspath(place)) if isinstance(place, str | os.PathLike) else f"of type {type(place).__name__}"
    )


def _failed(place: Any, error: OSError) -> Exception:
    said = f"the output {_name(place)} cannot be written: {error.strerror or error}"
    # Not that of the file which would have become it.
    name = os.fspath(place) if isinstance(place, str | os.PathLike) else None
    return of_file(OutputError, error, said, name)
