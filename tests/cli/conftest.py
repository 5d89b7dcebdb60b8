"""Fixtures of the commands' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import recodec


@pytest.fixture
def photo(tiny_model: str, picture: Image.Image, tmp_path: Path) -> Path:
    picture.save(tmp_path / "photo.png", icc_profile=b"a profile")
    return tmp_path / "photo.png"


@pytest.fixture
def coded(tiny_model: str, picture: Image.Image, tmp_path: Path) -> Path:
    path = tmp_path / "coded.rcd"
    path.write_bytes(recodec.encode(picture, model=tiny_model, iterations=4))
    return path
