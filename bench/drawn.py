"""What a model makes of pictures that no camera takes: flat colours, gradients, text, charts, checkerboards.

    python bench/drawn.py [--model MODEL] [--json PATH]

Of each picture, 256×256: PSNR and the worst error of a sample by 0.1 bits per pixel and at the end, chunks after
which PSNR fell, and whether the encoder said that the model is not for it.
"""

from __future__ import annotations

import itertools
import json
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import recodec
from recodec.eval.curve import load_rgb, progressive_pixels

Pixels = NDArray[np.uint8]
SIDE = 256
EARLY = 0.1
COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (120, 130, 125),
    "red": (255, 0, 0),
    "orange": (255, 128, 0),
    "yellow": (255, 255, 0),
    "green": (0, 255, 0),
    "screen green": (0, 177, 64),
    "cyan": (0, 255, 255),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
    "pink": (255, 20, 147),
}


@click.command()
@click.option("--model", default="default", show_default=True)
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path))
def main(model: str, out: Path | None) -> None:
    """Print the table."""
    codec = recodec.load(model)
    rows = {name: look_at(codec, picture) for name, picture in pictures().items()}
    print(f"{'':16s}  dB, worst by {EARLY} bpp  dB, worst at the end     bpp  PSNR falls at  said")
    for name, row in rows.items():
        early, last = row["early"], row["last"]
        falls = ", ".join(map(str, row["falls"])) or "–"
        print(f"{name:16s}  {early['psnr']:8.1f}  {early['worst']:10d}  {last['psnr']:9.1f}  {last['worst']:10d}  "
              f"{last['bpp']:6.3f}  {falls:13s}  {'yes' if row['said'] else '–'}")  # fmt: skip
    if out:
        record = {"model": codec.id, "hash": codec.hash.hex(), "pictures": rows}
        out.write_text(json.dumps(record, indent=1) + "\n")


def look_at(codec: recodec.Codec, picture: Pixels) -> dict[str, Any]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", recodec.UnsuitablePictureWarning)
        data = codec.encode(picture, iterations=codec.iterations)
    info = recodec.info(data)
    curve = []
    for chunk, shown in enumerate(progressive_pixels(codec, data), start=1):
        error = np.abs(picture.astype(int) - shown)
        mean = max(float(np.square(error).mean()), 1e-6)
        bpp = 8 * info.prefix_bytes(chunk) / picture[..., 0].size
        curve.append({"bpp": bpp, "psnr": 10 * np.log10(255**2 / mean), "worst": int(error.max())})
    early = [point for point in curve if point["bpp"] <= EARLY] or curve[:1]
    falls = [n + 2 for n, (a, b) in enumerate(itertools.pairwise(curve)) if b["psnr"] < a["psnr"]]
    return {"early": early[-1], "last": curve[-1], "falls": falls, "said": bool(said)}


def pictures() -> dict[str, Pixels]:
    """By name, uint8 (256, 256, 3)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    made = {name: np.full((SIDE, SIDE, 3), colour, np.uint8) for name, colour in COLOURS.items()}
    made["gradient"] = _grey(x)
    made["checkerboard 1"] = _grey((x + y) % 2 * 255)
    made["checkerboard 2"] = _grey((x // 2 + y // 2) % 2 * 255)
    page = Image.new("RGB", (SIDE, SIDE), "white")
    for line in range(16):
        ImageDraw.Draw(page).text(
            (4, 4 + 15 * line), "A page of text in a small size, line by line", fill="black"
        )
    made["text"] = np.asarray(page)
    chart = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(chart)
    for n, colour in enumerate(("red", "green", "blue", "orange", "purple")):
        draw.rectangle((20 + 45 * n, 200 - 30 * n, 50 + 45 * n, 230), fill=colour)
        draw.line((0, 10 + 40 * n, 255, 250 - 40 * n), fill=colour)
    made["chart"] = np.asarray(chart)
    studio = load_rgb(Path(str(files("recodec") / "demo" / "photo.png")))[100:356, 300:556].copy()
    studio[:60], studio[:, :100] = COLOURS["screen green"], COLOURS["screen green"]
    made["green screen"] = studio
    return made


def _grey(values: NDArray[np.int64]) -> Pixels:
    return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)


if __name__ == "__main__":
    main()
