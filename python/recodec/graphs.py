"""CUDA graphs: functions of tensors captured once for each shape, then replayed by a single launch.

A GPU takes tens of microseconds for an iteration of a small network, and longer than that to be told its kernels one
by one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

# Kernels compile and libraries initialise at their first runs, which a capture must not see.
_WARM_UPS = 2

Function = Callable[..., Tensor]


class Captured(Protocol):
    """A function bound to buffers of its own: fill ``inputs``, replay, read ``output``."""

    inputs: tuple[Tensor, ...]
    output: Tensor

    def replay(self) -> None:
        """Compute ``output`` from ``inputs``, on the stream that is current."""


class CudaGraph:
    """``function`` of tensors like ``examples``, captured on their device. It may not look at their values."""

    def __init__(self, function: Function, examples: tuple[Tensor, ...]):
        self.inputs = tuple(example.clone() for example in examples)
        stream = torch.cuda.Stream(self.inputs[0].device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                function(*self.inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may go on using the device meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self.output = function(*self.inputs)

    def replay(self) -> None:
        """Compute ``output`` from ``inputs``, on the stream that is current."""
        self._graph.replay()


def current_stream_id(device: torch.device) -> Hashable:
    """What tells the current stream of a device from others; None where there are no streams."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else None


class GraphCache:
    """Runs functions through graphs of them, ``size`` at most, of which those used least recently go first.

    There is one graph for each name, shapes, types and stream: replays on one stream come one after the other, so
    that nobody's buffers are overwritten while they are read. Threads may share a cache.
    """

    def __init__(
        self, size: int = 8, capture: Callable[[Function, tuple[Tensor, ...]], Captured] = CudaGraph
    ):
        self._size, self._capture = size, capture
        self._graphs: OrderedDict[Hashable, Captured] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._graphs)

    def run(self, name: Hashable, function: Function, *inputs: Tensor) -> Tensor:
        """What ``function`` returns for ``inputs``, in memory of its own.

        ``name`` stands for all that ``function`` depends on beside its inputs; their shapes, types and devices are
        told apart here.
        """
        signature = tuple((tensor.shape, tensor.dtype, tensor.device) for tensor in inputs)
        key = (name, signature, current_stream_id(inputs[0].device))
        # Until the launches are queued; the device works on after that.
        with self._lock:
            graph = self._graphs.pop(key, None)
            if graph is None:
                while len(self._graphs) >= self._size:
                    self._graphs.popitem(last=False)
                graph = self._capture(function, inputs)
            self._graphs[key] = graph
            for buffer, tensor in zip(graph.inputs, inputs, strict=True):
                buffer.copy_(tensor, non_blocking=True)
            graph.replay()
            return graph.output.clone()
