"""Tables, coders and files that do not fit together; bytes that never change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import recodec
from recodec import _core
from recodec.errors import WeightsError
from recodec.networks.entropy.model import EntropyModelConfig
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.weights import load_model, save_model
from tests.families.network_tables import (
    FORMAT,
    LARGEST_BIAS,
    SMALL,
    UNSUPPORTED,
    Tables,
    coder_for,
    encode,
    make_tables,
    random_planes,
    random_tables,
    shapes_of,
    tensors_of,
)
from tests.plane_files import PlaneCoder, PlaneFields, write_header

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


def test_a_network_is_for_one_depth_and_one_version() -> None:
    network = _core.EntropyTables(random_tables(SMALL, 22))
    assert (network.iterations, network.depth, network.symbols) == (2, 8, 3)
    with pytest.raises(_core.CoreError, match="network is for depth 8, but the file has depth 16") as caught:
        PlaneCoder(16, 2, 2, network=network)
    assert caught.value.args[0] == FORMAT
    for version in (0, 3, 5, 255):
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
