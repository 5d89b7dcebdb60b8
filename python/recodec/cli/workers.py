"""Work in several processes, any of which may be lost without harm to the others."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, TypeVar

from recodec.cli import loading
from recodec.errors import RecodecError

if TYPE_CHECKING:
    from recodec import Codec

Item = TypeVar("Item")
Result = TypeVar("Result")

# Forking a process that has used torch's threads may hang.
_CONTEXT = multiprocessing.get_context("spawn")


class Codecs:
    """Codecs on a device in one type of number, each loaded when first needed.

    Another process that is handed it loads its own.
    """

    def __init__(self, device: str, dtype: str):
        self._device, self._dtype = device, dtype
        self._loaded: dict[tuple[str, str | None], Codec] = {}

    def __reduce__(self) -> tuple[type[Codecs], tuple[str, str]]:
        return Codecs, (self._device, self._dtype)

    def load(self, model: str, model_hash: str | None = None) -> Codec:
        """The codec of a model, see :func:`recodec.load`. Raises :class:`recodec.WeightsError`.

        A device that is not there is a usage error.
        """
        key = model, model_hash
        if key not in self._loaded:
            self._loaded[key] = loading.load(model, self._device, self._dtype, model_hash)
        return self._loaded[key]


class LostWorkerError(RecodecError):
    """The process that was at work on something is gone."""


def spread(
    work: Callable[[Item], Result], items: Sequence[Item], processes: int
) -> Generator[tuple[Item, Result | LostWorkerError], None, None]:
    """Do ``work`` for every item, several at a time on equal shares of the cores; yield each as it is done.

    An item whose process was killed gets a :class:`LostWorkerError`; a new process goes on with the next.
    What ``work`` raises is raised here. Closed early, it ends all processes in the middle of what they do.
    """
    # No ProcessPoolExecutor: if one of its processes is killed, so is what all others were working on.
    waiting = deque(items)
    workers: list[_Worker] = []
    try:
        processes = min(processes, len(items))
        workers += (_Worker(work, processes) for _ in range(processes))
        while True:
            for worker in workers:
                if waiting and worker.item is None:
                    worker.give(waiting.popleft())
            busy = [worker for worker in workers if worker.item is not None]
            if not busy:
                return
            ready = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection in ready:
                    yield worker.take()
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A process and the item it has; a new one takes its place when it is lost."""

    def __init__(self, work: Callable[[Any], Any], processes: int):
        self.item: Any = None
        self._arguments = work, processes
        self._start()

    def _start(self) -> None:
        self.connection, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(other, *self._arguments), daemon=True)
        with _interrupts_held():
            self._process.start()
        # Else its end would not be noticed.
        other.close()

    def give(self, item: Any) -> None:
        """Hand over the next item."""
        if not self._process.is_alive():
            self.stop()
            self._start()
        self.item = item
        # A process that ends just now is noticed by the missing result.
        with contextlib.suppress(OSError):
            self.connection.send(item)

    def take(self) -> tuple[Any, Any]:
        """The item and its result, once the connection is ready."""
        item, self.item = self.item, None
        try:
            result = self.connection.recv()
        except (EOFError, OSError):
            self._process.join(timeout=1)
            code = self._process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            return item, LostWorkerError(
                f"the process at work on it ended with {how}; if memory ran out, give fewer --jobs"
            )
        if isinstance(result, Exception):
            raise result
        return item, result

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, work: Callable[[Any], Any], processes: int) -> None:
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    # Until there is no one any more to receive from or send to.
    with contextlib.suppress(EOFError, OSError):
        while True:
            item = connection.recv()
            try:
                result = work(item)
            except Exception as error:  # noqa: BLE001 - raised on the other side
                result = error
            connection.send(result)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process started meanwhile never hears Ctrl-C: the one that started it decides what becomes of it."""
    from multiprocessing import resource_tracker

    # The first process would start it too, and that lets interrupts through.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
