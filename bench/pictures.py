"""The middle of pictures beside JPEG and WebP in as many bytes, as one drawing.

    python bench/pictures.py PHOTO... --bpp 0.25 --out docs/pictures.png [--model ID]

recodec has the most chunks that fit into the rate; the others have the best file of at most that many bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from PIL import Image

import options
import recodec
from recodec.codec import Codec
from recodec.eval.comparison import Panel, draw_comparison
from recodec.eval.curve import JpegRival, Score, decode_pixels, load_rgb, score
from recodec.eval.metrics import Pixels


def best_webp(original: Pixels, max_bytes: int) -> tuple[Pixels, Score]:
    image, fitting = Image.fromarray(original), b""
    for quality in range(101):
        file = io.BytesIO()
        image.save(file, "WEBP", quality=quality, method=6)
        if len(file.getvalue()) <= max_bytes:
            fitting = file.getvalue()
    if not fitting:
        raise click.ClickException(f"WebP has no file of at most {max_bytes} bytes")
    decoded = load_rgb(io.BytesIO(fitting))
    return decoded, score(original, decoded, len(fitting))


def panels(codec: Codec, path: Path, bpp: float) -> Iterator[Panel]:
    original = load_rgb(path)
    yield Panel(path.stem, f"{original.shape[1]} x {original.shape[0]}", original)
    file = codec.encode(original, bpp=bpp, strip=True)
    ours = decode_pixels(codec, file)
    rival = JpegRival(original).within(len(file))
    if rival is None:
        raise click.ClickException(f"JPEG has no file of at most {len(file)} bytes for {path}")
    coded = {"JPEG": rival, "WebP": best_webp(original, len(file))}
    coded["recodec"] = ours, score(original, ours, len(file))
    for name, (pixels, scored) in coded.items():
        measures = f"{scored.psnr:.1f} dB, MS-SSIM {scored.ms_ssim:.3f}"
        yield Panel(f"{name}, {scored.bpp:.3f} bpp", measures, pixels)


@click.command()
@click.argument(
    "photos", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True
)
@click.option("--bpp", type=float, default=0.25, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="PNG to write.")
@options.model()
def main(photos: tuple[Path, ...], bpp: float, out: Path, model: str) -> None:
    """Draw PHOTOS beside other codecs, a row each."""
    codec = recodec.load(model)
    rows = [draw_comparison(list(panels(codec, path, bpp))) for path in photos]
    if len({row.size for row in rows}) > 1:
        raise click.ClickException("the photographs must be of one size, or all larger than 256 x 256")
    Image.fromarray(np.concatenate([np.asarray(row) for row in rows])).save(out, optimize=True)


if __name__ == "__main__":
    main()
