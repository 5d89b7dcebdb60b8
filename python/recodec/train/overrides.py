"""Single keys of a recipe, set from outside: ``optimizer.clip=2``."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from recodec.errors import RecipeError

_BARE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def with_overrides(recipe: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A recipe's plain data with every ``KEY=VALUE`` of ``overrides`` in it; the data given stays as it is.

    KEY is a key of the recipe, of a table after a dot, of a phase or a layer by its number from 1: ``seed``,
    ``optimizer.clip``, ``phases.2.batch``. VALUE is written as in TOML; a single word needs no quotes. Whether a key
    exists and a value may be is for whoever builds the recipe. Raises :class:`RecipeError`.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(recipe))
    for setting in overrides:
        key, equals, text = setting.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise RecipeError(f"the setting is {setting!r}; give KEY=VALUE, for example optimizer.clip=2")
        place: Any = changed
        for depth, part in enumerate(parts[:-1], start=1):
            here = place
            place = here.setdefault(part, {}) if isinstance(here, dict) else here[_index(here, part, setting)]
            if not isinstance(place, dict | list):
                name = ".".join(parts[:depth])
                raise RecipeError(f"{setting!r} cannot be set: {name} is {place!r} and holds no keys")
        last: Any = parts[-1] if isinstance(place, dict) else _index(place, parts[-1], setting)
        place[last] = _value(text.strip(), setting)
    return changed


def _index(items: list[Any], part: str, setting: str) -> int:
    if not part.isdecimal() or not 1 <= int(part) <= len(items):
        raise RecipeError(f"{setting!r} cannot be set: {part!r} must be a number in 1..{len(items)} there")
    return int(part) - 1


def _value(text: str, setting: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError as error:
        if _BARE_WORD.fullmatch(text):
            return text
        raise RecipeError(f"{setting!r} has no value as TOML has them: {error}") from error
    if len(parsed) != 1:
        raise RecipeError(f"{setting!r} has more than one value; repeat --set instead")
    return parsed["value"]
