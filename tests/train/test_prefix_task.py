"""From a transform to a model that codes pictures: planes in order, the decoder on prefixes, the entropy model."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import TrainingError
from recodec.networks.latent.config import LatentConfig, SideConfig, TransformConfig
from recodec.train.data.photographs import Photographs
from recodec.train.recipe import Recipe, recipe_from_dict
from recodec.train.tasks.prefixes.recipe import PrefixRecipe
from recodec.train.tasks.prefixes.schedule import make_room
from recodec.train.tasks.rate_distortion.curves import CurveValidation
from recodec.train.tasks.rate_distortion.recipe import RateDistortionPhase
from recodec.train.tasks.transform.recipe import TransformRecipe
from recodec.weights import load_model, save_model
from tests.train.running import logged, make_trainer

SIDES = SideConfig(width=8, blocks=1, inner_width=8, inner_blocks=1)
PHASE = RateDistortionPhase(steps=12, crop=64, batch=4, learning_rate=1e-3, warm_up_steps=2)
TRANSFORM = TransformRecipe(
    model="transform",
    phases=(PHASE,),
    network=TransformConfig(channels=16, levels=3, analysis=SIDES, synthesis=SIDES),
    context_width=8,
)
PREFIXES = PrefixRecipe(
    model="prefixes",
    phases=(PHASE,),
    network=LatentConfig(channels=16, planes=8, chunks=6, analysis=SIDES, synthesis=SIDES),
    validation=CurveValidation(images=1),
)


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recodec.train.tasks.transform.task._SAMPLE_CROPS", 24)
    monkeypatch.setattr("recodec.train.tasks.prefixes.task._SAMPLE_CROPS", 12)
    monkeypatch.setattr("recodec.train.tasks.prefixes.task._CURVATURE_CROPS", 4)
    monkeypatch.setattr("recodec.train.tasks.prefixes.task._SAMPLE_SIZE", 64)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(1)
    for number in range(3):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 13, 3), dtype=np.uint8))
        coarse.resize((200, 180), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return Photographs([folder])


def exported(recipe: Recipe, photographs: Photographs, folder: Path, start: Path | None = None) -> Path:
    trainer = make_trainer(recipe, photographs, folder, photographs)
    if start is not None:
        trainer.start_from(load_model(start))
    assert trainer.run()
    path = folder / f"{recipe.model}.safetensors"
    trainer.task.export(path, trainer.averaged(), {})
    return path


@pytest.fixture(scope="module")
def transform(tmp_path_factory: pytest.TempPathFactory, photographs: Photographs) -> Path:
    return exported(TRANSFORM, photographs, tmp_path_factory.mktemp("transform"))


# Sixteen latents say little.
@pytest.mark.filterwarnings("ignore::recodec.UnsuitablePictureWarning")
def test_a_transform_becomes_a_codec(
    tmp_path: Path, photographs: Photographs, transform: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported(PREFIXES, photographs, tmp_path, transform)
    (planes,) = logged(tmp_path, "planes")
    assert len(planes["codes"]) == 6
    assert planes["rates"] == sorted(planes["rates"])
    assert planes["lambdas"] == sorted(planes["lambdas"]), "each chunk pays less than the one before"
    model = load_model(path)
    before = load_model(transform).network.analysis.state_dict()
    for name, value in model.network.analysis.state_dict().items():
        assert torch.equal(value, before[name]), "the encoder stays"
    image = np.asarray(photographs.read(0))
    codec = recodec.load(path)
    data = codec.encode(image, iterations=6)
    sizes = [len(recodec.truncate(data, iterations=count)) for count in range(1, 7)]
    assert sizes == sorted(sizes)
    assert np.asarray(codec.decode(data)).shape == image.shape

    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    recipe = recipe_from_dict(
        {
            "model": "with-entropy",
            "task": "entropy",
            "codes_of": "prefixes",
            "images": 2,
            "width": 16,
            "phases": [{"steps": 4, "batch": 2}],
            "validation": {"images": 1},
        }
    )
    trainer = make_trainer(recipe, photographs, tmp_path / "entropy", photographs)
    trainer.task.prepare(step=0, origin="", stopped=lambda: False)
    assert trainer.run()
    assert trainer.validate()
    (report,) = logged(tmp_path / "entropy", "validation")
    # Heads, checksums and ends of chunks come to the code length.
    frame = 6 * 8 * 8 / image[..., 0].size
    # What files teach their coder the network in floating point does not know.
    assert 0.9 < sum(report["network_bpp"]) / (sum(report["float_bpp"]) + frame / 2) < 1
    trainer.task.export(tmp_path / "with-entropy.safetensors", trainer.averaged(), {})
    again = recodec.load("with-entropy")
    coded = again.encode(image, iterations=6)
    assert recodec.info(coded).details.entropy == "network-4"
    np.testing.assert_array_equal(np.asarray(again.decode(coded)), np.asarray(codec.decode(data)))

    joint = replace(PREFIXES, model="joint", costs_of="with-entropy", phases=(replace(PHASE, batch=2),))
    both = exported(joint, photographs, tmp_path / "joint", tmp_path / "with-entropy.safetensors")
    found, start = load_model(both), load_model("with-entropy")
    assert torch.equal(found.network.planes.chunk_of, start.network.planes.chunk_of)
    moved = found.network.analysis.linear.weight - start.network.analysis.linear.weight
    assert moved.abs().max() > 1e-4, "the encoder learns"
    assert any(not torch.equal(table, start.tables[name]) for name, table in found.tables.items()), (
        "so does the entropy network"
    )
    later = make_trainer(joint, photographs, tmp_path / "later")
    later.start_from(found)
    for name, table in later.task.costs.entropy.tables().items():
        assert torch.equal(table, found.tables[name]), "the start's own entropy network is gone on with"
    coded = recodec.load(both).encode(image)
    assert recodec.info(coded).details.entropy == "network-4"
    assert np.asarray(recodec.load(both).decode(coded)).shape == image.shape
    with pytest.raises(TrainingError, match="prefixes has no entropy network"):
        make_trainer(replace(joint, costs_of="prefixes"), photographs, tmp_path / "none")
    with pytest.raises(TrainingError, match="another network than the recipe"):
        make_trainer(joint, photographs, tmp_path / "early").start_from(load_model(transform))
    start.network.planes.chunk_of[0] = joint.network.chunks
    with pytest.raises(
        TrainingError, match="planes of with-entropy, which tells costs, are in another order"
    ):
        make_trainer(joint, photographs, tmp_path / "other").start_from(start)


def test_training_goes_on_where_it_stopped(tmp_path: Path, photographs: Photographs, transform: Path) -> None:
    straight = make_trainer(PREFIXES, photographs, tmp_path / "straight")
    straight.start_from(load_model(transform))
    assert straight.run()
    first = make_trainer(PREFIXES, photographs, tmp_path / "resumed")
    first.start_from(load_model(transform))
    assert not first.run(steps=6)
    again = make_trainer(PREFIXES, photographs, tmp_path / "resumed")
    assert again.resume()
    assert again.run()
    state = again.task.state_dict()
    for name, value in straight.task.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_there_is_no_decoder_without_a_transform(tmp_path: Path, photographs: Photographs) -> None:
    with pytest.raises(TrainingError, match="--start-from"):
        make_trainer(PREFIXES, photographs, tmp_path).run()


def test_planes_that_photographs_do_not_reach_go_with_the_one_below() -> None:
    chunk_of = torch.tensor([[2, 1, 3, 3], [3, 3, 3, 3], [2, 2, 1, 3]], dtype=torch.int16)
    wider = make_room(chunk_of, 3, torch.tensor([9.9, 9.9, 3.0]))
    assert wider.tolist() == [[2, 1, 1, 1], [3, 3, 3, 3], [2, 2, 1, 3]]


def test_saturated_colours_are_not_clamped(tmp_path: Path, photographs: Photographs, transform: Path) -> None:
    network = load_model(exported(PREFIXES, photographs, tmp_path, transform)).network
    colours = torch.tensor(list(product((-0.5, 0.5), repeat=3)))
    with torch.no_grad():
        latents = network.latents(colours[:, :, None, None].expand(-1, -1, 64, 64))
    clamped = (
        latents.abs() / network.planes.threshold[:, None, None] > network.planes.limit[:, None, None] + 1
    )
    sent = (network.planes.limit > 0) & (network.planes.limit < (1 << PREFIXES.network.planes) - 1)
    assert not bool(clamped[:, sent].any())


def test_a_codec_that_no_longer_says_what_chunks_pay_for_is_trained_on(
    tmp_path: Path, photographs: Photographs, transform: Path
) -> None:
    first = exported(PREFIXES, photographs, tmp_path / "first", transform)
    model = load_model(first)
    bare = tmp_path / "bare.safetensors"
    save_model(bare, model.network, {})
    found = []
    for path in (first, bare):
        trainer = make_trainer(PREFIXES, photographs, tmp_path / path.stem)
        trainer.task.start_from(load_model(path))
        found.append(trainer.task.lambdas.log())
    kept, measured = found
    assert torch.equal(measured, measured.cummax(0).values)
    correlation = torch.corrcoef(torch.stack([kept, measured]))[0, 1]
    assert correlation > 0.8
