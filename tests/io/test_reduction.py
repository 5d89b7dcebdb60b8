"""``max_size``: decoded pictures made smaller, with no aliases, no fringes and in their shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import BatchError, TargetError
from recodec.io.reduced_sizes import covering_size, reduced_size
from recodec.io.reduction import reduced
from tests.cli.running import run


@pytest.mark.parametrize(
    ("size", "most", "expected"),
    [
        ((400, 300), (200, 200), (200, 150)),
        ((300, 400), (200, 200), (150, 200)),
        ((400, 300), (1000, 30), (40, 30)),
        ((400, 300), (400, 300), (400, 300)),
        ((400, 300), (4000, 300), (400, 300)),
        ((1000, 1), (10, 10), (10, 1)),
        ((3, 2), (1, 1), (1, 1)),
    ],
)
def test_sizes_keep_the_shape_and_never_grow(
    size: tuple[int, int], most: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert reduced_size(*size, most) == expected


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((400, 300), (200, 100)), ((300, 400), (1, 399)), ((3000, 7), (1000, 1)), ((997, 991), (331, 2))],
)
def test_what_covers_a_size_is_the_smallest_that_does(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    most = covering_size(*size, wanted)
    assert most is not None
    found = reduced_size(*size, most)
    assert found[0] >= wanted[0]
    assert found[1] >= wanted[1]
    assert found[0] == wanted[0] or found[1] == wanted[1]
    assert covering_size(*size, (size[0], 1)) is covering_size(*size, (1, size[1] + 1)) is None


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("like", ["pil", "numpy", "torch"])
def test_every_kind_of_picture_is_made_smaller(picture: Image.Image, mode: str, like: str) -> None:
    data = recodec.encode(picture.convert(mode), lossless=True)
    found: Any = recodec.decode(data, like=like, max_size=30)
    shape = (30, 22) if like == "pil" else (22, 30)
    assert {
        "pil": lambda: found.size,
        "numpy": lambda: found.shape[:2],
        "torch": lambda: tuple(found.shape[1:]),
    }[like]() == shape
    same: Any = recodec.decode(data, like="numpy", max_size=30)
    array = np.asarray(found) if like != "torch" else found.permute(1, 2, 0).numpy()
    assert np.array_equal(array.reshape(same.shape), same)
    expected = np.asarray(picture.convert(mode).resize((30, 22), Image.Resampling.BICUBIC)).reshape(
        same.shape
    )
    assert np.abs(same.astype(int) - expected).max() <= 1
    assert (
        recodec.decode(data, max_size=(61, 45)) == recodec.decode(data) == recodec.decode(data, max_size=999)
    )


def test_sixteen_bits_stay_sixteen() -> None:
    ramp = np.linspace(0, 65535, 80).astype(np.uint16)
    samples = np.broadcast_to(ramp[None, :, None], (60, 80, 3)).copy()
    data = recodec.encode(samples, lossless=True)
    found = recodec.decode(data, like="numpy", max_size=(20, 100))
    assert (found.dtype, found.shape) == (np.uint16, (15, 20, 3))
    means = ramp.reshape(20, 4).mean(1)
    assert np.abs(found[7, 2:-2, 1] - means[2:-2]).max() <= 2
    assert recodec.decode(recodec.encode(samples[:, :, 0], lossless=True), max_size=20).mode == "I;16"


def test_finest_stripes_become_grey_and_no_pattern() -> None:
    samples = torch.zeros(1, 64, 1000, dtype=torch.uint8)
    samples[:, :, ::2] = 255
    found = reduced(samples, (333, 333))[:, 3:-3, 3:-3].int()
    assert (found - 127).abs().max() <= 12


def test_what_is_transparent_gives_no_colour() -> None:
    samples = torch.zeros(4, 40, 40, dtype=torch.uint8)
    samples[0], samples[3, :, :18] = 200, 255
    samples[1, :, 18:] = 255
    found = reduced(samples, (10, 10))
    seen = found[3] > 0
    assert seen.any()
    assert int(found[1][seen].max()) <= 1
    assert int((found[0][seen].int() - 200).abs().max()) <= 1
    assert int(found[1][~seen].min()) > 200


def test_lists_and_codecs_and_out(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    data = recodec.encode(picture, model=tiny_model)
    codec = recodec.load(tiny_model)
    assert [one.size for one in recodec.decode([data, data], max_size=20)] == [(20, 15)] * 2
    assert [one.size for one in codec.decode((data,), max_size=20, out=[tmp_path / "a.png"])] == [(20, 15)]
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), recodec.decode(data, like="numpy", max_size=20))
    with pytest.raises(BatchError):
        recodec.decode([data, b"no file"], max_size=20)


@pytest.mark.parametrize("wanted", [0, -1, 2.5, (3,), (3, 0), (1, 2, 3), "large", True])
def test_what_is_no_size(tiny_model: str, picture: Image.Image, wanted: Any) -> None:
    data = recodec.encode(picture, model=tiny_model)
    for use in (recodec.decode, recodec.progressive, recodec.load(tiny_model).progressive):
        with pytest.raises(TargetError, match="max_size is"):
            use(data, max_size=wanted)


def test_the_command_makes_pictures_smaller(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    (tmp_path / "a.rcd").write_bytes(recodec.encode(picture, model=tiny_model))
    for wanted, size in (("20", (20, 15)), ("100x9", (12, 9)), ("100", (61, 45))):
        result = run("decode", tmp_path / "a.rcd", tmp_path / "a.png", "--max-size", wanted, "--json")
        record = json.loads(result.stdout)
        assert (record["width"], record["height"]) == size
        with Image.open(tmp_path / "a.png") as image:
            assert image.size == size
    assert "made 20 x 15" in run("decode", tmp_path / "a.rcd", tmp_path / "a.png", "--max-size", "20").stderr
    for wanted in ("0", "20x0", "x", "20x", "-3", "1.5"):
        result = run("decode", tmp_path / "a.rcd", tmp_path / "a.png", "--max-size", wanted, code=2)
        assert "give for example 800 or 800x600" in result.stderr
