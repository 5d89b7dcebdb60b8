"""CUDA graphs: functions of tensors captured once for each shape, then replayed by a single launch.

A GPU takes tens of microseconds for an iteration of a small network, and longer than that to be told its kernels one
by one.
"""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from recodec.notices import warn

Function = Callable[..., Tensor]

# Shapes that are remembered for each graph that is kept, and how often one is run before it is captured.
_REMEMBERED, _FIRST = 8, 2


class Captured(Protocol):
    """A function bound to buffers of its own: fill ``inputs``, replay, read ``output``."""

    inputs: tuple[Tensor, ...]
    output: Tensor

    def replay(self) -> None:
        """Compute ``output`` from ``inputs``, on the stream that is current."""


# Of all threads and caches only one may capture at a time.
_CAPTURING = Lock()


@functools.cache
def _capture_stream(device: torch.device, _: Hashable) -> torch.cuda.Stream:
    """One for each stream that graphs are replayed on: what captured matrix products work in belongs to theirs."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class CudaGraph:
    """``function`` of tensors like ``examples``, captured on their device. It may not look at their values."""

    # Not inference mode: tensors made in it could not be written outside of it.
    @torch.inference_mode(False)
    @torch.no_grad()
    def __init__(self, function: Function, examples: tuple[Tensor, ...]):
        self.inputs = tuple(example.clone() for example in examples)
        device = self.inputs[0].device
        with _CAPTURING:
            stream = _capture_stream(device, current_stream_id(device))
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                function(*self.inputs)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            # Other threads may go on using the device meanwhile.
            graph = torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local")
            # A capture that fails at its end would leave its own stream behind.
            with torch.cuda.stream(torch.cuda.current_stream()), graph:
                self.output = function(*self.inputs)

    def replay(self) -> None:
        """Compute ``output`` from ``inputs``, on the stream that is current."""
        self._graph.replay()


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """Graphs and streams are those of the current device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def current_stream_id(device: torch.device) -> Hashable:
    """What tells the current stream of a device from others; None where there are no streams."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else None


class GraphCache:
    """Runs functions through graphs of them, ``size`` at most, of which those used least recently go first.

    There is one graph for each name, shapes, types and stream: replays on one stream come one after the other, so
    that nobody's buffers are overwritten while they are read. A function is captured when it is asked for a second
    time, since capturing takes longer than running it, and after it had to go when it was asked for twice as often
    as before, so that more shapes than there is room for are run. So is what cannot be captured. Threads may share
    a cache.
    """

    def __init__(
        self, size: int = 16, capture: Callable[[Function, tuple[Tensor, ...]], Captured] = CudaGraph
    ):
        self._size, self._capture = size, capture
        self._graphs: OrderedDict[Hashable, Captured] = OrderedDict()
        # What is not kept: how often it was asked for, and how often it has to be.
        self._asked: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._graphs)

    def run(self, name: Hashable, function: Function, *inputs: Tensor) -> Tensor:
        """What ``function`` returns for ``inputs``, in memory of its own.

        ``name`` stands for all that ``function`` depends on beside its inputs; their shapes, types and devices are
        told apart here.
        """
        device = inputs[0].device
        signature = tuple((tensor.shape, tensor.dtype, tensor.device) for tensor in inputs)
        autocast = torch.is_autocast_enabled(device.type)
        with on_device(device):
            key = (name, signature, current_stream_id(device), autocast)
            # Until the launches are queued; the device works on after that.
            with self._lock:
                graph = self._graphs.pop(key, None) or self._captured(key, function, inputs)
                if graph is not None:
                    self._graphs[key] = graph
                    for buffer, tensor in zip(graph.inputs, inputs, strict=True):
                        buffer.copy_(tensor, non_blocking=True)
                    graph.replay()
                    return graph.output.clone()
            return function(*inputs)

    def _captured(self, key: Hashable, function: Function, inputs: tuple[Tensor, ...]) -> Captured | None:
        """A graph, if it is time for one and there can be one."""
        asked, wanted = self._asked.pop(key, (0, _FIRST))
        while len(self._asked) >= _REMEMBERED * self._size:
            self._asked.popitem(last=False)
        if asked + 1 < wanted:
            self._asked[key] = asked + 1, wanted
            return None
        self._asked[key] = 0, 2 * wanted
        while len(self._graphs) >= self._size:
            self._graphs.popitem(last=False)
        try:
            return self._capture(function, inputs)
        except RuntimeError as error:
            self._asked[key] = 0, math.inf
            if isinstance(error, torch.OutOfMemoryError):
                # What the others hold may be what is missing.
                self._graphs.clear()
            reason = str(error).splitlines()[0]
            warn(RuntimeWarning(f"a run of the networks goes without a CUDA graph: {reason}"))
            return None
