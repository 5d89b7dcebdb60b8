"""What the fuzz target makes of strips is sound again, whatever their effort, channels and depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recodec
from recodec.container.core import CODES, STRIP
from tests.strip_files import chunks_from, repair_strips, small_strips


@pytest.mark.parametrize("effort", ["fast", "default", "best"])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("preview", [None, 1.0])
def test_repaired_strips_decode(
    effort: str, depth: int, channels: int, preview: float | None, tiny_model: str
) -> None:
    rng = np.random.default_rng(channels)
    image = rng.integers(0, 1 << depth, (20, 13, channels)).astype(np.uint8 if depth == 8 else np.uint16)
    options: Any = {} if preview is None else {"preview": preview, "model": tiny_model}
    with small_strips(7, 13):
        data = bytearray(recodec.encode(image, lossless=True, effort=effort, **options))
    kind, chunks = STRIP if preview else CODES, chunks_from(data, recodec.info(bytes(data)).header_bytes)
    strips = [chunk for chunk in chunks if chunk.type == kind]
    # In the stream of the last plane, where nothing but samples follows from it.
    data[strips[1].next - 20] ^= 255
    with pytest.raises(recodec.ChecksumError):
        recodec.verify(bytes(data))
    repair_strips(data)
    recodec.verify(bytes(data))
    shown = recodec.decode(bytes(data), like="numpy")
    np.testing.assert_array_equal(shown[:7], image[:7])
    assert (shown[7:14] != image[7:14]).any()
