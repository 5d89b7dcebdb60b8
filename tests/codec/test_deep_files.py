"""Files of 16 bits on every way."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import recodec
import recodec.pillow
from recodec.families.lossless import engine
from tests.cli.running import run

DEEP = (np.arange(40 * 30 * 3) * 1093 % 65536).astype(np.uint16).reshape(40, 30, 3)
GREY, ALPHA = DEEP[:, :, 0], DEEP[:, :, 1] // 3


@pytest.fixture(autouse=True)
def several_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_STRIP_PIXELS", 16 * 30)


@pytest.mark.parametrize(
    "image",
    [
        DEEP,
        GREY[:, :, None],
        np.dstack([DEEP, ALPHA]),
        np.dstack([GREY, ALPHA]),
        # All of which 8 bits say.
        np.dstack([DEEP, ALPHA % 256 * 257]),
    ],
    ids=["rgb", "grey", "rgba", "grey-alpha", "shallow-alpha"],
)
@pytest.mark.parametrize("preview", [None, 1.0])
def test_arrays_come_back(image: NDArray[Any], preview: float | None, tiny_model: str) -> None:
    options: Any = {} if preview is None else {"preview": preview, "model": tiny_model}
    data = recodec.encode(image, lossless=True, **options)
    assert recodec.encode(torch.from_numpy(image).permute(2, 0, 1), lossless=True, **options) == data
    info = recodec.verify(data)
    assert (info.bit_depth, info.lossless) == (8 if preview else 16, True)
    np.testing.assert_array_equal(recodec.decode(data, like="numpy"), image)
    found = recodec.decode(data, like="torch")
    assert found.dtype == torch.uint16
    np.testing.assert_array_equal(found.permute(1, 2, 0).numpy(), image)


def test_previews_are_of_the_same_kind(tiny_model: str) -> None:
    data = recodec.encode(DEEP, model=tiny_model, lossless=True, preview=1.0)
    info = recodec.info(data)
    lossy = recodec.decode(data, like="numpy", iterations=info.iterations)
    assert lossy.dtype == np.uint8
    shown = list(recodec.progressive(io.BytesIO(data), like="numpy"))
    assert {picture.dtype for picture in shown} == {np.dtype(np.uint16)}
    np.testing.assert_array_equal(shown[info.iterations - 1], lossy * np.uint16(257))
    np.testing.assert_array_equal(shown[info.iterations][:16], DEEP[:16])
    np.testing.assert_array_equal(shown[info.iterations][16:], lossy[16:] * np.uint16(257))
    np.testing.assert_array_equal(shown[-1], DEEP)


def test_images_of_pillow(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    run("encode", "--lossless", tmp_path / "a.png", tmp_path / "a.rcd")
    assert recodec.encode(Image.fromarray(GREY), lossless=True) == (tmp_path / "a.rcd").read_bytes()
    assert "I;16 of 16 bits" in run("info", tmp_path / "a.rcd").output
    with Image.open(tmp_path / "a.rcd") as image:
        assert image.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(image), GREY)
    run("decode", tmp_path / "a.rcd", tmp_path / "b.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), GREY)


def test_previews_have_the_upper_bits_of_alpha(tiny_model: str) -> None:
    image = np.dstack([DEEP, ALPHA])
    data = recodec.encode(image, model=tiny_model, lossless=True, preview=1.0)
    info = recodec.info(data)
    nearest = (ALPHA + 128.0) // 257
    lossy = recodec.decode(data, like="numpy", iterations=info.iterations)
    np.testing.assert_array_equal(lossy[:, :, 3], nearest)
    shown = list(recodec.progressive(io.BytesIO(data), like="numpy"))
    np.testing.assert_array_equal(shown[info.iterations - 1], lossy * np.uint16(257))
    for strips, picture in enumerate(shown[info.iterations :], 1):
        np.testing.assert_array_equal(picture[: 16 * strips], image[: 16 * strips])
        np.testing.assert_array_equal(picture[16 * strips :], lossy[16 * strips :] * np.uint16(257))
    np.testing.assert_array_equal(recodec.decode(data[:-1], like="numpy"), image)
    assert recodec.truncate(data, iterations=1)[:4] == data[:4]
    with pytest.warns(recodec.ReducedDepthWarning, match="RGBA"):
        assert recodec.decode(data).mode == "RGBA"


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("preview", [None, 1.0])
def test_damaged_alpha_is_found(channels: int, preview: float | None, tiny_model: str) -> None:
    options: Any = {} if preview is None else {"preview": preview, "model": tiny_model}
    data = bytearray(recodec.encode(np.dstack([DEEP, ALPHA])[:, :, -channels:], lossless=True, **options))
    # The last bytes of the last strip are alpha's, its plane being the last.
    data[-9] ^= 16
    for function in (recodec.decode, recodec.verify):
        with pytest.raises(recodec.ChecksumError):
            function(bytes(data))
