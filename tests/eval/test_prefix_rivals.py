"""The bench of prefixes: what the beginning of a rival's file shows, in no more bytes than it may take."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from recodec.eval.metrics import Pixels, psnr

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def rivals(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(BENCH))
    return {rival.name: rival for rival in importlib.import_module("prefix_rivals").RIVALS}


@pytest.fixture
def original(picture: Image.Image) -> Pixels:
    return np.asarray(picture.resize((244, 180)))


def usable(rival: Any) -> Any:
    if why := rival.unavailable():
        pytest.skip(f"{rival.name}: {why}")
    return rival


@pytest.mark.parametrize("name", ["jpeg420-progressive", "jpeg2000-layers", "jxl-progressive"])
def test_pictures_get_better_with_bytes(name: str, rivals: dict[str, Any], original: Pixels) -> None:
    rival = usable(rivals[name])
    file = rival.encode(original, rival.ladder[-1])
    assert rival.shown(file, 100) is None
    quality = []
    for most_bytes in range(100, len(file) + 53, 53):
        found = rival.shown(file, most_bytes)
        if found is None:
            assert not quality, "a picture that was there is gone"
            continue
        used, pixels = found
        assert used <= most_bytes
        assert pixels.shape == original.shape
        quality.append(psnr(original, pixels))
    # Not every one is better than that before: libjpeg smooths blocks less once their next scan has begun.
    assert quality[-1] == max(quality) > quality[0] + 6
    np.testing.assert_array_equal(pixels, rival.decode(file))


def test_jpeg_shows_nothing_before_every_block_has_a_colour(rivals: dict[str, Any]) -> None:
    jpeg = rivals["jpeg420-progressive"]
    # Its blocks would be grey where the first scan has not come yet.
    red = np.full((80, 64, 3), (250, 20, 20), np.uint8)
    file = jpeg.encode(red, jpeg.ladder[-1])
    shown = [found[1] for size in range(len(file)) if (found := jpeg.shown(file, size))]
    assert shown
    assert all(psnr(red, pixels) > 30 for pixels in shown)


def test_jpeg_that_ends_early_is_decoded_to_its_end(rivals: dict[str, Any], original: Pixels) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    jpeg = rivals["jpeg420-progressive"]
    file = jpeg.encode(original, jpeg.ladder[-1])
    for most_bytes in range(2000, len(file), 500):
        used, pixels = jpeg.shown(file, most_bytes)
        # Here libjpeg itself meets the end of the bytes.
        np.testing.assert_array_equal(pixels, imagecodecs.jpeg8_decode(file[: used - 2]))


@pytest.mark.parametrize("layers", [1, 5, 26])
def test_a_cut_code_stream_is_the_first_layers_of_the_whole(
    layers: int, rivals: dict[str, Any], original: Pixels
) -> None:
    rival = usable(rivals["jpeg2000-layers"])
    file = rival.encode(original, rival.ladder[-1])
    with Image.open(io.BytesIO(file)) as image:
        (tile,) = image.tile
        codec, reduce, _, *rest = tile.args
        image.tile = [tile._replace(args=(codec, reduce, layers, *rest))]
        expected = np.asarray(image)
    cuts = (rival.cut(file, size) for size in range(len(file)))
    prefix = next(cut for cut in cuts if cut and layers_of(cut) == layers)
    np.testing.assert_array_equal(rival.decode(prefix), expected)


def layers_of(stream: bytes) -> int:
    at = stream.index(b"\xff\x52") + 6
    return int.from_bytes(stream[at : at + 2])


def test_a_missing_libjxl_is_said(rivals: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    libjxl = importlib.import_module("libjxl")
    monkeypatch.setattr(libjxl, "library", libjxl.library.__wrapped__)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert "install its wheel" in rivals["jxl-progressive"].unavailable()


def test_command(tiny_model: str, rivals: dict[str, Any], original: Pixels, tmp_path: Path) -> None:
    for rival in rivals.values():
        usable(rival)
    for name in ("a", "b"):
        Image.fromarray(original).save(tmp_path / f"{name}.png")
    out, plot = tmp_path / "out.json", tmp_path / "out.svg"
    command = [
        sys.executable,
        str(BENCH / "prefixes.py"),
        str(tmp_path),
        "--out",
        str(out),
        "--plot",
        str(plot),
    ]
    options = ["--model", tiny_model, "--limit", "1"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert list(result["images"]) == ["a.png"]
    assert list(result["mean"]) == ["recodec-tiny", *rivals]
    for name in ("jpeg420-progressive", "jxl-progressive"):
        assert result["mean"][name]["prefixes"]["0.0625"] is None
        assert f"| {name} | –" in done.stdout
    for mean in result["mean"].values():
        for rate, found in mean["prefixes"].items():
            assert found is None or found["bpp"] <= float(rate)
    assert result["mean"]["jpeg2000-layers"]["prefixes"]["2"]["psnr"] > 25
    assert "jxl-progressive" in plot.read_text()
