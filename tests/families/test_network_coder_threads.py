"""Entropy coder 2: planes that trail each other, and the model in floating point."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from recodec import _core
from recodec.networks.entropy.model import EntropyModel, EntropyModelConfig
from tests.families.network_tables import (
    SMALL,
    Planes,
    coder_for,
    encode,
    random_planes,
    random_tables,
    structured_planes,
)
from tests.plane_files import PlaneCoder


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (14, 5)])
@pytest.mark.parametrize("threads", [1, 2, 3, 7, 100])
def test_planes_decoded_at_once_are_those_decoded_one_by_one(threads: int, shape: tuple[int, int]) -> None:
    config = EntropyModelConfig(16, 3, 2, 24, 16, 2)
    planes = random_planes(config, shape, 11, seed=16)
    tables = random_tables(config, seed=17)
    chunks = [data for data, _ in encode(planes, tables)]
    one_by_one, at_once = (coder_for(tables, planes[0].shape) for _ in range(2))
    expected = [one_by_one.decode(chunk) for chunk in chunks]
    # Whatever came before, and whatever comes after.
    found = [at_once.decode(chunks[0])]
    found += at_once.decode_all(chunks[1:2], threads) + at_once.decode_all([], threads)
    found += at_once.decode_all(chunks[2:9], threads)
    found.append(at_once.decode(chunks[9]))
    found += at_once.decode_all(chunks[10:], threads)
    for (codes, crc), (others, other_crc) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(codes, others)
        assert crc == other_crc


def test_planes_of_any_bytes_decoded_at_once_are_those_decoded_one_by_one() -> None:
    tables = random_tables(SMALL, seed=18)
    rng = np.random.default_rng(19)
    chunks = [rng.bytes(int(size)) for size in rng.integers(0, 60, 9)]
    one_by_one, at_once = (coder_for(tables, (SMALL.depth, 7, 6)) for _ in range(2))
    for (codes, crc), (others, other_crc) in zip(
        [one_by_one.decode(chunk) for chunk in chunks], at_once.decode_all(chunks, 3), strict=True
    ):
        np.testing.assert_array_equal(codes, others)
        assert crc == other_crc


@pytest.mark.parametrize("version", [1, 3])
def test_adaptive_contexts_decode_all_planes_too(version: int) -> None:
    planes = random_planes(EntropyModelConfig(8, 2, 1), (5, 6), 3, seed=20)
    writer, reader = (PlaneCoder(8, 5, 6, version) for _ in range(2))
    chunks = [writer.encode(plane) for plane in planes]
    for plane, (_, crc), (codes, seen) in zip(
        planes, chunks, reader.decode_all([data for data, _ in chunks], 4), strict=True
    ):
        np.testing.assert_array_equal(plane, codes.reshape(plane.shape))
        assert seen == crc


def test_threads_decode_alike() -> None:
    config = EntropyModelConfig(32, 3, 2, 48, 32, 4)
    planes = random_planes(config, (9, 11), 6, seed=14)
    tables = random_tables(config, seed=15)
    shared = _core.EntropyTables(tables)
    alone = encode(planes, tables)

    def use(_: int) -> Planes:
        writer, reader = (PlaneCoder(*planes[0].shape, network=shared) for _ in range(2))
        assert [writer.encode(plane) for plane in planes] == alone
        return [reader.decode(data)[0].reshape(planes[0].shape) for data, _ in alone]

    with ThreadPoolExecutor(4) as pool:
        for decoded in pool.map(use, range(16)):
            assert all(np.array_equal(a, b) for a, b in zip(planes, decoded, strict=True))


@pytest.mark.parametrize("symbols", [2, 3])
def test_tables_come_back_from_floats(symbols: int) -> None:
    config = EntropyModelConfig(16, symbols, 2, 24, 8, 2)
    tables = {name: torch.from_numpy(table) for name, table in random_tables(config, seed=21).items()}
    network = EntropyModel.from_tables(tables)
    assert network.config == config
    again = network.tables()
    assert again.keys() == tables.keys()
    for name, table in tables.items():
        torch.testing.assert_close(again[name].to(torch.int32), table, rtol=0, atol=0)


@pytest.mark.parametrize("symbols", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_floats_agree_but_for_rounding(symbols: int, seed: int) -> None:
    torch.manual_seed(seed)
    config = EntropyModelConfig(
        16, symbols, 2, width=8 * (1 + seed), embedding_width=8 * (4 - seed), groups=2
    )
    network = EntropyModel(config)
    for name in ("own", "direct"):
        torch.nn.init.normal_(getattr(network, name), std=0.4)
    for name in ("embedding_bias", "state_bias", "hidden_bias", "output_bias"):
        getattr(network, name).data += 0.3 * torch.randn_like(getattr(network, name))
    network.rounding = True
    planes = structured_planes(config, (24, 25), 4)
    if symbols == 2:
        planes = [np.where(plane > 0, 1, -1).astype(np.int8) for plane in planes]
    tables = {name: tensor.numpy().astype(np.int32) for name, tensor in network.tables().items()}
    with torch.no_grad():
        bits = network.code_length(torch.from_numpy(np.stack(planes))[None].float()).sum((0, 2, 3))
    for expected, (data, _) in zip(bits.tolist(), encode(planes, tables), strict=True):
        # A plane of these takes thousands of bits; its end is rounded to bytes.
        assert expected > 5000
        assert abs(8 * len(data) - expected) < 32 + 0.005 * expected
