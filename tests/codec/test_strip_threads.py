"""Strips side by side: as many as there are threads for and memory has room for, and the same bytes for any number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec import _core
from recodec.families.lossless.fields import StripFields
from recodec.families.lossless.strips import Workers
from tests.strip_files import small_strips


@contextmanager
def threads_of_torch(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool, int]]:
    """What is asked of the core: which function, whether by the main thread, and with how many threads."""
    made: list[tuple[str, bool, int]] = []

    def watched(name: str) -> Any:
        original = getattr(_core, name)

        def call(*given: Any) -> Any:
            made.append((name, threading.current_thread() is threading.main_thread(), given[-1]))
            return original(*given)

        return call

    for name in ("encode_strip", "decode_strip"):
        monkeypatch.setattr(_core, name, watched(name))
    return made


@pytest.mark.parametrize("preview", [None, 1.5])
def test_bytes_and_pictures_are_the_same_for_any_number(
    picture: Image.Image, tiny_model: str, preview: float | None
) -> None:
    options: Any = {} if preview is None else {"preview": preview, "model": tiny_model}
    picture.putalpha(picture.convert("L"))
    found, shown = set(), set()
    for threads in (1, 2, 3, 7, 12):
        with threads_of_torch(threads), small_strips(7, picture.width):
            data = recodec.encode(picture, lossless=True, **options)
            shown.add(recodec.decode(data).tobytes())
            *_, last = recodec.progressive(data)
            shown.add(last.tobytes())
        found.add(data)
    assert len(found) == 1
    assert shown == {picture.tobytes()}


@pytest.mark.parametrize(
    ("threads", "side_by_side", "each"), [(1, 0, 1), (2, 6, 1), (3, 6, 1), (4, 4, 1), (7, 7, 1), (15, 7, 2)]
)
def test_who_works_on_them(
    picture: Image.Image, calls: list[tuple[str, bool, int]], threads: int, side_by_side: int, each: int
) -> None:
    with threads_of_torch(threads), small_strips(7, picture.width):
        recodec.decode(recodec.encode(picture, lossless=True))
    for name in ("encode_strip", "decode_strip"):
        made = [call[1:] for call in calls if call[0] == name]
        # Fewer strips than are worked on at once have the threads one after the other.
        assert made == [(False, each)] * side_by_side + [(True, threads)] * (7 - side_by_side)


def test_memory_counts_those_at_work() -> None:
    fields = StripFields(64, 1, 3)
    one = _core.strip_memory(64, 500, 3, 8, 1)
    least = fields.memory(500, 640)
    assert fields.memory(500, 640, 3) == least + 2 * one
    for memory, expected in (
        (0, 1),
        (least + one - 1, 1),
        (least + one, 2),
        (least + 4 * one, 5),
        (1 << 40, 10),
    ):
        assert fields.at_once(500, 640, 16, memory) == expected
    assert fields.at_once(500, 640, 4, 1 << 40) == 4


def test_little_memory_makes_it_slower_and_no_more(
    picture: Image.Image, tiny_model: str, calls: list[tuple[str, bool, int]]
) -> None:
    with small_strips(7, picture.width):
        data = recodec.encode(picture, lossless=True)
        both = recodec.encode(picture, model=tiny_model, lossless=True, preview=1)
        fields = StripFields(7, 1, 3)
        room = fields.memory(picture.width, picture.height, 2) + (64 << 20)
        with threads_of_torch(4):
            calls.clear()
            assert recodec.encode(picture, lossless=True, max_memory=room) == data
            assert recodec.decode(data, max_memory=room).tobytes() == picture.tobytes()
            # Two at once, by two threads each.
            assert calls.count(("encode_strip", False, 2)) == calls.count(("decode_strip", False, 2)) == 6
            with pytest.raises(recodec.LimitError):
                recodec.decode(data, max_memory=room - 2 * _core.strip_memory(7, picture.width, 3))
            calls.clear()
            assert recodec.decode(both, max_memory=1 << 30).tobytes() == picture.tobytes()
            assert len({on_main for _, on_main, _ in calls}) == 2


def test_what_is_wrong_with_a_strip_is_said_in_its_turn(picture: Image.Image) -> None:
    with threads_of_torch(3), small_strips(7, picture.width):
        data = bytearray(recodec.encode(picture, lossless=True))
        info = recodec.info(bytes(data))
        for number in (5, 2):
            data[info.prefix_bytes(number) - 1] ^= 1
        with pytest.raises(recodec.ChecksumError, match="code chunk 2 is damaged"):
            recodec.decode(bytes(data))
        shown = recodec.progressive(bytes(data), like="numpy")
        np.testing.assert_array_equal(next(shown)[:7], np.asarray(picture)[:7])


def test_workers_give_results_in_order() -> None:
    for strips in range(9):
        for at_once in range(1, 5):
            found = list(Workers(at_once, 8).map(lambda strip, threads: (strip, threads), range(strips)))
            together = strips // at_once * at_once if at_once > 1 else 0
            assert found == [(n, 8 // at_once if n < together else 8) for n in range(strips)]
