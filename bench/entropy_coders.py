"""Huffman's codes against range coding on the same symbols: bits and nanoseconds a symbol.

    python bench/entropy_coders.py PICTURE... [--out PATH]

Symbols are (a) errors of a linear predictor and of the zoo's network on grey pictures, (b) latents of latent-1 as
numbers of 6 bits, (c) which codes of rnn-1 are not 0, as bits and as bytes. Every coder writes bytes, tables and all,
that are decoded and compared before anything is timed; times are of one core, of whole calls: counting, making tables
and finding contexts are in them. All are C++ of the same core; Huffman decodes by tables, the range coder bit by bit.
"""

from __future__ import annotations

import statistics
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import options
import recodec
import result_file
from recodec import _core
from recodec.container.reader import Reader
from recodec.families.recurrent.family import read_planes
from recodec.zoo.mlp import Settings
from recodec.zoo.mlp.training import fit

Symbols = NDArray[np.uint8]

# Names, and numbers that the core has for them.
CODERS = {
    "Huffman, table in front": 0,
    "Huffman, adaptive (new every 256)": 3,
    "Huffman, 16 contexts, tables in front": 2,
    "range, table in front": 4,
    "range, adaptive": 5,
    "range, adaptive, 16 contexts": 1,
}
MAGNITUDES, BITS = range(2)


@dataclass(frozen=True)
class Source:
    """Symbols of several pictures, each (planes, height, width); those of ``bits`` 8 may have no contexts."""

    name: str
    bits: int
    context: int | None
    arrays: list[Symbols]

    @property
    def count(self) -> int:
        return sum(array.size for array in self.arrays)

    def entropy(self) -> float:
        """Of order 0, each picture by its own counts; bits a symbol."""
        total = 0.0
        for array in self.arrays:
            counts = np.bincount(array.reshape(-1))
            counts = counts[counts > 0]
            total -= float((counts * np.log2(counts / array.size)).sum())
        return total / self.count


def folded(values: NDArray[Any]) -> Symbols:
    """Signed whole numbers as 0, −1, 1, −2, …, those beyond 6 bits cut."""
    values = values.clip(-32, 31).astype(np.int64)
    return np.where(values < 0, -2 * values - 1, 2 * values).astype(np.uint8)


def errors(pictures: list[Symbols], predictor: Any) -> list[Symbols]:
    found = []
    for picture in pictures:
        plane = np.asarray(Image.fromarray(picture).convert("L"))[None].copy()
        weights, lives = fit(plane, Settings(predictor=predictor))
        if not lives:
            raise click.ClickException("a network died; its errors say nothing")
        found.append(_core.mlp_errors(plane, weights, predictor == "linear", False)[None])
    return found


@torch.inference_mode()
def latents(pictures: list[Symbols]) -> list[Symbols]:
    """All latents by one step, by which one in a thousand is cut."""
    network: Any = recodec.load("latent-1").model.network
    found = []
    for picture in pictures:
        height, width = (side // 16 * 16 for side in picture.shape[:2])
        pixels = torch.from_numpy(picture[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255 - 0.5
        values = network.latents(pixels)[0].numpy()
        step = np.quantile(np.abs(values), 0.999) / 31.5
        found.append(np.ascontiguousarray(folded(np.rint(values / step))))
    return found


def codes(pictures: list[Symbols], iterations: int) -> list[Symbols]:
    """Which are not 0, (channels · iterations, h, w): behind a channel's plane that of the next iteration."""
    codec = recodec.load("rnn-1")
    found = []
    for picture in pictures:
        data = codec.encode(picture, iterations=iterations, entropy="adaptive")
        part = codec.model.coder_part(_core.read_plane_header(Reader(data).header()))
        bits = np.stack(read_planes(data, part)) != 0  # (iterations, channels, h, w)
        found.append(np.ascontiguousarray(bits.swapaxes(0, 1)).reshape(-1, *bits.shape[2:]).astype(np.uint8))
    return found


def bytes_of(bits: Symbols, iterations: int) -> Symbols:
    """Eight channels of one iteration to a byte."""
    apart = bits.reshape(-1, iterations, *bits.shape[1:])
    packed = np.packbits(apart, axis=0)  # (channels / 8, iterations, h, w)
    return np.ascontiguousarray(packed).reshape(-1, *bits.shape[1:])


def decoded(data: bytes, shape: tuple[int, ...], bits: int, coding: int, context: int) -> Symbols:
    planes, height, width = shape
    return _core.decode_symbols(data, planes, height, width, bits, coding, context)


def timed(call: Callable[[], object], count: int, repeats: int) -> float:
    """Median nanoseconds of processor time a symbol."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds) / count * 1e9


def measure(source: Source, repeats: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for name, coding in CODERS.items():
        if "contexts" in name and source.context is None:
            continue
        context = source.context or 0

        def encode(coding: int = coding, context: int = context) -> list[bytes]:
            return [_core.encode_symbols(array, source.bits, coding, context) for array in source.arrays]

        data = encode()

        def decode(coding: int = coding, context: int = context, data: list[bytes] = data) -> list[Symbols]:
            return [
                decoded(one, array.shape, source.bits, coding, context)
                for one, array in zip(data, source.arrays, strict=True)
            ]

        same = all(np.array_equal(one, other) for one, other in zip(decode(), source.arrays, strict=True))
        rows[name] = {
            "bits": 8 * sum(map(len, data)) / source.count,
            "same": same,
            "encode_ns": timed(encode, source.count, repeats),
            "decode_ns": timed(decode, source.count, repeats),
        }
    packed = [np.packbits(a).tobytes() if source.bits == 1 else a.tobytes() for a in source.arrays]
    deflated = [zlib.compress(one, 9) for one in packed]
    rows["zlib 9, an outsider"] = {
        "bits": 8 * sum(map(len, deflated)) / source.count,
        "same": [zlib.decompress(one) for one in deflated] == packed,
        "encode_ns": timed(lambda: [zlib.compress(one, 9) for one in packed], source.count, repeats),
        "decode_ns": timed(lambda: [zlib.decompress(one) for one in deflated], source.count, repeats),
    }
    return {"symbols": source.count, "entropy": source.entropy(), "coders": rows}


@click.command()
@click.argument(
    "paths", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True
)
@click.option("--iterations", default=8, show_default=True, help="Of rnn-1.")
@options.repeats(5)
@options.threads()
@options.out
def main(paths: tuple[Path, ...], iterations: int, repeats: int, out: Path | None) -> None:
    """Compare coders on symbols of some PICTURES."""
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    bits = codes(pictures, iterations)
    sources = [
        Source("errors of linear regression", 8, MAGNITUDES, errors(pictures, "linear")),
        Source("errors of the network", 8, MAGNITUDES, errors(pictures, "network")),
        Source("latents of 6 bits (latent-1)", 6, MAGNITUDES, latents(pictures)),
        Source("which recurrent codes are not 0, as bits (rnn-1)", 1, BITS, bits),
        Source("the same, as bytes", 8, None, [bytes_of(one, iterations) for one in bits]),
    ]
    results = {}
    for source in sources:
        found = results[source.name] = measure(source, repeats)
        print(f"{source.name}: {found['symbols']} symbols, entropy of order 0 {found['entropy']:.4f} bits")
        for name, row in found["coders"].items():
            print(f"  {name:38s} {row['bits']:7.4f} bits   {row['encode_ns']:6.1f} ns to encode "
                  f"{row['decode_ns']:6.1f} to decode   the same: {'yes' if row['same'] else 'NO'}")  # fmt: skip
    record = {"pictures": [path.name for path in paths], "results": results}
    result_file.write(out, record)
    if not all(row["same"] for found in results.values() for row in found["coders"].values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
