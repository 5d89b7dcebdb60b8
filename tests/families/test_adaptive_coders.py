"""Codes to bytes: exact inverse, equal to the slow decoder of FORMAT.md, bytes that never change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec import _core
from recodec.container.reader import Reader
from recodec.errors import UnsupportedError
from recodec.families.registry import read_file_header
from tests import slow_coder, slow_container
from tests.plane_files import PlaneCoder, PlaneFields, decode_sound, write_header

Planes = list[np.ndarray]
CODES_TYPE = b"\x01"
UNSUPPORTED = 3


def random_planes(seed: int, depth: int, height: int, width: int, count: int) -> Planes:
    """Planes that resemble real ones: correlated in space and from one iteration to the next."""
    rng = np.random.default_rng(seed)
    field = rng.integers(-8, 9, (depth, height, width))
    field += np.roll(field, 1, axis=2) + np.roll(field, 1, axis=1)
    return [
        np.where(field + rng.integers(-9, 10, field.shape) > 2, 1, -1).astype(np.int8) for _ in range(count)
    ]


def random_zeros(planes: Planes, seed: int, density: float) -> Planes:
    """The same with codes of 0, of which some channels and places have more than others."""
    rng = np.random.default_rng(seed)
    depth, height, width = planes[0].shape
    share = rng.random((depth, 1, 1)) + rng.random((1, height, width))
    return [np.where(rng.random(p.shape) < density * share, p, 0).astype(np.int8) for p in planes]


def planes_for(version: int, seed: int, depth: int, height: int, width: int, count: int) -> Planes:
    planes = random_planes(seed, depth, height, width, count)
    return planes if version == 1 else random_zeros(planes, seed, 0.3)


def sparse_signs(seed: int, shape: tuple[int, int, int], density: float) -> np.ndarray:
    """Independent codes, not 0 with probability ``density``."""
    rng = np.random.default_rng(seed)
    signs = rng.choice(np.array([-1, 1], np.int8), shape)
    return np.where(rng.random(shape) < density, signs, 0).astype(np.int8)


def entropy_bytes(plane: np.ndarray, density: float) -> float:
    """What an ideal coder that knows the density needs for :func:`sparse_signs`."""
    zero = 0 if density == 1 else -(1 - density) * log2(1 - density)
    return plane.size * (zero - density * log2(density) + density) / 8


def encode(planes: Planes, version: int = 1) -> list[tuple[bytes, int]]:
    coder = PlaneCoder(*planes[0].shape, version)
    return [coder.encode(plane) for plane in planes]


def decode(chunks: list[tuple[bytes, int]], shape: tuple[int, ...], version: int = 1) -> Planes:
    return decode_sound(PlaneCoder(*shape, version), chunks, shape)


def coding_order(plane: np.ndarray) -> list[int]:
    return plane.transpose(1, 2, 0).ravel().tolist()


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7)),
    count=st.integers(1, 5),
    version=st.sampled_from([1, 3]),
)
def test_round_trip(seed: int, shape: tuple[int, int, int], count: int, version: int) -> None:
    planes = planes_for(version, seed, *shape, count)
    decoded = decode(encode(planes, version), shape, version)
    assert all(np.array_equal(a, b) for a, b in zip(planes, decoded, strict=True))


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("depth", [1, 3, 32])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (7, 1), (5, 3)])
def test_slow_decoder_agrees(version: int, depth: int, height: int, width: int) -> None:
    planes = planes_for(version, depth, depth, height, width, 5)
    slow = slow_coder.PLANE_DECODERS[version](depth, height, width)
    for plane, (data, crc) in zip(planes, encode(planes, version), strict=True):
        codes = slow.decode(data)
        assert codes == coding_order(plane)
        assert crc == slow_container.crc32c(CODES_TYPE + data + bytes(c & 0xFF for c in codes))


def kinds_of_ternary_planes(depth: int, height: int, width: int) -> dict[str, Planes]:
    """Planes of all kinds that a model with a dead zone may make, and some that none would."""
    shape = (depth, height, width)
    zeros, ones = np.zeros(shape, np.int8), np.ones(shape, np.int8)
    y, x = np.mgrid[0:height, 0:width]
    # Large features in the first channels only, of one sign over whole regions, as means of blocks are.
    means = np.where(
        np.arange(depth)[:, None, None] < (depth + 3) // 4, np.sign(np.sin(x / 3) + y / 5 - 0.4), 0
    )
    means = means.astype(np.int8)
    return {
        "zeros": [zeros] * 4,
        "ones": [ones, -ones, ones, -ones],
        "zeros and ones": [zeros, ones, zeros, zeros, ones],
        "sparse": [sparse_signs(t, shape, 0.03) for t in range(4)],
        "dense": [sparse_signs(t, shape, 0.8) for t in range(4)],
        "signs": [sparse_signs(t, shape, 1) for t in range(4)],
        "means": [means, means, -means, means],
        "uneven": random_zeros(random_planes(5, *shape, 4), 5, 0.2),
    }


TERNARY_KINDS = sorted(kinds_of_ternary_planes(1, 1, 1))


@pytest.mark.parametrize("kind", TERNARY_KINDS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 13, 17), (6, 1, 9), (96, 4, 5), (256, 2, 3)])
def test_ternary_planes_of_all_kinds(shape: tuple[int, int, int], kind: str) -> None:
    planes = kinds_of_ternary_planes(*shape)[kind]
    decoded = decode(encode(planes, 3), shape, 3)
    assert all(np.array_equal(a, b) for a, b in zip(planes, decoded, strict=True))


@pytest.mark.parametrize("kind", TERNARY_KINDS)
@pytest.mark.parametrize("shape", [(1, 9, 8), (6, 5, 4), (40, 2, 2)])
def test_slow_decoder_agrees_on_ternary_planes_of_all_kinds(shape: tuple[int, int, int], kind: str) -> None:
    planes = kinds_of_ternary_planes(*shape)[kind]
    slow = slow_coder.TernaryDecoder(*shape)
    for plane, (data, _) in zip(planes, encode(planes, 3), strict=True):
        assert slow.decode(data) == coding_order(plane)


@pytest.mark.parametrize("version", [1, 3])
@pytest.mark.parametrize("shape", [(1, 6, 7), (5, 4, 3), (96, 1, 3)])
def test_slow_decoder_agrees_on_any_bytes(shape: tuple[int, int, int], version: int) -> None:
    """Such bytes mean what no encoder writes, a position without active codes that is said to have some."""
    rng = np.random.default_rng(21)
    fast, slow = PlaneCoder(*shape, version), slow_coder.PLANE_DECODERS[version](*shape)
    for size in (40, 0, 5, 200, 1):
        data = rng.bytes(size)
        assert slow.decode(data) == coding_order(fast.decode(data)[0].reshape(shape))


def test_zeros_cost_next_to_nothing() -> None:
    shape = (96, 20, 30)
    zeros = np.zeros(shape, np.int8)
    assert all(len(data) < 8 for data, _ in encode([zeros] * 4, 3))
    # One code in an empty plane: where it is, which channel, which sign, and what all this does to counters.
    lone = zeros.copy()
    lone[50, 7, 8] = -1
    assert len(encode([zeros, lone], 3)[1][0]) < 40


@pytest.mark.parametrize("density", [0.01, 0.05, 0.2, 0.5, 1.0])
def test_ternary_noise_costs_its_entropy(density: float) -> None:
    planes = [sparse_signs(seed, (96, 20, 30), density) for seed in range(3)]
    for plane, (data, _) in zip(planes, encode(planes, 3), strict=True):
        ideal = entropy_bytes(plane, float((plane != 0).mean()))
        assert 0.97 * ideal < len(data) < 1.08 * ideal


def test_ternary_planes_are_learned() -> None:
    """What repeats, in space or from plane to plane, is cheaper than noise of the same density."""
    kinds = kinds_of_ternary_planes(16, 24, 24)
    means = [len(data) for data, _ in encode(kinds["means"], 3)]
    density = float((kinds["means"][0] != 0).mean())
    assert all(size < entropy_bytes(kinds["means"][0], density) / 5 for size in means)
    again = [len(data) for data, _ in encode([sparse_signs(2, (16, 24, 24), 0.2)] * 6, 3)]
    assert again[-1] < again[0] / 3


def test_slow_decoder_agrees_on_long_hostile_input() -> None:
    """Enough steps in all directions that the core has to look whether a weight exceeds its limit."""
    rng = np.random.default_rng(8)
    fast, slow = PlaneCoder(1, 60, 60), slow_coder.BinaryDecoder(1, 60, 60)
    largest_step = slow_coder.REGRESSION_RATE
    assert 2 * 60 * 60 * largest_step / 2 > 2 * slow_coder.WEIGHT_LIMIT
    for _ in range(2):
        data = rng.bytes(2000)
        assert slow.decode(data) == fast.decode(data)[0].tolist()


@pytest.mark.parametrize(
    ("version", "code", "symbols"),
    [
        *((1, code, r"-1 or \+1") for code in (0, 2, -2, 127, -128)),
        *((3, code, r"-1, 0 or \+1") for code in (2, -2, 127, -128)),
    ],
)
def test_other_codes_are_refused(version: int, code: int, symbols: str) -> None:
    plane = np.ones((2, 3, 4), np.int8)
    plane[1, 2, 0] = code
    with pytest.raises(_core.CoreError, match=rf"code {code} at channel 1, position 8; codes are {symbols}'"):
        encode([plane], version)


@pytest.mark.parametrize("version", [0, 2, 5, 255])
def test_other_versions_are_unsupported(version: int) -> None:
    with pytest.raises(_core.CoreError, match=f"entropy coder 1, version {version}") as caught:
        PlaneCoder(2, 3, 4, version)
    assert caught.value.args[0] == UNSUPPORTED
    header = PlaneFields()
    header.width = header.height = 8
    header.model = "any"
    data = bytearray(write_header(header))
    data[-8] = version
    data[-4:] = _core.crc32c(bytes(data[:-4])).to_bytes(4, "little")
    message = (
        f"entropy coder version is {version}; this version knows 1, 3 and 4 of adaptive contexts, 1 and 2"
    )
    with pytest.raises(UnsupportedError, match=message):
        read_file_header(Reader(bytes(data)).header())


@pytest.mark.parametrize(
    ("kind", "version", "message"),
    [
        (0, 1, r"entropy coder is 0; this version knows 1 \(adaptive contexts\) and 2 \(network\)"),
        (3, 1, r"entropy coder is 3; this version knows 1 \(adaptive contexts\) and 2 \(network\)"),
        (
            2,
            3,
            "entropy coder version is 3; this version knows 1, 3 and 4 of adaptive contexts, 1 and 2 of the network",
        ),
    ],
)
def test_other_kinds_are_unsupported(kind: int, version: int, message: str) -> None:
    header = PlaneFields()
    header.width = header.height = 8
    header.model = "any"
    data = bytearray(write_header(header))
    data[-9:-7] = kind, version
    data[-4:] = _core.crc32c(bytes(data[:-4])).to_bytes(4, "little")
    with pytest.raises(UnsupportedError, match=message):
        read_file_header(Reader(bytes(data)).header())


@pytest.mark.parametrize("version", [1, 3])
def test_refused_plane_leaves_no_trace(version: int) -> None:
    first, second = planes_for(version, 6, 3, 4, 5, 2)
    coder = PlaneCoder(3, 4, 5, version)
    chunks = [coder.encode(first)]
    with pytest.raises(_core.CoreError):
        coder.encode(np.full_like(first, 2))
    assert [*chunks, coder.encode(second)] == encode([first, second], version)


def test_wrong_arguments_are_refused() -> None:
    coder = PlaneCoder(2, 3, 4)
    with pytest.raises(ValueError, match=r"codes has 23 elements; 24 are needed"):
        coder.encode(np.ones(23, np.int8))
    with pytest.raises(TypeError):
        coder.encode(np.ones((2, 3, 4), np.float32))


@pytest.mark.parametrize("version", [1, 3])
def test_checksum_finds_every_flipped_bit(version: int) -> None:
    (first, _), (data, crc) = encode(planes_for(version, 9, 4, 5, 6, 2), version)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        coder = PlaneCoder(4, 5, 6, version)
        coder.decode(first)
        assert coder.decode(damaged)[1] != crc


@pytest.mark.parametrize("version", [1, 3])
def test_checksum_finds_codes_that_differ(version: int) -> None:
    """The same bytes read with another history stand for other codes."""
    first, second = planes_for(version, 12, 4, 5, 6, 2)
    data, crc = encode([first, second], version)[1]
    fresh = PlaneCoder(4, 5, 6, version)
    codes, seen = fresh.decode(data)
    assert not np.array_equal(codes, second.ravel())
    assert seen != crc


@pytest.mark.parametrize(("version", "symbols"), [(1, {-1, 1}), (3, {-1, 0, 1})])
def test_any_bytes_decode(version: int, symbols: set[int]) -> None:
    rng = np.random.default_rng(13)
    coder = PlaneCoder(5, 4, 3, version)
    for size in [0, 1, 3, 4, 5, 50, 1000]:
        assert set(coder.decode(rng.bytes(size))[0].tolist()) <= symbols


@pytest.mark.parametrize("version", [1, 3])
def test_threads_give_identical_bytes(version: int) -> None:
    planes = planes_for(version, 14, 32, 12, 16, 6)
    alone = encode(planes, version)
    with ThreadPoolExecutor(4) as pool:
        assert all(chunks == alone for chunks in pool.map(lambda _: encode(planes, version), range(8)))
        for decoded in pool.map(lambda _: decode(alone, planes[0].shape, version), range(8)):
            assert all(np.array_equal(a, b) for a, b in zip(planes, decoded, strict=True))


def test_one_coder_may_be_shared_by_threads() -> None:
    """What it makes then is undefined, as the order of its planes is, but it must not crash."""
    (plane,) = random_planes(17, 32, 12, 16, 1)
    coder = PlaneCoder(*plane.shape)

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


def pinned_numbers(state: int) -> Iterator[int]:
    """A fixed integer recurrence of 32 bits: the same for every NumPy version."""
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield state >> 32


def pinned_planes(symbols: tuple[int, ...]) -> Planes:
    numbers = islice(pinned_numbers(7), 3 * 3 * 4 * 5)
    codes = [symbols[((n >> 28) + i % 3) * len(symbols) // 18] for i, n in enumerate(numbers)]
    return list(np.array(codes, np.int8).reshape(3, 3, 4, 5))


@pytest.mark.parametrize(("version", "symbols"), [(1, (-1, 1)), (3, (-1, 0, 0, 0, 0, 1))])
def test_bytes_are_pinned(version: int, symbols: tuple[int, ...]) -> None:
    """A change here is a change of the file format."""
    found = [(data.hex(), f"{crc:08x}") for data, crc in encode(pinned_planes(symbols), version)]
    assert found == PINNED[version]


PINNED = {
    1: [("ac41ef36411a5394", "2ac41b4f"), ("685c4df9238162", "f1f0ace1"), ("b83b6583ff4a17", "8b1c6d42")],
    3: [
        ("0d100892a360539075e508", "e2d9ede6"),
        ("891a9f6bc26a29edb2", "60c94799"),
        ("12544771234ea673da", "a6f32c39"),
    ],
}


def many_pinned_planes() -> Planes:
    """Positions from all zeros to none in any order, so that every level and a counter's limit are met."""
    shape = (5, 36, 7, 10)
    places = zip(np.ndindex(shape), pinned_numbers(11), strict=False)
    codes = [(1 if n % 8 < 5 else -1) if n >> 22 < 1024 >> (x + t) % 10 else 0 for (t, _, _, x), n in places]
    return list(np.array(codes, np.int8).reshape(shape))


def test_bytes_of_many_ternary_planes_are_pinned() -> None:
    chunks = encode(many_pinned_planes(), 3)
    assert hashlib.sha256(b"".join(data for data, _ in chunks)).hexdigest() == PINNED_DIGEST
    planes = decode(chunks, (36, 7, 10), 3)
    assert all(np.array_equal(a, b) for a, b in zip(many_pinned_planes(), planes, strict=True))
    slow = slow_coder.TernaryDecoder(36, 7, 10)
    for plane, (data, _) in zip(planes, chunks, strict=True):
        assert slow.decode(data) == coding_order(plane)
    levels = [(index, counter) for index, counter in slow.counters.items() if index[0] == "level"]
    assert {number for (_, *numbers), _ in levels for number in numbers} == set(range(8))
    assert max(counter.count for _, counter in levels) == slow_coder.TERNARY_COUNT_LIMIT


PINNED_DIGEST = "521899b2cf1e657f8a708ae7caa0c6a245da8b66976b5a5054f3ca2b0e810023"
