"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.sanitized import build_once

# Triton is not to be had everywhere, and these are about its kernels.
collect_ignore = [] if find_spec("triton") else ["ops", "kernels"]

# Triton reads this when kernels are defined, so it comes before any of its imports.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# Kernels never round float32 to TF32, and definitions are not to do so either.
torch.backends.cudnn.allow_tf32 = False

# The pictures here are tiny; more threads only wait for each other.
torch.set_num_threads(1)

GOLDEN = Path(__file__).parent / "golden"


def any_size(width: int, height: int) -> None:
    """For pictures that may be as large as they are."""


@pytest.fixture
def tiny_model(monkeypatch: pytest.MonkeyPatch) -> str:
    """Id of the test-only model, made available through the search path."""
    monkeypatch.setenv("RECODEC_WEIGHTS", str(GOLDEN))
    return "tiny"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the programs of the C++ core, built with sanitizers."""
    return build_once(tmp_path_factory)


@pytest.fixture
def picture() -> Image.Image:
    """A 61x45 RGB picture with smooth areas, edges and texture."""
    y, x = np.mgrid[0:45, 0:61]
    rng = np.random.default_rng(5)
    red = 128 + 100 * np.sin(x / 9) * np.cos(y / 7)
    green = np.where((x // 12 + y // 9) % 2, 200, 60) + rng.normal(0, 6, x.shape)
    blue = 255 * (x + y) / (x + y).max()
    return Image.fromarray(np.stack([red, green, blue], axis=2).clip(0, 255).astype(np.uint8))
