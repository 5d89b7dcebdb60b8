"""Which files of a folder are meant, and what becomes of them in another."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple


def image_suffixes() -> set[str]:
    """Suffixes of the files that Pillow reads; recodec's own is none of them."""
    from PIL import Image

    kinds = Image.registered_extensions()
    return {suffix for suffix, name in kinds.items() if name in Image.OPEN and name != "RECODEC"}


class Pair(NamedTuple):
    """A file, what it becomes, and why it cannot: empty unless another file would become the same."""

    source: str
    target: str
    clash: str


def pair(sources: Iterable[str], target: str, suffix: str, *, inputs: Container[str]) -> list[Pair]:
    """Files and what they become in the folder ``target``, ending in ``suffix``.

    A source that is a folder stands for every file in and below it whose suffix is one of ``inputs``,
    at the same place below ``target``. Links to folders are not followed, nor is ``target`` itself searched.
    """
    found = [
        (path, os.path.join(target, os.path.splitext(place)[0] + suffix))
        for source in sources
        for path, place in _find(source, inputs, os.path.realpath(target))
    ]
    # Unequal names may still be one file, by a link.
    places = [os.path.realpath(output) for _, output in found]
    rivals = defaultdict(list)
    for place, (path, _) in zip(places, found, strict=True):
        rivals[place].append(path)
    return [Pair(*files, _clash(rivals[place], files[1])) for place, files in zip(places, found, strict=True)]


def _clash(rivals: Sequence[str], output: str) -> str:
    if len(rivals) == 1:
        return ""
    both = "both" if len(rivals) == 2 else "all"
    return f"{' and '.join(map(repr, rivals))} would {both} become {output!r}; rename all but one"


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
