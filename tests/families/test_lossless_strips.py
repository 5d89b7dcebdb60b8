"""Strips come back exactly, with every effort and set of instructions and any number of threads, in the same bytes."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from recodec import _core

Samples = NDArray[Any]
FAST, DEFAULT, BEST = EFFORTS = (0, 1, 2)


def photo(height: int, width: int, channels: int, depth: int = 8) -> Samples:
    with Image.open(str(files("recodec") / "demo" / "photo.png")) as image:
        samples = np.asarray(image.convert("RGB").crop((200, 80, 200 + width, 80 + height)))
    if channels < 3:
        samples = samples[..., 1:2]
    if channels in (2, 4):
        y, x = np.mgrid[:height, :width]
        samples = np.dstack([samples, ((x + 2 * y) % 256).astype(np.uint8)])
    if depth == 16:
        noise = np.random.default_rng(5).integers(0, 200, samples.shape)
        samples = np.minimum(samples.astype(np.int64) * 257 + noise, 65535).astype(np.uint16)
    return np.ascontiguousarray(samples)


def text(channels: int) -> Samples:
    image = Image.new("RGB", (150, 90), (250, 248, 240))
    draw = ImageDraw.Draw(image)
    for row in range(6):
        draw.text(
            (3, 14 * row), "to be, or not to be", fill=(20, 30, 90), font=ImageFont.load_default(size=13)
        )
    return np.ascontiguousarray(np.asarray(image)[..., :channels])


def few_beside_many() -> Samples:
    """Planes of 8 bits, once their levels are numbered, that are predicted from one of 16."""
    rng = np.random.default_rng(6)
    samples = rng.integers(0, 65536, (40, 60, 3)).astype(np.uint16)
    samples[..., 0] = rng.integers(0, 4, (40, 60)) * 9999
    return samples


def decode(data: bytes, like: Samples, effort: int = DEFAULT, threads: int = 1) -> Samples:
    height, width, channels = like.shape
    return _core.decode_strip(data, height, width, channels, 8 * like.itemsize, effort, threads)


def assert_comes_back(samples: Samples, effort: int = DEFAULT) -> int:
    data = _core.encode_strip(samples, effort)
    found = decode(data, samples, effort)
    assert found.dtype == samples.dtype
    np.testing.assert_array_equal(found, samples)
    return len(data)


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


DRAWN = ["black", "white", "checkerboard", "edges", "ramp", "noise", "dots"]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (1, 99), (99, 1), (3, 3), (17, 31), (40, 52)])
def test_every_sample_comes_back(size: tuple[int, int], channels: int, effort: int, depth: int) -> None:
    assert_comes_back(photo(*size, channels, depth), effort)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("name", DRAWN)
def test_drawn_pictures_come_back(name: str, effort: int) -> None:
    samples = drawn(name, (37, 45, 3))
    # Three equal planes, of which two follow from the first; of noise that has to be found out.
    assert assert_comes_back(samples, effort) < samples.size / 2


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_pictures_of_16_bits_come_back(name: str) -> None:
    samples = drawn(name, (37, 45, 3))
    assert_comes_back((samples.astype(np.uint16) * 257)[..., :2].copy())
    assert_comes_back(np.random.default_rng(1).integers(0, 65536, (21, 33, 3)).astype(np.uint16))


def test_photographs_take_less_with_more_effort() -> None:
    samples = photo(160, 200, 3)
    sizes = [assert_comes_back(samples, effort) for effort in EFFORTS]
    assert sizes[FAST] > sizes[DEFAULT] > sizes[BEST]
    assert sizes[FAST] < samples.size / 2


@pytest.mark.parametrize("channels", [1, 3])
def test_text_that_recurs_takes_little(channels: int) -> None:
    samples = text(channels)
    assert assert_comes_back(samples) < 900


def test_few_colours_are_a_palette_whatever_they_are() -> None:
    rng = np.random.default_rng(9)
    colours = rng.integers(0, 65536, (200, 3)).astype(np.uint16)
    indices = np.repeat(np.repeat(rng.integers(0, 200, (12, 15)), 8, 0), 8, 1)
    # 600 values of the colours take 1,200 bytes by themselves.
    assert assert_comes_back(np.ascontiguousarray(colours[indices])) < 2300


@pytest.mark.parametrize("scale", [257, 16, 1000])
def test_values_that_are_left_out_cost_little(scale: int) -> None:
    """Samples of fewer bits in 16 take what they take by themselves, and a list of levels."""
    samples = photo(96, 128, 3) // 4
    plain = len(_core.encode_strip(samples))
    assert assert_comes_back(samples.astype(np.uint16) * scale) < plain + 300


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("kind", ["grey", "rgba", "deep", "text", "few beside many"])
def test_instructions_and_threads_make_the_same_bytes(
    kind: str, effort: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = {
        "grey": lambda: photo(48, 61, 1),
        "rgba": lambda: photo(48, 61, 4),
        "deep": lambda: photo(30, 41, 3, 16),
        "text": lambda: np.where(text(3) > 200, photo(90, 150, 3), text(3)),
        "few beside many": few_beside_many,
    }[kind]()
    expected = _core.encode_strip(samples, effort)
    for name in _core.instructions():
        monkeypatch.setenv("RECODEC_INSTRUCTIONS", name)
        for threads in (1, 2, 7):
            assert _core.encode_strip(samples, effort, threads) == expected
            np.testing.assert_array_equal(decode(expected, samples, effort, threads), samples)


def test_wide_rows_share_sums() -> None:
    """Sums of least squares have a bound, so that memory is in proportion to the picture, or below some limit."""
    rng = np.random.default_rng(2)
    assert_comes_back(np.cumsum(rng.integers(-2, 3, (2, 70_000, 1)), 1).astype(np.uint8), FAST)
    assert _core.strip_memory(1, 1 << 26, 3) < 60 * 3 * (1 << 26)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("effort", EFFORTS)
def test_any_bytes_are_some_samples(effort: int, depth: int) -> None:
    rng = np.random.default_rng(3)
    like = np.zeros((9, 14, 1), np.uint8 if depth == 8 else np.uint16)
    for size in (0, 1, 5, 300):
        for _ in range(20):
            assert decode(b"\0" + rng.bytes(size), like, effort).shape == like.shape


@pytest.mark.parametrize(
    "data",
    [
        *(b"\0", b"\0\x05", b"\0\x80\x80", b"\0\x05\x05", b"\0\xff\xff\xff\xff\x0f\x00", b"\0\x80\x00"),
        # Palettes without colours, of too many, longer than the strip; and kinds that there are none.
        *(b"\1", b"\1\x05", b"\1\xff\xff\x03\x00", b"\1\x80\x02\x00", b"\1\x05\x70\x00", b"\2", b"\xff"),
    ],
)
def test_strips_that_cannot_be(data: bytes) -> None:
    with pytest.raises(_core.CoreError) as caught:
        decode(data, np.zeros((9, 14, 3), np.uint8))
    assert caught.value.args[0] == 1


@pytest.mark.parametrize("channels", [0, 5])
def test_channels_that_cannot_be(channels: int) -> None:
    with pytest.raises((_core.CoreError, ValueError)):
        _core.encode_strip(np.zeros((4, 4, channels), np.uint8))


def test_efforts_and_depths_that_cannot_be() -> None:
    with pytest.raises(_core.CoreError):
        _core.encode_strip(np.zeros((4, 4, 1), np.uint8), 3)
    with pytest.raises(_core.CoreError):
        _core.decode_strip(b"", 4, 4, 1, 12)


def is_drawn(data: bytes) -> bool:
    """What the first stream of a strip of three planes begins with, behind two sizes."""
    assert data[0] == 0
    at = 1
    for _ in range(2):
        while data[at] >= 0x80:
            at += 1
        at += 1
    return data[at] < 0x80


def test_large_strips_are_coded_the_way_that_suits_them() -> None:
    """Which of two that is, some of their rows tell; in both every second pixel is like one beside it."""
    y = np.mgrid[:360, :600][0]
    # In more colours than a palette has.
    page = np.tile(text(3), (4, 4, 1)) - (y % 31)[..., None].astype(np.uint8) * np.uint8(5)
    enlarged = np.asarray(Image.fromarray(photo(60, 100, 3)).resize((600, 360), Image.Resampling.BICUBIC))
    for samples, drawn in ((page, True), (enlarged, False)):
        data = _core.encode_strip(np.ascontiguousarray(samples), FAST)
        np.testing.assert_array_equal(decode(data, samples, FAST), samples)
        assert is_drawn(data) == drawn
