"""Results as tables: of all points for other programs, of means for a reader."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from recodec.eval.report import label
from recodec.eval.run import Measured


def points_csv(measured: Sequence[Measured], metrics: Sequence[str]) -> str:
    """CSV with one row per picture, codec and setting."""
    columns = ["setting", "bytes", "bpp", *metrics, "enc_ms", "dec_ms"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["file", "width", "height", "codec", *columns])
    for result in measured:
        for codec, points in (result.points or {}).items():
            for point in points:
                values = [point[name] for name in columns]
                writer.writerow([result.file, result.width, result.height, codec, *values])
    return buffer.getvalue()


def means_table(results: dict[str, Any]) -> Table:
    """Quality at some rates and bits against the anchors, from what ``results.json`` holds."""
    count = len(results["averaged"])
    table = Table(title=f"Means over {count} picture{'s' * (count != 1)}")
    table.add_column("codec")
    rates = ("0.25", "1")
    metrics = [m for m in ("psnr", "ms_ssim") if m in results["metrics"]]
    bd = [(a, m) for a in results["anchors"] for m in ("psnr", "ms_ssim_db") if m in results["metrics"]]
    for metric in metrics:
        for rate in rates:
            table.add_column(f"{label(metric).removesuffix(' (dB)')}\n{rate} bpp", justify="right")
    for anchor, metric in bd:
        table.add_column(f"% bits of {anchor}\n{label(metric).removesuffix(' (dB)')}", justify="right")
    for name in results["mean"]:
        found = results["summary"][name]
        cells = [
            _number(found["at_bpp"][m][rate], 2 if m == "psnr" else 4) for m in metrics for rate in rates
        ]
        cells += [_number(found["bd_rate"][anchor][m], 1) for anchor, m in bd]
        table.add_row(name, *cells)
    return table


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"
