"""Which type of number is fastest where results may be rough."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from statistics import median

import torch

# A product of this size takes a millisecond in float32, and some 20 where bfloat16 is emulated.
_SIZE, _CALLS = 384, 5
_WORTH_IT = 1.3


def faster_type(device: torch.device) -> torch.dtype:
    """bfloat16 or float32, found by measuring on a CPU."""
    fast = device.type == "cuda" or bfloat16_gain() >= _WORTH_IT
    return torch.bfloat16 if fast else torch.float32


@functools.cache
def bfloat16_gain() -> float:
    """How many times as fast this CPU multiplies matrices in bfloat16 as in float32."""
    times = []
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(_SIZE, _SIZE, dtype=dtype)
        times.append(_seconds(lambda a=a: a @ a))  # type: ignore[misc]
    return times[0] / times[1]


def _seconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(_CALLS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return median(taken)
