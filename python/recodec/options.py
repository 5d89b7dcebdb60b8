"""Names of keyword arguments that several functions hand on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from recodec.errors import OptionError

_ELSEWHERE = {
    "model": "recodec.encode() and recodec.load()",
    **dict.fromkeys(("device", "dtype", "backend"), "recodec.load()"),
}


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
