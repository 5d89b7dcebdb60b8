"""Entropy coders against each other: bytes of real pictures, and time for one plane of codes.

    python bench/entropy.py bytes FOLDER --model MODEL [--out PATH]
    python bench/entropy.py speed [--out PATH]
    python bench/entropy.py threads PICTURE [--out PATH]

``bytes`` codes what a model says of the pictures in FOLDER with its entropy network, with adaptive contexts and
raw, log2(symbols) bits a code. ``speed`` decodes one plane of random codes with every set of instructions that
this machine has, with adaptive contexts, by the same network in PyTorch, position by position, and only its bits,
with their probabilities known, by the range coder and by constriction. All run on one core, in turns; answers are
checked first. ``threads`` decodes the planes of a file one after the other and at once.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from torch import Tensor

import options
import recodec
import result_file
from position_loops import OptimisedLoop, PlainLoop
from range_coder import Constriction, Recodec
from recodec import _core
from recodec.container.core import CHECKSUM_BYTES, CODES
from recodec.container.reader import Reader
from recodec.eval.curve import load_rgb
from recodec.families.recurrent.family import read_planes
from recodec.families.recurrent.planes import ADAPTIVE, NETWORK, Codes
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.entropy.model import EntropyModel, EntropyModelConfig

ROWS, COLUMNS = 32, 48


@click.group()
def main() -> None:
    """Compare entropy coders."""


@main.command("bytes")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.model()
@options.limit()
@options.out
def compare_bytes(folder: Path, model: str, limit: int | None, out: Path | None) -> None:
    """Bits per pixel up to every chunk, means over the pictures of FOLDER."""
    codec = recodec.load(model)
    if codec.model.entropy_tables is None:
        raise click.ClickException(f"model {codec.id} has no entropy network")
    rows: dict[str, list[list[float]]] = {"raw": [], "adaptive": [], "float": [], "network": []}
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))[:limit]
    if not paths:
        raise click.ClickException(f"{folder} holds no PNG or JPEG pictures")
    for path in paths:
        original = load_rgb(path)
        adaptive, network = (
            codec.encode(original, entropy=coder, iterations=codec.iterations)
            for coder in ("adaptive", "network")
        )
        planes = decode_planes(codec, network)
        for one, other in zip(planes, decode_planes(codec, adaptive), strict=True):
            require_equal(one, other)
        sizes = recodec.info(network).chunk_bytes
        payloads = [len(chunk.payload) for chunk in Reader(network).chunks() if chunk.type == CODES]
        bits: dict[str, list[float]] = {
            "raw": [math.log2(codec.model.network.symbols) * plane.size for plane in planes],
            "adaptive": [8 * size for size in recodec.info(adaptive).chunk_bytes],
            # In as much of a frame as the integers have.
            "float": [
                bits + 8 * (size - payload + CHECKSUM_BYTES)
                for bits, size, payload in zip(code_lengths(codec, planes), sizes, payloads, strict=True)
            ],
            "network": [8 * size for size in sizes],
        }
        for name, values in bits.items():
            rows[name].append([value / (original.shape[0] * original.shape[1]) for value in values])
    means = {name: np.mean(values, axis=0).tolist() for name, values in rows.items()}
    totals = np.cumsum([means[name] for name in rows], axis=1)
    print("totals     raw  adaptive   float  network  network / adaptive  network / float")
    for number, (raw, least, ideal, integer) in enumerate(totals.T, start=1):
        print(f"{number:6d}  {raw:6.3f}  {least:8.4f}  {ideal:6.4f}  {integer:7.4f}  "
              f"{integer / least:18.3f}  {integer / ideal:15.4f}")  # fmt: skip
    record = {"model": codec.id, "hash": codec.hash.hex(), "pictures": len(paths)}
    result_file.write(out, {**record, "bits_per_pixel": means})


def decode_planes(codec: recodec.Codec, data: bytes) -> list[Codes]:
    return read_planes(data, codec.model.coder_part(_core.read_plane_header(Reader(data).header())))


@torch.inference_mode()
def code_lengths(codec: recodec.Codec, planes: list[Codes]) -> list[float]:
    """Bits of every plane, by the model's entropy network in floating point."""
    model = codec.model
    if model.order is None:
        network = EntropyModel.from_tables(model.tables)
        lengths = network.code_length(torch.from_numpy(np.stack(planes)[None]).float())[0]
        return [float(length) for length in lengths.sum((1, 2))]
    embedded = EmbeddedEntropyModel.from_tables(model.network.planes, model.tables)
    known = model.network.decode_step(torch.from_numpy(planes[0])[None], None)
    for plane in planes[1:]:
        known = model.network.decode_step(torch.from_numpy(plane)[None], known)
    return [float(embedded.bits(known.indices, chunk).sum()) for chunk in range(len(planes))]


@main.command("speed")
@options.out
@options.repeats(9)
def compare_speed(out: Path | None, repeats: int) -> None:
    """Time to code the third plane of 48×32 positions."""
    torch.set_num_threads(1)
    shapes = {
        "32 signs": EntropyModelConfig(32, 2, 4, embedding_width=16, groups=4),
        "96 codes, mostly 0": EntropyModelConfig(96, 3, 4, groups=6),
    }
    results = {name: speed(name, config, repeats) for name, config in shapes.items()}
    result_file.write(out, {"results": results})


def speed(name: str, config: EntropyModelConfig, repeats: int) -> dict[str, Any]:
    torch.manual_seed(0)
    network = EntropyModel(config)
    for table in ("own", "direct"):
        torch.nn.init.normal_(getattr(network, table), std=0.1)
    network.rounding = True
    arrays = {key: value.to(torch.int32).numpy() for key, value in network.tables().items()}
    tables = _core.EntropyTables(arrays)
    planes = [random_codes(config, np.random.default_rng(seed)) for seed in range(3)]
    plain, optimised = PlainLoop(network, planes), OptimisedLoop(network, planes)
    logits = plain.run()
    bits = {"PyTorch loop": optimised.run(), "plain loop": plain.bits(logits)}

    version = 3 if config.symbols == 3 else 1
    coders: dict[str, Callable[[], Timed]] = {
        instructions: lambda i=instructions: timed_network(config, tables, planes, i)  # type: ignore[misc]
        for instructions in _core.instructions()
    }
    coders["adaptive"] = lambda: timed_planes(
        lambda: _core.ChunkCoder(ADAPTIVE, version, config.depth, ROWS, COLUMNS), planes
    )
    coders |= {"PyTorch loop": lambda: timed_loop(optimised), "plain loop": lambda: timed_loop(plain)}
    values, probabilities = coded_bits(planes[-1], logits)
    for kind in (Recodec, Constriction):
        coder = kind(values, probabilities)
        label = "range coder" if kind is Recodec else "constriction"
        coders[label] = lambda coder=coder: timed_range_coder(coder)  # type: ignore[misc]
    runs: dict[str, list[Timed]] = {label: [] for label in coders}
    for _ in range(repeats):
        for label, run in coders.items():
            runs[label].append(run())

    sizes = {label: timed[0].size for label, timed in runs.items()}
    # Chunks of the network come without their framing; floats may differ a little from the integers.
    ideal = bits["PyTorch loop"] / 8
    matches = {label: abs(sizes[label] - ideal) < 0.005 * ideal + 4 for label in _core.instructions()}
    matches |= {label: abs(value / 8 - ideal) < 1e-4 * ideal for label, value in bits.items()}
    rows: dict[str, Any] = {}
    print(f"{name}: {ideal:.0f} bytes by the network, {planes[-1].size} codes")
    print("                encode ms  decode ms  least (spread)  times as fast as the loop  match")
    decode = {label: statistics.median(t.decode for t in timed) for label, timed in runs.items()}
    for label, timed in runs.items():
        encode = statistics.median(t.encode for t in timed)
        # On a machine that others share, the least is nearest to what the code takes.
        least = min(t.decode for t in timed)
        spread = max(t.decode for t in timed) - least
        ratio = decode["PyTorch loop"] / decode[label]
        # Coders check that they decode what they encoded.
        match = matches.get(label, True)
        rows[label] = {
            "encode_ms": None if math.isnan(encode) else 1e3 * encode,
            "decode_ms": 1e3 * decode[label],
            "least_decode_ms": 1e3 * least,
            "spread_ms": 1e3 * spread,
            "loop_ratio": ratio,
            "match": match,
        }
        encoding = "–" if math.isnan(encode) else f"{1e3 * encode:.2f}"
        print(f"  {label:12s}  {encoding:>9s}  {1e3 * decode[label]:9.2f}{1e3 * least:7.2f} ({1e3 * spread:6.2f})  "
              f"{ratio:25.3g}  {'yes' if match else 'NO'}")  # fmt: skip
    fastest = min(_core.instructions(), key=lambda label: rows[label]["least_decode_ms"])
    print(f"  chosen: {_core.instructions()[0]}; fastest here: {fastest}")
    per_position = 1e6 * decode["PyTorch loop"] / (ROWS * COLUMNS)
    print(f"  PyTorch loop: {per_position:.1f} microseconds a position")
    return {
        "ideal_bytes": ideal,
        "coders": rows,
        "fastest": fastest,
        "loop_microseconds_per_position": per_position,
    }


def random_codes(config: EntropyModelConfig, rng: np.random.Generator) -> Codes:
    shape = (config.depth, ROWS, COLUMNS)
    signs = rng.integers(0, 2, shape, dtype=np.int8) * 2 - 1
    return signs if config.symbols == 2 else signs * (rng.random(shape) < 0.08)


class Timed(NamedTuple):
    """CPU seconds, and bytes; loops only decode and count bits."""

    encode: float
    decode: float
    size: int = 0


def timed_network(
    config: EntropyModelConfig, tables: _core.EntropyTables, planes: list[Codes], instructions: str
) -> Timed:
    os.environ["RECODEC_INSTRUCTIONS"] = instructions
    try:
        return timed_planes(lambda: _core.ChunkCoder(NETWORK, 1, config.depth, ROWS, COLUMNS, tables), planes)
    finally:
        del os.environ["RECODEC_INSTRUCTIONS"]


def timed_planes(make: Callable[[], _core.ChunkCoder], planes: list[Codes]) -> Timed:
    """Of the last plane."""
    encoder, decoder = make(), make()
    for plane in planes:
        start = time.process_time()
        data = encoder.encode(plane)
        encoded = time.process_time()
        (codes,) = decoder.decode([data])
        decoded = time.process_time()
        require_equal(codes.reshape(plane.shape), plane)
    return Timed(encoded - start, decoded - encoded, len(data) - CHECKSUM_BYTES)


def timed_loop(loop: PlainLoop | OptimisedLoop) -> Timed:
    start = time.process_time()
    loop.run()
    return Timed(math.nan, time.process_time() - start)


def timed_range_coder(coder: Recodec | Constriction) -> Timed:
    """The bits of the plane alone, their probabilities known beforehand."""
    start = time.process_time()
    data = coder.encode()
    encoded = time.process_time()
    bits = coder.decode(data)
    decoded = time.process_time()
    require_equal(bits, coder.bits)
    return Timed(encoded - start, decoded - encoded, memoryview(data).nbytes)


def coded_bits(plane: Codes, logits: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The bits that are sent of a plane, and the probability of each to be one, in units of 2^-16."""
    flags, logits = (
        np.stack([plane != 0, plane > 0])[-len(logits) // len(plane) :],
        logits.view(-1, *plane.shape),
    )
    sent = np.ones_like(flags)
    sent[-1] = plane != 0
    probabilities = (65536 * torch.sigmoid(logits)).round().clamp(1, 65535).numpy().astype(np.uint16)
    return flags[sent], probabilities[sent]


def require_equal(found: np.ndarray, expected: np.ndarray) -> None:
    if not np.array_equal(found, expected):
        raise click.ClickException("a coder does not decode what it encoded; its time would mean nothing")


@main.command("threads")
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.model()
@options.repeats(9)
@options.out
def compare_threads(picture: Path, model: str, repeats: int, out: Path | None) -> None:
    """Time to decode 8 chunks of PICTURE when planes trail each other on several threads."""
    codec = recodec.load(model)
    data = codec.encode(load_rgb(picture), bpp=1)
    part = codec.model.coder_part(_core.read_plane_header(Reader(data).header()))
    if not isinstance(part, _core.EntropyTables | _core.EmbeddedTables):
        raise click.ClickException(f"model {codec.id} has no entropy network")
    expected = read_planes(data, part)
    seconds: dict[int, list[float]] = {threads: [] for threads in (1, 2, 4, 8)}
    for _ in range(repeats):
        for threads, found in seconds.items():
            start = time.perf_counter()
            planes = read_planes(data, part, threads)
            found.append(time.perf_counter() - start)
            for one, other in zip(planes, expected, strict=True):
                require_equal(one, other)
    medians = {threads: 1e3 * statistics.median(found) for threads, found in seconds.items()}
    for threads, median in medians.items():
        print(f"{threads} threads: {median:6.1f} ms, {medians[1] / median:.2f} times as fast as one")
    record = {"model": codec.id, "decode_ms": medians}
    result_file.write(out, record)


if __name__ == "__main__":
    main()
