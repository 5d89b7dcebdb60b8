"""Dataclasses from tables: what is wrong is named with its place."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from recodec.errors import RecipeError
from recodec.tables import from_table


@dataclass(frozen=True)
class Inner:
    depth: int = 2

    def __post_init__(self) -> None:
        if self.depth < 0:
            raise ValueError(f"depth is {self.depth}")


@dataclass(frozen=True)
class Outer:
    name: str
    rate: float = 0.5
    scale: tuple[float, float] = (0.0, 1.0)
    flip: bool = False
    free: object = None
    inner: Inner = field(default_factory=Inner)


def read(table: object, **options: bool) -> Outer:
    return from_table(Outer, table, "the table", RecipeError, nested={"inner": Inner}, **options)


def test_tables_become_dataclasses() -> None:
    found = read({"name": "a", "rate": 1, "scale": [0, 2], "free": [3], "inner": {"depth": 4}})
    assert found == Outer("a", 1.0, (0.0, 2.0), free=[3], inner=Inner(4))
    assert type(found.rate) is float
    assert read({"name": "a"}) == Outer("a")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (3, "the table is 3; it must be a table"),
        ({"name": "a", "rat": 1}, "the table has the unknown key 'rat'; known are name, rate, scale"),
        ({}, "the table lacks 'name'"),
        ({"name": "a", "rate": "fast"}, "the table: rate is 'fast'; it must be of type float"),
        ({"name": "a", "rate": True}, "rate is True"),
        ({"name": "a", "flip": 1}, "flip is 1; it must be of type bool"),
        ({"name": "a", "scale": [1, "b"]}, "scale is [1, 'b']"),
        ({"name": "a", "inner": 1}, "inner of the table is 1; it must be a table"),
        ({"name": "a", "inner": {"deep": 1}}, "inner of the table has the unknown key 'deep'"),
        ({"name": "a", "inner": {"depth": -1}}, "inner of the table: depth is -1"),
    ],
)
def test_what_is_wrong_is_named(table: object, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read(table)
    assert words in str(caught.value)


def test_types_may_be_left_to_the_dataclass() -> None:
    assert read({"name": "a", "rate": "fast"}, typed=False).rate == "fast"  # type: ignore[comparison-overlap]
