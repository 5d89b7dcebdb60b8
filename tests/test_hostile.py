"""Damaged and hostile files through the Python surface: a picture or a RecodecError, soon and small."""

from __future__ import annotations

import resource
import time

import pytest

import recodec
from recodec.errors import RecodecError

from .mutations import HOSTILE_COUNT, hostile_corpus

MAX_PIXELS = 1 << 12


# Of deep pictures Pillow's have 8 bits.
@pytest.mark.filterwarnings("ignore::recodec.ReducedDepthWarning")
def test_ten_thousand_mutations_decode_or_raise(tiny_model: str) -> None:
    codec = recodec.load(tiny_model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    decoded, slowest, errors = 0, 0.0, []
    for data in hostile_corpus():
        start = time.process_time()
        try:
            image = codec.decode(data, max_pixels=MAX_PIXELS)
            decoded += 1
            assert image.width * image.height <= MAX_PIXELS
        except RecodecError as error:
            errors.append(error)
        slowest = max(slowest, time.process_time() - start)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # The seeds are meant to reach every layer: headers, checksums, limits, the network itself.
    assert decoded > HOSTILE_COUNT // 20
    assert all("\n" not in str(error) for error in errors)
    kinds = {type(error).__name__ for error in errors}
    assert {"FormatError", "TruncatedError", "ChecksumError", "LimitError", "WeightsError"} <= kinds
    # Not a benchmark: a hang takes minutes, the slowest sound file here some 20 ms.
    assert slowest < 5
    assert grown < 400_000
