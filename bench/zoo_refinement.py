"""What refining latents gains: the same pictures with and without, at no more bytes.

    python bench/zoo_refinement.py PICTURES --system cnn-ae [--steps 100] [--tune] [--limit 10] [--out PATH]

PICTURES is a folder, a file or a tar file. Each refined file takes at most the bytes of the plain one, so the
difference in PSNR is what is gained at equal bytes, or less. Both are decoded by their headers alone.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import click

import options
import result_file
from recodec.codec import Codec
from recodec.eval.curve import decode_pixels
from recodec.eval.metrics import psnr
from recodec.weights import load_model
from recodec.zoo.family import ZOO
from recodec.zoo.learned.engine import LearnedEngine
from recodec.zoo.learned.header import Settings
from zoo_pictures import named_pictures


@click.command()
@click.argument("pictures", type=click.Path(exists=True, path_type=Path))
@click.option("--system", required=True)
@click.option("--level", type=int, default=0, show_default=True)
@click.option("--patch", type=int, default=0, show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--tune", is_flag=True, help="Files may adjust the synthesis as well.")
@options.limit(10)
@options.threads()
@options.out
def main(
    pictures: Path,
    system: str,
    level: int,
    patch: int,
    steps: int,
    tune: bool,
    limit: int,
    out: Path | None,
) -> None:
    """Encode PICTURES plainly and refined."""
    model = load_model(system)
    codecs = [
        Codec(LearnedEngine(ZOO, model, "cpu", "float32", "auto", settings))
        for settings in (Settings(level, patch), Settings(level, patch, steps, tune))
    ]
    print("| picture | bytes | refined | PSNR | refined | gain, dB | s to encode |")
    print("|---|" + "--:|" * 6)
    rows: list[dict[str, Any]] = []
    for name, original in named_pictures(pictures, limit).items():
        row: dict[str, Any] = {"picture": name, "bytes": [], "psnr": [], "seconds": []}
        for codec in codecs:
            start = time.process_time()
            file = codec.encode(original, iterations=codec.iterations)
            row["seconds"].append(time.process_time() - start)
            row["bytes"].append(len(file))
            row["psnr"].append(psnr(original, decode_pixels(codec, file)))
        if row["bytes"][1] > row["bytes"][0] or row["psnr"][1] < row["psnr"][0]:
            raise click.ClickException(f"{name}: the refined file is larger or worse")
        rows.append(row)
        shown(name, row)
    mean = {
        key: [statistics.fmean(row[key][side] for row in rows) for side in (0, 1)]
        for key in ("bytes", "psnr", "seconds")
    }
    shown("mean", mean)
    record = {
        "system": system,
        "hash": model.hash.hex(),
        "level": level,
        "patch": patch,
        "steps": steps,
        "tune": tune,
        "mean": mean,
        "pictures": rows,
    }
    result_file.write(out, record)


def shown(name: str, row: dict[str, Any]) -> None:
    (plain, refined), (before, after) = row["bytes"], row["psnr"]
    print(
        f"| {name} | {plain:.0f} | {refined:.0f} | {before:.2f} | {after:.2f} | {after - before:+.2f} "
        f"| {row['seconds'][1]:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
