"""Batches of crops, by threads and processes."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from recodec.errors import ImageError
from recodec.train.data.batches import CropBatch, crop_batches
from recodec.train.data.crops import Crops
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from tests.train.pictures import TRUNCATED, noise


def taken(batches: Generator[CropBatch], count: int) -> list[CropBatch]:
    with closing(batches):
        return list(itertools.islice(batches, count))


def pixels(batches: Generator[CropBatch], count: int) -> torch.Tensor:
    return torch.cat([batch.pixels for batch in taken(batches, count)])


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - threads
    assert "crops" not in {thread.name for thread in left}
    # Those that feed the queues of processes have been told to end, but are not waited for.
    for thread in left:
        thread.join(5)
        assert not thread.is_alive()
    assert not multiprocessing.active_children()


def test_batches_are_the_crops_in_order(crops: Crops) -> None:
    batches = taken(crop_batches(crops, 6), 3)
    assert torch.equal(
        torch.cat([batch.pixels for batch in batches]), torch.stack([crops[i].pixels for i in range(18)])
    )
    for number, batch in enumerate(batches):
        assert batch.skipped == {name for i in range(6) for name in crops[6 * number + i].skipped}


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_processes_make_the_same_batches_and_leave_the_random_numbers_alone(crops: Crops) -> None:
    state = torch.get_rng_state()
    batches = taken(crop_batches(crops, 6, start=2, workers=2), 5)
    expected = taken(crop_batches(crops, 6, start=2), 5)
    assert torch.equal(torch.get_rng_state(), state)
    for batch, other in zip(batches, expected, strict=True):
        assert torch.equal(batch.pixels, other.pixels)
        assert batch.skipped == other.skipped
    assert any(batch.skipped for batch in batches)


def test_ranks_share_a_batch(crops: Crops) -> None:
    whole = pixels(crop_batches(crops, 6), 1)
    parts = [pixels(crop_batches(crops, 6, rank=rank, processes=3), 1) for rank in range(3)]
    assert torch.equal(whole, torch.cat(parts))


def test_starting_late_is_skipping(crops: Crops) -> None:
    assert torch.equal(pixels(crop_batches(crops, 4, start=3), 2), pixels(crop_batches(crops, 4), 5)[12:])


def test_memory_is_pinned_only_for_an_accelerator(crops: Crops) -> None:
    (batch,) = taken(crop_batches(crops, 2, pin_memory=True), 1)
    assert batch.pixels.is_pinned() == torch.accelerator.is_available()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"start": -1}, "start is -1"),
        ({"workers": -1}, "workers is -1"),
        ({"rank": -1}, "rank is -1"),
        ({"processes": 0}, "processes is 0"),
        ({"rank": 2, "processes": 2}, "rank is 2"),
        ({"processes": 3}, "batch is 4; it must be a multiple of the number of processes, 3"),
    ],
)
def test_batches_check_their_numbers_at_once(crops: Crops, numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crop_batches(crops, **{"batch": 4, **numbers})


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_arrive_as_they_are(folder: Path, workers: int) -> None:
    crops = Crops(Photographs([folder / TRUNCATED]), 16, CropOptions(), 1)
    batches = crop_batches(crops, 2, workers=workers)
    with pytest.raises(ImageError) as caught:
        next(batches)
    assert str(caught.value).startswith("100 photographs drawn in a row cannot be used")
    assert "Traceback" not in str(caught.value)


def test_other_errors_in_the_thread_arrive_too(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Photographs, index: int) -> Image.Image:
        raise MemoryError("not enough")

    monkeypatch.setattr(Photographs, "read", fail)
    with pytest.raises(MemoryError, match="not enough"):
        next(crop_batches(crops, 2))


def test_closing_ends_processes(crops: Crops) -> None:
    batches = crop_batches(crops, 2, workers=1)
    next(batches)
    assert len(multiprocessing.active_children()) == 1
    batches.close()
    assert not multiprocessing.active_children()
    batches.close()


def test_closing_waits_for_one_crop_at_most(
    photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()
    slow = threading.Event()

    def read(self: Photographs, index: int) -> Image.Image:
        if next(calls) >= 100:
            slow.set()
            time.sleep(0.1)
        return noise(20, 20)

    monkeypatch.setattr(Photographs, "read", read)
    batches = crop_batches(Crops(photographs, 16, CropOptions(), 1, cache_bytes=0), 100)
    next(batches)
    assert slow.wait(10)
    begin = time.monotonic()
    batches.close()
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("workers", [0, 1])
def test_abandoned_batches_end_too(crops: Crops, workers: int) -> None:
    def consume() -> None:
        for _ in crop_batches(crops, 2, workers=workers):
            raise KeyError("of the consumer")

    with pytest.raises(KeyError):
        consume()
    gc.collect()


def test_unused_batches_start_nothing(crops: Crops) -> None:
    threads = threading.active_count()
    batches = crop_batches(crops, 2)
    assert threading.active_count() == threads
    batches.close()


def test_program_ends_with_batches_open(folder: Path) -> None:
    program = f"""
from pathlib import Path
from recodec.train.data.batches import crop_batches
from recodec.train.data.crops import Crops
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
if __name__ == "__main__":
    crops = Crops(Photographs([Path({str(folder)!r})]), 16, CropOptions(), 1, cache_bytes=0)
    batches = [crop_batches(crops, 100, workers=workers) for workers in (0, 1)]
    for each in batches:
        next(each)
    print("one batch each")
    raise SystemExit(3)
"""
    script = folder / "program.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "one batch each\n", "")
