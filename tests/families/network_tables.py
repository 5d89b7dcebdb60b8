"""Tables of entropy models and planes of codes, random and extreme."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from recodec import _core
from recodec.networks.entropy.model import EntropyModelConfig
from tests.plane_files import PlaneCoder
from tests.zoned import ZONED

FORMAT, UNSUPPORTED = 1, 3


LARGEST_BIAS = 1 << 26


MATRICES = ("causal", "state", "recurrence", "former")


Tables = dict[str, np.ndarray]


Planes = list[np.ndarray]


def shapes_of(config: EntropyModelConfig) -> dict[str, tuple[int, ...]]:
    count, depth, width, inputs = config.iterations, config.depth, config.width, config.embedding_width
    bits = depth * (config.symbols - 1)
    return {
        "embedding": (count, 2 * depth, inputs),
        "causal": (4, width, inputs),
        "state": (9, width, inputs),
        "recurrence": (width, width),
        "former": (width, width),
        "own": (count, 2 * depth, width),
        "output": (count, bits, width),
        "direct": (count, 2 * depth, bits),
        "embedding_bias": (count, inputs),
        "state_bias": (count, width),
        "hidden_bias": (count, width),
        "output_bias": (count, bits),
    }


def make_tables(
    config: EntropyModelConfig, weight: Callable[..., np.ndarray], bias: Callable[..., np.ndarray]
) -> Tables:
    """Tables of what two functions return for shapes."""
    tables = {
        name: (bias if name.endswith("_bias") else weight)(shape).astype(np.int32)
        for name, shape in shapes_of(config).items()
    }
    rows, columns = (np.arange(size) % config.depth for size in tables["direct"].shape[1:])
    tables["direct"] *= rows[:, None] < columns
    return tables | {"groups": np.array([config.groups], np.int32)}


def random_tables(config: EntropyModelConfig, seed: int) -> Tables:
    """Weights of the size that training gives, so that no probability is at a limit all the time."""
    rng = np.random.default_rng(seed)
    tables = make_tables(
        config,
        lambda shape: rng.normal(0, 30, shape).clip(-127, 127).round(),
        lambda shape: rng.normal(0, 2000, shape),
    )
    for name in MATRICES:
        tables[name] = (tables[name] / config.width**0.5).round().astype(np.int32)
    tables["output"] = (tables["output"] / config.width**0.5).round().astype(np.int32)
    return tables


def random_planes(config: EntropyModelConfig, shape: tuple[int, int], count: int, seed: int) -> Planes:
    rng = np.random.default_rng(seed)
    symbols = np.array([-1, 1] if config.symbols == 2 else [-1, 0, 0, 0, 1], np.int8)
    return [rng.choice(symbols, (config.depth, *shape)) for _ in range(count)]


def coder_for(tables: Tables, shape: tuple[int, ...]) -> PlaneCoder:
    return PlaneCoder(*shape, network=_core.EntropyTables(tables))


def encode(planes: Planes, tables: Tables) -> list[tuple[bytes, int]]:
    coder = coder_for(tables, planes[0].shape)
    return [coder.encode(plane) for plane in planes]


def structured_planes(config: EntropyModelConfig, shape: tuple[int, int], count: int) -> Planes:
    """Planes of regions that differ in how many codes are not 0, and noise."""
    rng = np.random.default_rng(12)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    share = 0.5 + 0.5 * np.sin(x / 7 + np.arange(config.depth)[:, None, None] / 3) * np.cos(y / 5)
    planes = []
    for _ in range(count):
        signs = np.where(rng.random(share.shape) < share, 1, -1)
        planes.append(np.where(rng.random(share.shape) < 0.4 * share, signs, 0).astype(np.int8))
    return planes


SMALL = EntropyModelConfig(ZONED.depth, 3, 2, 8, 16, 2)


def tensors_of(tables: Tables) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(table) for name, table in tables.items()}
