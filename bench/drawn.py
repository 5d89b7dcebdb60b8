"""What a model makes of pictures that no camera takes: flat colours, gradients, text, charts, checkerboards.

    python bench/drawn.py [--model MODEL] [--out PATH]

Of each picture, 256×256: PSNR and the worst error of a sample by 0.1 bits per pixel and at the end, chunks after
which PSNR fell, and whether the encoder said that the model is not for it.
"""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import click
import numpy as np

import options
import recodec
import result_file
from drawn_pictures import Pixels, small_pictures
from recodec.eval.curve import progressive_pixels

EARLY = 0.1


@click.command()
@options.model()
@options.out
def main(model: str, out: Path | None) -> None:
    """Print the table."""
    codec = recodec.load(model)
    rows = {name: look_at(codec, picture) for name, picture in small_pictures().items()}
    print(f"{'':16s}  dB, worst by {EARLY} bpp  dB, worst at the end     bpp  PSNR falls at  said")
    for name, row in rows.items():
        early, last = row["early"], row["last"]
        falls = ", ".join(map(str, row["falls"])) or "–"
        print(f"{name:16s}  {early['psnr']:8.1f}  {early['worst']:10d}  {last['psnr']:9.1f}  {last['worst']:10d}  "
              f"{last['bpp']:6.3f}  {falls:13s}  {'yes' if row['said'] else '–'}")  # fmt: skip
    record = {"model": codec.id, "hash": codec.hash.hex(), "pictures": rows}
    result_file.write(out, record)


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


if __name__ == "__main__":
    main()
