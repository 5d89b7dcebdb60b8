"""Fixtures of training."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from recodec.train.data.crops import Crops
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from tests.train.pictures import TRUNCATED, encoded, noise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six photographs, one of them truncated, and files that are none."""
    folder = tmp_path / "photographs"
    (folder / "below").mkdir(parents=True)
    for index in range(5):
        coarse = noise(9, 12, index).resize((90 + index, 120), Image.Resampling.BICUBIC)
        coarse.save(folder / ("below" if index % 2 else "") / f"{index}.png")
    content = encoded(noise(80, 80))
    (folder / TRUNCATED).write_bytes(content[: len(content) // 2])
    (folder / "._0.png").write_bytes(b"resource fork")
    (folder / "notes.txt").write_text("none")
    return folder


@pytest.fixture
def photographs(folder: Path) -> Photographs:
    return Photographs([folder])


@pytest.fixture
def crops(photographs: Photographs) -> Crops:
    return Crops(photographs, 16, CropOptions(), (1, 2))
