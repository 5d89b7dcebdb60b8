"""One progressive file of each picture, cut at six rates: PSNR and MS-SSIM of what its first bytes show.

    python bench/prefixes.py PICTURES --out prefixes.json [--plot prefixes.svg] [--model ID] [--limit N]

PICTURES is a folder, a file or a tar file. Every system codes a picture once, ours with all chunks, rivals for about
2 bpp or more of a photograph with much detail; other comparisons give them a file of their own at each rate. Where a
rate is not enough for a picture there is no value, and no mean where that is so of any of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

import options
import recodec
import result_file
from prefix_rivals import RIVALS, Progressive
from rd import mean_row
from recodec.errors import TargetError
from recodec.eval.codecs import RecodecModel
from recodec.eval.curve import score
from recodec.eval.metrics import METRICS, Pixels, to_db
from recodec.eval.report import draw_curves
from zoo_pictures import named_pictures

Row = dict[str, Any]

RATES = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0)


class ProgressiveModel(RecodecModel, Progressive):
    """One of our models, with all its chunks."""

    def shown(self, file: bytes, most_bytes: int) -> tuple[int, Pixels] | None:
        """The whole chunks in so many bytes."""
        try:
            prefix = recodec.truncate(file, max_bytes=most_bytes)
        except TargetError:
            return None
        return len(prefix), self.decode(prefix)


def measure(codec: Progressive, original: Pixels) -> Row:
    file = codec.encode(original, codec.ladder[-1])
    pixels = original.shape[0] * original.shape[1]
    prefixes = {}
    for rate in RATES:
        found = codec.shown(file, int(rate * pixels / 8))
        prefixes[f"{rate:g}"] = found and asdict(score(original, found[1], found[0]))
    return {"file_bpp": 8 * len(file) / pixels, "prefixes": prefixes}


def mean_of(rows: list[Row]) -> Row:
    prefixes = {rate: mean_row([row["prefixes"][rate] for row in rows]) for rate in rows[0]["prefixes"]}
    return {"file_bpp": float(np.mean([row["file_bpp"] for row in rows])), "prefixes": prefixes}


def print_table(title: str, name: str, digits: int, means: Mapping[str, Row]) -> None:
    print(f"\n| {title} | " + " | ".join(f"{rate:g} bpp" for rate in RATES) + " | whole file, bpp |")
    print("|---|" + "--:|" * (len(RATES) + 1))
    for system, mean in means.items():
        values = [row and row[name] for row in mean["prefixes"].values()]
        cells = ["–" if value is None else f"{value:.{digits}f}" for value in values]
        print(f"| {system} | " + " | ".join(cells) + f" | {mean['file_bpp']:.2f} |")


def points(mean: Row) -> list[dict[str, float | None]]:
    rows = [row for row in mean["prefixes"].values() if row]
    return [{**row, "ms_ssim_db": row["ms_ssim"] and to_db(row["ms_ssim"])} for row in rows]


@click.command()
@click.argument("pictures", type=click.Path(exists=True, path_type=Path))
@options.threads()
@options.out
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Chart to write, SVG.")
@options.model()
@options.limit()
def main(pictures: Path, out: Path | None, plot: Path | None, model: str, limit: int | None) -> None:
    """Cut one file of each of PICTURES at all rates."""
    for rival in RIVALS:
        if why := rival.unavailable():
            raise click.ClickException(f"{rival.name}: {why}")
    systems = (ProgressiveModel(recodec.load(model)), *RIVALS)
    images: dict[str, dict[str, Row]] = {}
    for name, original in named_pictures(pictures, limit).items():
        images[name] = {codec.name: measure(codec, original) for codec in systems}
        print(f"{name}: measured", file=sys.stderr, flush=True)
    means = {codec.name: mean_of([rows[codec.name] for rows in images.values()]) for codec in systems}
    result = {
        "pictures": {"folder": pictures.name, "count": len(images)},
        "rates": RATES,
        "systems": {
            codec.name: {"version": codec.version, "settings": codec.description} for codec in systems
        },
        "mean": means,
        "images": images,
    }
    result_file.write(out, result)
    print_table("bpp used", "bpp", 4, means)
    for metric in ("psnr", "ms_ssim"):
        shown = METRICS[metric]
        print_table(f"{shown.label}, {shown.unit}".rstrip(", "), metric, shown.digits, means)
    if plot:
        curves = {system: points(mean) for system, mean in means.items()}
        plot.write_text(draw_curves(("psnr", "ms_ssim_db"), curves, {}))


if __name__ == "__main__":
    main()
