"""What effort gains: bytes of every prefix at the quality of the plain file's, and the seconds that it takes.

    python bench/effort.py PICTURES [--effort 9]... [--model ID] [--limit 10] [--out PATH]

PICTURES is a folder, a file or a tar file. Files are written and decoded; the bytes that a searched file needs for a
prefix's PSNR or MS-SSIM lie on the line, in log bytes, between its own prefixes. Rows are numbers of chunks whose
plain prefixes have 0.1 bpp or more on average.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

import options
import recodec
import result_file
from recodec.codec import Codec
from recodec.eval.curve import progressive_pixels, score
from recodec.eval.metrics import Pixels
from zoo_pictures import named_pictures

_LEAST_RATE = 0.1


def curve(codec: Codec, original: Pixels, effort: int) -> dict[str, Any]:
    """Bits per pixel, PSNR and MS-SSIM (dB) of every prefix, and seconds of one core to encode."""
    start = time.process_time()
    data = codec.encode(original, effort=effort, iterations=codec.iterations)
    found: dict[str, Any] = {"seconds": time.process_time() - start, "bpp": [], "psnr": [], "ms_ssim": []}
    for count, pixels in enumerate(progressive_pixels(codec, data), start=1):
        of_prefix = score(original, pixels, len(recodec.truncate(data, iterations=count)))
        if of_prefix.ms_ssim is None:
            raise click.ClickException("a picture is too small for MS-SSIM")
        found["bpp"].append(of_prefix.bpp)
        found["psnr"].append(of_prefix.psnr)
        found["ms_ssim"].append(-10 * math.log10(1 - of_prefix.ms_ssim))
    return found


def changes(plain: dict[str, Any], searched: dict[str, Any], metric: str) -> list[float]:
    """Per cent of bytes at each prefix's quality; not a number where the searched file does not reach it."""
    rates = np.interp(plain[metric], searched[metric], np.log(searched["bpp"]), left=np.nan, right=np.nan)
    return [100 * value for value in np.expm1(rates - np.log(plain["bpp"])).tolist()]


def mean(changed: list[list[float]]) -> list[float | None]:
    """Of pictures, for each prefix that one of them at least reaches."""
    reached = [
        [value for value in of_prefix if not math.isnan(value)] for of_prefix in zip(*changed, strict=True)
    ]
    return [sum(values) / len(values) if values else None for values in reached]


@click.command()
@click.argument("pictures", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--effort", "efforts", type=click.IntRange(1, 9), multiple=True, default=(9,), show_default=True
)
@options.model()
@options.limit(10)
@options.threads()
@options.out
def main(pictures: Path, efforts: tuple[int, ...], model: str, limit: int, out: Path | None) -> None:
    """Encode PICTURES with and without a search."""
    codec = recodec.load(model)
    found: dict[int, list[dict[str, Any]]] = {effort: [] for effort in (0, *efforts)}
    pixels = []
    for name, original in named_pictures(pictures, limit).items():
        pixels.append(original.shape[0] * original.shape[1])
        for effort, rows in found.items():
            rows.append({"picture": name, **curve(codec, original, effort)})
            print(f"{name}: effort {effort}, {rows[-1]['seconds']:.1f} s", flush=True)
    plain = found[0]
    rates = np.mean([row["bpp"] for row in plain], 0)
    shown = [count for count, rate in enumerate(rates) if rate >= _LEAST_RATE]
    summary = {}
    for effort, rows in found.items():
        per_megapixel = sum(row["seconds"] for row in rows) / sum(pixels) * 1e6
        print(f"\neffort {effort}: {per_megapixel:.1f} s of a core per megapixel")
        summary[effort] = {"seconds_per_megapixel": per_megapixel}
        if not effort:
            continue
        kept = sum(row["bpp"] == of_plain["bpp"] for row, of_plain in zip(rows, plain, strict=True))
        print(
            f"{kept} of {len(rows)} pictures keep their plain codes\n\n| bpp | PSNR | MS-SSIM |\n|--:|--:|--:|"
        )
        of_metrics = {
            f"percent_for_{metric}": mean([changes(a, b, metric) for a, b in zip(plain, rows, strict=True)])
            for metric in ("psnr", "ms_ssim")
        }
        for count in shown:
            cells = (means[count] for means in of_metrics.values())
            print(
                f"| {rates[count]:.3f} |" + "".join(" – |" if c is None else f" {c:+.1f} % |" for c in cells)
            )
        summary[effort] |= of_metrics
    record = {
        "model": model,
        "hash": codec.hash.hex(),
        "bpp": rates.tolist(),
        "summary": summary,
        "pictures": found,
    }
    result_file.write(out, record)


if __name__ == "__main__":
    main()
