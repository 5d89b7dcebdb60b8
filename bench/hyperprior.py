"""One picture by recodec and by CompressAI's mean-scale hyperprior (mbt2018-mean), in turns, on one core.

    python bench/hyperprior.py PICTURE --out hyperprior.json [--bpp 0.9] [--repeats 5] [--quality 5]

Takes ``pip install compressai``. Its networks have random weights, as nothing is downloaded: times of the transforms do
not depend on them, and its codes take fewer bits than those of trained ones, which favours it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click
import torch
from compressai.zoo import mbt2018_mean

import options
import recodec
import result_file
from recodec.eval.curve import decode_pixels, load_rgb


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.threads()
@options.out
@options.model()
@click.option("--bpp", default=0.9, show_default=True)
@click.option(
    "--quality", default=5, show_default=True, help="Of mbt2018-mean: 1 to 4 are narrower than 5 to 8."
)
@options.repeats(5)
@torch.inference_mode()
def main(picture: Path, out: Path | None, model: str, bpp: float, quality: int, repeats: int) -> None:
    """Time both on PICTURE, whose sides are multiples of 64."""
    torch.manual_seed(0)
    original = load_rgb(picture)
    height, width = original.shape[:2]
    if height % 64 or width % 64:
        raise click.ClickException(f"{picture} is {width} x {height}; its sides must be multiples of 64")
    codec = recodec.load(model)
    other = mbt2018_mean(quality, pretrained=False).eval()
    other.update()
    pixels = torch.from_numpy(original).permute(2, 0, 1)[None].float() / 255
    data, strings = codec.encode(original, bpp=bpp), other.compress(pixels)
    work: dict[str, Callable[[], object]] = {
        "encode": lambda: codec.encode(original, bpp=bpp),
        "compress": lambda: other.compress(pixels),
        "decode": lambda: decode_pixels(codec, data),
        "decompress": lambda: other.decompress(strings["strings"], strings["shape"]),
    }
    for run in work.values():
        run()
    runs: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, run in work.items():
            runs[name].append(seconds(run))
    medians = {name: statistics.median(values) for name, values in runs.items()}
    ratios = {
        "encode": medians["encode"] / medians["compress"],
        "decode": medians["decode"] / medians["decompress"],
    }
    sizes = {
        "recodec": len(data),
        "hyperprior": sum(len(string) for group in strings["strings"] for string in group),
    }
    for name, values in runs.items():
        print(f"{name:12}{1e3 * medians[name]:8.0f} ms  ({1e3 * min(values):.0f} to {1e3 * max(values):.0f})")
    for name, ratio in ratios.items():
        print(f"{name} takes {ratio:.2f} of the other's time")
    record = {"model": codec.id, "hash": codec.hash.hex(), "bytes": sizes, "seconds": runs, "ratios": ratios}
    result_file.write(out, record)


if __name__ == "__main__":
    main()
