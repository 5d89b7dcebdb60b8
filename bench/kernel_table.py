"""What the table of bench/kernels.py has rows for, and how they are printed."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

EAGER, GRAPH, COMPILED, OURS = "eager", "eager graph", "compiled graph", "ours graph"


class Setting(NamedTuple):
    """What of the table a row belongs to."""

    dtype: torch.dtype
    batch: int
    height: int
    width: int

    @property
    def type_name(self) -> str:
        return str(self.dtype).removeprefix("torch.")


def settings(full: bool, rehearse: bool) -> list[Setting]:
    low = torch.float16 if rehearse else torch.bfloat16
    if not full:
        return [Setting(low, 1, *((16, 16) if rehearse else (512, 768)))]
    types = dict.fromkeys((low, torch.float16, torch.float32))
    sizes = ((16, 16), (16, 32)) if rehearse else ((512, 768), (1088, 1920))
    return [Setting(t, n, *size) for t in types for n in ((1, 2) if rehearse else (1, 8)) for size in sizes]


HEADER = (
    f"{'case':24}{'type':9}{'way':15}{'match':6}{'error':>8}{'us':>10}{'iqr':>7}{'TFLOP/s':>9}{'GB/s':>7}"
    f"{'matmul':>8}{'copy':>6}{'floor':>7}  ours is so many times as fast as"
)


def report(case: str, dtype: str, way: str, row: dict[str, Any]) -> None:
    """A line of the table; no speed without a match."""
    entry = row["ways"][way]
    start = f"{case.replace(' iteration', ''):24}{dtype:9}{way:15}"
    if entry["match"] is None:
        print(f"{start}NOT RUN: {entry['why'].splitlines()[0][:150]}", flush=True)
    elif not entry["match"]:
        print(f"{start}NO MATCH, error {entry['error']:.1e}, at most {entry['limit']:.1e}", flush=True)
    elif entry.get("median_us") is None:
        print(f"{start}{'yes':6}{entry['error']:8.0e}  not timed", flush=True)
    else:
        ratios = row["ours_times_as_fast_as"].items() if way == OURS else ()
        print(
            f"{start}{'yes':6}{entry['error']:8.0e}{entry['median_us']:10.1f}{entry['iqr_us']:7.1f}"
            f"{entry['tflops']:9.1f}{entry['gbytes_per_second']:7.0f}{entry['share_of_matmul']:8.0%}"
            f"{entry['share_of_copy']:6.0%}{entry['times_floor']:7.2f}  "
            + ", ".join(f"{ratio:.2f} {peer}" for peer, ratio in ratios),
            flush=True,
        )
