"""Fixtures of the plugin's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import recodec
import recodec.pillow


@pytest.fixture
def data(tiny_model: str, picture: Image.Image) -> bytes:
    return recodec.encode(picture, model=tiny_model, iterations=8)


@pytest.fixture
def path(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "picture.rcd"
    path.write_bytes(data)
    return path
