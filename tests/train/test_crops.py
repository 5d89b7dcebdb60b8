"""Crops of photographs, and what is kept of them."""

from __future__ import annotations

import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from recodec.errors import ImageError
from recodec.train.data.batches import to_pixels
from recodec.train.data.crops import Crops
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from recodec.train.data.tiles import high_entropy_tiles, random_crop
from tests.train.pictures import TRUNCATED, noise

# Crops


@pytest.mark.parametrize("size", [(40, 200), (200, 40), (64, 64), (65, 300), (3, 3), (1, 1), (2, 50)])
@pytest.mark.parametrize("side", [1, 49, 64])
def test_crops_fit_pictures_of_any_shape(size: tuple[int, int], side: int) -> None:
    rng = np.random.default_rng(1)
    image = Image.new("RGB", size, (10, 20, 30))
    for scale in (0.4, 0.9), (1, 4):
        for _ in range(10):
            crop = random_crop(image, side, scale, rng)
            assert crop.shape == (side, side, 3)
            assert (crop == (10, 20, 30)).all()


@pytest.mark.parametrize("selection", ["random", "high-entropy"])
def test_tiny_photographs_are_enlarged(tmp_path: Path, selection: str) -> None:
    Image.new("RGB", (3, 3), (10, 20, 30)).save(tmp_path / "a.png")
    crops = Crops(Photographs([tmp_path]), 32, CropOptions(selection=selection), 0)  # type: ignore[arg-type]
    assert (crops[0].pixels == torch.tensor([10, 20, 30])[:, None, None]).all()


@pytest.mark.parametrize("selection", ["random", "high-entropy"])
def test_crops_depend_on_seed_and_index_only(photographs: Photographs, selection: str) -> None:
    options = CropOptions(selection=selection)  # type: ignore[arg-type]
    one = Crops(photographs, 16, options, (3, 4))
    other = Crops(photographs, 16, options, (3, 4), cache_bytes=0)
    for index in (7, 0, 10**12, 3, 7):
        assert torch.equal(one[index].pixels, other[index].pixels)
        assert one[index].skipped == other[index].skipped
    assert one[0].pixels.shape == (3, 16, 16)
    assert one[0].pixels.dtype == torch.uint8
    assert not torch.equal(one[0].pixels, one[1].pixels)
    assert not torch.equal(one[0].pixels, Crops(photographs, 16, options, (3, 5))[0].pixels)


def test_crops_are_pictures_of_their_photographs(tmp_path: Path) -> None:
    gradient = np.mgrid[0:200, 0:200].transpose(1, 2, 0).astype(np.uint8)
    Image.fromarray(np.dstack([gradient, gradient[:, :, :1]])).save(tmp_path / "a.png")
    photographs = Photographs([tmp_path])
    rightwards = {True: 0, False: 0}
    for index in range(60):
        crop = Crops(photographs, 32, CropOptions(), 0)[index].pixels.float()
        assert crop[0, -1].mean() > crop[0, 0].mean() + 30
        rightwards[bool(crop[1, :, -1].mean() > crop[1, :, 0].mean())] += 1
        straight = Crops(photographs, 32, CropOptions(mirror=False), 0)[index].pixels.float()
        assert straight[1, :, -1].mean() > straight[1, :, 0].mean()
    assert min(rightwards.values()) > 15


@pytest.mark.parametrize(
    ("options", "checksum"),
    [
        ({}, 1945539688),
        ({"scale": (0.5, 1), "mirror": False}, 1134585442),
        ({"scale": (1, 1)}, 1297851686),
        ({"selection": "high-entropy"}, 1078448828),
    ],
)
def test_recipes_draw_the_pixels_they_always_drew(
    tmp_path: Path, options: dict[str, Any], checksum: int
) -> None:
    for index in range(4):
        noise(120 - 7 * index, 70 + 9 * index, index).save(tmp_path / f"{index}.png")
    crops = Crops(Photographs([tmp_path]), 48, CropOptions(**options), (5, 6))
    drawn = np.stack([crops[index].pixels.numpy() for index in range(8)])
    assert zlib.crc32(drawn.tobytes()) == checksum


def test_unreadable_photographs_are_named_and_never_black(photographs: Photographs) -> None:
    crops = [Crops(photographs, 16, CropOptions(), 1)[index] for index in range(60)]
    named = {name for crop in crops for name in crop.skipped}
    assert [Path(name).name for name in named] == [TRUNCATED]
    assert 2 < sum(bool(crop.skipped) for crop in crops) < 30
    assert all(crop.pixels.float().mean() > 64 for crop in crops)


def test_unreadable_photographs_alone_are_an_error(folder: Path) -> None:
    with pytest.raises(ImageError, match=f"100 photographs drawn in a row.*{TRUNCATED}"):
        Crops(Photographs([folder / TRUNCATED]), 16, CropOptions(), 1)[0]


def test_high_entropy_keeps_the_noise() -> None:
    picture = Image.new("RGB", (128, 64), (90, 90, 90))
    picture.paste(noise(64, 64), (64, 0))
    assert len(high_entropy_tiles(picture, 16, 1.0)) == 32
    assert len(high_entropy_tiles(picture, 16, 0.01)) == 1
    kept = high_entropy_tiles(picture, 16, 0.5)
    assert len(kept) == 16
    assert all(np.asarray(tile).std() > 30 for tile in kept)


def test_high_entropy_crops_are_kept_tiles(tmp_path: Path) -> None:
    picture = Image.new("RGB", (256, 128), (90, 90, 90))
    picture.paste(noise(128, 128), (128, 0))
    picture.save(tmp_path / "a.png")
    options = CropOptions(scale=(1, 1), selection="high-entropy", keep=0.11, mirror=False)
    crops = Crops(Photographs([tmp_path]), 16, options, 0)
    drawn = {crops[index].pixels.numpy().tobytes() for index in range(200)}
    kept = high_entropy_tiles(picture, 16, 0.11)
    assert len(kept) == 14
    assert drawn == {np.asarray(tile).transpose(2, 0, 1).tobytes() for tile in kept}


def test_cache_stays_within_its_bound_and_saves_work(
    photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    decode = Photographs.read

    def counted(self: Photographs, index: int) -> Image.Image:
        read.append(index)
        return decode(self, index)

    monkeypatch.setattr(Photographs, "read", counted)
    counts = []
    for limit in (0, 100_000, 1 << 30):
        read.clear()
        crops = Crops(photographs, 16, CropOptions(), 1, cache_bytes=limit)
        for index in range(50):
            before = crops[index].pixels
            assert crops._cache.held <= limit
            assert torch.equal(before, crops[index].pixels)
        counts.append(sum(index != 5 for index in read))
        assert (crops._cache.held > 0) == (limit > 0)
    assert counts[0] == 100 > counts[1] > counts[2] == 5


def test_cache_is_not_sent_to_other_processes(photographs: Photographs) -> None:
    crops = Crops(photographs, 16, CropOptions(), 1)
    first = crops[0].pixels
    again = pickle.loads(pickle.dumps(crops))
    assert again._cache.held == 0 < crops._cache.held
    assert torch.equal(again[0].pixels, first)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": (0, 0.5)}, "scale is 0 to 0.5"),
        ({"scale": (0.9, 0.4)}, "scale is 0.9 to 0.4"),
        ({"scale": (0.5, 5)}, "scale is 0.5 to 5"),
        ({"scale": (0.5, float("nan"))}, "scale is 0.5 to nan"),
        ({"keep": 0}, "keep is 0"),
        ({"keep": 1.1}, "keep is 1.1"),
        ({"selection": "best"}, "selection is 'best'"),
    ],
)
def test_crop_options_are_checked(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CropOptions(**changes)  # type: ignore[arg-type]


def test_crops_check_their_numbers(photographs: Photographs) -> None:
    with pytest.raises(ValueError, match="size is 0"):
        Crops(photographs, 0, CropOptions(), 1)
    with pytest.raises(ValueError, match="seed is -1"):
        Crops(photographs, 16, CropOptions(), (1, -1))
    with pytest.raises(ValueError, match="cache_bytes is -1"):
        Crops(photographs, 16, CropOptions(), 1, cache_bytes=-1)


def test_pixels_are_centred_on_zero() -> None:
    batch = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    assert to_pixels(batch).flatten().tolist() == pytest.approx([-0.5, -0.3, 0.5])
    assert to_pixels(batch).dtype == torch.float32
