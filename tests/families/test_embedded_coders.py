"""Coders of embedded planes: equal to the slow decoders, on any threads and instructions, and what they refuse."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from recodec import _core
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent.config import LatentConfig
from recodec.networks.latent.planes import EmbeddedPlanes
from tests import slow_embedded
from tests.plane_files import PlaneCoder

CHANNELS, PLANES, CHUNKS = 40, 7, 7
CONTEXTS, NETWORK, LEARNING = "contexts", "network", "learning"
CODERS = [CONTEXTS, NETWORK, LEARNING]
Part = _core.EmbeddedOrder | _core.EmbeddedTables


def random_order(seed: int, channels: int = CHANNELS) -> np.ndarray:
    """Planes from different tops, some never sent, some of one latent in one chunk."""
    rng = np.random.default_rng(seed)
    chunk_of = np.sort(rng.integers(0, CHUNKS + 1, (channels, PLANES)), axis=1)[:, ::-1].astype(np.int32)
    for row, top in zip(chunk_of, rng.integers(2, PLANES + 1, channels), strict=True):
        row[top:] = CHUNKS
    return np.ascontiguousarray(chunk_of)


def embedded_planes(seed: int = 0) -> EmbeddedPlanes:
    planes = EmbeddedPlanes(LatentConfig(channels=CHANNELS, planes=PLANES, chunks=CHUNKS))
    planes.chunk_of.copy_(torch.from_numpy(random_order(seed)))
    planes.forget()
    planes.check()
    return planes


def entropy_model(planes: EmbeddedPlanes, seed: int = 0) -> EmbeddedEntropyModel:
    torch.manual_seed(seed)
    network = EmbeddedEntropyModel(planes, 24, 16)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape))
    return network


def random_index(planes: EmbeddedPlanes, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Indices with heavy tails that resemble their neighbours."""
    rng = np.random.default_rng(seed)
    size = rng.laplace(0, 3, (1, CHANNELS, height, width)) * rng.gamma(1, 1, (1, 1, height, width))
    return planes.index(torch.from_numpy(size + np.roll(size, 1, 3) / 2).float())


def coded(planes: EmbeddedPlanes, index: torch.Tensor) -> list[np.ndarray]:
    return [planes.codes(index, chunk)[0].numpy() for chunk in range(planes.count)]


def parts(planes: EmbeddedPlanes) -> dict[str, tuple[int, Part]]:
    """Version and part of each coder."""
    order = _core.EmbeddedOrder(planes.chunk_of.int().numpy(), CHUNKS)
    tables = {name: value.int().numpy() for name, value in entropy_model(planes).tables().items()}
    network = _core.EmbeddedTables(tables, order)
    return {CONTEXTS: (4, order), NETWORK: (2, network), LEARNING: (4, network)}


def slow_decoder(kind: str, planes: EmbeddedPlanes, height: int, width: int) -> slow_embedded.EmbeddedDecoder:
    order = slow_embedded.chunk_order(planes.chunk_of.tolist(), CHUNKS)
    if kind == CONTEXTS:
        return slow_embedded.AdaptiveDecoder(order, CHANNELS, height, width)
    tables = {name: value.numpy() for name, value in entropy_model(planes).tables().items()}
    decoder = slow_embedded.NetworkDecoder if kind == NETWORK else slow_embedded.LearningDecoder
    return decoder(order, CHANNELS, height, width, tables)


def coder(kind: str, planes: EmbeddedPlanes, height: int, width: int) -> PlaneCoder:
    version, part = parts(planes)[kind]
    return PlaneCoder(CHANNELS, height, width, version, part)


@pytest.mark.parametrize("kind", CODERS)
@pytest.mark.parametrize("shape", [(1, 1), (4, 5)])
def test_codes_come_back_and_the_slow_decoder_agrees(kind: str, shape: tuple[int, int]) -> None:
    planes = embedded_planes()
    codes = coded(planes, random_index(planes, *shape))
    writer, reader = coder(kind, planes, *shape), coder(kind, planes, *shape)
    slow = slow_decoder(kind, planes, *shape)
    for plane in codes:
        data, checksum = writer.encode(plane)
        found, seen = reader.decode(data)
        np.testing.assert_array_equal(found.reshape(plane.shape), plane)
        assert seen == checksum
        assert slow.decode(data) == plane.transpose(1, 2, 0).ravel().tolist()


@pytest.mark.parametrize("kind", CODERS)
def test_any_bytes_decode_as_slowly(kind: str) -> None:
    planes = embedded_planes(3)
    rng = np.random.default_rng(5)
    fast, slow = coder(kind, planes, 3, 4), slow_decoder(kind, planes, 3, 4)
    for size in rng.integers(0, 200, CHUNKS).tolist():
        data = rng.bytes(size)
        found = fast.decode(data)[0].reshape(-1, 3, 4)
        assert slow.decode(data) == found.transpose(1, 2, 0).ravel().tolist()


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("shape", [(1, 9), (11, 6)])
def test_threads_decode_alike(threads: int, shape: tuple[int, int]) -> None:
    planes = embedded_planes(1)
    codes = coded(planes, random_index(planes, *shape, seed=2))
    writer, reader = coder(LEARNING, planes, *shape), coder(LEARNING, planes, *shape)
    chunks = [writer.encode(plane)[0] for plane in codes]
    found = reader.decode_all(chunks[:1], threads) + reader.decode_all(chunks[1:], threads)
    for plane, (decoded, _) in zip(codes, found, strict=True):
        np.testing.assert_array_equal(decoded.reshape(plane.shape), plane)


_PRINT_CHUNKS = """
import hashlib
from tests.families.test_embedded_coders import LEARNING, coded, coder, embedded_planes, random_index
planes = embedded_planes(4)
writer = coder(LEARNING, planes, 9, 13)
chunks = [writer.encode(plane)[0] for plane in coded(planes, random_index(planes, 9, 13, seed=6))]
print(hashlib.sha256(b"".join(chunks)).hexdigest())
"""


def test_every_set_of_instructions_writes_the_same(run_with: Callable[..., str]) -> None:
    found = {name: run_with(_PRINT_CHUNKS, RECODEC_INSTRUCTIONS=name) for name in _core.instructions()}
    assert len(set(found.values())) == 1, found


@pytest.fixture
def run_with() -> Callable[..., str]:
    """Output of a program in a process with other environment variables."""

    def run(program: str, **variables: str) -> str:
        environment = os.environ | variables
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    return run


def test_the_floats_of_training_are_the_integers_of_use() -> None:
    planes = embedded_planes(2)
    network = EmbeddedEntropyModel.from_tables(planes, entropy_model(planes).tables())
    index = random_index(planes, 24, 24, seed=8)
    writer = coder(NETWORK, planes, 24, 24)
    sizes = [len(writer.encode(plane)[0]) for plane in coded(planes, index)]
    with torch.inference_mode():
        lengths = [float(network.bits(index, chunk).sum()) / 8 for chunk in range(CHUNKS)]
    assert sum(sizes) == pytest.approx(sum(lengths), rel=0.004)


def test_crossing_an_edge_costs_what_bits_differ_by() -> None:
    planes = embedded_planes(2)
    network = entropy_model(planes)
    nothing = torch.zeros(1, CHANNELS, 6, 7, dtype=torch.int32)
    with torch.inference_mode():
        for chunk in range(CHUNKS):
            own, above = network.crossing_bits(nothing, chunk)
            assert own.shape == above.shape == (1, len(planes.chunks[chunk]), 6, 7)
            free = own > -2
            logits = (1 - own) * math.log(2)
            zeros, ones = F.softplus(logits) / math.log(2), F.softplus(-logits) / math.log(2)
            torch.testing.assert_close(above[free], -ones[free])
            if free.all():
                torch.testing.assert_close(zeros.sum(1), network.bits(nothing, chunk))
    known = torch.full_like(nothing, int(planes.limit.max())).minimum(planes.limit[:, None, None])
    with torch.inference_mode():
        own, above = network.crossing_bits(known, CHUNKS - 1)
    lower = planes.limit[planes.chunks[-1].channels] >> (planes.chunks[-1].planes + 1) > 0
    assert lower.any()
    assert not own[:, lower].any(), "nothing turns significant twice"
    assert (above[:, lower] < 0).all()


def test_rounded_weights_are_those_of_the_tables() -> None:
    planes = embedded_planes()
    network = entropy_model(planes)
    network.rounding = True
    again = EmbeddedEntropyModel.from_tables(planes, network.tables())
    for name in ("around", "inner", "own", "significance", "near_sign"):
        torch.testing.assert_close(network.weight(name), again.weight(name))


@pytest.mark.parametrize("kind", CODERS)
def test_a_latent_keeps_its_sign(kind: str) -> None:
    planes = embedded_planes()
    index = planes.limit[None, :, None, None].expand(1, -1, 2, 2)
    writer = coder(kind, planes, 2, 2)
    turned = next(chunk for chunk in range(1, CHUNKS) if _shares_channels(planes, chunk))
    for chunk in range(turned):
        writer.encode(planes.codes(index, chunk)[0].numpy())
    with pytest.raises(_core.CoreError, match="another sign than those of the planes before"):
        writer.encode(planes.codes(-index, turned)[0].numpy())


def _shares_channels(planes: EmbeddedPlanes, chunk: int) -> bool:
    before = {channel for held in planes.chunks[:chunk] for channel in held.channels.tolist()}
    return not before.isdisjoint(planes.chunks[chunk].channels.tolist())


def test_a_chunk_beyond_the_models_is_refused() -> None:
    planes = embedded_planes()
    reader = coder(LEARNING, planes, 2, 2)
    with pytest.raises(
        _core.CoreError, match=f"code chunk {CHUNKS + 1} is one more than the model's {CHUNKS}"
    ):
        reader.decode_all([b""] * (CHUNKS + 1), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda order: order.__setitem__((3, slice(0, 2)), (0, 1)), "channel 3 are not in order"),
        (lambda order: order.__setitem__((0, 0), -1), "channel 0 are not in order"),
        (lambda order: order.__setitem__((0, 0), CHUNKS + 1), "channel 0 are not in order"),
    ],
)
def test_orders_that_skip_a_plane_are_refused(change: Callable[[np.ndarray], None], message: str) -> None:
    order = np.zeros((CHANNELS, PLANES), np.int32)
    change(order)
    with pytest.raises(_core.CoreError, match=message):
        _core.EmbeddedOrder(order, CHUNKS)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("inner", lambda value: value[:, :12], "inner has shape 16x12"),
        ("own", lambda value: value[:1], "own has shape"),
        ("around", lambda value: value + 200, "around holds"),
        ("sign_bias", lambda value: value + (1 << 27), "sign_bias holds"),
        ("near", None, "near is missing"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    name: str, change: Callable[[np.ndarray], np.ndarray] | None, message: str
) -> None:
    planes = embedded_planes()
    tables = {key: value.int().numpy() for key, value in entropy_model(planes).tables().items()}
    value = tables.pop(name)
    if change is not None:
        tables[name] = np.ascontiguousarray(change(value))
    order = _core.EmbeddedOrder(planes.chunk_of.int().numpy(), CHUNKS)
    with pytest.raises(_core.CoreError, match=message):
        _core.EmbeddedTables(tables, order)
