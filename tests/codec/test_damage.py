"""Damaged, foreign and greedy files are refused before they cost anything."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

import recodec
from recodec.container.core import end_chunk
from recodec.errors import (
    ChecksumError,
    FormatError,
    LimitError,
    WeightsError,
)
from tests.codec.files import header_of


def test_damage_is_found_before_a_picture_is_shown(data: bytes) -> None:
    info = recodec.info(data)
    for k in range(1, 9):
        damaged = bytearray(data)
        damaged[info.prefix_bytes(k) - 1] ^= 0x10
        with pytest.raises(ChecksumError, match=f"code chunk {k} "):
            recodec.decode(damaged)
        with pytest.raises(ChecksumError):
            recodec.verify(damaged)
        if k > 1:
            assert recodec.decode(damaged, iterations=k - 1).size == (61, 45)


def test_damaged_metadata_is_found(tiny_model: str, picture: Image.Image) -> None:
    picture.info["icc_profile"] = b"icc" * 20
    data = recodec.encode(picture, iterations=1, model=tiny_model)
    damaged = data.replace(b"icciccicc", b"icciccicd", 1)
    assert damaged != data
    for function in (recodec.decode, recodec.verify):
        with pytest.raises(ChecksumError, match="icc"):
            function(damaged)


def test_a_lost_chunk_is_found(data: bytes) -> None:
    info = recodec.info(data)
    last = data[: info.prefix_bytes(7)] + data[info.prefix_bytes(8) :]
    with pytest.raises(FormatError, match="end mark"):
        recodec.decode(last)
    swapped = recodec.truncate(data, iterations=2)
    a, b = info.prefix_bytes(1), info.prefix_bytes(2)
    start = info.header_bytes
    swapped = data[:start] + data[a:b] + data[start:a] + data[b:]
    with pytest.raises(ChecksumError):
        recodec.decode(swapped)


def test_unknown_chunks_are_skipped_and_bytes_after_the_end_ignored(data: bytes) -> None:
    info = recodec.info(data)
    cut = info.prefix_bytes(1)
    extended = data[:cut] + bytes([77, 3]) + b"abc" + data[cut:] + b"after the end"
    np.testing.assert_array_equal(recodec.decode(extended, like="numpy"), recodec.decode(data, like="numpy"))
    assert recodec.verify(extended).iterations == 8
    assert recodec.info(extended).file_bytes == len(data) + 5


def test_huge_claims_cost_nothing(tiny_model: str) -> None:
    chunk = bytes([1, 4, 0, 0, 0, 0])
    claims = [
        header_of(width=2**16, height=2**15),
        header_of(width=2**30, height=2**30),
        header_of(width=10_000, height=8_000),
        header_of(width=5_000, height=5_000, stride=1, depth=256),
    ]
    for claim in claims:
        assert recodec.info(claim + chunk).iterations == 1
        for function in (recodec.decode, recodec.verify, lambda d: list(recodec.progressive(d))):
            with pytest.raises((LimitError, WeightsError), match=r"limit|model"):
                function(claim + chunk)
        with pytest.raises(LimitError):
            recodec.verify(claim + chunk)


def test_truncating_takes_time_in_proportion_to_the_file() -> None:
    """Not to its code chunks times those that nobody knows."""
    times = []
    for codes in (1, 250):
        chunks = bytes([99, 0]) * 100_000 + bytes([1, 4, 0, 0, 0, 0]) * codes
        data = header_of() + chunks + end_chunk(codes)
        start = time.process_time()
        assert recodec.truncate(data, max_bytes=1 << 20) == data
        times.append(time.process_time() - start)
    assert times[1] < 4 * times[0]
