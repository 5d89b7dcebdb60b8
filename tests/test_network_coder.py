"""The entropy network: C++ and the slow decoder of FORMAT.md agree on every bit, for any tables that are allowed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import log2
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import recodec
from recodec import _core
from recodec.errors import UnsupportedError, WeightsError
from recodec.networks.entropy.model import EntropyModel, EntropyModelConfig
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.weights import load_model, save_model
from tests.plane_files import PlaneCoder, PlaneFields, write_header

from .slow_network import NetworkDecoder
from .zoned import ZONED

FORMAT, UNSUPPORTED = 1, 3
CODES = int(os.environ.get("RECODEC_NETWORK_CODES", "1000000"))
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


def extreme_tables(config: EntropyModelConfig, kind: str) -> Tables:
    """Weights and biases of the largest magnitude, all of one sign or any."""
    rng = np.random.default_rng(7)
    sign = {
        "positive": lambda shape: np.ones(shape, int),
        "negative": lambda shape: -np.ones(shape, int),
        "any": lambda shape: rng.choice([-1, 1], shape),
    }[kind]
    return make_tables(config, lambda shape: 127 * sign(shape), lambda shape: LARGEST_BIAS * sign(shape))


def random_planes(config: EntropyModelConfig, shape: tuple[int, int], count: int, seed: int) -> Planes:
    rng = np.random.default_rng(seed)
    symbols = np.array([-1, 1] if config.symbols == 2 else [-1, 0, 0, 0, 1], np.int8)
    return [rng.choice(symbols, (config.depth, *shape)) for _ in range(count)]


def coder_for(tables: Tables, shape: tuple[int, ...]) -> PlaneCoder:
    return PlaneCoder(*shape, network=_core.EntropyTables(tables))


def encode(planes: Planes, tables: Tables) -> list[tuple[bytes, int]]:
    coder = coder_for(tables, planes[0].shape)
    return [coder.encode(plane) for plane in planes]


def decode(chunks: list[tuple[bytes, int]], shape: tuple[int, ...], tables: Tables) -> Planes:
    coder = coder_for(tables, shape)
    planes = []
    for data, crc in chunks:
        codes, seen = coder.decode(data)
        assert seen == crc
        planes.append(codes.reshape(shape))
    return planes


def decode_at_once(
    chunks: list[tuple[bytes, int]], shape: tuple[int, ...], tables: Tables, threads: int
) -> Planes:
    found = coder_for(tables, shape).decode_all([data for data, _ in chunks], threads)
    assert [crc for _, crc in found] == [crc for _, crc in chunks]
    return [codes.reshape(shape) for codes, _ in found]


def assert_decoders_agree(planes: Planes, tables: Tables) -> NetworkDecoder:
    """All decoders give the codes back, and the slow one's probabilities make the same bytes."""
    chunks = encode(planes, tables)
    np.testing.assert_array_equal(planes, decode(chunks, planes[0].shape, tables))
    for threads in (1, 2, 7):
        np.testing.assert_array_equal(planes, decode_at_once(chunks, planes[0].shape, tables, threads))
    slow = NetworkDecoder(*planes[0].shape, tables)
    for plane, (data, _) in zip(planes, chunks, strict=True):
        assert slow.decode(data) == plane.transpose(1, 2, 0).ravel().tolist()
        bits, probabilities = zip(*slow.said, strict=True)
        assert _core.range_encode(np.array(bits, np.uint8), np.array(probabilities, np.uint16)) == data
        # It may be less: zeros at the end are left out.
        assert 8 * len(data) < ideal_bits(slow) * 1.0001 + 32
    return slow


def ideal_bits(slow: NetworkDecoder) -> float:
    """What the plane decoded last takes with the probabilities that it was decoded with."""
    return -sum(log2(p if bit else 65536 - p) - 16 for bit, p in slow.said)


@st.composite
def configs(draw: st.DrawFn) -> EntropyModelConfig:
    symbols = draw(st.sampled_from([2, 3]))
    groups = draw(st.integers(1, 4))
    depth = groups * draw(st.integers(1, 2)) * (8 if symbols == 2 else 4)
    widths = (8 * draw(st.integers(1, 5)) for _ in range(2))
    return EntropyModelConfig(depth, symbols, draw(st.integers(1, 3)), *widths, groups)


@settings(deadline=None, max_examples=60)
@given(
    config=configs(),
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    count=st.integers(1, 5),
)
def test_slow_decoder_agrees(
    config: EntropyModelConfig, seed: int, shape: tuple[int, int], count: int
) -> None:
    assert_decoders_agree(random_planes(config, shape, count, seed), random_tables(config, seed))


LARGE = [
    EntropyModelConfig(96, 3, 2, 64, 64, 6),
    EntropyModelConfig(96, 2, 2, 64, 96, 12),
    EntropyModelConfig(96, 3, 1, 256, 8, 1),
    EntropyModelConfig(96, 3, 3, 104, 256, 24),
    EntropyModelConfig(256, 2, 1, 40, 24, 32),
    EntropyModelConfig(256, 3, 1, 8, 8, 1),
]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 4)])
@pytest.mark.parametrize("config", LARGE, ids=str)
def test_slow_decoder_agrees_on_large_networks(config: EntropyModelConfig, shape: tuple[int, int]) -> None:
    assert_decoders_agree(random_planes(config, shape, 4, seed=3), random_tables(config, seed=4))


@pytest.mark.parametrize("kind", ["positive", "negative", "any"])
@pytest.mark.parametrize(
    "config",
    [
        EntropyModelConfig(8, 2, 2, 8, 24, 1),
        EntropyModelConfig(4, 3, 1, 256, 256, 1),
        EntropyModelConfig(256, 3, 1, 256, 256, 8),
    ],
    ids=str,
)
def test_largest_weights_and_biases_do_not_overflow(config: EntropyModelConfig, kind: str) -> None:
    tables = extreme_tables(config, kind)
    ones = np.ones((config.depth, 3, 4), np.int8)
    for planes in (random_planes(config, (3, 4), 4, seed=6), [ones] * 4, [-ones] * 4):
        slow = assert_decoders_agree(planes, tables)
        assert slow.largest < 1 << 31
        if kind == "positive":
            # It is the bound that FORMAT.md states, of the state at the widest: nothing else comes nearer.
            inputs = 9 * config.embedding_width + config.width
            assert slow.largest == inputs * 127 * 4095 + 4 * LARGEST_BIAS


@pytest.mark.parametrize("symbols", [2, 3])
def test_activations_at_their_limits_count_as_such(symbols: int) -> None:
    """Most embeddings, states and activations are clamped, and outputs small enough for that to show in bits."""
    config = EntropyModelConfig(16, symbols, 2, 16, 24, 2)
    tables = random_tables(config, seed=31)
    rng = np.random.default_rng(32)
    for name in ("embedding_bias", "state_bias", "hidden_bias"):
        tables[name] = rng.choice([-1, 1, 1], tables[name].shape).astype(np.int32) * (40 << 12)
    tables["output"] = rng.integers(-3, 4, tables["output"].shape, np.int32)
    tables["hidden_bias"][:, :8] //= 8
    for name in MATRICES:
        tables[name] //= 4
    assert_decoders_agree(random_planes(config, (6, 7), 4, seed=33), tables)


@pytest.mark.parametrize("sign", [-1, 1])
def test_largest_rows_of_own_codes_fit_sixteen_bits(sign: int) -> None:
    """Biases of 0, so that activations and logits move with the rows."""
    config = EntropyModelConfig(256, 3, 1, 16, 8, 64)
    tables = make_tables(config, lambda shape: np.full(shape, 127 * sign), np.zeros)
    ones = np.ones((256, 2, 3), np.int8)
    for planes in ([ones, -ones], random_planes(config, (2, 3), 2, seed=1)):
        assert_decoders_agree(planes, tables)


@pytest.mark.parametrize("zero", ["all", "codes"])
def test_planes_of_one_code(zero: str) -> None:
    config = EntropyModelConfig(16, 3, 2, 24, 8, 2)
    plane = np.zeros((16, 5, 6), np.int8)
    if zero == "codes":
        plane[7, 2, 3] = -1
    assert_decoders_agree([plane] * 3, random_tables(config, seed=5))


@pytest.mark.parametrize("symbols", [2, 3])
def test_slow_decoder_agrees_on_any_bytes(symbols: int) -> None:
    config = EntropyModelConfig(16, symbols, 2, 16, 24, 2)
    tables = random_tables(config, seed=8)
    rng = np.random.default_rng(21)
    fast, slow = coder_for(tables, (16, 3, 5)), NetworkDecoder(16, 3, 5, tables)
    for size in (40, 0, 5, 200, 1):
        data = rng.bytes(size)
        codes = fast.decode(data)[0].reshape(16, 3, 5)
        assert slow.decode(data) == codes.transpose(1, 2, 0).ravel().tolist()


# --- instructions


def test_scalar_instructions_are_always_there() -> None:
    names = _core.instructions()
    assert names[-1] == "scalar"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("width", [8, 40, 104, 256])
def test_all_instructions_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    cases = []
    for config in (EntropyModelConfig(96, 3, 2, width, 40, 4), EntropyModelConfig(8, 2, 1, 24, width, 1)):
        planes = random_planes(config, (4, 5), 4, seed=9)
        cases += [
            (planes, tables)
            for tables in (
                random_tables(config, 10),
                extreme_tables(config, "any"),
                extreme_tables(config, "positive"),
            )
        ]
    found = {}
    for name in ("", *_core.instructions()):
        monkeypatch.setenv("RECODEC_INSTRUCTIONS", name)
        found[name] = [encode(planes, tables) for planes, tables in cases]
        for (planes, tables), chunks in zip(cases, found[name], strict=True):
            decoded = decode(chunks, planes[0].shape, tables)
            assert all(np.array_equal(a, b) for a, b in zip(planes, decoded, strict=True))
    assert all(chunks == found["scalar"] for chunks in found.values())


def test_unknown_instructions_are_an_error(
    monkeypatch: pytest.MonkeyPatch, network_model: str, picture: Image.Image
) -> None:
    data = recodec.encode(picture, model=network_model, iterations=1)
    monkeypatch.setenv("RECODEC_INSTRUCTIONS", "mmx")
    message = f'RECODEC_INSTRUCTIONS is "mmx"; this machine has {", ".join(_core.instructions())}'
    with pytest.raises(_core.CoreError) as caught:
        coder_for(random_tables(SMALL, 0), (SMALL.depth, 1, 1))
    assert caught.value.args == (UNSUPPORTED, message)
    with pytest.raises(UnsupportedError, match="mmx"):
        recodec.decode(data)


# --- many codes


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


@pytest.mark.parametrize("weights", ["random", "extreme"])
def test_many_codes(monkeypatch: pytest.MonkeyPatch, weights: str) -> None:
    """A million of them; ``RECODEC_NETWORK_CODES`` sets how many."""
    config = EntropyModelConfig(96, 3, 3, 32, 24, 6)
    side = round((CODES / (8 * config.depth)) ** 0.5)
    planes = structured_planes(config, (side, side), 8)
    tables = random_tables(config, seed=13) if weights == "random" else extreme_tables(config, "any")
    chunks = []
    for name in _core.instructions():
        monkeypatch.setenv("RECODEC_INSTRUCTIONS", name)
        chunks.append(encode(planes, tables))
        for threads in (1, 2, 7):
            np.testing.assert_array_equal(
                planes, decode_at_once(chunks[-1], planes[0].shape, tables, threads)
            )
    assert chunks == chunks[:1] * len(chunks)
    # The slow decoder takes the first rows, which nothing below them changes in the first plane.
    slow = NetworkDecoder(config.depth, min(side, 12), side, tables)
    part = planes[0][:, :12]
    assert slow.decode(chunks[0][0][0]) == part.transpose(1, 2, 0).ravel().tolist()


# --- threads


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


# --- the network in floating point


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


# --- tables that are none


SMALL = EntropyModelConfig(ZONED.depth, 3, 2, 8, 16, 2)
DAMAGES: dict[str, tuple[Callable[[Tables], object], str]] = {
    **{
        f"no {name}": (lambda t, name=name: t.pop(name), f"{name} is missing")
        for name in [*shapes_of(SMALL), "groups"]
    },
    **{
        f"short {name}": (lambda t, name=name: t.update({name: t[name][..., :-1].copy()}), name)
        for name in [*shapes_of(SMALL), "groups"]
    },
    **{
        f"flat {name}": (lambda t, name=name: t.update({name: t[name].ravel()}), f"{name} has shape")
        for name in shapes_of(SMALL)
    },
    "large weight": (lambda t: t["causal"].__setitem__((3, 7, 0), 128), "causal holds 128"),
    "small weight": (lambda t: t["own"].__setitem__((1, 0, 7), -128), "own holds -128"),
    "large bias": (
        lambda t: t["hidden_bias"].__setitem__((1, 7), LARGEST_BIAS + 1),
        "hidden_bias holds 67108865",
    ),
    "small bias": (lambda t: t["output_bias"].__setitem__((0, 0), -(2**31)), "output_bias holds -2147483648"),
    "own bit": (lambda t: t["direct"].__setitem__((0, 8 + 3, 3), 1), "direct looks at a code before"),
    "own sign": (lambda t: t["direct"].__setitem__((1, 3, 8 + 3), 1), "direct looks at a code before"),
    "later code": (lambda t: t["direct"].__setitem__((1, 5, 8 + 4), -1), "direct looks at a code before"),
    **{
        f"{value} groups": (
            lambda t, value=value: t.update(groups=np.array([value], np.int32)),
            f"groups is {value}",
        )
        for value in (0, -1, 3, 8, 16, 2**31 - 1, -(2**31))
    },
    "two numbers of groups": (lambda t: t.update(groups=np.array([2, 2], np.int32)), "groups must be one"),
    "one symbol more": (lambda t: t.update(output=np.zeros((2, 24, 8), np.int32)), "output has shape 2x24x8"),
    "layer of 12": (lambda t: t.update(former=np.zeros((12, 12), np.int32)), "former has shape 12x12"),
    "layer of 0": (lambda t: t.update(former=np.zeros((0, 8), np.int32)), "former has shape 0x8"),
    "layer of 264": (lambda t: t.update(former=np.zeros((264, 264), np.int32)), "former has shape 264x264"),
    "layer of 16": (lambda t: t.update(former=np.zeros((16, 16), np.int32)), "has shape"),
    "long former": (lambda t: t.update(former=np.zeros((8, 16), np.int32)), "former has shape 8x16"),
    "number as groups": (lambda t: t.update(groups=np.array(2, np.int32)), "groups must be one"),
    "odd rows": (lambda t: t.update(embedding=np.zeros((2, 15, 8), np.int32)), "embedding has shape 2x15x8"),
    "no iterations": (
        lambda t: t.update(embedding=np.zeros((0, 16, 8), np.int32)),
        "embedding has shape 0x16x8",
    ),
    "no channels": (lambda t: t.update(embedding=np.zeros((2, 0, 8), np.int32)), "embedding has shape 2x0x8"),
    "width 12": (
        lambda t: t.update(embedding=np.zeros((2, 16, 12), np.int32)),
        "embedding has shape 2x16x12",
    ),
    "width 264": (
        lambda t: t.update(embedding=np.zeros((2, 16, 264), np.int32)),
        "embedding has shape 2x16x264",
    ),
    "257 channels": (
        lambda t: t.update(embedding=np.zeros((2, 514, 8), np.int32)),
        "embedding has shape 2x514x8",
    ),
    "256 iterations": (
        lambda t: t.update(embedding=np.zeros((256, 16, 8), np.int32)),
        "embedding has shape 256x16x8",
    ),
}


@pytest.fixture(scope="module")
def zoned_network() -> RecurrentCodec:
    torch.manual_seed(16)
    return RecurrentCodec(ZONED)


def tensors_of(tables: Tables) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(table) for name, table in tables.items()}


@pytest.fixture
def network_model(zoned_network: RecurrentCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    save_model(tmp_path / "networked.safetensors", zoned_network, {}, tensors_of(random_tables(SMALL, 17)))
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    return "networked"


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_tables_are_refused(zoned_network: RecurrentCodec, tmp_path: Path, damage: str) -> None:
    tables = random_tables(SMALL, seed=18)
    _core.EntropyTables(tables)
    change, message = DAMAGES[damage]
    change(tables)
    with pytest.raises(_core.CoreError, match=message) as caught:
        _core.EntropyTables(tables)
    assert caught.value.args[0] == FORMAT
    save_model(tmp_path / "damaged.safetensors", zoned_network, {}, tensors_of(tables))
    with pytest.raises(WeightsError, match=message):
        load_model(tmp_path / "damaged.safetensors")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (EntropyModelConfig(16, 3, 2, 8, 8, 2), "its entropy network 16 of 3"),
        (EntropyModelConfig(8, 2, 2, 8, 8, 1), "its entropy network 8 of 2"),
    ],
)
def test_tables_for_other_codes_are_refused(
    zoned_network: RecurrentCodec, tmp_path: Path, config: EntropyModelConfig, message: str
) -> None:
    save_model(tmp_path / "other.safetensors", zoned_network, {}, tensors_of(random_tables(config, 19)))
    with pytest.raises(WeightsError, match=message):
        load_model(tmp_path / "other.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool])
def test_tables_of_other_types_are_refused(
    zoned_network: RecurrentCodec, tmp_path: Path, dtype: torch.dtype
) -> None:
    tables = tensors_of(random_tables(SMALL, 20))
    tables["causal"] = torch.ones(4, 8, 8, dtype=dtype)
    save_model(tmp_path / "typed.safetensors", zoned_network, {}, tables)
    with pytest.raises(WeightsError, match="entropy tensor causal holds"):
        load_model(tmp_path / "typed.safetensors")


def test_hash_covers_the_tables(zoned_network: RecurrentCodec, tmp_path: Path) -> None:
    hashes = set()
    for name in ("", "causal", "output_bias", "groups"):
        tables = tensors_of(random_tables(SMALL, 21))
        if name:
            tables[name].ravel()[0] = 1 if name == "groups" else tables[name].ravel()[0] ^ 1
        save_model(tmp_path / "hashed.safetensors", zoned_network, {}, tables)
        hashes.add(load_model(tmp_path / "hashed.safetensors").hash)
    save_model(tmp_path / "hashed.safetensors", zoned_network, {})
    assert len(hashes | {load_model(tmp_path / "hashed.safetensors").hash}) == 5


# --- coders and files that do not fit


def test_a_network_is_for_one_depth_and_one_version() -> None:
    network = _core.EntropyTables(random_tables(SMALL, 22))
    assert (network.iterations, network.depth, network.symbols) == (2, 8, 3)
    with pytest.raises(_core.CoreError, match="network is for depth 8, but the file has depth 16") as caught:
        PlaneCoder(16, 2, 2, network=network)
    assert caught.value.args[0] == FORMAT
    for version in (0, 2, 3, 255):
        with pytest.raises(_core.CoreError, match=f"entropy coder 2, version {version}") as caught:
            PlaneCoder(8, 2, 2, version, network)
        assert caught.value.args[0] == UNSUPPORTED


@pytest.mark.parametrize(("symbols", "codes"), [(2, (0, 2, -2, 127, -128)), (3, (2, -2, 127, -128))])
def test_other_codes_are_refused_and_leave_no_trace(symbols: int, codes: tuple[int, ...]) -> None:
    config = EntropyModelConfig(8, symbols, 2, 8, 8, 1)
    first, second = random_planes(config, (3, 4), 2, seed=23)
    tables = random_tables(config, 24)
    coder = coder_for(tables, first.shape)
    chunks = [coder.encode(first)]
    for code in codes:
        wrong = first.copy()
        wrong[7, 1, 3] = code
        with pytest.raises(_core.CoreError, match=f"code {code} at channel 7, position 7; codes are -1"):
            coder.encode(wrong)
    assert [*chunks, coder.encode(second)] == encode([first, second], tables)


def test_model_without_a_network_shows_nothing_of_a_file_with_one(tiny_model: str) -> None:
    model = load_model(tiny_model)
    header = PlaneFields()
    header.width = header.height = 32
    header.model, header.model_hash = tiny_model, model.hash
    header.stride, header.depth = model.network.config.stride, model.network.config.depth
    header.entropy = 2
    start = write_header(header)
    data = start + _core.write_chunk(1, bytes(40)) + _core.write_chunk(0, b"\x01")
    codec = recodec.load(tiny_model)
    for use in (codec.decode, lambda file: next(iter(codec.progressive(file))), recodec.verify):
        with pytest.raises(
            WeightsError, match="need an entropy network, which model 'tiny' here does not have"
        ):
            use(data)
    # Nothing else is wrong with it: what adaptive contexts decode is merely damaged.
    header.entropy = 1
    with pytest.raises(recodec.ChecksumError):
        codec.decode(write_header(header) + data[len(start) :])


# --- a change here is a change of the file format


def pinned_tables(config: EntropyModelConfig) -> Tables:
    """From a fixed recurrence: the same for every version of NumPy."""
    state = 5

    def numbers(shape: tuple[int, ...], limit: int) -> np.ndarray:
        nonlocal state
        found = []
        for _ in range(int(np.prod(shape))):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            found.append((state >> 33) % (2 * limit + 1) - limit)
        return np.array(found).reshape(shape)

    return make_tables(config, lambda shape: numbers(shape, 40), lambda shape: numbers(shape, 4096))


@pytest.mark.parametrize("symbols", [2, 3])
def test_bytes_are_pinned(symbols: int) -> None:
    config = EntropyModelConfig(16, symbols, 2, 16, 24, 2)
    size = 16 * 5 * 7
    codes = [(i * i // 7 + i // 16) % 5 for i in range(3 * size)]
    signs = [1 if code in (1, 4) else -1 for code in codes]
    planes = [s if symbols == 2 or c % 2 else 0 for c, s in zip(codes, signs, strict=True)]
    chunks = encode(list(np.array(planes, np.int8).reshape(3, 16, 5, 7)), pinned_tables(config))
    digest = hashlib.sha256(b"".join(data + crc.to_bytes(4, "little") for data, crc in chunks)).hexdigest()
    assert digest[:32] == PINNED[symbols]


PINNED = {2: "dcc9ffb0d269701252c241f7d5c1d666", 3: "7cab7a6f349bf626752f0864f68b4a31"}
