"""The entropy network of ``csrc/fuzz/stand_in.hpp``, for tests that go without a model."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from recodec import _core
from tests.plane_files import PlaneCoder

_ITERATIONS, _WIDTH, _EMBEDDING_WIDTH = 2, 8, 16
_WEIGHT, _BIAS = 40, 4096


def _mix(state: np.ndarray) -> np.ndarray:
    """SplitMix64."""
    z = (state ^ state >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return z ^ z >> np.uint64(31)


def symbols(depth: int) -> int:
    """How many the network of a depth codes, which must be a multiple of 4."""
    return 2 if depth % 16 == 0 else 3


@lru_cache(maxsize=8)
def stand_in_tables(depth: int) -> dict[str, np.ndarray]:
    bits = depth * (symbols(depth) - 1)
    shapes = {
        "embedding": (_ITERATIONS, 2 * depth, _EMBEDDING_WIDTH),
        "causal": (4, _WIDTH, _EMBEDDING_WIDTH),
        "state": (9, _WIDTH, _EMBEDDING_WIDTH),
        "recurrence": (_WIDTH, _WIDTH),
        "former": (_WIDTH, _WIDTH),
        "own": (_ITERATIONS, 2 * depth, _WIDTH),
        "output": (_ITERATIONS, bits, _WIDTH),
        "direct": (_ITERATIONS, 2 * depth, bits),
        "embedding_bias": (_ITERATIONS, _EMBEDDING_WIDTH),
        "state_bias": (_ITERATIONS, _WIDTH),
        "hidden_bias": (_ITERATIONS, _WIDTH),
        "output_bias": (_ITERATIONS, bits),
    }
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    states = np.uint64(depth) + np.arange(1, sum(sizes) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    numbers = iter(np.split(_mix(states), np.cumsum(sizes)[:-1]))
    tables = {}
    for (name, shape), values in zip(shapes.items(), numbers, strict=True):
        limit = _BIAS if name.endswith("_bias") else _WEIGHT
        tables[name] = (values % np.uint64(2 * limit + 1)).astype(np.int32).reshape(shape) - np.int32(limit)
    rows, columns = np.arange(2 * depth) % depth, np.arange(bits) % depth
    tables["direct"] *= rows[:, None] < columns
    return tables | {"groups": np.array([bits // 8], np.int32)}


@lru_cache(maxsize=8)
def _network(depth: int) -> _core.EntropyTables:
    return _core.EntropyTables(stand_in_tables(depth))


def stand_in_coder(entropy: int, version: int, depth: int, rows: int, columns: int) -> PlaneCoder:
    """The coder that a header names. Raises :class:`_core.CoreError` where there can be none."""
    return PlaneCoder(depth, rows, columns, version, _network(depth) if entropy == 2 else None)
