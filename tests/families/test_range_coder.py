"""Range coder: what is coded comes back, near the ideal size, and the bytes never change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodec import _core
from tests.slow_coder import RangeDecoder

PROBABILITIES = st.one_of(st.integers(1, 65535), st.sampled_from([1, 2, 32767, 32768, 65534, 65535]))
CODED_BITS = st.lists(st.tuples(st.booleans(), PROBABILITIES), max_size=600)


def encode(bits: np.ndarray, probabilities: np.ndarray) -> bytes:
    return _core.range_encode(bits.astype(np.uint8), probabilities.astype(np.uint16))


def decode(data: bytes, probabilities: np.ndarray) -> np.ndarray:
    return _core.range_decode(data, probabilities.astype(np.uint16))


def split(pairs: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([b for b, _ in pairs], np.uint8), np.array([p for _, p in pairs], np.uint16)


def ideal_bytes(bits: np.ndarray, probabilities: np.ndarray) -> float:
    p = probabilities / 65536
    return float(-np.log2(np.where(bits, p, 1 - p)).sum() / 8)


def seeded(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    p = {
        "half": np.full(count, 32768),
        "near-half": rng.normal(32768, 2000, count),
        "uniform": rng.integers(1, 65536, count),
        "confident": 65536 * rng.beta(0.1, 0.1, count),
        "rare-ones": np.full(count, 33),
    }[name]
    probabilities = np.clip(p, 1, 65535).astype(np.uint16)
    return (rng.random(count) * 65536 < probabilities).astype(np.uint8), probabilities


DISTRIBUTIONS = ("half", "near-half", "uniform", "confident", "rare-ones")


@given(CODED_BITS)
def test_round_trip(pairs: list[tuple[bool, int]]) -> None:
    bits, probabilities = split(pairs)
    data = encode(bits, probabilities)
    assert np.array_equal(decode(data, probabilities), bits)
    assert not data.endswith(b"\0")


@given(CODED_BITS)
def test_slow_decoder_agrees(pairs: list[tuple[bool, int]]) -> None:
    bits, probabilities = split(pairs)
    slow = RangeDecoder(encode(bits, probabilities))
    assert [slow.decode(int(p)) for p in probabilities] == bits.tolist()


@given(st.binary(max_size=40), st.lists(PROBABILITIES, max_size=300))
def test_any_data_decodes_and_decoders_agree(data: bytes, probabilities: list[int]) -> None:
    slow = RangeDecoder(data)
    assert [slow.decode(p) for p in probabilities] == decode(data, np.array(probabilities)).tolist()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_size_is_ideal(name: str) -> None:
    bits, probabilities = seeded(name, 49152)
    assert len(encode(bits, probabilities)) <= 1.0001 * ideal_bytes(bits, probabilities) + 4


def straddling(rng: np.random.Generator, words: int) -> tuple[list[int], list[int]]:
    """Bits whose interval keeps 2^64 * k inside, so that words of FF wait for a carry.

    The interval is followed exactly: each bit takes the part that still contains the boundary, for as
    long as the boundary is inside; then it goes on at random, on either side of it.
    """
    low, span, boundary = 0, (1 << 64) - 1, 1 << 63
    bits, probabilities = [], []
    for _ in range(32 * words):
        p = int(rng.integers(1, 65536))
        part = (span >> 16) * p
        bit = int(boundary < low + part)
        if not bit:
            low, span = low + part, span - part
        else:
            span = part
        if span < 1 << 32:
            low, span, boundary = low << 32, span << 32, boundary << 32
        bits.append(bit)
        probabilities.append(p)
    return bits, probabilities


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("words", [1, 5, 200])
def test_carry_chains(seed: int, words: int) -> None:
    rng = np.random.default_rng(seed)
    bits, probabilities = map(np.array, straddling(rng, words))
    sides = []
    for last in (0, 1):
        # A last unlikely bit lands on one side of the boundary: all FF before it, or a carry through them.
        b, p = np.append(bits, [last] * 40), np.append(probabilities, [32768] * 40)
        data = encode(b, p)
        assert np.array_equal(decode(data, p), b)
        sides.append(data)
    assert sides[1][0] == 0x7F
    assert set(sides[1][1 : words // 2]) <= {0xFF}
    assert sides[0][0] == 0x80
    assert set(sides[0][1 : words // 2]) <= {0x00}


def test_flush_takes_at_most_four_bytes() -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        count = int(rng.integers(0, 200))
        bits, probabilities = rng.integers(0, 2, count), rng.integers(1, 65536, count)
        data = encode(bits, probabilities)
        # Whole words are written once range falls below 2^32; the rest is the flush.
        span, words = (1 << 64) - 1, 0
        for bit, p in zip(bits.tolist(), probabilities.tolist(), strict=True):
            part = (span >> 16) * p
            span = part if bit else span - part
            if span < 1 << 32:
                span, words = span << 32, words + 1
        assert len(data) <= 4 * words + 4


def test_empty() -> None:
    nothing = np.array([], np.uint8)
    assert encode(nothing, nothing) == b""
    assert decode(b"", nothing).shape == (0,)


def test_certain_bits_cost_nothing() -> None:
    bits, probabilities = np.ones(100), np.full(100, 65535)
    assert encode(bits, probabilities) == b""
    assert decode(b"", probabilities).all()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_truncation_decodes(name: str) -> None:
    bits, probabilities = seeded(name, 300)
    data = encode(bits, probabilities)
    for size in range(len(data)):
        assert decode(data[:size], probabilities).shape == bits.shape


def test_zero_probability_is_refused() -> None:
    p = np.array([5, 0, 7])
    with pytest.raises(ValueError, match=r"probability is 0"):
        encode(np.array([1, 1, 1]), p)
    with pytest.raises(ValueError, match=r"probability is 0"):
        decode(b"\1\2\3", p)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"probabilities has 2 elements; 3 are needed"):
        encode(np.zeros(3), np.ones(2))
    with pytest.raises(TypeError):
        _core.range_encode(np.zeros(3), np.ones(3, np.uint16))
    with pytest.raises(TypeError):
        _core.range_decode(np.zeros(4, np.uint32), np.ones(3, np.uint16))


def test_bytes_like_data() -> None:
    bits, probabilities = seeded("uniform", 64)
    data = encode(bits, probabilities)
    for same in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
        assert np.array_equal(decode(same, probabilities), bits)


PINNED = {
    "half": "4ad4359b500ad717a9b4d1316791cc1e6810d2e6afb6de280596da5e9ad95f85",
    "near-half": "4d0aa7187eb76e0245396431bf3571f58a1062b388b70d3a0d791f44b25f8bf254",
    "uniform": "42bfc889de39ef7d9029e025389c4b738c5f5aee33f377",
    "confident": "e85f",
    "rare-ones": "1f",
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_bytes_are_pinned(name: str) -> None:
    """A change here is a change of the file format."""
    bits, probabilities = pinned_input(name)
    assert encode(bits, probabilities).hex() == PINNED[name]


def pinned_input(name: str) -> tuple[np.ndarray, np.ndarray]:
    # Integers of a fixed recurrence: unlike floats, the same on every machine and NumPy version.
    state, draws = 1, []
    for _ in range(512):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        draws.append(state >> 48)
    u = np.array(draws[:256])
    p = {
        "half": np.full(256, 32768),
        "near-half": 30768 + u % 4000,
        "uniform": np.maximum(u, 1),
        "confident": np.where(u < 32768, 1 + u % 700, 65535 - u % 700),
        "rare-ones": np.full(256, 33),
    }[name]
    return (np.array(draws[256:]) < p).astype(np.uint8), p


def test_example_of_format_md() -> None:
    p = np.array([32768, 1, 65535, 65535, 1, 40000, 60000, 256])
    assert encode(np.array([1, 0, 0, 1, 1, 1, 0, 1]), p) == bytes.fromhex("7F FF 80 00 C7 85")
