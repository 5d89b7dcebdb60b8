"""Which files of a folder are meant, and what becomes of them in another."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator

from recodec.outputs import OutputError


def image_suffixes() -> set[str]:
    """Suffixes of the files that Pillow reads; recodec's own is none of them."""
    from PIL import Image

    kinds = Image.registered_extensions()
    return {suffix for suffix, name in kinds.items() if name in Image.OPEN and name != "RECODEC"}


def pair(
    sources: Iterable[str], target: str, suffix: str, *, inputs: Container[str]
) -> list[tuple[str, str]]:
    """Files and what they become in the folder ``target``, ending in ``suffix``.

    A source that is a folder stands for every file in and below it whose suffix is one of ``inputs``,
    at the same place below ``target``. Links to folders are not followed, nor is ``target`` itself searched.
    Raises :class:`OutputError` if two files would become one.
    """
    taken: dict[str, str] = {}
    for source in sources:
        for path, place in _find(source, inputs, os.path.realpath(target)):
            output = os.path.join(target, os.path.splitext(place)[0] + suffix)
            if output in taken:
                raise OutputError(f"{taken[output]!r} and {path!r} would both become {output!r}; rename one")
            taken[output] = path
    return [(path, output) for output, path in taken.items()]


def _find(source: str, suffixes: Container[str], left_out: str) -> Iterator[tuple[str, str]]:
    """Paths of files, and where they lie below ``source``."""
    if not os.path.isdir(source):
        yield source, os.path.basename(source)
        return
    unreadable: list[OSError] = []
    found: list[str] = []
    for folder, below, names in os.walk(source, onerror=unreadable.append):
        below[:] = [name for name in below if os.path.realpath(os.path.join(folder, name)) != left_out]
        paths = (os.path.join(folder, name) for name in names)
        found += (p for p in paths if os.path.splitext(p)[1].lower() in suffixes and os.path.isfile(p))
    # To read one will fail as it did here, and be reported like any other file that cannot be read.
    found += (error.filename for error in unreadable)
    for path in sorted(found):
        yield path, os.path.relpath(path, source)
