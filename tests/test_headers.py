"""What a header can make a reader do, measured: a short run of ``python -m tests.fuzz.headers``."""

from __future__ import annotations

import sys

import pytest

from .fuzz.headers import WAYS, measure

HEADERS = 40


@pytest.mark.skipif(sys.platform != "linux", reason="needs the peak of memory from /proc")
@pytest.mark.filterwarnings("ignore::recodec.RecodecWarning")
def test_no_header_costs_more_than_a_sound_file_of_its_size(tiny_model: str) -> None:
    found: list[str] = []
    rows = measure(HEADERS, 7, 10, found.append)
    assert not found
    assert all(row.calls == HEADERS for row in rows.values())
    # The claims are meant to reach every layer.
    assert rows["decode"].results > HEADERS // 10
    assert rows["verify"].results > HEADERS // 4
    assert rows.keys() == WAYS.keys()
