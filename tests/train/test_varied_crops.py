"""Crops that are changed or drawn: other colours, other orientations, synthetic pictures, weights by area."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recodec.errors import ImageError
from recodec.train.data.batches import crop_batches
from recodec.train.data.colours import jittered
from recodec.train.data.crops import Crops
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from recodec.train.data.synthetic import synthetic_picture

ALL = CropOptions(
    scale=(0.5, 1.0), transpose=0.25, jitter=0.3, synthetic=0.2, weighting="area", enlarge=False
)


def ramp(width: int, height: int) -> Image.Image:
    """Red grows downwards, green to the right, blue is 128."""
    down, right = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * down / height, 255 * right / width, np.full(down.shape, 128)], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def photographs(tmp_path: Path) -> Photographs:
    """One of 300×200, one of 60×50 pixels."""
    ramp(300, 200).save(tmp_path / "large.png")
    ramp(60, 50).save(tmp_path / "small.png")
    return Photographs([tmp_path])


def share(crops: Crops, other: Crops, count: int = 300) -> float:
    """How many of the first crops differ from those of other options."""
    return sum(not torch.equal(crops[i].pixels, other[i].pixels) for i in range(count)) / count


def test_every_option_keeps_crops_a_function_of_seed_and_index(photographs: Photographs) -> None:
    one, other = Crops(photographs, 48, ALL, (3, 4)), Crops(photographs, 48, ALL, (3, 4), cache_bytes=0)
    for index in (31, 0, 10**9, 5, 31):
        assert torch.equal(one[index].pixels, other[index].pixels)
        assert one[index].skipped == other[index].skipped


def test_any_number_of_processes_and_any_start_give_the_same_batches(photographs: Photographs) -> None:
    crops = Crops(photographs, 32, ALL, 7)
    whole = crop_batches(crops, 4)
    expected = [next(whole).pixels for _ in range(3)]
    whole.close()
    later = crop_batches(crops, 4, start=2)
    assert torch.equal(next(later).pixels, expected[2])
    later.close()
    halves = [crop_batches(crops, 4, rank=rank, processes=2) for rank in range(2)]
    assert torch.equal(torch.cat([next(half).pixels for half in halves]), expected[0])
    for half in halves:
        half.close()


def test_transposed_crops_change_rows_and_columns(photographs: Photographs) -> None:
    plain = CropOptions(mirror=False)
    always, never = (
        Crops(photographs, 32, CropOptions(mirror=False, transpose=1.0), 1),
        Crops(photographs, 32, plain, 1),
    )
    # What is drawn for the option comes after the crop's own numbers.
    assert torch.equal(always[3].pixels, never[3].pixels.mT)
    assert share(
        Crops(photographs, 32, CropOptions(transpose=0.25), 1), Crops(photographs, 32, CropOptions(), 1)
    ) == (pytest.approx(0.25, abs=0.08))


def test_jitter_changes_its_share_of_the_crops(photographs: Photographs) -> None:
    some = Crops(photographs, 32, CropOptions(jitter=0.4), 1)
    assert share(some, Crops(photographs, 32, CropOptions(), 1)) == pytest.approx(0.4, abs=0.08)


def test_jitter_is_plausible_and_now_and_then_strong() -> None:
    pixels = np.asarray(ramp(64, 64))
    before = pixels.copy()
    changed = [jittered(pixels, np.random.default_rng(seed)) for seed in range(200)]
    assert np.array_equal(pixels, before), "the crop given is left alone"
    assert all(picture.shape == pixels.shape and picture.dtype == np.uint8 for picture in changed)
    brightness = [picture.mean() / pixels.mean() for picture in changed]
    assert 0.6 < min(brightness) < 0.9
    assert 1.1 < max(brightness) < 1.6
    saturation = [float(np.ptp(picture.astype(int), axis=2).mean()) for picture in changed]
    own = float(np.ptp(pixels.astype(int), axis=2).mean())
    assert min(saturation) < 1, "a few are grey"
    assert sum(value > 1.3 * own for value in saturation) > 15
    assert float(np.median(saturation)) == pytest.approx(own, rel=0.3)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (0, 255, 0), (128, 128, 128)])
def test_jitter_takes_any_flat_crop(colour: tuple[int, int, int]) -> None:
    pixels = np.full((9, 5, 3), colour, np.uint8)
    for seed in range(40):
        changed = jittered(pixels, np.random.default_rng(seed))
        assert (changed == changed[0, 0]).all(), "what is flat stays flat"
        if colour == (0, 0, 0):
            assert changed.max() == 0


def test_synthetic_crops_come_in_their_share_and_as_they_are_drawn(photographs: Photographs) -> None:
    options = CropOptions(synthetic=0.2)
    crops = Crops(photographs, 32, options, 1)
    drawn = 0
    for index in range(300):
        rng = np.random.default_rng([1, index])
        if rng.random() < 0.2:
            drawn += 1
            expected = synthetic_picture(32, rng)
            assert np.array_equal(crops[index].pixels.permute(1, 2, 0).numpy(), expected)
    assert drawn == pytest.approx(60, abs=20)


def test_only_synthetic_crops_need_no_sound_photograph(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    crops = Crops(Photographs([tmp_path]), 16, CropOptions(synthetic=1.0), 1)
    assert crops[0].pixels.shape == (3, 16, 16)


@pytest.mark.parametrize("size", [1, 2, 7, 16, 128])
def test_drawn_pictures_have_any_size_and_repeat(size: int) -> None:
    for seed in range(60):
        pictures = [synthetic_picture(size, np.random.default_rng(seed)) for _ in range(2)]
        assert pictures[0].shape == (size, size, 3)
        assert pictures[0].dtype == np.uint8
        assert np.array_equal(*pictures)


def test_drawn_pictures_cover_flat_areas_saturated_colours_and_detail() -> None:
    pictures = [synthetic_picture(64, np.random.default_rng(seed)) for seed in range(200)]
    flat = [picture for picture in pictures if (picture == picture[0, 0]).all()]
    assert 8 < len(flat) < 80
    corners = sum(bool(((p == 0) | (p == 255)).all(-1).mean() > 0.3) for p in pictures)
    assert corners > 20, "colours at the corners of the cube"
    busy = sum(float(np.abs(np.diff(p.astype(int), axis=1)).mean()) > 8 for p in pictures)
    assert busy > 30, "text and line art"
    assert len({zlib.crc32(picture.tobytes()) for picture in pictures}) > 195


def test_a_drawn_picture_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size is 0"):
        synthetic_picture(0, np.random.default_rng(0))


def test_drawing_by_area_goes_by_pixels(photographs: Photographs) -> None:
    assert dict(
        zip((Path(n).stem for n in photographs.names), photographs.areas().tolist(), strict=True)
    ) == {
        "large": 60000,
        "small": 3000,
    }
    counts = {}
    for weighting in ("picture", "area"):
        crops = Crops(photographs, 16, CropOptions(weighting=weighting), 2)  # type: ignore[arg-type]
        drawn = Counter(crops._draw(np.random.default_rng(i)) for i in range(1000))
        counts[weighting] = drawn[photographs.names.index(next(n for n in photographs.names if "small" in n))]
    assert counts["picture"] == pytest.approx(500, abs=60)
    assert counts["area"] == pytest.approx(1000 / 21, abs=25)


def test_a_photograph_without_a_sound_header_counts_as_an_average_one(
    photographs: Photographs, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photograph")
    found = Photographs([tmp_path])
    assert sorted(found.areas().tolist()) == [3000, 31500, 60000]
    crops = Crops(found, 16, CropOptions(weighting="area"), 1)
    assert any("broken" in name for index in range(60) for name in crops[index].skipped)


def test_small_photographs_are_skipped_by_name_where_nothing_is_enlarged(photographs: Photographs) -> None:
    crops = Crops(photographs, 64, CropOptions(scale=(0.5, 1.0), enlarge=False), 1)
    found = [crops[index] for index in range(40)]
    names = {Path(name).name for crop in found for name in crop.skipped}
    assert names == {"small.png"}
    # It just fits crops of 50.
    fitting = Crops(photographs, 50, CropOptions(scale=(0.5, 1.0), enlarge=False), 1)
    assert not any(fitting[index].skipped for index in range(40))


def test_nothing_but_small_photographs_is_an_error(photographs: Photographs) -> None:
    crops = Crops(photographs, 250, CropOptions(enlarge=False), 1)
    with pytest.raises(ImageError, match=r"100 photographs drawn in a row cannot be used.*smaller"):
        crops[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jitter": -0.1}, "jitter is -0.1; it must be in 0..1"),
        ({"jitter": float("nan")}, "jitter is nan"),
        ({"synthetic": 1.1}, "synthetic is 1.1"),
        ({"transpose": 2}, "transpose is 2"),
        ({"weighting": "size"}, "weighting is 'size'; it must be one of picture, area"),
    ],
)
def test_options_are_checked(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CropOptions(**changes)  # type: ignore[arg-type]


def test_drawing_needs_no_torch() -> None:
    program = "import sys, recodec.train.data.synthetic, recodec.train.data.colours; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
