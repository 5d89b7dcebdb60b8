"""Names of keyword arguments that several functions hand on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from recodec.errors import IgnoredOptionWarning, OptionError

_ELSEWHERE = {
    "model": "recodec.encode() and recodec.load()",
    **dict.fromkeys(("device", "dtype", "backend"), "recodec.load()"),
}
# Between options of other formats and ours, which are somewhat alike, and slips.
_SLIP = 0.75


def check_options(function: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise :class:`OptionError` for a name that ``function`` does not know, with the one that may be meant."""
    for name in given:
        if name in known:
            continue
        near = get_close_matches(name, [*known, *_ELSEWHERE], 1)
        if name in _ELSEWHERE:
            advice = f"it is one of {_ELSEWHERE[name]}"
        elif near:
            advice = f"did you mean {near[0]!r}?"
        else:
            advice = f"there are {', '.join(sorted(known))}"
        raise OptionError(f"{function}() has no option {name!r}; {advice}")


def ignored_options(given: Iterable[str], known: Collection[str]) -> IgnoredOptionWarning | None:
    """What to say of names that a function passes over, as they may be meant for others; None if it knows them all."""
    names = [name for name in given if name not in known]
    if not names:
        return None
    said = [
        f"{name!r} (did you mean {near[0]!r}?)"
        if (near := get_close_matches(name, known, 1, _SLIP))
        else repr(name)
        for name in names
    ]
    return IgnoredOptionWarning(f"not recodec's, and ignored: {', '.join(said)}")
