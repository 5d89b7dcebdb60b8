"""The report's table of lossless coders, made anew: bits per pixel of real files that are decoded and compared.

    python bench/zoo_lossless.py PICTURE... [--out PATH]

As the report has them, pictures are grey and 512 x 512: the shorter side becomes 512 (Lanczos), then the middle is cut
out. Everything counts: headers, weights and tables. On differences two networks are trained for each picture, of which
the mean is printed and by how much they differ at most. Coders of imagecodecs are left out where it is not installed.
"""

from __future__ import annotations

import io
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

import options
import recodec
import result_file
from recodec import zoo

Samples = NDArray[np.uint8]
Encode = Callable[[Samples], bytes]

SIDE = 512
SEEDS = (0, 100)


def through_pillow(**options: Any) -> Encode:
    def encode(samples: Samples) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(samples).save(buffer, **options)
        same(samples, np.asarray(Image.open(buffer).convert("L")))
        return buffer.getvalue()

    return encode


def through_imagecodecs(name: str, **options: Any) -> Encode:
    def encode(samples: Samples) -> bytes:
        import imagecodecs

        data = getattr(imagecodecs, f"{name}_encode")(samples, **options)
        same(samples, getattr(imagecodecs, f"{name}_decode")(data).reshape(samples.shape))
        return bytes(data)

    return encode


def through_zoo(**settings: Any) -> Encode:
    def encode(samples: Samples) -> bytes:
        data = zoo.encode("mlp", samples, **settings)
        same(samples, recodec.decode(data, like="numpy")[..., 0])
        return data

    return encode


def ours(samples: Samples) -> bytes:
    data: bytes = recodec.encode(samples, model="lossless")
    same(samples, recodec.decode(data, like="numpy")[..., 0])
    return data


def same(samples: Samples, decoded: NDArray[np.uint8 | np.uint16]) -> None:
    if not np.array_equal(samples, decoded):
        raise click.ClickException("a coder did not give the picture back")


def systems() -> dict[str, list[Encode]]:
    """What each row is made by; several are runs of the same."""
    rows = {
        "MLP as described (raw pixels)": [through_zoo(raw=True)],
        "MLP on differences": [through_zoo(seed=seed) for seed in SEEDS],
        "linear regression on the same pixels": [through_zoo(predictor="linear")],
        "MLP on differences, 16 contexts": [through_zoo(coder="contexts")],
        "linear regression, 16 contexts": [through_zoo(predictor="linear", coder="contexts")],
        "PNG": [through_pillow(format="PNG", optimize=True)],
        "WebP lossless": [through_pillow(format="WEBP", lossless=True, quality=100, method=6)],
        "JPEG 2000, reversible": [through_pillow(format="JPEG2000", irreversible=False)],
    }
    try:
        import imagecodecs  # noqa: F401
    except ImportError:
        click.echo("imagecodecs is not installed: without JPEG-LS and JPEG XL", err=True)
    else:
        rows["JPEG-LS"] = [through_imagecodecs("jpegls")]
        rows["JPEG XL, effort 9"] = [through_imagecodecs("jpegxl", lossless=True, effort=9, numthreads=1)]
    rows["recodec, model lossless"] = [ours]
    return rows


def prepared(path: Path) -> Samples:
    with Image.open(path) as image:
        return np.asarray(ImageOps.fit(image.convert("L"), (SIDE, SIDE), Image.Resampling.LANCZOS))


@click.command()
@click.argument(
    "paths", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True
)
@options.threads()
@options.out
def main(paths: tuple[Path, ...], out: Path | None) -> None:
    """Code PICTURES without loss by everything there is."""
    pictures = [prepared(path) for path in paths]
    print(
        f"| bits per pixel | {' | '.join(path.stem for path in paths)} | mean | seeds differ by | s to encode |"
    )
    print("|---|" + "--:|" * (len(paths) + 3))
    results: dict[str, Any] = {}
    for name, runs in systems().items():
        bpp, spread, died, start = [], 0.0, 0, time.process_time()
        for samples in pictures:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", recodec.DeadNetworkWarning)
                found = [8 * len(run(samples)) / samples.size for run in runs]
            died += len(caught)
            bpp.append(statistics.mean(found))
            spread = max(spread, max(found) - min(found))
        seconds = (time.process_time() - start) / len(pictures) / len(runs)
        results[name] = {"bpp": bpp, "spread": spread, "died": died, "runs": len(runs), "seconds": seconds}
        values = " | ".join(f"{value:.3f}" for value in (*bpp, statistics.mean(bpp)))
        said = f", {died} of {len(runs) * len(paths)} networks dead" if died else ""
        shown = f"{spread:.3f}" if len(runs) > 1 else "–"
        print(f"| {name}{said} | {values} | {shown} | {seconds:.1f} |", flush=True)
    record = {"pictures": [path.name for path in paths], "results": results}
    result_file.write(out, record)


if __name__ == "__main__":
    main()
