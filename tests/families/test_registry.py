"""The header's family byte is read by the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

import recodec
import recodec.pillow
from recodec import _core


@pytest.mark.parametrize(
    "use",
    [
        recodec.info,
        recodec.verify,
        recodec.decode,
        lambda data: list(recodec.progressive(data)),
        lambda data: recodec.truncate(data, iterations=1),
    ],
)
def test_a_family_of_a_newer_version_is_named(
    tiny_model: str, picture: Image.Image, use: Callable[[bytes], Any]
) -> None:
    data = recodec.encode(picture, model=tiny_model, iterations=1)
    header, end = _core.read_header(data)
    header.family = 77
    known = r"this version knows 1 \(recurrent\) and 2 \(lossless\) and 3 \(zoo\)$"
    with pytest.raises(recodec.UnsupportedError, match=f"family is 77; {known}"):
        use(_core.write_header(header) + data[end:])


def test_truncation_keeps_fields_of_a_later_revision(tiny_model: str, picture: Image.Image) -> None:
    data = recodec.encode(picture, model=tiny_model, iterations=2)
    header, end = _core.read_header(data)
    # The number type, which float32 leaves out, and something after it.
    header.fields += b"\0later"
    longer = _core.write_header(header) + data[end:]
    cut = recodec.truncate(longer, iterations=1)
    assert _core.read_header(cut)[0].fields == header.fields
    assert recodec.decode(longer).tobytes() == recodec.decode(data).tobytes()
