"""Fixtures for operators."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from recodec.kernels import binarizer, conv_gru, conv_lstm, feedback, projection, reconstruct, tuning


@pytest.fixture
def poisoned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill what torch.empty and torch.empty_like return with NaN, so that nothing may be left unwritten."""
    for name in ("empty", "empty_like"):
        original = getattr(torch, name)

        def poisoned(*args: Any, original: Any = original, **keywords: Any) -> torch.Tensor:
            made: torch.Tensor = original(*args, **keywords)
            return made.fill_(torch.nan) if made.is_floating_point() else made

        monkeypatch.setattr(torch, name, poisoned)


@pytest.fixture
def few_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles that leave a tail on every side of small shapes, and few enough programs to interpret."""
    tiles = tuning.Tiles(pixels=64, channels=16, inputs=16, warps=4, stages=2)
    for module in (binarizer, conv_gru, conv_lstm, feedback, projection, reconstruct):
        monkeypatch.setattr(module, "tiles_for", lambda *_: tiles)
