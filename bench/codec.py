"""Time and memory to encode and decode one picture, and how much of the time the entropy coder takes.

python bench/codec.py PICTURE --out codec.json [--iterations 8] [--repeats 5] [--device cpu] [--resize W H]
    [--dtype bfloat16] [--backend reference] [--pictures 64]

With --pictures, lists of so many are timed too, from bytes to pixels on the device and back; the entropy coder
alone has as many threads as there are cores there.
"""

from __future__ import annotations

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

import options
import recodec
import result_file
from recodec import _core
from recodec.container.reader import Reader
from recodec.eval.curve import decode_pixels, load_rgb, progressive_pixels
from recodec.families.recurrent.family import read_planes
from recodec.families.recurrent.planes import Codes, PlaneEncoder
from recodec.io.pictures import ImageLike, Picture
from recodec.io.sources import Source
from recodec.ops.backend import Backend
from recodec.runtime.batches import prepared, usable_cores


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
    part = codec.model.coder_part(_core.read_plane_header(Reader(data).header()))
    return read_planes(data, part, torch.get_num_threads())


def decode_codes_of_list(codec: recodec.Codec, data: bytes, count: int) -> None:
    for _ in prepared([data] * count, lambda data: decode_codes(codec, data), usable_cores()):
        pass


def encode_codes(codec: recodec.Codec, data: bytes, codes: list[Codes]) -> list[bytes]:
    fields = _core.read_plane_header(Reader(data).header())
    rows, columns = codes[0].shape[1:]
    part = codec.model.coder_part(fields)
    planes = PlaneEncoder(fields.depth, rows, columns, fields.entropy_version, part)
    return [planes.encode(plane) for plane in codes]


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.threads(None)
@options.out
@options.model()
@options.device
@click.option("--dtype", default="float32", show_default=True)
@click.option(
    "--backend", type=click.Choice(["auto", "reference", "triton"]), default="auto", show_default=True
)
@click.option("--pictures", default=0, show_default=True, help="Length of lists to time too.")
@click.option("--iterations", default=8, show_default=True)
@options.repeats(5)
@click.option("--resize", type=(int, int), metavar="W H", help="Scale the picture first.")
def main(
    picture: Path,
    out: Path | None,
    model: str,
    device: str,
    dtype: str,
    backend: Backend,
    pictures: int,
    iterations: int,
    repeats: int,
    resize: tuple[int, int] | None,
) -> None:
    """Time the codec on PICTURE."""
    original = load_rgb(picture)
    if resize:
        original = np.asarray(Image.fromarray(original).resize(resize))
    codec = recodec.load(model, device=device, dtype=dtype, backend=backend)
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
    if pictures:
        files: list[Source] = [data] * pictures
        originals: list[ImageLike | Picture] = [original] * pictures
        alone = codec.decode(data, like="torch").int()
        away = max(int((shown.int() - alone).abs().max()) for shown in codec.decode(files, like="torch"))
        # On a GPU, larger tiles may add up in another order.
        if away > 1:
            raise click.ClickException(
                f"a list decodes to pixels up to {away} levels from its members'; times would mean nothing"
            )
        times |= {
            "encode list": timed(lambda: codec.encode(originals, iterations=iterations), repeats, device),
            "decode list": timed(lambda: codec.decode(files, like="torch"), repeats, device),
            "entropy decode list": timed(
                lambda: decode_codes_of_list(codec, data, pictures), repeats, device
            ),
        }
    # Kilobytes on Linux; a peak of everything since the model was loaded.
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
    height, width = original.shape[:2]
    print(f"{picture.name}, {width} x {height}, {iterations} iterations, {len(data)} bytes, {device}")
    for name, row in times.items():
        rate = f"  {1e3 * pictures / row['median']:.1f} pictures/s" if name.endswith("list") else ""
        print(f"{name:<20}{row['median']:9.1f} ms  ({row['min']:.1f} to {row['max']:.1f}){rate}")
    print(f"{'peak memory':<20}{memory:9.2f} GB, {1e6 * memory / (width * height):.2f} per megapixel")
    result = {
        "model": {
            "id": codec.id,
            "hash": codec.hash.hex(),
            "device": device,
            "dtype": dtype,
            "backend": backend,
        },
        "pictures": pictures,
        "threads": torch.get_num_threads(),
        "picture": {"name": picture.name, "width": width, "height": height, "bytes": len(data)},
        "match": match,
        "peak_memory_gb": memory,
        "milliseconds": times,
    }
    result_file.write(out, result)


if __name__ == "__main__":
    main()
