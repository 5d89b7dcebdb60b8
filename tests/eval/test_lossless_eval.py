"""recodec eval --lossless: sizes of pictures that came back, and of no others."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from recodec.eval.exact_codecs import EXACT, ExactCodec, ExactImagecodecs
from tests.cli.running import run


@pytest.fixture
def photos(picture: Image.Image, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture.save(folder / "a.png")
    picture.convert("L").crop((0, 0, 30, 20)).save(folder / "grey.png")
    return folder


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> tuple[ExactCodec, ...]:
    """Without the slow ones."""
    found = tuple(codec for codec in EXACT if codec.name in ("recodec-fast", "png", "jpeg-ls"))
    monkeypatch.setattr("recodec.eval.run.EXACT", found)
    monkeypatch.setattr("recodec.eval.exact_codecs.EXACT", found)
    return found


@pytest.mark.parametrize("codec", EXACT, ids=lambda codec: codec.name)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_codec_gives_the_picture_back(codec: ExactCodec, channels: int, picture: Image.Image) -> None:
    if why := codec.unavailable():
        pytest.skip(f"{codec.name}: {why}")
    original = np.asarray(picture.crop((0, 0, 33, 17)))[:, :, :channels].copy()
    (coded,) = codec.climb(original, codec.ladder)
    np.testing.assert_array_equal(
        coded.pixels.reshape(17, 33, -1), np.broadcast_to(original, (17, 33, coded.pixels.size // 561))
    )
    assert min(coded.encode_s, coded.decode_s) > 0
    # Another file for another picture.
    assert codec.encode(original ^ 1, 0) != coded.file


def test_a_picture_that_does_not_come_back_is_no_size(
    photos: Path, tmp_path: Path, few: tuple[ExactCodec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (png,) = (codec for codec in few if codec.name == "png")
    real = type(png).decode
    monkeypatch.setattr(type(png), "decode", lambda self, file: real(self, file) ^ np.uint8(1))
    out = tmp_path / "out"
    result = run("eval", "--lossless", "--out", out, photos, code=1)
    assert "png does not give the picture back" in result.stderr
    found = json.loads((out / "lossless.json").read_text())
    assert found["averaged"] == []
    assert len(found["left_out"]) == 2
    assert "png" not in (out / "lossless.csv").read_text().replace("a.png", "").replace("grey.png", "")


def test_the_command(photos: Path, tmp_path: Path, few: tuple[ExactCodec, ...]) -> None:
    out = tmp_path / "out"
    shown = run("eval", "--lossless", "--out", out, photos)
    found: dict[str, Any] = json.loads((out / "lossless.json").read_text())
    assert [Path(file).name for file in found["averaged"]] == ["a.png", "grey.png"]
    with (out / "lossless.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name, mean in found["mean"].items():
        own = [row for row in rows if row["codec"] == name]
        assert mean["bpp"] == pytest.approx(np.mean([float(row["bpp"]) for row in own]))
        assert mean["bytes"] == sum(int(row["bytes"]) for row in own)
        assert mean["encode_s_per_mp"] > 0
        assert f"{mean['bpp']:.3f}" in shown.stdout
    assert set(found["mean"]) == {codec.name for codec in few} - set(found["unavailable"])
    assert "2 from before" not in shown.stderr
    again = run("eval", "--lossless", "--out", out, photos)
    assert f"{len(found['mean'])} from before" in again.stderr
    assert not (out / "results.json").exists()


def test_codecs_that_are_not_installed_are_named(
    photos: Path, tmp_path: Path, few: tuple[ExactCodec, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ExactImagecodecs, "unavailable", lambda self: "imagecodecs is not installed; install it"
    )
    result = run("eval", "--lossless", "--out", tmp_path / "out", photos)
    assert "without jpeg-ls: imagecodecs is not installed" in result.stderr
    assert "jpeg-ls" in json.loads((tmp_path / "out" / "lossless.json").read_text())["unavailable"]


def test_pictures_that_would_be_rounded_are_left_out(
    photos: Path, tmp_path: Path, few: tuple[ExactCodec, ...]
) -> None:
    Image.open(photos / "a.png").convert("CMYK").save(photos / "cmyk.jpg")
    Image.fromarray(np.full((20, 20), 999, np.uint16)).save(photos / "deep.png")
    result = run("eval", "--lossless", "--convert", "--out", tmp_path / "out", photos, code=1)
    assert "mode CMYK, which becomes RGB by rounding" in result.stderr
    assert "samples of 16 bits; codecs are compared at 8" in result.stderr
    assert len(json.loads((tmp_path / "out" / "lossless.json").read_text())["averaged"]) == 2


@pytest.mark.parametrize(
    "option",
    [("--codec", "webp"), ("--model", "tiny"), ("--metric", "psnr"), ("--iterations", 1), ("--against", "x")],
)
def test_options_of_the_other_comparison(photos: Path, option: tuple[object, ...]) -> None:
    assert (
        f"--lossless has no {option[0]}; leave it out"
        in run("eval", "--lossless", *option, photos, code=2).output
    )
