"""Frozen dataclasses from tables of TOML and JSON: every key known, none lacking, types as they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

Table = TypeVar("Table")


def from_table(
    kind: type[Table],
    table: object,
    where: str,
    error: type[Exception],
    *,
    nested: Mapping[str, type[Any]] | None = None,
    typed: bool = True,
) -> Table:
    """Build a dataclass from a table; fields named in ``nested`` are tables of their own.

    What is not as it should be raises ``error``, which names the place, the key and what is known. With ``typed``,
    a value must be of the type of its field's default, but for whole numbers in the place of real ones and lists
    in that of tuples; whatever has no default, the dataclass checks. ``ValueError`` and ``error`` of the dataclass
    come out with the place in front.
    """
    if not isinstance(table, Mapping):
        raise error(f"{where} is {table!r}; it must be a table")
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(table) - set(known)):
        raise error(f"{where} has the unknown key {unknown[0]!r}; known are {', '.join(known)}")
    values = {}
    for name, value in table.items():
        if nested and name in nested:
            values[name] = from_table(nested[name], value, f"{name} of {where}", error)
        else:
            values[name] = _converted(known[name], value, where, error) if typed else value
    required = [f.name for f in known.values() if f.default is f.default_factory is MISSING]
    if absent := [name for name in required if name not in values]:
        raise error(f"{where} lacks {absent[0]!r}")
    try:
        return kind(**values)
    except (ValueError, error) as reason:
        raise error(f"{where}: {reason}") from reason


def _converted(known: Field[Any], value: Any, where: str, error: type[Exception]) -> Any:
    if known.default is MISSING or known.default is None:
        return value
    wanted = type(known.default)
    if wanted is float and type(value) is int:
        return float(value)
    if wanted is tuple and isinstance(value, list) and all(type(v) in (int, float) for v in value):
        return tuple(map(float, value))
    if type(value) is wanted:
        return value
    raise error(f"{where}: {known.name} is {value!r}; it must be of type {wanted.__name__}")
