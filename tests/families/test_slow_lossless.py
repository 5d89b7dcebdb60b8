"""The core holds to FORMAT.md: a second decoder, written from its section 14, gives the same samples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recodec import _core
from tests.slow_container import RejectedError, crc32c
from tests.slow_lossless.decisions import share_table, softplus_table
from tests.slow_lossless.strips import decode_strip

Samples = NDArray[Any]
EFFORTS = (0, 1, 2)
_SECTIONS = (Path(__file__).parents[2] / "FORMAT.md").read_text(encoding="utf-8").split("\n## ")


def smooth(height: int, width: int, channels: int, depth: int = 8, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    shades = 20 + 5 * y + 60 * np.sin(x / 4) ** 2
    samples = np.stack([shades * (1 + c / 3) + rng.normal(0, 4, shades.shape) for c in range(channels)], 2)
    scale = 255 if depth == 8 else 65535
    return (samples / 255 * scale).clip(0, scale).astype(np.uint8 if depth == 8 else np.uint16)


def slow(data: bytes, like: Samples, effort: int) -> Samples:
    height, width, channels = like.shape
    return np.array(decode_strip(data, height, width, channels, 8 * like.itemsize, effort))


def agreed(samples: Samples, effort: int) -> bytes:
    """The strip that both decode to the samples."""
    data = _core.encode_strip(samples, effort)
    np.testing.assert_array_equal(slow(data, samples, effort), samples)
    return data


def is_drawn(stream: bytes) -> bool:
    return stream[0] < 0x80


def has_levels(stream: bytes) -> bool:
    return stream[0] & 0x40 == 0


@pytest.mark.parametrize(
    ("channels", "depth", "effort"),
    [
        *((1, depth, effort) for depth in (8, 16) for effort in EFFORTS),
        (3, 8, 0),
        (3, 16, 2),
        (4, 8, 2),
        (4, 16, 1),
    ],
)
def test_planes(channels: int, depth: int, effort: int) -> None:
    # Of several channels so many that their colours are too many for a palette.
    size = (12, 17) if channels == 1 else (9, 29)
    assert agreed(smooth(*size, channels, depth), effort)[0] == 0


@pytest.mark.parametrize("effort", EFFORTS)
def test_palettes(effort: int) -> None:
    colours = smooth(1, 9, 3, seed=3)[0]
    samples = colours[np.random.default_rng(2).integers(0, 9, (3, 7)).repeat(3, 0).repeat(2, 1)]
    data = agreed(np.ascontiguousarray(samples), effort)
    # Of 9 colours.
    assert data[:2] == b"\x01\x08"


@pytest.mark.parametrize(("channels", "depth"), [(2, 16), (4, 8)])
def test_palettes_of_alpha_and_16_bits(channels: int, depth: int) -> None:
    rng = np.random.default_rng(6)
    colours = rng.integers(0, 1 << depth, (5, channels)).astype(np.uint8 if depth == 8 else np.uint16)
    samples = colours[rng.integers(0, 5, (3, 5)).repeat(3, 0).repeat(3, 1)]
    assert agreed(np.ascontiguousarray(samples), 1)[:2] == b"\x01\x04"


@pytest.mark.parametrize("effort", EFFORTS)
def test_drawn_greys(effort: int) -> None:
    stamp = np.random.default_rng(4).integers(0, 256, (6, 7, 1)).astype(np.uint8).repeat(2, 1)
    assert is_drawn(agreed(np.tile(stamp, (2, 3, 1)), effort)[1:])


def test_drawn_colours() -> None:
    """Samples that follow from those of the planes before, and come in the same order as before."""
    rng = np.random.default_rng(5)
    samples = rng.integers(0, 65536, (9, 29, 3)).astype(np.uint16)
    samples[..., 0] = samples[..., 1] ^ 0x1234
    data = agreed(samples.repeat(2, 0), 0)
    assert data[0] == 0
    # Behind the sizes of two streams, which take two bytes each.
    assert is_drawn(data[5:])


@pytest.mark.parametrize("effort", EFFORTS)
def test_levels(effort: int) -> None:
    values = np.array([3, 4, 70, 99, 120, 180, 201, 255], np.uint8)
    assert has_levels(agreed(values[np.random.default_rng(6).integers(0, 8, (12, 17, 1))], effort)[1:])


@pytest.mark.parametrize("effort", [0, 2])
def test_levels_beside_samples_of_16_bits(effort: int) -> None:
    rng = np.random.default_rng(7)
    samples = rng.integers(0, 65536, (9, 29, 3)).astype(np.uint16)
    samples[..., 0] = np.array([7, 5000, 54321])[rng.integers(0, 3, (9, 29))]
    data = agreed(samples, effort)
    first = (data[1] & 127) + 128 * data[2]
    assert has_levels(data[5 + first :])


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (1, 11), (11, 1), (3, 9), (2, 16)])
def test_sizes(size: tuple[int, int]) -> None:
    samples = smooth(*size, 1, seed=9)
    for effort in EFFORTS:
        data = _core.encode_strip(samples, effort)
        np.testing.assert_array_equal(slow(data, samples, effort), samples)


# Drawn or not, with levels or without.
FIRST_BYTES = (0x12, 0x5A, 0x93, 0xE7)


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_bytes_stand_for_the_same_samples(channels: int, depth: int, effort: int) -> None:
    rng = np.random.default_rng((channels, depth, effort))
    like = np.zeros((3, 9, channels), np.uint8 if depth == 8 else np.uint16)
    streams = [
        bytes([FIRST_BYTES[(plane + effort + channels) % 4]]) + rng.bytes(int(rng.integers(0, 90)))
        for plane in range(channels)
    ]
    data = bytes([0, *map(len, streams[:-1])]) + b"".join(streams)
    found = _core.decode_strip(data, *like.shape, depth, effort)
    np.testing.assert_array_equal(slow(data, like, effort), found)


@pytest.mark.parametrize("effort", EFFORTS)
def test_damaged_strips_stand_for_the_same_samples(effort: int) -> None:
    like = smooth(9, 29, 3, seed=10)
    data = bytearray(_core.encode_strip(like, effort))
    data[(20, 5, 100)[effort]] ^= 0x10
    found = _core.decode_strip(bytes(data), *like.shape, 8, effort)
    np.testing.assert_array_equal(slow(bytes(data), like, effort), found)


@pytest.mark.parametrize(
    "data",
    [
        *("00", "0005", "008080", "000505", "00ffffffff0f00", "008000"),
        *("01", "0105", "01ffff0300", "01800200", "01057000", "02", "ff"),
    ],
)
def test_strips_that_cannot_be(data: str) -> None:
    like = np.zeros((3, 4, 3), np.uint8)
    with pytest.raises(_core.CoreError):
        _core.decode_strip(bytes.fromhex(data), *like.shape)
    with pytest.raises(RejectedError):
        slow(bytes.fromhex(data), like, 0)


@pytest.mark.parametrize(("name", "table"), [("U", softplus_table()), ("V", share_table())])
def test_tables_are_their_formulas(name: str, table: list[int]) -> None:
    found = re.search(rf"^    {name} =\n((?: {{8}}[-\d ]+\n)+)", _SECTIONS[14], re.MULTILINE)
    assert found is not None
    assert list(map(int, found[1].split())) == table
    # They are said to have it.
    assert f"{crc32c(np.array(table, '<i4').tobytes()):08X}" in _SECTIONS[14]


def test_example_of_format_md() -> None:
    data, *rows = re.findall(r"^    ([0-9A-F ]+)$", _SECTIONS[15].split("**A strip**")[1], re.MULTILINE)
    like = np.array([row.split() for row in rows], np.uint8)[..., None]
    for found in (_core.decode_strip(bytes.fromhex(data), *like.shape), slow(bytes.fromhex(data), like, 1)):
        np.testing.assert_array_equal(found, like)
