"""Which files of a folder are meant, what becomes of them in another, and which are left out."""

from __future__ import annotations

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from recodec.errors import ImageError, OutputError, RecodecError, SourceError
from recodec.io.picture_kinds import advice_by_suffix

# More kinds than this make a line that nobody reads.
_KINDS_SHOWN = 8


class Pair(NamedTuple):
    """A file, what it becomes, and what is known to stand in the way before it is tried."""

    source: str
    target: str
    problem: RecodecError | None = None


class LeftOut(NamedTuple):
    """A file of a folder that was not asked for: ``kind`` is its suffix, "no suffix", or what it is instead."""

    file: str
    kind: str


class Plan(NamedTuple):
    """What is to be done, and what is not."""

    pairs: list[Pair]
    left_out: list[LeftOut]


def summary(left_out: Sequence[LeftOut]) -> str:
    """Files that are left out in one line, such as "3 files left out: .txt 2, no suffix 1"."""
    kinds = sorted(Counter(one.kind for one in left_out).items(), key=lambda one: (-one[1], one[0]))
    shown = [f"{kind} {count}" for kind, count in kinds[:_KINDS_SHOWN]]
    if others := sum(count for _, count in kinds[_KINDS_SHOWN:]):
        shown.append(f"others {others}")
    return f"{len(left_out)} file{'s' * (len(left_out) != 1)} left out: {', '.join(shown)}"


def plan(sources: Iterable[str], target: str, suffix: str, *, wanted: Callable[[str], bool]) -> Plan:
    """Files and what they become in the folder ``target``, ending in ``suffix``.

    A source that is a folder stands for every file in and below it that is ``wanted``, at the same place below
    ``target``. Links to folders are not followed, nor is ``target`` itself searched.
    """
    left_out: list[LeftOut] = []
    found = [
        Pair(path, os.path.join(target, os.path.splitext(place)[0] + suffix), problem)
        for source in sources
        for path, place, problem in find(source, wanted, left_out, besides=os.path.realpath(target))
    ]
    # Unequal names may still be one file, by a link.
    places = [os.path.realpath(pair.target) for pair in found]
    rivals = defaultdict(list)
    for place, pair in zip(places, found, strict=True):
        rivals[place].append(pair.source)
    pairs = [
        pair._replace(problem=_clash(rivals[place], pair.target)) if len(rivals[place]) > 1 else pair
        for place, pair in zip(places, found, strict=True)
    ]
    return Plan(pairs, left_out)


def _clash(rivals: Sequence[str], output: str) -> OutputError:
    both = "both" if len(rivals) == 2 else "all"
    return OutputError(
        f"{' and '.join(map(repr, rivals))} would {both} become {output!r}; rename all but one"
    )


def find(
    source: str, wanted: Callable[[str], bool], left_out: list[LeftOut], *, besides: str = ""
) -> Iterator[tuple[str, str, RecodecError | None]]:
    """Paths of files, where they lie below ``source``, and what stands in their way; adds to what is left out.

    The folder ``besides``, a real path, is not searched.
    """
    if not os.path.isdir(source):
        yield source, os.path.basename(source), None
        return
    found: dict[str, RecodecError | None] = {}

    def unreadable(error: OSError) -> None:
        found[error.filename] = SourceError(f"the folder cannot be searched: {error.strerror or error}")

    others: list[LeftOut] = []
    for folder, below, names in os.walk(source, onerror=unreadable):
        below[:] = [name for name in below if os.path.realpath(os.path.join(folder, name)) != besides]
        paths = [os.path.join(folder, name) for name in names]
        links = [path for name in below if os.path.islink(path := os.path.join(folder, name))]
        others += (LeftOut(link, "linked folder") for link in links)
        for path in paths:
            kind, problem = _look(path, wanted)
            if kind:
                others.append(LeftOut(path, kind))
            else:
                found[path] = problem
    left_out += sorted(others)
    for path in sorted(found):
        yield path, os.path.relpath(path, source), found[path]


def _look(path: str, wanted: Callable[[str], bool]) -> tuple[str, RecodecError | None]:
    """What kind of file of a folder is left out, empty for one that is not; and what stands in its way."""
    suffix = os.path.splitext(path)[1].lower()
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        what = "broken link" if os.path.islink(path) else "the file cannot be read"
        # Without a suffix there is no telling what it should have been.
        if suffix and wanted(path):
            return "", SourceError(f"{what}: {error.strerror}")
        return suffix or what, None
    # To read from a pipe or a device may take for ever.
    if not stat.S_ISREG(mode):
        return "special file", None
    if not wanted(path):
        return suffix or "no suffix", None
    advice = advice_by_suffix(path)
    return "", ImageError(f"it cannot be read: {advice}") if advice else None
