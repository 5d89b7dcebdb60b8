"""Symbols come back from every coder, in about as many bits as they have to take."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from recodec import _core
from recodec.container.core import core_errors
from recodec.errors import FormatError

HUFFMAN, CONTEXTS, HUFFMAN_CONTEXTS, HUFFMAN_ADAPTIVE, RANGE, RANGE_ADAPTIVE = CODINGS = range(6)
MAGNITUDES, BITS = range(2)


def laplacian(shape: tuple[int, ...], bits: int, seed: int = 0) -> NDArray[np.uint8]:
    values = np.random.default_rng(seed).laplace(0, 2.0 ** (bits - 5), shape)
    folded = np.where(values < 0, -2 * np.rint(values) - 1, 2 * np.rint(values))
    return folded.clip(0, (1 << bits) - 1).astype(np.uint8)


def entropy(symbols: NDArray[np.uint8]) -> float:
    counts = np.bincount(symbols.reshape(-1))
    counts = counts[counts > 0]
    return float(-(counts * np.log2(counts / counts.sum())).sum() / 8)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("bits", [1, 3, 6, 8])
@pytest.mark.parametrize("context", [MAGNITUDES, BITS])
def test_symbols_come_back(coding: int, bits: int, context: int) -> None:
    rng = np.random.default_rng(bits)
    for shape in ((1, 1, 1), (1, 1, 40), (3, 7, 1), (2, 33, 41), (0, 4, 4)):
        for symbols in (
            laplacian(shape, bits),
            rng.integers(0, 1 << bits, shape, np.uint8),
            np.full(shape, (1 << bits) - 1, np.uint8),
        ):
            data = _core.encode_symbols(symbols, bits, coding, context)
            np.testing.assert_array_equal(_core.decode_symbols(data, *shape, bits, coding, context), symbols)


@pytest.mark.parametrize(
    ("coding", "more"),
    [(HUFFMAN, 0.02), (HUFFMAN_ADAPTIVE, 0.03), (RANGE, 0.02), (RANGE_ADAPTIVE, 0.02), (CONTEXTS, 0.06)],
)
def test_symbols_without_memory_take_their_entropy(coding: int, more: float) -> None:
    symbols = laplacian((1, 256, 512), 8)
    size = len(_core.encode_symbols(symbols, 8, coding))
    assert entropy(symbols) * 0.999 < size < entropy(symbols) * (1 + more)


def test_contexts_see_where_errors_are_large() -> None:
    y, x = np.mgrid[:400, :400]
    symbols = laplacian((1, 400, 400), 8) // (1 + 40 * np.sin(x / 50) ** 2 * np.cos(y / 70) ** 2).astype(
        np.uint8
    )
    sizes = [len(_core.encode_symbols(symbols, 8, coding)) for coding in CODINGS]
    assert sizes[CONTEXTS] < 0.95 * sizes[RANGE_ADAPTIVE]
    assert sizes[HUFFMAN_CONTEXTS] < 0.95 * sizes[HUFFMAN]


def test_huffman_takes_a_bit_for_what_is_certain() -> None:
    symbols = (np.random.default_rng(1).random((4, 64, 64)) < 0.02).astype(np.uint8)
    sizes = [8 * len(_core.encode_symbols(symbols, 1, coding, BITS)) / symbols.size for coding in CODINGS]
    assert sizes[HUFFMAN] >= 1 <= sizes[HUFFMAN_ADAPTIVE]
    assert sizes[RANGE] < 0.16 > sizes[RANGE_ADAPTIVE]


def test_words_are_at_most_15_bits() -> None:
    """Counts like those of Fibonacci make a tree as deep as it has symbols."""
    counts = [1, 1]
    while len(counts) < 22:
        counts.append(counts[-1] + counts[-2])
    symbols = np.repeat(np.arange(22, dtype=np.uint8), counts)[None, None]
    data = _core.encode_symbols(symbols, 5, HUFFMAN)
    lengths = [data[s // 2] >> 4 * (s % 2) & 15 for s in range(32)]
    assert 8 < max(lengths) <= 15
    assert sum(2.0**-length for length in lengths if length) == 1
    np.testing.assert_array_equal(_core.decode_symbols(data, 1, 1, symbols.size, 5, HUFFMAN), symbols)


def test_words_are_as_short_as_they_can_be() -> None:
    """Of weights that are powers of two every word has just the bits of its symbol."""
    symbols = np.repeat(np.arange(8, dtype=np.uint8), [128, 64, 32, 16, 8, 4, 2, 2])[None, None]
    assert len(_core.encode_symbols(symbols, 3, HUFFMAN)) == 4 + -(-int(8 * entropy(symbols)) // 8)


@pytest.mark.parametrize("coding", CODINGS)
def test_any_bytes_are_symbols_or_an_error(coding: int) -> None:
    rng = np.random.default_rng(3)
    symbols = laplacian((2, 9, 11), 6)
    data = _core.encode_symbols(symbols, 6, coding)
    for _ in range(300):
        damaged = bytearray(data[: rng.integers(len(data) + 1)] if rng.random() < 0.3 else data)
        for at in rng.integers(0, max(len(damaged), 1), 3):
            if damaged:
                damaged[at] = rng.integers(256)
        try:
            with core_errors():
                found = _core.decode_symbols(damaged, 2, 9, 11, 6, coding)
        except FormatError:
            continue
        assert found.shape == symbols.shape
        assert found.max() < 64


@pytest.mark.parametrize(
    "arguments",
    [(0, HUFFMAN, 0), (9, HUFFMAN, 0), (6, 6, 0), (6, -1, 0), (6, HUFFMAN, 2), (2, HUFFMAN, 0)],
)
def test_arguments_that_cannot_be(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"bits|coding|context"):
        _core.encode_symbols(np.full((1, 2, 2), 5, np.uint8), *arguments)
