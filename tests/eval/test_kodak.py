"""The default model on the Kodak pictures, where they are at hand. bench/rd.py measures all of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec

KODAK = Path(__file__).parents[3] / "shared" / "anchors" / "kodak"


@pytest.mark.parametrize("name", ["kodim01", "kodim09", "kodim23"])
def test_prefixes_of_a_real_photograph(name: str) -> None:
    path = KODAK / f"{name}.png"
    if not path.exists():
        pytest.skip("the Kodak pictures are not beside the repository (../shared/anchors/kodak)")
    with Image.open(path) as image:
        original = np.asarray(image.convert("RGB"))
    data = recodec.encode(path, iterations=8, strip=True)
    errors = []
    for k, picture in enumerate(recodec.progressive(data, like="numpy"), 1):
        errors.append(np.square(picture.astype(float) - original).mean())
        if k in (1, 4, 8):
            whole = recodec.decode(recodec.truncate(data, iterations=k), like="numpy")
            np.testing.assert_array_equal(whole, picture)
    assert all(a > b for a, b in pairwise(errors))
    assert recodec.verify(data).iterations == 8
