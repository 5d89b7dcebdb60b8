"""Keyword arguments that several functions hand on: a typed dictionary names each, once, with all there is to say."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from recodec.errors import IgnoredOptionWarning, OptionError

_ELSEWHERE = {
    "model": "recodec.encode() and recodec.load()",
    **dict.fromkeys(("device", "dtype", "backend"), "recodec.load()"),
}
# Between options of other formats and ours, which are somewhat alike, and slips.
_SLIP = 0.75


Function = TypeVar("Function", bound=Callable[..., Any])
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Option:
    """Beside the type of a keyword argument, by :class:`typing.Annotated`: its default, and what it does."""

    default: Any
    text: str


def described(options: type) -> dict[str, tuple[Any, Option]]:
    """Type and description of every option of a typed dictionary."""
    found = {}
    for name, hint in get_type_hints(options, include_extras=True).items():
        assert get_origin(hint) is Annotated, name
        kind, option = get_args(hint)
        found[name] = kind, option
    return found


def with_options(options: type) -> Callable[[Function], Function]:
    """Let a function that takes ``**options`` show them all: in its signature, to completion, and in its help."""

    def decorate(function: Function) -> Function:
        known = described(options)
        signature = inspect.signature(function)
        *others, last = signature.parameters.values()
        assert last.kind is inspect.Parameter.VAR_KEYWORD
        named = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=kind)
            for name, (kind, option) in known.items()
        ]
        function.__signature__ = signature.replace(parameters=[*others, *named])  # type: ignore[attr-defined]
        lines = "\n".join(_help(name, option) for name, (_, option) in known.items())
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nOptions:\n{lines}\n"
        return function

    return decorate


def _help(name: str, option: Option) -> str:
    text = f"{name}: {' '.join(option.text.split())} Default: {option.default!r}."
    return textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="        ")


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
