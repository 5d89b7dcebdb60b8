"""Memory after many pictures is what it was after some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import recodec
from recodec import _core

STATM = Path("/proc/self/statm")
# Of what the allocator keeps, and of what other tests left for it to collect.
MOST_GROWTH = 16 * 2**20


def resident() -> int:
    """Bytes of this process in memory."""
    return int(STATM.read_text().split()[1]) * 4096


@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells a process its size so")
def test_a_thousand_encodes_of_mixed_sizes_leave_nothing_behind(tiny_model: str) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    codec = recodec.load(tiny_model, device=device)
    rng = np.random.default_rng(0)
    after: list[tuple[int, int]] = []
    for number in range(1000):
        height, width = rng.integers(1, 70, 2)
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        codec.decode(codec.encode(picture, iterations=1), like="numpy")
        if number in (299, 999):
            _core.release_free_memory()
            after.append((resident(), torch.cuda.memory_allocated() if device == "cuda" else 0))
    (host, on_device), (host_end, on_device_end) = after
    assert host_end - host <= MOST_GROWTH
    assert on_device_end - on_device <= MOST_GROWTH
