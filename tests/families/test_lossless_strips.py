"""Strips come back exactly, with every set of instructions and any number of threads, in the same bytes."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from recodec import _core

Samples = NDArray[np.uint8]


def photo(height: int, width: int, channels: int) -> Samples:
    with Image.open(str(files("recodec") / "demo" / "photo.png")) as image:
        samples = np.asarray(image.convert("RGB").crop((200, 80, 200 + width, 80 + height)))
    if channels < 3:
        samples = samples[..., 1:2]
    if channels in (2, 4):
        y, x = np.mgrid[:height, :width]
        samples = np.dstack([samples, ((x + 2 * y) % 256).astype(np.uint8)])
    return np.ascontiguousarray(samples)


def decode(data: bytes, like: Samples, threads: int = 1) -> Samples:
    height, width, channels = like.shape
    return _core.decode_strip(data, height, width, channels, threads)


def drawn(name: str, shape: tuple[int, int, int]) -> Samples:
    rng = np.random.default_rng(7)
    y, x = np.mgrid[: shape[0], : shape[1]]
    values = {
        "black": np.zeros(shape[:2]),
        "white": np.full(shape[:2], 255),
        "checkerboard": (x + y) % 2 * 255,
        "edges": (x // 9 % 2) * 255,
        "ramp": x * 3 % 256,
        "noise": rng.integers(0, 256, shape[:2]),
        "dots": (rng.random(shape[:2]) < 0.01) * 255,
    }[name]
    return np.repeat(values.astype(np.uint8)[..., None], shape[2], 2)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (1, 99), (99, 1), (3, 3), (17, 31), (40, 52)])
def test_every_sample_comes_back(size: tuple[int, int], channels: int) -> None:
    samples = photo(*size, channels)
    np.testing.assert_array_equal(decode(_core.encode_strip(samples), samples), samples)


@pytest.mark.parametrize("name", ["black", "white", "checkerboard", "edges", "ramp", "noise", "dots"])
def test_drawn_pictures_come_back(name: str) -> None:
    samples = drawn(name, (37, 45, 3))
    data = _core.encode_strip(samples)
    np.testing.assert_array_equal(decode(data, samples), samples)
    # Three equal planes, of which two follow from the first; of noise that has to be found out.
    assert len(data) < samples.size / 2


def test_photographs_take_less_than_half() -> None:
    samples = photo(96, 128, 3)
    assert len(_core.encode_strip(samples)) < samples.size / 2


@pytest.mark.parametrize("channels", [1, 4])
def test_instructions_and_threads_make_the_same_bytes(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = photo(48, 61, channels)
    expected = _core.encode_strip(samples)
    for name in _core.instructions():
        monkeypatch.setenv("RECODEC_INSTRUCTIONS", name)
        for threads in (1, 2, 7):
            assert _core.encode_strip(samples, threads) == expected
            np.testing.assert_array_equal(decode(expected, samples, threads), samples)


def test_any_bytes_are_some_samples() -> None:
    rng = np.random.default_rng(3)
    like = np.zeros((9, 14, 1), np.uint8)
    for size in (0, 1, 5, 300):
        assert decode(rng.bytes(size), like).shape == like.shape


@pytest.mark.parametrize(
    "data", [b"", b"\x05", b"\x80\x80", b"\x05\x05", b"\xff\xff\xff\xff\x0f\x00", b"\x80\x00"]
)
def test_strips_that_cannot_be(data: bytes) -> None:
    with pytest.raises(_core.CoreError) as caught:
        decode(data, np.zeros((9, 14, 3), np.uint8))
    assert caught.value.args[0] == 1


@pytest.mark.parametrize("channels", [0, 5])
def test_channels_that_cannot_be(channels: int) -> None:
    with pytest.raises((_core.CoreError, ValueError)):
        _core.encode_strip(np.zeros((4, 4, channels), np.uint8))
