"""CUDA graphs: functions of tensors captured once for each shape, then replayed by a single launch.

A GPU takes tens of microseconds for an iteration of a small network, and longer than that to be told its kernels one
by one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Protocol

import torch
from torch import Tensor

Function = Callable[..., Tensor]


class Captured(Protocol):
    """A function bound to buffers of its own: fill ``inputs``, replay, read ``output``."""

    inputs: tuple[Tensor, ...]
    output: Tensor

    def replay(self) -> None:
        """Compute ``output`` from ``inputs``, on the stream that is current."""


class CudaGraph:
    """``function`` of tensors like ``examples``, captured on their device. It may not look at their values.

    Graphs may share a ``pool`` of memory if no two of them run at once: nothing but ``output`` outlives a replay.
    """

    def __init__(self, function: Function, examples: tuple[Tensor, ...], pool: Any):
        self.inputs = tuple(example.clone() for example in examples)
        stream = torch.cuda.Stream(self.inputs[0].device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            function(*self.inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may go on using the device meanwhile.
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            self.output = function(*self.inputs)

    def replay(self) -> None:
        """Compute ``output`` from ``inputs``, on the stream that is current."""
        self._graph.replay()


class CudaCapture:
    """Makes graphs; those of one stream share their memory."""

    def __init__(self) -> None:
        self._pools: dict[Hashable, Any] = {}

    def __call__(self, function: Function, examples: tuple[Tensor, ...]) -> CudaGraph:
        """The graph of a function of tensors like ``examples``, on the current stream."""
        stream = current_stream_id(examples[0].device)
        pool = self._pools.setdefault(stream, torch.cuda.graph_pool_handle())
        return CudaGraph(function, examples, pool)


def current_stream_id(device: torch.device) -> Hashable:
    """What tells the current stream of a device from others; None where there are no streams."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else None


class GraphCache:
    """Runs functions through graphs of them, ``size`` at most, of which those used least recently go first.

    There is one graph for each name, shapes, types and stream: replays on one stream come one after the other, so
    that nobody's buffers are overwritten while they are read. A function is captured when it is asked for a second
    time, since capturing takes longer than running it. Threads may share a cache.
    """

    def __init__(
        self,
        size: int = 32,
        capture: Callable[[Function, tuple[Tensor, ...]], Captured] | None = None,
    ):
        self._size, self._capture = size, capture or CudaCapture()
        # None for what has been asked for once.
        self._graphs: OrderedDict[Hashable, Captured | None] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return sum(graph is not None for graph in self._graphs.values())

    def run(self, name: Hashable, function: Function, *inputs: Tensor) -> Tensor:
        """What ``function`` returns for ``inputs``, in memory of its own.

        ``name`` stands for all that ``function`` depends on beside its inputs; their shapes, types and devices are
        told apart here.
        """
        signature = tuple((tensor.shape, tensor.dtype, tensor.device) for tensor in inputs)
        key = (name, signature, current_stream_id(inputs[0].device))
        # Until the launches are queued; the device works on after that.
        with self._lock:
            known = key in self._graphs
            graph = self._graphs.pop(key, None)
            while len(self._graphs) >= self._size:
                self._graphs.popitem(last=False)
            if known and graph is None:
                graph = self._capture(function, inputs)
            self._graphs[key] = graph
            if graph is not None:
                for buffer, tensor in zip(graph.inputs, inputs, strict=True):
                    buffer.copy_(tensor, non_blocking=True)
                graph.replay()
                return graph.output.clone()
        return function(*inputs)
