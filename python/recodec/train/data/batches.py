"""Batches of crops that are prepared ahead, by a thread or by processes."""

from __future__ import annotations

import itertools
import queue
import signal
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from recodec.errors import RecodecError
from recodec.train.data.crops import Crop, Crops

_BATCHES_AHEAD = 4
_POLL_SECONDS = 0.1


class CropBatch(NamedTuple):
    """(N, 3, size, size) uint8 pixels, and names of photographs that were skipped on the way."""

    pixels: Tensor
    skipped: frozenset[str]


def to_pixels(batch: Tensor) -> Tensor:
    """(N, 3, H, W) uint8 to float32 in [−0.5, 0.5], on the same device."""
    return batch.float() / 255 - 0.5


def crop_batches(
    crops: Crops,
    batch: int,
    *,
    start: int = 0,
    rank: int = 0,
    processes: int = 1,
    workers: int = 0,
    pin_memory: bool = False,
) -> Generator[CropBatch]:
    """Endless batches, number n of crops n * batch to (n + 1) * batch - 1, from n = ``start``.

    Of each batch, which all ``processes`` share, process ``rank`` gets its consecutive part. They are
    prepared ahead by ``workers`` processes, or by a thread if that is 0, from the first ``next`` until
    ``close``. ``pin_memory`` puts them where an accelerator, if there is one, copies from fastest.

    Raises ``ValueError`` if numbers are out of range or ``processes`` does not divide ``batch``; ``next``
    raises what taking a crop raises.
    """
    for name, value, least in [
        ("batch", batch, 1),
        ("start", start, 0),
        ("rank", rank, 0),
        ("processes", processes, 1),
        ("workers", workers, 0),
    ]:
        if value < least:
            raise ValueError(f"{name} is {value}; it must be at least {least}")
    if rank >= processes:
        raise ValueError(f"rank is {rank}; it must be below the number of processes, {processes}")
    if batch % processes:
        raise ValueError(f"batch is {batch}; it must be a multiple of the number of processes, {processes}")
    parts = _Parts(crops, batch, rank, processes)
    batches = _from_processes(parts, start, workers) if workers else _from_thread(parts, start)
    return _pinned(batches) if pin_memory and torch.accelerator.is_available() else batches


class _Parts(Dataset["CropBatch | RecodecError"]):
    """The part of each batch that belongs to one process."""

    def __init__(self, crops: Crops, batch: int, rank: int, processes: int):
        self.crops = crops
        self._batch = batch
        self._part = batch // processes
        self._rank = rank

    def indices(self, number: int) -> range:
        first = number * self._batch + self._rank * self._part
        return range(first, first + self._part)

    def __getitem__(self, number: int) -> CropBatch | RecodecError:
        try:
            return _merge(self.crops[index] for index in self.indices(number))
        # Returned, as the loader would raise it again with a traceback for its message.
        except RecodecError as error:
            return error


def _merge(crops: Iterable[Crop]) -> CropBatch:
    pixels, skipped = zip(*crops, strict=True)
    return CropBatch(torch.stack(pixels), frozenset(itertools.chain(*skipped)))


def _from_thread(parts: _Parts, start: int) -> Generator[CropBatch]:
    ready: queue.Queue[CropBatch | BaseException] = queue.Queue(_BATCHES_AHEAD)
    closed = threading.Event()

    def wanted() -> bool:
        # An abandoned thread must not keep an ending program waiting.
        return not closed.is_set() and threading.main_thread().is_alive()

    def put(item: CropBatch | BaseException) -> None:
        while wanted():
            with suppress(queue.Full):
                return ready.put(item, timeout=_POLL_SECONDS)

    def fill() -> None:
        try:
            for number in itertools.count(start):
                crops = []
                for index in parts.indices(number):
                    if not wanted():
                        return
                    crops.append(parts.crops[index])
                put(_merge(crops))
        except BaseException as error:  # noqa: BLE001 - raised again in the other thread
            put(error)

    thread = threading.Thread(target=fill, name="crops")
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        closed.set()
        thread.join()


def _ignore_interrupts(worker: int) -> None:
    """Leave it to the process that trains when to stop: Ctrl-C reaches the whole group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _from_processes(parts: _Parts, start: int, workers: int) -> Generator[CropBatch]:
    loader = DataLoader(
        parts,
        batch_size=None,
        sampler=itertools.count(start),
        num_workers=workers,
        # Forking a process that has threads is unsafe.
        multiprocessing_context="forkserver",
        prefetch_factor=_BATCHES_AHEAD,
        worker_init_fn=_ignore_interrupts,
        # Else starting would draw from the generator of the training itself.
        generator=torch.Generator(),
    )
    batches = iter(loader)
    try:
        for batch in batches:
            if isinstance(batch, RecodecError):
                raise batch
            yield batch
    finally:
        # The garbage collector may come much later, for example if a traceback holds the iterator.
        batches._shutdown_workers()  # type: ignore[attr-defined]


def _pinned(batches: Generator[CropBatch]) -> Generator[CropBatch]:
    try:
        for batch in batches:
            yield batch._replace(pixels=batch.pixels.pin_memory())
    finally:
        batches.close()
