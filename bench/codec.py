"""Time and memory to encode and decode one picture, and how much of the time the entropy coder takes.

python bench/codec.py PICTURE --out codec.json [--iterations 8] [--repeats 5] [--device cpu] [--resize W H]
"""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image

import recodec
from recodec.bitstream import CODES, NETWORK, Reader
from recodec.cli.environment import describe
from recodec.entropy import Codes, PlaneDecoder, PlaneEncoder
from recodec.eval.curve import decode_pixels, load_rgb, progressive_pixels


def timed(work: Callable[[], object], repeats: int, device: str) -> dict[str, Any]:
    """Milliseconds of warm runs."""
    work()
    runs = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        runs.append(1e3 * (time.perf_counter() - start))
    return {"median": statistics.median(runs), "min": min(runs), "max": max(runs), "runs": runs}


def decode_codes(codec: recodec.Codec, data: bytes) -> list[Codes]:
    reader = Reader(data)
    planes = PlaneDecoder(reader.header(), 1 << 30, codec.model.contexts)
    return [planes.decode(chunk) for chunk in reader.chunks() if chunk.type == CODES]


def encode_codes(codec: recodec.Codec, data: bytes, codes: list[Codes]) -> list[bytes]:
    header = Reader(data).header()
    contexts = codec.model.contexts if header.entropy == NETWORK else None
    depth, rows, columns = codes[0].shape
    planes = PlaneEncoder(depth, rows, columns, header.entropy_version, contexts)
    return [planes.encode(plane) for plane in codes]


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="JSON to write.")
@click.option("--model", default="default", show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--iterations", default=8, show_default=True)
@click.option("--repeats", default=5, show_default=True)
@click.option("--resize", type=(int, int), metavar="W H", help="Scale the picture first.")
def main(
    picture: Path,
    out: Path,
    model: str,
    device: str,
    iterations: int,
    repeats: int,
    resize: tuple[int, int] | None,
) -> None:
    """Time the codec on PICTURE."""
    original = load_rgb(picture)
    if resize:
        original = np.asarray(Image.fromarray(original).resize(resize))
    codec = recodec.load(model, device=device)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = codec.encode(original, iterations=iterations)
    codes = decode_codes(codec, data)
    match = (
        np.array_equal(decode_pixels(codec, data), list(progressive_pixels(codec, data))[-1])
        and codec.encode(original, iterations=iterations) == data
        and all(chunk in data for chunk in encode_codes(codec, data, codes))
    )
    print(f"match: {match}")
    if not match:
        raise click.ClickException("two runs disagree; times would mean nothing")
    times = {
        "encode": timed(lambda: codec.encode(original, iterations=iterations), repeats, device),
        "decode": timed(lambda: decode_pixels(codec, data), repeats, device),
        "entropy encode": timed(lambda: encode_codes(codec, data, codes), repeats, device),
        "entropy decode": timed(lambda: decode_codes(codec, data), repeats, device),
    }
    # Kilobytes on Linux; a peak of everything since the model was loaded.
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    height, width = original.shape[:2]
    print(f"{picture.name}, {width} x {height}, {iterations} iterations, {len(data)} bytes, {device}")
    for name, row in times.items():
        print(f"{name:<15}{row['median']:9.1f} ms  ({row['min']:.1f} to {row['max']:.1f})")
    print(f"{'peak memory':<15}{memory:9.2f} GB, {1e6 * memory / (width * height):.2f} per megapixel")
    result = {
        "model": {"id": codec.model.id, "hash": codec.model.hash.hex(), "device": device},
        "environment": describe(),
        "threads": torch.get_num_threads(),
        "picture": {"name": picture.name, "width": width, "height": height, "bytes": len(data)},
        "match": match,
        "peak_memory_gb": memory,
        "milliseconds": times,
    }
    out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
