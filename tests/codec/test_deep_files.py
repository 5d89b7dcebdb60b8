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
GREY = DEEP[:, :, 0]


@pytest.fixture(autouse=True)
def several_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_STRIP_PIXELS", 16 * 30)


@pytest.mark.parametrize(
    "image", [DEEP, GREY[:, :, None], np.dstack([DEEP, GREY % 256 * 257])], ids=["rgb", "grey", "rgba"]
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


def test_alpha_that_only_16_bits_say_is_refused() -> None:
    with pytest.raises(recodec.ImageError, match="alpha channel of more than 8 bits"):
        recodec.encode(np.dstack([DEEP, GREY]), lossless=True)
