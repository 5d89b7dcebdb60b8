"""Fixtures of the codec's tests."""

from __future__ import annotations

import pytest
from PIL import Image

import recodec


@pytest.fixture
def data(tiny_model: str, picture: Image.Image) -> bytes:
    return recodec.encode(picture, iterations=8, model=tiny_model)
