"""``dtype``: samples in one type, whatever a file has."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.errors import OptionError, ReducedDepthWarning, TargetError


@pytest.fixture
def shallow(picture: Image.Image) -> bytes:
    return recodec.encode(picture, lossless=True)


@pytest.fixture
def deep() -> bytes:
    samples = np.arange(0, 65536, 257 // 7, dtype=np.uint16)[: 30 * 20 * 3].reshape(30, 20, 3)
    return recodec.encode(np.concatenate([samples, 65535 - samples]), lossless=True)


def test_samples_of_every_type(shallow: bytes, deep: bytes) -> None:
    for data, white in ((shallow, 255), (deep, 65535)):
        stored = recodec.decode(data, like="numpy")
        real = recodec.decode(data, like="numpy", dtype="float32")
        assert real.dtype == np.float32
        np.testing.assert_array_equal(real, stored.astype(np.float32) / np.float32(white))
        assert real.min() >= 0
        assert real.max() <= 1
        for name, most in (("uint8", 255), ("uint16", 65535)):
            whole = recodec.decode(data, like="numpy", dtype=name)
            assert whole.dtype == name
            np.testing.assert_array_equal(whole, np.rint(stored.astype(float) / white * most))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", torch.float32),
        (torch.float32, torch.float32),
        (np.float32, torch.float32),
        (np.dtype("float32"), torch.float32),
        ("uint8", torch.uint8),
        (torch.uint8, torch.uint8),
        (np.uint16, torch.uint16),
        (None, torch.uint8),
    ],
)
def test_names_of_types(shallow: bytes, dtype: Any, expected: torch.dtype) -> None:
    codec = recodec.load("lossless")
    shape, stored = (3, 45, 61), recodec.decode(shallow, like="numpy")
    for use in (recodec.decode, codec.decode):
        for found in (use(shallow, like="torch", dtype=dtype), use([shallow], like="torch", dtype=dtype)[0]):
            assert (found.dtype, tuple(found.shape)) == (expected, shape)
            array: Any = use(shallow, like="numpy", dtype=dtype)
            np.testing.assert_array_equal(array, found.permute(1, 2, 0).numpy())
    for use in (recodec.progressive, codec.progressive):
        for image in use(shallow, like="torch", dtype=dtype):
            assert image.dtype == expected
    assert stored.dtype == np.uint8


def test_pictures_come_back_through_floats(shallow: bytes) -> None:
    for like in ("numpy", "torch"):
        again = recodec.encode(
            recodec.decode(shallow, like=like, dtype="float32"), lossless=True, convert=True
        )
        assert recodec.decode(again) == recodec.decode(shallow)


def test_smaller_pictures_and_alpha(picture: Image.Image) -> None:
    picture.putalpha(picture.convert("L"))
    data = recodec.encode(picture, lossless=True)
    stored = recodec.decode(data, like="torch", max_size=20)
    real = recodec.decode(data, like="torch", max_size=20, dtype="float32")
    assert stored.shape == (4, 15, 20)
    torch.testing.assert_close(real, stored / 255, rtol=0, atol=0)


def test_pillow_has_eight_bits_without_a_word(deep: bytes) -> None:
    with pytest.warns(ReducedDepthWarning):
        recodec.decode(deep)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = recodec.decode(deep, dtype="uint8")
    np.testing.assert_array_equal(np.asarray(image), recodec.decode(deep, like="numpy", dtype="uint8"))
    grey = recodec.encode(recodec.decode(deep, like="numpy")[:, :, 0].copy(), lossless=True)
    assert [recodec.decode(grey).mode, recodec.decode(grey, dtype="uint8").mode] == ["I;16", "L"]


@pytest.mark.parametrize("like", ["pil", "numpy", "torch"])
def test_what_is_written_is_as_the_file_has_it(deep: bytes, like: str) -> None:
    samples = recodec.decode(deep, like="numpy")[:, :, 0].copy()
    data, buffer = recodec.encode(samples, lossless=True), io.BytesIO()
    recodec.decode(data, like=like, dtype="uint8", out=buffer)
    np.testing.assert_array_equal(np.asarray(Image.open(buffer)), samples)


@pytest.mark.parametrize(
    "dtype", ["float64", "float", "int8", "f4", "", torch.float16, np.int32, float, bool, True, 8, [], {}]
)
def test_what_is_no_type(shallow: bytes, dtype: Any) -> None:
    codec = recodec.load("lossless")
    for use in (recodec.decode, codec.decode, recodec.progressive, codec.progressive):
        with pytest.raises(
            TargetError, match=r"dtype is .*; it must be one of uint8, uint16, float32, or None"
        ):
            use(shallow, like="torch", dtype=dtype)
    for wanted in ("uint16", "float32"):
        with pytest.raises(TargetError, match="which images of Pillow cannot be; give like='numpy'"):
            recodec.decode(shallow, dtype=wanted)


def test_a_slip_names_it(shallow: bytes) -> None:
    with pytest.raises(OptionError, match="did you mean 'dtype'"):
        recodec.decode(shallow, like="numpy", dtyp="float32")  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="did you mean 'batch_size'"):
        recodec.decode([shallow], batchsize=2)  # type: ignore[call-overload]
