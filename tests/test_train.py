"""Training: recipes, crops, losses, resuming, and the matrix-product convolution."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recodec.errors import ImageError
from recodec.networks.cells import SameConv2d
from recodec.networks.recurrent import RecurrentCodec
from recodec.train.data import CropStream, Photographs, random_crop
from recodec.train.gemm_convolution import use_gemm_convolutions
from recodec.train.loop import Trainer, TrainingError
from recodec.train.losses import dissimilarity
from recodec.train.recipe import Recipe, RecipeError

from .conftest import GOLDEN


@pytest.fixture
def photographs(tmp_path: Path) -> Photographs:
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        coarse.resize((120, 90), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photograph")
    return Photographs([folder])


def short_recipe(tmp_path: Path, steps: int, **changes: str) -> Recipe:
    text = (GOLDEN / "tiny.toml").read_text()
    text = text.replace("steps = 1200", f"steps = {steps}").replace("crop = 64", "crop = 32")
    text = text.replace("iterations = 8\nlearning_rate", "iterations = 2\nlearning_rate")
    for old, new in changes.items():
        text = text.replace(old, new)
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return Recipe.load(path)


def test_unreadable_photographs_are_skipped_and_named(photographs: Photographs) -> None:
    assert len(photographs.images) == 3
    assert [Path(name).name for name in photographs.unreadable] == ["broken.jpg"]


def test_tar_shards_hold_the_same_photographs(tmp_path: Path, photographs: Photographs) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        archive.add(tmp_path / "photos", "photos")
    shard = Photographs([tmp_path / "shard.tar"])
    assert len(shard.images) == 3
    assert len(shard.unreadable) == 1
    one, other = (p.sample(4, 32, (0.5, 0.9), 7) for p in (photographs, shard))
    assert sorted(one.mean((1, 2, 3)).tolist()) == pytest.approx(
        sorted(other.mean((1, 2, 3)).tolist()), abs=0.5
    )


def test_no_photographs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no photograph"):
        Photographs([tmp_path])


@pytest.mark.parametrize("size", [(40, 200), (200, 40), (64, 64), (65, 300)])
def test_crops_fit_pictures_of_any_shape(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    image = Image.new("RGB", size, (10, 20, 30))
    for _ in range(20):
        crop = random_crop(image, 64, (0.4, 0.9), rng)
        assert crop.shape == (64, 64, 3)
        assert (crop == (10, 20, 30)).all()


def test_crops_are_in_range_and_seeded(photographs: Photographs) -> None:
    streams = [CropStream(photographs, 4, 32, (0.5, 0.9), seed) for seed in (1, 1, 2)]
    batches = [stream.next() for stream in streams]
    for stream in streams:
        stream.close()
    assert batches[0].shape == (4, 3, 32, 32)
    assert float(batches[0].abs().max()) <= 0.5
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (2, 1), (2, 2), (5, 3)])
def test_matrix_product_convolution_is_the_convolution(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    reference = torch.nn.Sequential(SameConv2d(3, 5, kernel, stride)).double()
    fast = torch.nn.Sequential(SameConv2d(3, 5, kernel, stride)).double()
    fast.load_state_dict(reference.state_dict())
    use_gemm_convolutions(fast)
    results = []
    for network in (reference, fast):
        x = torch.randn(2, 3, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        x.requires_grad_()
        y = network(x)
        (y * torch.arange(y.numel(), dtype=torch.float64).view_as(y).sin()).sum().backward()
        results.append((y, x.grad, network[0].weight.grad, network[0].bias.grad))
    for expected, value in zip(*results, strict=True):
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-11)


def test_dissimilarity_is_zero_for_equal_pictures_and_grows() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 3, 64, 64) - 0.5
    noise = torch.randn_like(x)
    values = [float(dissimilarity(x + s * noise, x)) for s in (0.0, 0.05, 0.2)]
    assert values[0] == pytest.approx(0, abs=1e-5)
    assert values[0] < values[1] < values[2] <= 2


def test_dissimilarity_follows_the_ssim_equation() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 12, 8, dtype=torch.float64)
    y = (x + 0.1 * torch.randn_like(x)).clamp(0, 1)
    values = []
    for top in (0, 4):
        a, b = x[..., top : top + 8, :], y[..., top : top + 8, :]
        covariance = ((a - a.mean()) * (b - b.mean())).mean()
        numerator = (2 * a.mean() * b.mean() + 0.01**2) * (2 * covariance + 0.03**2)
        spread = a.var(unbiased=False) + b.var(unbiased=False)
        values.append(numerator / ((a.mean() ** 2 + b.mean() ** 2 + 0.01**2) * (spread + 0.03**2)))
    expected = 1 - torch.stack(values).mean()
    torch.testing.assert_close(dissimilarity(x - 0.5, y - 0.5, scales=1), expected, rtol=0, atol=1e-12)


def mean_error(network: RecurrentCodec, crops: torch.Tensor) -> float:
    return float((network.unroll(crops, 2, "sign")[-1] - crops).abs().mean().detach())


def test_training_lowers_the_loss_and_resumes(tmp_path: Path, photographs: Photographs) -> None:
    trainer = Trainer(short_recipe(tmp_path, 60), photographs, tmp_path / "run")
    assert not trainer.resume()
    crops = photographs.sample(8, 32, (0.5, 0.9), 3)
    first = mean_error(trainer.network, crops)
    assert trainer.run(None, lambda line: None)
    last = mean_error(trainer.averaged_network(), crops)
    assert last < 0.9 * first

    again = Trainer(short_recipe(tmp_path, 60), photographs, tmp_path / "run")
    assert again.resume()
    assert (again.step, again.phase) == (60, 1)
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])


def test_time_limit_stops_with_a_checkpoint(tmp_path: Path, photographs: Photographs) -> None:
    trainer = Trainer(short_recipe(tmp_path, 10_000), photographs, tmp_path / "run")
    assert not trainer.run(0.02, lambda line: None)
    again = Trainer(short_recipe(tmp_path, 10_000), photographs, tmp_path / "run")
    assert again.resume()
    assert again.step == trainer.step > 0


def test_checkpoint_of_another_network_is_refused(tmp_path: Path, photographs: Photographs) -> None:
    Trainer(short_recipe(tmp_path, 5), photographs, tmp_path / "run").save()
    other = short_recipe(tmp_path, 5, **{"depth = 16": "depth = 8"})
    with pytest.raises(TrainingError, match="another network"):
        Trainer(other, photographs, tmp_path / "run").resume()


def test_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    tmp_path: Path, photographs: Photographs
) -> None:
    trainer = Trainer(short_recipe(tmp_path, 5), photographs, tmp_path / "run")
    trainer.save()
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    with torch.no_grad():
        trainer.network.decoder.output.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="not finite"):
        trainer.run(None, lambda line: None)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("depth = 16", "depht = 16", "depht"),
        ("steps = 5", "steps = 0", "exactly one"),
        ("steps = 5", "steps = 5\nminutes = 1", "exactly one"),
        ("crop = 32", "crop = 33", "multiple of the stride 16"),
        ("batch = 8", "batch = 0", "batch is 0"),
        ("[network]", "[network", "recipe"),
        ("4e-3", "-1.0", "learning_rate is -1"),
    ],
)
def test_bad_recipes_say_what_is_wrong(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises((RecipeError, Exception), match=words) as caught:
        short_recipe(tmp_path, 5, **{old: new})
    assert type(caught.value).__name__ in ("RecipeError", "WeightsError")


def test_bytes_of_a_shard_are_closed_after_reading(tmp_path: Path, photographs: Photographs) -> None:
    buffer = io.BytesIO()
    photographs.images[0].save(buffer, "png")
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.size = len(buffer.getvalue())
        archive.addfile(member, io.BytesIO(buffer.getvalue()))
    shard = Photographs([tmp_path / "s.tar"])
    (tmp_path / "s.tar").unlink()
    assert shard.images[0].size == photographs.images[0].size
