"""Rate and distortion of a model over a folder of pictures, by the sizes of real files.

    python bench/rd.py FOLDER --out rd.json [--model ID] [--limit N] [--iterations N] [--jpeg]

Each picture is encoded once with all iterations. Every prefix is scored, and some prefixes are decoded
again as files of their own to see that they give the same pixels. Means are taken over pictures at equal
iterations; JPEG, if asked for, is the best 4:2:0 file with optimised tables of at most the same size.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np

import options
import recodec
import result_file
from recodec.codec import Codec
from recodec.eval.bjontegaard import bd_rate
from recodec.eval.curve import JpegRival, Step, decode_pixels, load_rgb, measure
from recodec.eval.metrics import Pixels, to_db
from recodec.io.picture_kinds import image_suffixes

Row = dict[str, Any]

RATES = (0.125, 0.25, 0.5, 1.0)
GOALS = (0.900, 0.945)


def measure_image(
    codec: Codec, original: Pixels, iterations: int | None, *, jpeg: bool, check_all: bool
) -> Row:
    steps = list(measure(codec, original, iterations))
    checked = steps if check_all else [steps[0], steps[len(steps) // 2], steps[-1]]
    for step in checked:
        if not np.array_equal(decode_pixels(codec, step.file), step.pixels):
            raise click.ClickException(
                f"prefix {step.iterations} decodes to other pixels than the whole file"
            )
    recodec.verify(steps[-1].file)
    info = recodec.info(steps[-1].file)
    rival = JpegRival(original) if jpeg else None
    return {
        "width": info.width,
        "height": info.height,
        "steps": [
            {"chunk_bytes": size, **step_row(step, rival)}
            for step, size in zip(steps, info.chunk_bytes, strict=True)
        ],
    }


def step_row(step: Step, rival: JpegRival | None) -> Row:
    row: Row = {"iterations": step.iterations, **asdict(step.score)}
    if rival:
        found = rival.within(step.score.bytes)
        row["jpeg"] = asdict(found[1]) if found else None
    return row


def mean_row(rows: Sequence[Row]) -> Row | None:
    """Mean of every metric, None where a picture lacks it; None as a whole if a picture lacks the row."""
    if any(row is None for row in rows):
        return None
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "jpeg"}
    return {name: None if None in values else float(np.mean(values)) for name, values in columns.items()}


def mean_curve(images: Sequence[Row], *, jpeg: bool) -> list[Row]:
    curve = []
    for rows in zip(*(image["steps"] for image in images), strict=True):
        mean = mean_row(rows)
        assert mean is not None
        curve.append({**mean, "jpeg": mean_row([row["jpeg"] for row in rows])} if jpeg else mean)
    return curve


def segments(curve: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    points = [point for point in curve if point and point["ms_ssim"] is not None]
    return pairwise(points)


def interpolate(curve: Sequence[Row], given: str, wanted: str, value: float) -> float | None:
    """``wanted`` where ``given`` first reaches ``value``; None beyond the ends of the curve."""
    for a, b in segments(curve):
        if a[given] <= value <= b[given]:
            share = (value - a[given]) / ((b[given] - a[given]) or 1)
            return float(a[wanted] + share * (b[wanted] - a[wanted]))
    return None


def summarise(curve: Sequence[Row]) -> Row:
    return {
        "ms_ssim_at_bpp": {str(rate): interpolate(curve, "bpp", "ms_ssim", rate) for rate in RATES},
        "psnr_at_bpp": {str(rate): interpolate(curve, "bpp", "psnr", rate) for rate in RATES},
        "bpp_for_ms_ssim": {str(goal): interpolate(curve, "ms_ssim", "bpp", goal) for goal in GOALS},
    }


def against_jpeg(curve: Sequence[Row]) -> dict[str, float | None]:
    """Bjøntegaard's delta rates in percent over the qualities that both reach: what model cards say. MS-SSIM in dB."""

    def points(rows: Sequence[Row], metric: str) -> list[tuple[float, float]]:
        # Small pictures have no MS-SSIM.
        known = [row for row in rows if row and row[metric] is not None]
        return [(row["bpp"], to_db(row[metric]) if metric == "ms_ssim" else row[metric]) for row in known]

    jpeg = [row["jpeg"] for row in curve]
    return {metric: bd_rate(points(jpeg, metric), points(curve, metric)) for metric in ("ms_ssim", "psnr")}


def print_curve(curve: Sequence[Row], *, jpeg: bool) -> None:
    names = ["k", "bytes", "bpp", "PSNR", "MS-SSIM", "chunk"]
    names += ["JPEG bpp", "PSNR", "MS-SSIM"] if jpeg else []
    print("| " + " | ".join(names) + " |")
    print("|" + " --: |" * len(names))
    for row in curve:
        cells = [f"{row['iterations']:.0f}", f"{row['bytes']:.0f}", *scores(row)]
        cells += [f"{row['chunk_bytes']:.0f}"]
        if jpeg:
            cells += scores(row["jpeg"]) if row["jpeg"] else ["-"] * 3
        print("| " + " | ".join(cells) + " |")


def scores(row: Row) -> list[str]:
    return [f"{row['bpp']:.4f}", f"{row['psnr']:.2f}", show(row["ms_ssim"])]


def show(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def print_summary(name: str, summary: Row) -> None:
    at = [f"{show(value)} at {rate} bpp" for rate, value in summary["ms_ssim_at_bpp"].items()]
    needed = [f"{goal} needs {show(value)} bpp" for goal, value in summary["bpp_for_ms_ssim"].items()]
    print(f"{name}: MS-SSIM {', '.join(at)}; {', '.join(needed)}")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.limit()
@options.threads(None)
@options.out
@options.model()
@options.device
@click.option("--iterations", type=click.IntRange(min=1), help="Measure so many; all by default.")
@click.option("--jpeg", is_flag=True, help="Measure JPEG at the same sizes.")
@click.option("--check-all", is_flag=True, help="Decode every prefix as a file of its own, not just three.")
def main(
    folder: Path,
    out: Path | None,
    model: str,
    device: str,
    iterations: int | None,
    jpeg: bool,
    check_all: bool,
    limit: int | None,
) -> None:
    """Measure a model on the pictures in FOLDER."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in image_suffixes())[:limit]
    if not paths:
        raise click.ClickException(f"{folder} holds no pictures")
    codec = recodec.load(model, device=device)
    images = {}
    for path in paths:
        original = load_rgb(path)
        images[path.name] = measure_image(codec, original, iterations, jpeg=jpeg, check_all=check_all)
        print(f"{path.name}: prefixes match, file sound", file=sys.stderr, flush=True)
    curve = mean_curve(list(images.values()), jpeg=jpeg)
    summary = summarise(curve)
    result: Row = {
        "pictures": {"folder": folder.name, "count": len(images)},
        "model": {"id": codec.id, "hash": codec.hash.hex(), "device": device},
        "summary": summary,
        "mean": curve,
        "images": images,
    }
    print_curve(curve, jpeg=jpeg)
    print_summary("recodec", summary)
    if jpeg:
        result["jpeg_summary"] = summarise([row["jpeg"] for row in curve])
        print_summary("JPEG", result["jpeg_summary"])
        result["against_jpeg"] = against_jpeg(curve)
        rates = {
            name: "-" if rate is None else f"{rate:+.1f} %" for name, rate in result["against_jpeg"].items()
        }
        print(f"bits beside JPEG's: {rates['ms_ssim']} (MS-SSIM), {rates['psnr']} (PSNR)")
    result_file.write(out, result)


if __name__ == "__main__":
    main()
