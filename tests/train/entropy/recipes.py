"""Recipes of short runs."""

from __future__ import annotations

from pathlib import Path


def command(photos: Path, out: Path, *more: str) -> list[str]:
    short = ["--steps", "6", "--images", "4", "--width", "8", "--threads", "1"]
    return [
        *("train-entropy", "zoned", "--data", str(photos), "--valid", str(photos / "0.png")),
        *("--out", str(out), *short, *more),
    ]
