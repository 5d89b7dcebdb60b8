"""What tiles cost and whether they show: peak memory of the command, and errors along tile borders.

    python bench/tiles.py memory PICTURE --size 4000 3000 --size 12000 8400 --out memory.json
    python bench/tiles.py seams PHOTOGRAPHS --out seams.json

``memory`` runs the command in processes of its own and reports the most that each ever held. ``seams``
codes large pictures in tiles and, as the control, whole: content alone makes errors differ from place
to place, so the ratio of errors along the borders to those elsewhere means something only beside the
same ratio of the same places in a picture without borders.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import options
import recodec
import result_file
from recodec.families.recurrent import encoder
from recodec.train.data.photographs import Photographs

# Pixels on either side of a border that count as along it: one position of the code grid.
NEAR = 16


@click.group()
def main() -> None:
    """Measure tiles."""


def measured(*arguments: str) -> dict[str, float]:
    """Wall-clock seconds and peak resident memory of one run of the command."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "recodec", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise click.ClickException(f"recodec {' '.join(arguments)} failed with status {status}")
    # Kilobytes on Linux.
    return {"seconds": time.perf_counter() - start, "peak_gib": usage.ru_maxrss / 2**20}


@main.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--size", "sizes", type=(int, int), multiple=True, required=True, metavar="W H")
@click.option("--iterations", default=8, show_default=True)
@click.option("--lossless", is_flag=True, help="Keep every sample, instead of so many iterations.")
@options.out
def memory(
    picture: Path, sizes: tuple[tuple[int, int], ...], iterations: int, lossless: bool, out: Path | None
) -> None:
    """Encode and decode PICTURE, enlarged to each size, from file to file."""
    rows = []
    how, said = ["--iterations", str(iterations)], f"{iterations} iterations"
    if lossless:
        how, said = ["--lossless"], "lossless"
    for width, height in sizes:
        with tempfile.TemporaryDirectory() as folder:
            large, coded, decoded = (str(Path(folder, name)) for name in ("a.png", "b.rcd", "c.png"))
            Image.open(picture).convert("RGB").resize((width, height), Image.Resampling.BICUBIC).save(large)
            # Sides count rounded up to whole positions.
            limit = ("--max-pixels", str((width + 16) * (height + 16)))
            row: dict[str, Any] = {
                "width": width,
                "height": height,
                "encode": measured("encode", large, coded, *how, *limit),
                "bytes": Path(coded).stat().st_size,
                "decode": measured("decode", coded, decoded, *limit),
            }
        rows.append(row)
        print(f"{width} x {height}, {said}, {row['bytes']} bytes")
        for side in ("encode", "decode"):
            print(f"  {side}  {row[side]['seconds']:7.1f} s  {row[side]['peak_gib']:.2f} GiB")
    result = {"cores": os.cpu_count(), "coded": said, "pictures": rows}
    result_file.write(out, result)


@main.command()
@click.argument("photographs", type=click.Path(exists=True, path_type=Path))
@options.limit(5)
@click.option("--side", default=2560, show_default=True, help="Pixels along the longer side.")
@click.option("--iterations", default=4, show_default=True)
@options.model("rnn-1")
@options.out
def seams(photographs: Path, limit: int, side: int, iterations: int, model: str, out: Path | None) -> None:
    """Compare errors along tile borders with errors elsewhere, on the first of PHOTOGRAPHS, enlarged."""
    codec = recodec.load(model)
    rows = []
    index = Photographs([photographs])
    for number in range(min(limit, len(index))):
        original = enlarged(index.read(number), side)
        row = {"number": number, **compare(codec, original, iterations)}
        rows.append(row)
        print(json.dumps(row))
    result = {
        "model": codec.id,
        "iterations": iterations,
        "near": NEAR,
        "pictures": rows,
    }
    result_file.write(out, result)


def enlarged(photograph: Image.Image, side: int) -> NDArray[np.uint8]:
    scale = side / max(photograph.size)
    size = round(photograph.width * scale), round(photograph.height * scale)
    return np.asarray(photograph.resize(size, Image.Resampling.BICUBIC))


def compare(codec: recodec.Codec, original: NDArray[np.uint8], iterations: int) -> dict[str, Any]:
    tiled = codec.encode(original, iterations=iterations)
    info = recodec.info(tiled)
    tiles = info.details
    if tiles.tile_rows * tiles.tile_columns == 1:
        raise click.ClickException("the picture is not cut into tiles; raise --side")
    with mock.patch.object(encoder, "TILE_SIDE", 1 << 20):
        whole = codec.encode(original, iterations=iterations)
    assert recodec.info(whole).details.tile_rows * recodec.info(whole).details.tile_columns == 1
    height, width = original.shape[:2]
    near = along(height, tiles.tile_rows, tiles.stride)[:, None] | along(
        width, tiles.tile_columns, tiles.stride
    )
    shown = {name: codec.decode(data, like="numpy") for name, data in (("tiled", tiled), ("whole", whole))}
    ratios = {f"{name}_ratio": ratio(original, picture, near) for name, picture in shown.items()}
    difference = np.abs(shown["tiled"].astype(int) - shown["whole"])
    return {
        "width": width,
        "height": height,
        "tiles": [tiles.tile_rows, tiles.tile_columns],
        **ratios,
        "excess": ratios["tiled_ratio"] / ratios["whole_ratio"] - 1,
        "samples_that_differ": float((difference > 0).mean()),
        "largest_difference": int(difference.max()),
        "bytes": [len(tiled), len(whole)],
    }


def along(size: int, parts: int, stride: int) -> NDArray[np.bool_]:
    """Which rows or columns of pixels lie along a border between tiles."""
    positions = -(-size // stride)
    places = np.arange(size)
    borders = [part * positions // parts * stride for part in range(1, parts)]
    near: NDArray[np.bool_] = np.zeros(size, bool)
    for border in borders:
        near |= np.abs(places + 0.5 - border) < NEAR
    return near


def ratio(
    original: NDArray[np.uint8], picture: NDArray[np.uint8 | np.uint16], near: NDArray[np.bool_]
) -> float:
    """Mean squared error along the borders, divided by that elsewhere."""
    error = np.square(original.astype(np.float64) - picture).mean(axis=2)
    return float(error[near].mean() / error[~near].mean())


if __name__ == "__main__":
    main()
