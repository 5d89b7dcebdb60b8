"""What recipes may ask of crops beyond a square of a photograph."""

from __future__ import annotations

import itertools
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from recodec.errors import ImageError, RecipeError
from recodec.train.data.batches import crop_batches
from recodec.train.data.colours import jittered
from recodec.train.data.crops import Crop, Crops
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from recodec.train.data.synthetic import synthetic_picture
from recodec.train.recipe import recipe_from_dict

SIZE = 24
EVERYTHING: dict[str, Any] = {
    "scale": (0.5, 1.0),
    "transpose": 0.5,
    "jitter": 0.5,
    "synthetic": 0.3,
    "weighting": "area",
    "enlarge": False,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photographs of different sizes, one that is smaller than a crop and one that is broken."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    sizes = {"large": (160, 120), "medium": (80, 60), "small": (40, 30), "tiny": (60, SIZE - 1)}
    for name, (width, height) in sizes.items():
        coarse = Image.fromarray(rng.integers(0, 256, (height // 5, width // 5, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"no photograph")
    return folder


@pytest.fixture
def photographs(folder: Path) -> Photographs:
    return Photographs([folder])


def drawn(photographs: Photographs, count: int, seed: int = 1, **options: Any) -> list[Crop]:
    crops = Crops(photographs, SIZE, CropOptions(**options), seed)
    return [crops[index] for index in range(count)]


def names(crops: list[Crop]) -> set[str]:
    return {Path(name).name for crop in crops for name in crop.skipped}


def test_all_options_depend_on_seed_and_index_only(photographs: Photographs) -> None:
    options = CropOptions(**EVERYTHING)
    one = Crops(photographs, SIZE, options, (3, 4))
    other = Crops(photographs, SIZE, options, (3, 4), cache_bytes=0)
    expected = {index: one[index] for index in range(40)}
    for index in reversed(range(40)):
        assert torch.equal(other[index].pixels, expected[index].pixels)
        assert other[index].skipped == expected[index].skipped


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("selection", ["random", "high-entropy"])
def test_all_options_resume_in_any_process(photographs: Photographs, selection: str) -> None:
    options = CropOptions(**EVERYTHING, selection=selection)  # type: ignore[arg-type]
    crops = Crops(photographs, SIZE, options, 2)
    with closing(crop_batches(crops, 6)) as batches:
        whole = list(itertools.islice(batches, 5))
    with closing(crop_batches(crops, 6, start=2, workers=2)) as batches:
        late = list(itertools.islice(batches, 3))
    for batch, again in zip(whole[2:], late, strict=True):
        assert torch.equal(batch.pixels, again.pixels)
        assert batch.skipped == again.skipped
    parts = []
    for rank in range(3):
        with closing(crop_batches(crops, 6, start=4, rank=rank, processes=3)) as batches:
            parts.append(next(batches).pixels)
    assert torch.equal(torch.cat(parts), whole[4].pixels)


def test_jitter_changes_its_share_and_nothing_else(photographs: Photographs) -> None:
    plain, some, every = (drawn(photographs, 200, jitter=share) for share in (0, 0.3, 1))
    changed = [not torch.equal(a.pixels, b.pixels) for a, b in zip(plain, some, strict=True)]
    assert 40 < sum(changed) < 80
    assert all(not torch.equal(a.pixels, b.pixels) for a, b in zip(plain, every, strict=True))
    # The same place of the same photograph in both: light and dark lie where they lay.
    correlations = [
        np.corrcoef(a.pixels.float().mean(0).flatten(), b.pixels.float().mean(0).flatten())[0, 1]
        for a, b in zip(plain, every, strict=True)
    ]
    assert np.mean(correlations) > 0.85


def test_jittered_crops_are_those_of_the_function(photographs: Photographs) -> None:
    crops = Crops(photographs, SIZE, CropOptions(mirror=False, jitter=1), 1)
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8) + np.arange(SIZE, dtype=np.uint8)[:, None, None]
    rng, same = np.random.default_rng(5), np.random.default_rng(5)
    same.random()
    assert np.array_equal(crops._vary(pixels, rng), jittered(pixels, same))


def test_transpose_turns_its_share(tmp_path: Path) -> None:
    rising = np.broadcast_to(np.arange(120, dtype=np.uint8)[:, None, None], (120, 120, 3))
    Image.fromarray(np.ascontiguousarray(rising)).save(tmp_path / "a.png")
    for share, least, most in (0, 0, 0), (0.5, 35, 65), (1, 100, 100):
        crops = drawn(Photographs([tmp_path]), 100, transpose=share)
        turned = sum(bool(crop.pixels[0, 0, 0] == crop.pixels[0, -1, 0]) for crop in crops)
        assert least <= turned <= most


def test_synthetic_pictures_replace_their_share(photographs: Photographs) -> None:
    crops = drawn(photographs, 300, synthetic=0.2, jitter=1, transpose=1)
    expected = []
    for index in range(300):
        rng = np.random.default_rng([1, index])
        if rng.random() < 0.2:
            expected.append(index)
            picture = synthetic_picture(SIZE, rng)
            assert np.array_equal(crops[index].pixels.numpy(), picture.transpose(2, 0, 1))
            assert crops[index].skipped == ()
    assert 35 < len(expected) < 85
    assert all(crop.pixels.shape == (3, SIZE, SIZE) and crop.pixels.is_contiguous() for crop in crops)


def test_area_weighs_by_pixels(folder: Path) -> None:
    grey = {"a": ((120, 100), 10), "b": ((60, 50), 100), "c": ((60, 50), 200)}
    below = folder / "grey"
    below.mkdir()
    for name, (size, level) in grey.items():
        Image.new("RGB", size, (level,) * 3).save(below / f"{name}.png")
    shard = folder / "grey.tar"
    with tarfile.open(shard, "w") as archive:
        archive.add(below, "grey")
    photographs = Photographs([shard])
    assert photographs.areas().tolist() == [12000, 3000, 3000]
    for weighting, share in ("picture", 1 / 3), ("area", 2 / 3):
        levels = [int(crop.pixels[0, 0, 0]) for crop in drawn(photographs, 600, weighting=weighting)]
        assert levels.count(10) / 600 == pytest.approx(share, abs=0.06)
        assert levels.count(100) == pytest.approx(levels.count(200), abs=60)


def test_area_of_what_cannot_be_read_is_the_average(photographs: Photographs) -> None:
    assert Path(photographs.names[0]).name == "broken.png"
    areas = photographs.areas()
    assert areas[0] == round(areas[1:].mean())
    assert names(drawn(photographs, 60, weighting="area")) == {"broken.png"}


def test_area_without_any_sound_photograph_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"100 photographs drawn in a row cannot be used.*a\.png"):
        drawn(Photographs([tmp_path]), 1, weighting="area")


def test_headers_are_read_once(photographs: Photographs, monkeypatch: pytest.MonkeyPatch) -> None:
    first = photographs.areas()
    monkeypatch.setattr(Photographs, "_area", lambda self, index: 1 / 0)
    assert photographs.areas() is first


@pytest.mark.parametrize("selection", ["random", "high-entropy"])
def test_small_photographs_are_skipped_by_name(photographs: Photographs, selection: str) -> None:
    assert names(drawn(photographs, 60, selection=selection)) == {"broken.png"}
    kept = drawn(photographs, 60, selection=selection, enlarge=False, scale=(0.5, 1))
    assert names(kept) == {"broken.png", "tiny.png"}
    kept = drawn(photographs, 60, selection=selection, enlarge=False, scale=(0.4, 0.7))
    assert names(kept) == {"broken.png", "tiny.png", "small.png"}


@pytest.mark.parametrize(("width", "high", "fits"), [(24, 1.0, True), (30, 0.8, True), (29, 0.8, False)])
def test_a_photograph_may_just_fit(tmp_path: Path, width: int, high: float, fits: bool) -> None:
    Image.new("RGB", (width, 50)).save(tmp_path / "a.png")
    options: dict[str, Any] = {"scale": (0.1, high), "enlarge": False}
    if fits:
        assert drawn(Photographs([tmp_path]), 3, **options)[2].skipped == ()
    else:
        with pytest.raises(
            ImageError, match=r"a\.png is smaller, even 0\.8 times its size, than a crop of 24"
        ):
            drawn(Photographs([tmp_path]), 1, **options)


def test_small_photographs_are_decoded_once(
    photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    decode = Photographs.read

    def counted(self: Photographs, index: int) -> Image.Image:
        read.append(index)
        return decode(self, index)

    monkeypatch.setattr(Photographs, "read", counted)
    crops = drawn(photographs, 60, enlarge=False, scale=(0.5, 1))
    tiny = next(i for i, name in enumerate(photographs.names) if name.endswith("tiny.png"))
    assert sum(any(name.endswith("tiny.png") for name in crop.skipped) for crop in crops) > 5
    assert read.count(tiny) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jitter": -0.1}, r"jitter is -0\.1; it must be in 0\.\.1"),
        ({"jitter": float("nan")}, "jitter is nan"),
        ({"synthetic": 1.5}, r"synthetic is 1\.5; it must be in 0\.\.1"),
        ({"transpose": 2}, r"transpose is 2; it must be in 0\.\.1"),
        ({"weighting": "size"}, "weighting is 'size'; it must be one of picture, area"),
    ],
)
def test_options_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CropOptions(**changes)


def test_recipes_name_bad_options() -> None:
    network = {
        "depth": 4, "iterations": 2, "reconstruction": "additive", "front_end": "dct8",
        "encoder": [{"kind": "conv", "width": 4, "kernel": 1, "resample": 2}],
        "decoder": [{"kind": "conv", "width": 4, "kernel": 1, "resample": 2}],
    }  # fmt: skip
    table = {"model": "a", "network": network, "phases": [{"steps": 1, "crop": 32, "iterations": 2}]}
    options = {**EVERYTHING, "scale": [0.5, 1]}
    assert recipe_from_dict({**table, "data": options}).data == CropOptions(**EVERYTHING)
    with pytest.raises(RecipeError, match=r"data of the recipe: synthetic is 5\.0; it must be in 0\.\.1"):
        recipe_from_dict({**table, "data": {"synthetic": 5}})
    with pytest.raises(RecipeError, match="enlarge is 1; it must be of type bool"):
        recipe_from_dict({**table, "data": {"enlarge": 1}})
