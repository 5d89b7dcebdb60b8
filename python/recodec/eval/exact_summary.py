"""Sizes and times of codecs that lose nothing, over pictures that all of them coded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from recodec.eval.run import Measured, as_json


def summarise(measured: Sequence[Measured], codecs: Sequence[str]) -> dict[str, Any]:
    """Means for ``lossless.json``: bits per pixel, and seconds a megapixel over all pixels together.

    A picture that one codec failed on, or that cannot be read, is in ``left_out`` with the reason.
    """
    whole = [result for result in measured if not result.error and not result.failed]
    left_out = {
        result.file: result.error
        or "; ".join(f"{name}: {why}" for name, why in (result.failed or {}).items())
        for result in measured
        if result not in whole
    }
    return {
        "mean": {name: _mean(name, whole) for name in codecs} if whole else {},
        "averaged": [result.file for result in whole],
        "left_out": left_out,
        "images": [as_json(result) for result in measured],
    }


def _mean(codec: str, measured: Sequence[Measured]) -> dict[str, float]:
    points = [(result.points or {})[codec][0] for result in measured]
    megapixels = sum(result.width * result.height for result in measured) / 1e6

    def total(name: str) -> float:
        return sum(point[name] or 0.0 for point in points)

    return {
        "bpp": total("bpp") / len(points),
        "bytes": total("bytes"),
        "encode_s_per_mp": total("enc_ms") / 1000 / megapixels,
        "decode_s_per_mp": total("dec_ms") / 1000 / megapixels,
    }


def table_of(results: dict[str, Any]) -> Table:
    """For a reader, the smallest first."""
    count = len(results["averaged"])
    table = Table(title=f"Lossless, means over {count} picture{'s' * (count != 1)}, one thread")
    table.add_column("codec")
    for name in ("bpp", "encode\ns a megapixel", "decode\ns a megapixel"):
        table.add_column(name, justify="right")
    for name, mean in sorted(results["mean"].items(), key=lambda one: one[1]["bpp"]):
        times = (f"{mean[key]:.3f}" for key in ("encode_s_per_mp", "decode_s_per_mp"))
        table.add_row(name, f"{mean['bpp']:.3f}", *times)
    return table
