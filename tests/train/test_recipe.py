"""Recipes: what they accept and what they say about the rest; the schedules that follow from them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from recodec.errors import RecipeError
from recodec.networks.pixel.paper import paper_config
from recodec.train.recipe import find_recipe, load_recipe
from recodec.train.schedule import learning_rate
from recodec.train.tasks.pixel.recipe import PixelPhase, PixelRecipe
from recodec.weights import load_model
from tests.conftest import GOLDEN

TEXT = """
model = "small"
seed = 3

[network]
depth = 16
iterations = 8
reconstruction = "additive"
front_end = "dct8"
encoder = [{ kind = "gru", width = 16, resample = 2 }]
decoder = [{ kind = "gru", width = 16, resample = 2 }]

[data]
scale = [0.5, 1]
selection = "high-entropy"

[optimizer]
clip = 2

[[phases]]
steps = 5
crop = 32
learning_rate = 4e-3
noise = [1, 0.5]
loss = { l1 = 0, ms_ssim = 1 }

[[phases]]
minutes = 1
"""


def load(folder: Path, text: str) -> PixelRecipe:
    path = folder / "recipe.toml"
    path.write_text(text)
    recipe = load_recipe(path)
    assert isinstance(recipe, PixelRecipe)
    return recipe


def test_a_recipe_says_everything(tmp_path: Path) -> None:
    recipe = load(tmp_path, TEXT)
    assert (recipe.model, recipe.seed, recipe.network.encoder[0].kind) == ("small", 3, "gru")
    assert (recipe.data.scale, recipe.data.selection) == ((0.5, 1.0), "high-entropy")
    assert (recipe.optimizer.clip, recipe.optimizer.ema) == (2.0, 0.999)
    first, second = recipe.phases
    assert (first.steps, first.noise, first.loss.l1, first.loss.ms_ssim) == (5, (1.0, 0.5), 0.0, 1.0)
    assert (second.minutes, second.crop, second.loss.l1) == (1.0, 64, 1.0)


SHIPPED = [
    find_recipe(name)
    for name in (
        "dev-1",
        "dev-latent",
        "latent-1",
        "latent-2",
        "paper-1",
        "paper-lstm",
        "paper-lstm-small",
        "rnn-1",
    )
]


@pytest.mark.parametrize("path", [GOLDEN / "tiny.toml", *SHIPPED], ids=lambda path: path.stem)
def test_recipes_of_the_project_load(path: Path) -> None:
    assert load_recipe(path).model == path.stem


def test_the_documented_recipe_is_made_of_defaults(tmp_path: Path) -> None:
    guide = (Path(__file__).parent.parent.parent / "docs" / "training.md").read_text()
    recipe = load(tmp_path, guide.split("```toml\n")[1].split("```")[0])
    (phase,) = recipe.phases
    assert recipe == PixelRecipe(
        model=recipe.model, network=recipe.network, phases=(PixelPhase(steps=phase.steps),)
    )


@pytest.mark.parametrize("name", ["dev-1", "rnn-1"])
def test_recipes_make_the_networks_that_are_shipped(name: str) -> None:
    assert load_recipe(find_recipe(name)).network == load_model(name).network.config


def test_the_paper_recipe_is_the_paper() -> None:
    assert load_recipe(find_recipe("paper-lstm")).network == paper_config()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 3", "sead = 3", "the recipe has the unknown key 'sead'"),
        ("seed = 3", 'seed = "3"', "seed is '3'; it must be of type int"),
        ("seed = 3", "seed = -3", "seed is -3"),
        ('model = "small"', "", "the recipe lacks 'model'"),
        ("depth = 16", "depht = 16", "network has the unknown key 'depht'"),
        ("depth = 16", "", "network lacks 'depth'"),
        ("depth = 16", "depth = 16\ngains = 1", "gains is 1; it must be true or false"),
        ("depth = 16", "depth = 16\ngain_slope = nan", "gain_slope is nan"),
        (
            'encoder = [{ kind = "gru",',
            'encoder = [{ kind = "gru", foo = 1,',
            "encoder layer 1 has the unknown key 'foo'",
        ),
        ("encoder = [{", "encoder = 3 # [{", "encoder is 3; it must be a list of layers"),
        (
            'model = "small"',
            'model = "../Small"',
            "model is '../Small'; it must be 1 to 32 of a-z, 0-9 and '-'",
        ),
        ("crop = 32", "crop = 100000", "crop is 100000; it must be in 1..4096"),
        ("minutes = 1", "minutes = inf", "minutes is inf"),
        ("depth = 16", "depth = 0", "depth is 0"),
        ('kind = "gru"', 'kind = "rnn"', "kind is 'rnn'"),
        ("scale = [0.5, 1]", "scale = [0.9, 0.5]", "scale is 0.9 to 0.5"),
        ("scale = [0.5, 1]", "scale = [0.9]", "scale"),
        ("scale = [0.5, 1]", "scale = 0.9", "scale is 0.9; it must be of type tuple"),
        ('selection = "high-entropy"', 'selection = "all"', "selection is 'all'"),
        ("[data]", "[dada]", "unknown key 'dada'"),
        ("clip = 2", "clip = 0", "clip is 0"),
        ("clip = 2", "ema = 1.0", "ema is 1.0"),
        ("clip = 2", "clip = true", "clip is True; it must be of type float"),
        ("[optimizer]\nclip = 2", '[compute]\nprecision = "int8"', "precision is 'int8'"),
        ("[optimizer]\nclip = 2", '[compute]\ncompile = "yes"', "compile is 'yes'"),
        ("[optimizer]\nclip = 2", "[validation]\nimages = 0", "images is 0"),
        ("steps = 5", "steps = 0", "phase 1: a phase has 0 steps and 0.0 minutes; give exactly one"),
        ("steps = 5", "steps = 5\nminutes = 1", "exactly one"),
        ("steps = 5", "stepps = 5", "phase 1 has the unknown key 'stepps'"),
        ("crop = 32", "crop = 33", "crop is 33; it must be a multiple of the stride 16"),
        ("crop = 32", "batch = 0", "batch is 0"),
        ("crop = 32", "iterations = 9", "at most the network's 8 iterations"),
        ("crop = 32", "iterations = 5\nlead_in = 4", "at most the network's 8 iterations"),
        ("crop = 32", 'unroll = "half"', "unroll is 'half'"),
        ("4e-3", "-1.0", "learning_rate is -1"),
        ("4e-3", "nan", "learning_rate is nan"),
        ("noise = [1, 0.5]", "noise = [2, 0]", "noise is"),
        ("noise = [1, 0.5]", "noise = [1]", "noise is"),
        ("noise = [1, 0.5]", "sent = [0.5, 1]", "phase 1 has the unknown key 'sent'"),
        ("noise = [1, 0.5]", "density = [0.2]", "density is (0.2,); it must be given for networks with"),
        ("noise = [1, 0.5]", "density = 0.2", "density is 0.2; it must be of type tuple"),
        (
            "noise = [1, 0.5]",
            "density = [0.2, 1]",
            "phase 1: density is (0.2, 1.0); it must be shares above 0",
        ),
        ("noise = [1, 0.5]", "density = [0]", "density is (0.0,)"),
        ("noise = [1, 0.5]", "density = [nan]", "density is (nan,)"),
        ("seed = 3", 'start = "zeros"', "start is 'zeros'; it must be one of"),
        ("seed = 3", "start = true", "start is True; it must be of type str"),
        ("seed = 3", 'start = "transform"', "start is 'transform'; it must be \"random\" for this network"),
        ("clip = 2", 'trains = "encoder"', "optimizer of the recipe: trains is 'encoder'; it must be one of"),
        ("clip = 2", "trains = 1", "trains is 1; it must be of type str"),
        ("clip = 2", "shortcut_rate = -1", "shortcut_rate is -1.0; it must be at least 0"),
        ("clip = 2", "shortcut_rate = nan", "shortcut_rate is nan"),
        ("clip = 2", 'shortcut_rate = "fast"', "shortcut_rate is 'fast'; it must be of type float"),
        ("encoder = [{ kind", "# [{ kind", "network lacks 'encoder'"),
        ("depth = 16", "depth = 16\nembedding = -1", "embedding is -1; it must be a whole number in 0.."),
        ("depth = 16", "depth = 16\nfeedback = 4", "feedback is 4; it looks at what a shortcut adds"),
        ("ms_ssim = 1", "ms_ssim = -1", "ms_ssim is -1"),
        ("ms_ssim = 1", "msssim = 1", "loss of phase 1 has the unknown key 'msssim'"),
        ("ms_ssim = 1", "ms_ssim = 0", "all 0"),
        ("loss = {", "loss = 1 # {", "loss of phase 1 is 1; it must be a table"),
        ("[network]", "[network", "cannot be read as a recipe"),
    ],
)
def test_bad_recipes_say_where_and_what_is_wrong(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in TEXT
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, TEXT.replace(old, new, 1))
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


# What a start from the transform needs, and nothing that can be left out.
DEAD_ZONE = """
model = "small"
start = "transform"

[network]
depth = 16
iterations = 8
reconstruction = "masking"
front_end = "dct8"
gains = true
shortcut = true
own_projections = true
dead_zone = true
embedding = 12
feedback = 8
encoder = []
decoder = [{ kind = "gru", width = 16, resample = 2 }, { kind = "gru", width = 16 }]

[optimizer]
shortcut_rate = 0.25
trains = "decoder"

[[phases]]
steps = 5
density = [0.05, 0.1]

[[phases]]
minutes = 1
density = [0.2]
"""


def test_a_recipe_for_a_dead_zone_says_everything(tmp_path: Path) -> None:
    recipe = load(tmp_path, DEAD_ZONE)
    network, optimizer = recipe.network, recipe.optimizer
    assert (recipe.start, optimizer.trains, optimizer.shortcut_rate) == ("transform", "decoder", 0.25)
    assert (network.dead_zone, network.embedding, network.feedback) == (True, 12, 8)
    assert (network.encoder, network.stride, network.feedback_layer) == ((), 16, 1)
    assert [phase.density for phase in recipe.phases] == [(0.05, 0.1), (0.2,)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("density = [0.2]", "", "density is (); it must be given for networks with a dead zone"),
        ("density = [0.05, 0.1]", "density = []", "density is ()"),
        ("gains = true", "gains = false", "start is 'transform'"),
        ("own_projections = true", "", "start is 'transform'"),
        ('"masking"', '"one-shot"', "feedback is 8"),
        ('"masking"\nfront_end = "dct8"', '"additive"\nfront_end = "pixels"', "start is 'transform'"),
        ('front_end = "dct8"', 'front_end = "pixels"', 'reconstruction is "masking"'),
        ("shortcut = true", "", "encoder has no layers"),
        (', { kind = "gru", width = 16 }]', "]", "no decoder layer starts on the front end's grid"),
    ],
)
def test_bad_recipes_for_a_dead_zone_say_what_is_wrong(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in DEAD_ZONE
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, DEAD_ZONE.replace(old, new, 1))
    assert words in str(caught.value)


def test_a_recipe_without_phases_or_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="phases is \\(\\)"):
        load(tmp_path, TEXT[: TEXT.index("[[phases]]")])
    with pytest.raises(RecipeError, match="network"):
        load(tmp_path, 'model = "x"\nnetwork = 3')


def test_an_unknown_recipe_names_those_that_are_known() -> None:
    with pytest.raises(RecipeError, match="dev-1"):
        find_recipe("dev-one")


def test_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    phase = PixelPhase(steps=100, learning_rate=2.0, final_rate=0.5, warm_up_steps=10)
    assert learning_rate(phase, 0, 0.0) == pytest.approx(0.2)
    assert learning_rate(phase, 9, 0.0) == pytest.approx(2.0)
    assert learning_rate(phase, 50, 0.5) == pytest.approx(1.25)
    assert learning_rate(phase, 25, 0.25) == pytest.approx(0.5 + 1.5 * (0.5 + 0.5 * math.cos(math.pi / 4)))
    assert learning_rate(phase, 99, 1.0) == pytest.approx(0.5)


def test_noise_goes_from_sampled_to_sign() -> None:
    phase = PixelPhase(steps=1, noise=(1.0, 0.0))
    assert [phase.noise_amplitude(done) for done in (0.0, 0.25, 1.0)] == [1.0, 0.75, 0.0]


def test_unrolls_are_full_random_or_growing() -> None:
    rng = np.random.default_rng(0)
    assert PixelPhase(steps=1, iterations=8).unroll_length(0.1, rng) == (0, 8)
    drawn = {
        PixelPhase(steps=1, iterations=3, unroll="random").unroll_length(0.1, rng)[1] for _ in range(100)
    }
    assert drawn == {1, 2, 3}
    growing = PixelPhase(steps=1, iterations=4, unroll="growing")
    assert [growing.unroll_length(done, rng)[1] for done in (0.0, 0.24, 0.26, 0.8, 1.0)] == [1, 1, 2, 4, 4]
    lead_ins = [PixelPhase(steps=1, lead_in=3).unroll_length(0.1, rng)[0] for _ in range(400)]
    assert set(lead_ins) == {0, 1, 2, 3}
    assert lead_ins.count(0) == pytest.approx(250, abs=60)
