"""Adaptive contexts: exact inverse, equal to the slow decoder of FORMAT.md, bytes that never change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec import _core

from . import slow_coder

Planes = list[np.ndarray]
CODES_TYPE = b"\x01"


def random_planes(seed: int, depth: int, height: int, width: int, count: int) -> Planes:
    """Planes that resemble real ones: correlated in space and from one iteration to the next."""
    rng = np.random.default_rng(seed)
    field = rng.integers(-8, 9, (depth, height, width))
    field += np.roll(field, 1, axis=2) + np.roll(field, 1, axis=1)
    return [
        np.where(field + rng.integers(-9, 10, field.shape) > 2, 1, -1).astype(np.int8) for _ in range(count)
    ]


def leave_out(planes: Planes, seed: int) -> Planes:
    """The same without the codes of about half the positions of every plane but the first."""
    rng = np.random.default_rng(seed)
    masks = [rng.integers(0, 2, planes[0].shape[1:]).astype(np.int8) for _ in planes[1:]]
    return [planes[0], *(p * mask for p, mask in zip(planes[1:], masks, strict=True))]


def encode(planes: Planes, version: int = 1) -> list[tuple[bytes, int]]:
    coder = _core.AdaptiveCoder(*planes[0].shape, version)
    return [coder.encode(plane) for plane in planes]


def decode(chunks: list[tuple[bytes, int]], shape: tuple[int, ...], version: int = 1) -> Planes:
    coder = _core.AdaptiveCoder(*shape, version)
    planes = []
    for data, crc in chunks:
        codes, seen = coder.decode(data)
        assert seen == crc
        planes.append(codes.reshape(shape))
    return planes


def coding_order(plane: np.ndarray) -> list[int]:
    return plane.transpose(1, 2, 0).ravel().tolist()


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7)),
    count=st.integers(1, 5),
    version=st.integers(1, 2),
)
def test_round_trip(seed: int, shape: tuple[int, int, int], count: int, version: int) -> None:
    planes = random_planes(seed, *shape, count)
    if version == 2:
        planes = leave_out(planes, seed)
    decoded = decode(encode(planes, version), shape, version)
    assert all(np.array_equal(a, b) for a, b in zip(planes, decoded, strict=True))


@pytest.mark.parametrize("depth", [1, 3, 32])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (7, 1), (5, 3)])
def test_slow_decoder_agrees(depth: int, height: int, width: int) -> None:
    planes = random_planes(depth, depth, height, width, 5)
    slow = slow_coder.PlaneDecoder(depth, height, width)
    for plane, (data, crc) in zip(planes, encode(planes), strict=True):
        codes = slow.decode(data)
        assert codes == coding_order(plane)
        assert crc == slow_coder.crc32c(CODES_TYPE + data + bytes(c & 0xFF for c in codes))


def test_slow_decoder_agrees_where_not_all_is_sent() -> None:
    planes = leave_out(random_planes(3, 6, 5, 4, 5), 3)
    planes[2][:] = 0
    slow = slow_coder.PlaneDecoder(6, 5, 4, 2)
    for plane, (data, _) in zip(planes, encode(planes, 2), strict=True):
        assert slow.decode(data) == coding_order(plane)


def test_to_leave_a_position_out_costs_little() -> None:
    """Half of a large plane in one piece: the border between the halves is all there is to tell."""
    everywhere, *_ = planes = random_planes(5, 8, 40, 40, 4)
    halves = [everywhere, *(plane.copy() for plane in planes[1:])]
    for plane in halves[1:]:
        plane[:, :, :20] = 0
    sizes = [len(data) for data, _ in encode(halves, 2)]
    narrow = [everywhere, *(np.ascontiguousarray(plane[:, :, 20:]) for plane in planes[1:])]
    coder = _core.AdaptiveCoder(8, 40, 20)
    alone = [len(coder.encode(np.ascontiguousarray(plane[:, :, -20:]))[0]) for plane in narrow]
    # 1,600 positions, of which 40 lie along the border.
    assert sizes[2] < alone[2] + 40
    assert sizes[3] < alone[3] + 40


def test_with_all_positions_sent_both_versions_tell_the_same() -> None:
    planes = random_planes(4, 3, 4, 5, 3)
    first, second = encode(planes), encode(planes, 2)
    assert first[0] == second[0]
    assert all(
        np.array_equal(a, b)
        for a, b in zip(decode(first, (3, 4, 5)), decode(second, (3, 4, 5), 2), strict=True)
    )


def test_slow_decoder_agrees_on_long_hostile_input() -> None:
    """Enough steps in all directions that the core has to look whether a weight exceeds its limit."""
    rng = np.random.default_rng(8)
    fast, slow = _core.AdaptiveCoder(1, 60, 60), slow_coder.PlaneDecoder(1, 60, 60)
    largest_step = slow_coder.REGRESSION_RATE
    assert 2 * 60 * 60 * largest_step / 2 > 2 * slow_coder.WEIGHT_LIMIT
    for _ in range(2):
        data = rng.bytes(2000)
        assert slow.decode(data) == fast.decode(data)[0].tolist()


@pytest.mark.parametrize("code", [0, 2, -2, 127, -128])
def test_codes_sent_must_be_signs(code: int) -> None:
    plane = np.ones((2, 3, 4), np.int8)
    plane[1, 2, 0] = code
    with pytest.raises(
        _core.CoreError, match=rf"code {code} at channel 1, position 8; codes sent are -1 or \+1"
    ):
        encode([plane])


def test_codes_not_sent_must_be_zero() -> None:
    plane = np.ones((2, 3, 4), np.int8)
    halfway = plane.copy()
    halfway[0, 0, 2] = 0
    with pytest.raises(_core.CoreError, match=r"code 1 at channel 1, position 2; codes not sent are 0"):
        encode([plane, halfway], 2)
    halfway[1, 0, 2] = 0
    assert len(encode([plane, halfway], 2)) == 2


@pytest.mark.parametrize(("version", "before"), [(1, 1), (2, 0)])
def test_what_must_be_sent(version: int, before: int) -> None:
    plane = np.ones((2, 3, 4), np.int8)
    with pytest.raises(_core.CoreError, match=r"code 0 at channel 0, position 0; codes sent are -1 or \+1"):
        encode([plane] * before + [np.zeros_like(plane)], version)


def test_refused_plane_leaves_no_trace() -> None:
    first, second = random_planes(6, 3, 4, 5, 2)
    coder = _core.AdaptiveCoder(3, 4, 5)
    chunks = [coder.encode(first)]
    with pytest.raises(_core.CoreError):
        coder.encode(np.zeros_like(first))
    assert [*chunks, coder.encode(second)] == encode([first, second])


def test_wrong_arguments_are_refused() -> None:
    coder = _core.AdaptiveCoder(2, 3, 4)
    with pytest.raises(ValueError, match=r"codes has 23 elements; 24 are needed"):
        coder.encode(np.ones(23, np.int8))
    with pytest.raises(TypeError):
        coder.encode(np.ones((2, 3, 4), np.float32))


def test_checksum_finds_every_flipped_bit() -> None:
    planes = random_planes(9, 4, 5, 6, 2)
    (first, _), (data, crc) = encode(planes)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        coder = _core.AdaptiveCoder(4, 5, 6)
        coder.decode(first)
        assert coder.decode(damaged)[1] != crc


def test_checksum_finds_codes_that_differ() -> None:
    """The same bytes read with another history stand for other codes."""
    first, second = random_planes(12, 4, 5, 6, 2)
    data, crc = encode([first, second])[1]
    fresh = _core.AdaptiveCoder(4, 5, 6)
    codes, seen = fresh.decode(data)
    assert not np.array_equal(codes, second.ravel())
    assert seen != crc


def test_any_bytes_decode() -> None:
    rng = np.random.default_rng(13)
    coder = _core.AdaptiveCoder(5, 4, 3)
    for size in [0, 1, 3, 4, 5, 50, 1000]:
        assert set(coder.decode(rng.bytes(size))[0].tolist()) <= {-1, 1}


def test_threads_give_identical_bytes() -> None:
    planes = random_planes(14, 32, 12, 16, 6)
    alone = encode(planes)
    with ThreadPoolExecutor(4) as pool:
        assert all(chunks == alone for chunks in pool.map(lambda _: encode(planes), range(8)))
        for decoded in pool.map(lambda _: decode(alone, planes[0].shape), range(8)):
            assert all(np.array_equal(a, b) for a, b in zip(planes, decoded, strict=True))


def test_one_coder_may_be_shared_by_threads() -> None:
    """What it makes then is undefined, as the order of its planes is, but it must not crash."""
    (plane,) = random_planes(17, 32, 12, 16, 1)
    coder = _core.AdaptiveCoder(*plane.shape)

    def use(i: int) -> int:
        return len(coder.encode(plane)[0]) if i % 2 else coder.decode(b"damaged")[0].size

    with ThreadPoolExecutor(4) as pool:
        sizes = list(pool.map(use, range(100)))
    assert set(sizes[::2]) == {plane.size}


def test_it_learns() -> None:
    """Repeated planes cost little, noise hardly more than its bits."""
    repeated = encode(random_planes(15, 16, 16, 16, 1) * 8)
    assert all(len(b) < len(a) for (a, _), (b, _) in pairwise(repeated[:4]))
    assert len(repeated[-1][0]) < 16**3 / 8 / 20
    rng = np.random.default_rng(16)
    noise = [rng.choice(np.array([-1, 1], np.int8), (16, 16, 16)) for _ in range(4)]
    assert all(len(data) < 1.06 * 16**3 / 8 for data, _ in encode(noise))


def pinned_planes() -> Planes:
    # A fixed integer recurrence: the same for every NumPy version.
    state, codes = 7, []
    for i in range(3 * 3 * 4 * 5):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        codes.append(1 if (state >> 60) + i % 3 > 8 else -1)
    return list(np.array(codes, np.int8).reshape(3, 3, 4, 5))


def test_bytes_are_pinned() -> None:
    """A change here is a change of the file format."""
    assert [(data.hex(), f"{crc:08x}") for data, crc in encode(pinned_planes())] == PINNED


PINNED = [("ac41ef36411a5394", "2ac41b4f"), ("685c4df9238162", "f1f0ace1"), ("b83b6583ff4a17", "8b1c6d42")]
