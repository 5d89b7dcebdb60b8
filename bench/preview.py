"""What a preview in front of a lossless file costs, of a folder's pictures.

    python bench/preview.py FOLDER [--preview BPP] [--effort EFFORT] [--out PATH]

Each picture is coded with a preview and without, and decoded again: sizes count only where every sample came back.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import click
import numpy as np
from PIL import Image

import options
import recodec
import result_file

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--preview", type=float, default=0.25, show_default=True)
@click.option("--effort", default="default", show_default=True)
@options.limit()
@options.out
def main(folder: Path, preview: float, effort: Any, limit: int | None, out: Path | None) -> None:
    """Print a line for each picture, and the mean."""
    rows = {path.name: measure(path, preview, effort) for path in sorted(folder.glob("*.png"))[:limit]}
    if not rows:
        raise click.UsageError(f"{folder} holds no PNG files")
    costs = [row["cost"] for row in rows.values()]
    print(f"mean {fmean(costs):.2%}, from {min(costs):.2%} to {max(costs):.2%}, of {len(rows)} pictures")
    record = {"preview": preview, "effort": effort, "pictures": rows}
    result_file.write(out, record)


def measure(path: Path, preview: float, effort: Any) -> dict[str, float]:
    """Bytes without and with a preview, the part of these that is it, and what the whole costs more."""
    with Image.open(path) as image:
        original = np.asarray(image.convert("RGB"))
    plain = recodec.encode(original, lossless=True, effort=effort)
    shown = recodec.encode(original, lossless=True, effort=effort, preview=preview)
    for data in (plain, shown):
        np.testing.assert_array_equal(recodec.decode(data, like="numpy"), original)
    info = recodec.info(shown)
    row = {
        "plain": len(plain),
        "with": len(shown),
        "lossy": info.prefix_bytes(info.iterations),
        "cost": len(shown) / len(plain) - 1,
    }
    print(f"{path.name:24} {len(plain):10,} {len(shown):10,}  {row['cost']:.2%}", flush=True)
    return row


if __name__ == "__main__":
    main()
