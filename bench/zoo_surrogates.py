"""What stands for rounding in training: identity, uniform noise and stochastic rounding, some seeds each, side by side.

    python bench/zoo_surrogates.py --data SHARD... --valid VALID.tar --runs FOLDER [--steps N] [--out PATH]

Trains the recipe `cae` with each for N steps, which is a fraction of what its weights had, and codes photographs of
VALID, a quarter as large and in patches of 32, to real files at its three levels. A row is what three seeds reach at
equal bits: PSNR between the levels' points by straight lines over the logarithm of the rate. Runs that are there
already are not repeated.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import options
import result_file
from recodec.codec import Codec
from recodec.eval.curve import decode_pixels
from recodec.eval.metrics import psnr
from recodec.train.data.photographs import Photographs
from recodec.train.recipe import find_recipe, load_recipe
from recodec.train.run import train
from recodec.train.tasks.autoencoder.recipe import AutoencoderRecipe
from recodec.train.tasks.autoencoder.surrogates import Surrogate
from recodec.weights import load_model
from recodec.zoo.family import ZOO
from recodec.zoo.learned.engine import LearnedEngine
from recodec.zoo.learned.header import Settings

Pixels = NDArray[np.uint8]

PATCH, SHRUNK = 32, 4
RATE_COUNT = 3


def recipe_of(surrogate: Surrogate, seed: int, steps: int) -> AutoencoderRecipe:
    recipe = load_recipe(find_recipe("cae"))
    assert isinstance(recipe, AutoencoderRecipe)
    (phase,) = recipe.phases
    return replace(
        recipe,
        model=f"cae-{surrogate}-{seed}",
        surrogate=surrogate,
        seed=seed,
        phases=(replace(phase, steps=steps),),
    )


def pictures(valid: Path, count: int) -> list[Pixels]:
    """Photographs shrunk, and cut to whole patches."""
    photographs = Photographs([valid])
    found = []
    for index in range(min(count, len(photographs))):
        image = Image.fromarray(np.asarray(photographs.read(index))).reduce(SHRUNK)
        width, height = (side // PATCH * PATCH for side in image.size)
        found.append(np.asarray(image)[:height, :width])
    return found


def measured(weights: Path, originals: list[Pixels]) -> list[dict[str, float]]:
    """Mean bits per pixel and PSNR at each level."""
    model = load_model(weights)
    rows = []
    for level in range(model.network.config.levels):
        codec = Codec(LearnedEngine(ZOO, model, "cpu", "float32", "auto", Settings(level, PATCH)))
        scores = []
        for original in originals:
            file = codec.encode(original, iterations=1)
            shown = decode_pixels(codec, file)
            scores.append((8 * len(file) / original[..., 0].size, psnr(original, shown)))
        bpp, quality = (statistics.fmean(column) for column in zip(*scores, strict=True))
        rows.append({"level": level, "bpp": bpp, "psnr": quality})
    return rows


def at_rate(points: list[dict[str, float]], bpp: float) -> float:
    """PSNR at a rate between those of the points."""
    x = np.log2([point["bpp"] for point in points])
    y = np.array([point["psnr"] for point in points])
    where = int(np.clip(np.searchsorted(x, np.log2(bpp)), 1, len(x) - 1))
    slope = (y[where] - y[where - 1]) / (x[where] - x[where - 1])
    return float(y[where] + slope * (np.log2(bpp) - x[where]))


def table(results: list[dict[str, Any]]) -> str:
    ends = [[point["bpp"] for point in result["points"]] for result in results]
    # Rates that all reach.
    rates = np.linspace(max(map(min, ends)), min(map(max, ends)), RATE_COUNT).round(2)
    lines = [
        "| surrogate | " + " | ".join(f"dB at {rate:g} bpp" for rate in rates) + " | seeds differ by |",
        "|---|" + "--:|" * (RATE_COUNT + 1),
    ]
    for surrogate in get_args(Surrogate):
        own = [result["points"] for result in results if result["surrogate"] == surrogate]
        columns = [[at_rate(points, rate) for points in own] for rate in rates]
        spread = max(max(column) - min(column) for column in columns)
        means = " | ".join(f"{statistics.fmean(column):.2f}" for column in columns)
        lines.append(f"| {surrogate} | {means} | {spread:.2f} |")
    return "\n".join(lines)


@click.command()
@click.option("--data", multiple=True, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--valid", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--runs", required=True, type=click.Path(path_type=Path), help="Folder of what is trained.")
@click.option("--steps", default=1500, show_default=True, type=click.IntRange(min=1))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1))
@options.limit(16)
@options.threads()
@options.out
def main(
    data: tuple[Path, ...],
    valid: Path,
    runs: Path,
    steps: int,
    seeds: int,
    limit: int,
    out: Path | None,
) -> None:
    """Train what is missing, measure, and print the table."""
    originals = pictures(valid, limit)
    results = []
    for seed in range(seeds):
        for surrogate in get_args(Surrogate):
            recipe = recipe_of(surrogate, seed, steps)
            run = train(recipe, data, runs / recipe.model)
            points = measured(run.weights, originals)
            results.append({"surrogate": surrogate, "seed": seed, "points": points})
            click.echo(
                f"{recipe.model}: " + ", ".join(f"{p['bpp']:.3f} bpp {p['psnr']:.2f} dB" for p in points)
            )
    click.echo(table(results))
    result_file.write(out, {"steps": steps, "pictures": len(originals), "runs": results})


if __name__ == "__main__":
    main()
