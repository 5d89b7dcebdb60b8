"""The processes of one training run: alone, or joined by ``torchrun``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Processes:
    """Where a process stands among all: its rank, how many there are, and its device."""

    rank: int
    count: int
    device: torch.device
    # Decisions go over the CPU, where they wait for no kernel.
    _control: distributed.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and reports."""
        return self.rank == 0

    def largest(self, *values: float) -> list[float]:
        """The largest of each value over all processes, so that all decide alike."""
        if self._control is None:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(tensor, distributed.ReduceOp.MAX, group=self._control)
        return [float(value) for value in tensor]


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without it, this one is alone."""
    cuda = torch.cuda.is_available()
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, torch.device("cuda" if cuda else "cpu"))
        return
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        control = distributed.new_group(backend="gloo")
        assert isinstance(control, distributed.ProcessGroup)
        yield Processes(distributed.get_rank(), count, device, control)
    finally:
        distributed.destroy_process_group()
