"""Warnings point to the caller's line."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

import recodec
import recodec.pillow
from recodec.errors import RecodecWarning


def carrying(picture: Image.Image) -> Image.Image:
    picture.info["xmp"] = b"x" * 5000
    return picture


def truncated(picture: Image.Image) -> bytes:
    return recodec.truncate(recodec.encode(picture, model="tiny", iterations=2), max_bytes=600)


@pytest.mark.parametrize(
    "function",
    [
        lambda image: recodec.encode(image, model="tiny", max_bytes=600),
        lambda image: recodec.load("tiny").encode(image, max_bytes=600),
        lambda image: recodec.load("tiny").encode([image, image], max_bytes=600),
        lambda image: image.save(io.BytesIO(), "RECODEC", model="tiny", max_bytes=600),
        truncated,
    ],
    ids=["encode", "codec", "list", "save", "truncate"],
)
def test_a_warning_names_the_callers_file(
    tiny_model: str, picture: Image.Image, function: Callable[[Image.Image], Any]
) -> None:
    with pytest.warns(RecodecWarning) as found:
        function(carrying(picture))
    assert {warning.filename for warning in found} == {__file__}
