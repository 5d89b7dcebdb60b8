"""Entropy coders against each other: bytes of real pictures, and time for one plane of codes.

    python bench/entropy.py bytes FOLDER --model MODEL [--json PATH]
    python bench/entropy.py speed [--json PATH]

``bytes`` codes what a model says of the pictures in FOLDER with its entropy network, with adaptive contexts and
raw, log2(symbols) bits a code. ``speed`` decodes one plane of random codes with every set of instructions that
this machine has, with adaptive contexts, and by the same network in PyTorch, position by position, which is
spared the range coder. All run on one core, in turns; answers are checked first.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

import recodec
from recodec import _core
from recodec.bitstream import CODES, Reader
from recodec.cli.environment import describe
from recodec.entropy import Codes, PlaneDecoder, PlaneEncoder
from recodec.eval.curve import load_rgb
from recodec.networks.context import ACTIVATION_LIMIT, ContextConfig, ContextNetwork

ROWS, COLUMNS = 32, 48
MOST_MILLISECONDS, LEAST_RATIO, MOST_LOOP_MICROSECONDS = 1.5, 50.0, 100.0


@click.group()
def main() -> None:
    """Compare entropy coders."""


@main.command("bytes")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", default="default", show_default=True)
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path))
def compare_bytes(folder: Path, model: str, out: Path | None) -> None:
    """Bits per pixel of every chunk, means over the pictures of FOLDER."""
    codec = recodec.load(model)
    contexts = codec.model.contexts
    if contexts is None:
        raise click.ClickException(f"model {codec.model.id} has no entropy network")
    rows: dict[str, list[list[float]]] = {"raw": [], "adaptive": [], "network": []}
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    for path in paths:
        picture = load_rgb(path)
        pixels = picture.shape[0] * picture.shape[1]
        files = {
            name: codec.encode(picture, entropy=name, iterations=codec.iterations)
            for name in ("adaptive", "network")
        }
        data = files["network"]
        planes = codes_of(data, contexts)
        adaptive = codes_of(files["adaptive"], None)
        if not all(np.array_equal(a, b) for a, b in zip(planes, adaptive, strict=True)):
            raise click.ClickException(f"{path}: the coders disagree on the codes; bytes would mean nothing")
        rows["raw"].append([math.log2(contexts.symbols) * plane.size / pixels for plane in planes])
        for name, data in files.items():
            rows[name].append([8 * size / pixels for size in recodec.info(data).chunk_bytes])
    if not paths:
        raise click.ClickException(f"{folder} holds no PNG or JPEG pictures")
    means = {name: np.mean(values, axis=0).tolist() for name, values in rows.items()}
    print("chunk    raw  adaptive  network  network / adaptive")
    for number in range(len(means["raw"])):
        raw, adapted, network = (means[name][number] for name in rows)
        print(f"{number + 1:5d} {raw:6.3f}  {adapted:8.4f}  {network:7.4f}  {network / adapted:.3f}")
    first = {name: sum(values[:8]) for name, values in means.items()}
    print(f"first 8: {first['network'] / first['adaptive']:.4f} of the adaptive bytes")
    if out:
        record = {"model": codec.model.id, "hash": codec.model.hash.hex(), "pictures": len(paths)}
        out.write_text(json.dumps({**record, "bits_per_pixel": means}, indent=1) + "\n")


def codes_of(data: bytes, contexts: _core.ContextTables | None) -> list[Codes]:
    reader = Reader(data)
    planes = PlaneDecoder(reader.header(), 1 << 30, contexts)
    return [planes.decode(chunk) for chunk in reader.chunks() if chunk.type == CODES]


@main.command("speed")
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--repeats", default=9, show_default=True)
def compare_speed(out: Path | None, repeats: int) -> None:
    """Time to code the third plane of 48×32 positions."""
    torch.set_num_threads(1)
    shapes = {
        "32 signs": ContextConfig(32, 2, 4, embedding_width=32, groups=4),
        "96 codes, mostly 0": ContextConfig(96, 3, 4, groups=6),
    }
    results = {name: speed(name, config, repeats) for name, config in shapes.items()}
    if out:
        out.write_text(json.dumps({"environment": describe(), "results": results}, indent=1) + "\n")


def speed(name: str, config: ContextConfig, repeats: int) -> dict[str, Any]:
    torch.manual_seed(0)
    network = ContextNetwork(config)
    for table in ("own", "direct"):
        torch.nn.init.normal_(getattr(network, table), std=0.1)
    network.rounding = True
    arrays = {key: value.to(torch.int32).numpy() for key, value in network.tables().items()}
    contexts = _core.ContextTables(arrays)
    rng = np.random.default_rng(0)
    planes = [random_codes(config, rng) for _ in range(3)]
    loop = PositionLoop(network, planes)
    encoder = PlaneEncoder(config.depth, ROWS, COLUMNS, 1, contexts)
    size = [len(encoder.encode(plane)) for plane in planes][-1]
    # Chunk framing is 6 or 7 bytes; the loop has the ideal code length of the network in floats.
    match = abs(loop.run() / 8 + 7 - size) < 0.005 * size + 8

    seconds: dict[str, list[list[float]]] = {}
    coders: dict[str, Callable[[], tuple[float, float]]] = {
        instructions: lambda i=instructions: timed_network(config, contexts, planes, i)  # type: ignore[misc]
        for instructions in _core.instructions()
    }
    version = 3 if config.symbols == 3 else 1
    coders["adaptive"] = lambda: timed_coder(
        lambda: _core.PlaneCoder(config.depth, ROWS, COLUMNS, version), planes
    )
    for _ in range(repeats):
        for coder, run in coders.items():
            seconds.setdefault(coder, []).append(list(run()))
    start = time.process_time()
    loop.run()
    loop_seconds = time.process_time() - start

    print(f"{name}: match {'yes' if match else 'NO'}, {size} bytes")
    rows = {}
    for coder, runs in seconds.items():
        encoding, decoding = (1e3 * statistics.median(column) for column in zip(*runs, strict=True))
        rows[coder] = {
            "encode_ms": encoding,
            "decode_ms": decoding,
            "loop_ratio": 1e3 * loop_seconds / decoding,
        }
        print(f"  {coder:9s} encode {encoding:7.2f} ms   decode {decoding:7.2f} ms   "
              f"{rows[coder]['loop_ratio']:6.1f} times the PyTorch loop")  # fmt: skip
    per_position = 1e6 * loop_seconds / (ROWS * COLUMNS)
    print(f"  PyTorch loop {1e3 * loop_seconds:.1f} ms, {per_position:.1f} microseconds a position")
    return {"match": match, "bytes": size, "coders": rows, "loop_microseconds_per_position": per_position}


def random_codes(config: ContextConfig, rng: np.random.Generator) -> Codes:
    shape = (config.depth, ROWS, COLUMNS)
    signs = rng.integers(0, 2, shape, dtype=np.int8) * 2 - 1
    return signs if config.symbols == 2 else signs * (rng.random(shape) < 0.08)


def timed_network(
    config: ContextConfig, contexts: _core.ContextTables, planes: list[Codes], instructions: str
) -> tuple[float, float]:
    os.environ["RECODEC_INSTRUCTIONS"] = instructions
    try:
        return timed_coder(lambda: _core.PlaneCoder(config.depth, ROWS, COLUMNS, 1, contexts), planes)
    finally:
        del os.environ["RECODEC_INSTRUCTIONS"]


def timed_coder(make: Callable[[], _core.PlaneCoder], planes: list[Codes]) -> tuple[float, float]:
    """CPU seconds to encode and to decode the last plane."""
    encoder, decoder = make(), make()
    for plane in planes:
        start = time.process_time()
        data, _ = encoder.encode(plane)
        encoded = time.process_time()
        codes, _ = decoder.decode(data)
        decoded = time.process_time()
        if not np.array_equal(codes.reshape(plane.shape), plane):
            raise click.ClickException("a coder does not decode what it encoded")
    return encoded - start, decoded - encoded


class PositionLoop:
    """The last plane, position by position, as a decoder in PyTorch would go: in order, with what is known.

    What depends on former planes and on the rows above is computed beforehand, for all positions at once; so are
    all tensors that can be laid out beforehand.
    """

    def __init__(self, network: ContextNetwork, planes: list[Codes]):
        config = network.config
        self.config, number = config, len(planes) - 1
        codes = torch.from_numpy(np.stack(planes)).float()[None]
        with torch.inference_mode():
            state: Tensor | None = None
            for iteration in range(number):
                _, state = network.step(codes[:, iteration], iteration, state)
            assert state is not None
            signs = torch.cat([codes[:, number] < 0, codes[:, number] > 0], dim=1).float()[0]
            self.signs = signs.flatten(1).t().contiguous()
            embedding = network.weight("embedding")[number]
            embedded = self.signs @ embedding + network.embedding_bias[number]
            grid = embedded.clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT).view(ROWS, COLUMNS, -1)
            padded = torch.zeros(ROWS + 1, COLUMNS + 2, grid.shape[2])
            padded[1:, 1:-1] = grid
            above = torch.cat([padded[:-1, tap : tap + COLUMNS] for tap in range(3)], dim=2).flatten(0, 1)
            causal = network.weight("causal")
            known = above @ torch.cat(list(causal[:3]), dim=1).t() + network.hidden_bias[number]
            self.known = known + state[0].flatten(1).t() @ network.weight("former").t()
            self.west = padded[1:, :-2].flatten(0, 1)
            self.causal = causal[3].contiguous()
            kinds, share = config.symbols - 1, config.depth // config.groups
            output = network.weight("output")[number].view(kinds, config.groups, share, -1).transpose(0, 1)
            self.output = output.flatten(1, 2).contiguous()
            bias = network.output_bias[number].view(kinds, config.groups, share).transpose(0, 1)
            self.bias = bias.flatten(1, 2).contiguous()
            # What the codes of each group say, to the layer and to the bits.
            own = network.weight("own")[number].view(2, config.groups, share, -1).transpose(0, 1)
            direct = network.weight("direct")[number].view(2 * config.depth, kinds, config.groups, share)
            self.own = own.flatten(1, 2).contiguous()
            self.direct = (self.signs @ direct.transpose(1, 2).flatten(1)).view(
                -1, config.groups, kinds * share
            )
            self.grouped = self.signs.view(-1, 2, config.groups, share).transpose(1, 2).flatten(2)

    def run(self) -> float:
        """Bits of the plane."""
        logits = torch.empty_like(self.direct)
        with torch.inference_mode():
            for position in range(ROWS * COLUMNS):
                hidden = torch.addmv(self.known[position], self.causal, self.west[position])
                for group in range(self.config.groups):
                    active = hidden.clamp(0, ACTIVATION_LIMIT)
                    torch.addmv(self.bias[group], self.output[group], active, out=logits[position, group])
                    hidden = torch.addmv(hidden, self.own[group].t(), self.grouped[position, group])
            return self._bits(logits + self.direct)

    def _bits(self, logits: Tensor) -> float:
        share = self.config.depth // self.config.groups
        negative, positive = self.grouped[..., :share], self.grouped[..., share:]
        active = negative + positive
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        bits = active * loss(logits[..., -share:], positive, reduction="none")
        if self.config.symbols == 3:
            bits = bits + loss(logits[..., :share], active, reduction="none")
        return float(bits.sum()) / math.log(2)


if __name__ == "__main__":
    main()
