"""Fixtures of the pixel task's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recodec.train.data.photographs import Photographs


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs and a file that only looks like one."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("photos")
    for index in range(3):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        coarse.resize((120, 90), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photograph")
    return folder


@pytest.fixture(scope="session")
def photographs(folder: Path) -> Photographs:
    return Photographs([folder])
