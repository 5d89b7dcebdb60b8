"""Single keys of a recipe from outside: held to what the recipe's file is held to."""

from __future__ import annotations

import copy

import pytest

from recodec.errors import RecipeError
from recodec.train.overrides import with_overrides
from recodec.train.recipe import find_recipe, load_recipe
from recodec.train.tasks.pixel.recipe import PixelRecipe

DATA = {"model": "a", "optimizer": {"clip": 1.0}, "phases": [{"steps": 5}, {"steps": 6}]}


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("seed=3", ("seed",), 3),
        ("optimizer.clip = 2e-1", ("optimizer", "clip"), 0.2),
        ("optimizer.fused=false", ("optimizer", "fused"), False),
        ("compute.precision=float32", ("compute", "precision"), "float32"),
        ('compute.precision="float32"', ("compute", "precision"), "float32"),
        ("phases.2.steps=7", ("phases", 1, "steps"), 7),
        ("phases.1.loss={ l1 = 1 }", ("phases", 0, "loss"), {"l1": 1}),
        ("phases=[]", ("phases",), []),
    ],
)
def test_keys_get_values(override: str, place: tuple[str | int, ...], value: object) -> None:
    before = copy.deepcopy(DATA)
    found: object = with_overrides(DATA, [override])
    for part in place:
        found = found[part]  # type: ignore[index]
    assert found == value
    assert type(found) is type(value)
    assert before == DATA


def test_the_last_of_a_key_holds() -> None:
    assert with_overrides(DATA, ["seed=1", "seed=2"])["seed"] == 2


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("seed", "the setting is 'seed'; give KEY=VALUE"),
        ("=3", "give KEY=VALUE"),
        ("optimizer..clip=3", "give KEY=VALUE"),
        ("model.id=3", "model is 'a' and holds no keys"),
        ("phases.3.steps=3", r"'3' must be a number in 1..2 there"),
        ("phases.0.steps=3", r"'0' must be a number in 1..2 there"),
        ("phases.first.steps=3", r"'first' must be a number in 1..2 there"),
        ("seed=", "no value as TOML has them"),
        ("seed=two words", "no value as TOML has them"),
        ("seed=1\nmodel=2", "more than one value"),
    ],
)
def test_what_cannot_be_set(override: str, reason: str) -> None:
    with pytest.raises(RecipeError, match=reason):
        with_overrides(DATA, [override])


def test_recipes_judge_values() -> None:
    path = find_recipe("dev-1")
    recipe = load_recipe(path, ["optimizer.clip=3", "phases.1.batch=2", "compute.compile=off"])
    assert isinstance(recipe, PixelRecipe)
    assert (recipe.optimizer.clip, recipe.phases[0].batch, recipe.compute.compile) == (3.0, 2, "off")
    for override, reason in (
        ("optimizer.clip=-3", "clip is -3.0; it must be above 0"),
        ("optimizer.clip=high", "clip is 'high'; it must be of type float"),
        ("optimiser.clip=3", "unknown key 'optimiser'"),
        ("phases.1.bach=3", "unknown key 'bach'"),
    ):
        with pytest.raises(RecipeError, match=reason):
            load_recipe(path, [override])
