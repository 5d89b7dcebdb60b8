"""Entropy coder 2: the slow decoder of FORMAT.md agrees, whatever the weights, instructions and codes."""

from __future__ import annotations

import os
from math import log2
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import recodec
from recodec import _core
from recodec.errors import SettingError
from recodec.networks.entropy.model import EntropyModelConfig
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.weights import save_model
from tests.families.network_tables import (
    LARGEST_BIAS,
    MATRICES,
    SMALL,
    Planes,
    Tables,
    coder_for,
    encode,
    make_tables,
    random_planes,
    random_tables,
    structured_planes,
    tensors_of,
)
from tests.plane_files import decode_sound
from tests.slow_network import NetworkDecoder

CODES = int(os.environ.get("RECODEC_NETWORK_CODES", "1000000"))


def extreme_tables(config: EntropyModelConfig, kind: str) -> Tables:
    """Weights and biases of the largest magnitude, all of one sign or any."""
    rng = np.random.default_rng(7)
    sign = {
        "positive": lambda shape: np.ones(shape, int),
        "negative": lambda shape: -np.ones(shape, int),
        "any": lambda shape: rng.choice([-1, 1], shape),
    }[kind]
    return make_tables(config, lambda shape: 127 * sign(shape), lambda shape: LARGEST_BIAS * sign(shape))


def decode(chunks: list[tuple[bytes, int]], shape: tuple[int, ...], tables: Tables) -> Planes:
    return decode_sound(coder_for(tables, shape), chunks, shape)


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
    have = ", ".join(_core.instructions())
    message = f'the environment variable RECODEC_INSTRUCTIONS is "mmx"; this machine has {have}: name one or unset it'
    with pytest.raises(_core.CoreError) as caught:
        coder_for(random_tables(SMALL, 0), (SMALL.depth, 1, 1))
    assert caught.value.args == (6, message)
    for use in (recodec.decode, recodec.verify):
        with pytest.raises(SettingError, match="mmx"):
            use(data)
    with pytest.raises(SettingError, match="mmx"):
        recodec.encode(picture, model=network_model, iterations=1)


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


@pytest.fixture
def network_model(zoned_network: RecurrentCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    save_model(tmp_path / "networked.safetensors", zoned_network, {}, tensors_of(random_tables(SMALL, 17)))
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    return "networked"
