"""The processes of one training run: alone, or joined by ``torchrun``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

from recodec.errors import DeviceError, SettingError, TrainingError
from recodec.runtime.placement import chosen_device, placed

Item = TypeVar("Item")


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

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes, on the CPU in float64."""
        values = values.to("cpu", torch.float64)
        if self._control is not None:
            distributed.all_reduce(values, group=self._control)
        return values

    def union(self, names: set[str]) -> set[str]:
        """Every name that any process has."""
        if self._control is None:
            return names
        gathered: list[set[str]] = [set()] * self.count
        distributed.all_gather_object(gathered, names, group=self._control)
        return set().union(*gathered)

    def gather(self, items: list[Item]) -> list[Item]:
        """Everything that any process has, process by process."""
        if self._control is None:
            return items
        gathered: list[list[Item]] = [[]] * self.count
        distributed.all_gather_object(gathered, items, group=self._control)
        return [item for part in gathered for item in part]

    def wait(self) -> None:
        """Until all processes are here."""
        self.largest(0.0)


def _number(variable: str, default: str = "") -> int:
    text = os.environ.get(variable, default)
    if not text.isdecimal():
        raise SettingError(
            f"the environment variable {variable} is {text!r}; it must be a number, as torchrun sets it"
        )
    return int(text)


def _try_device(device: torch.device) -> Tensor:
    return torch.empty(1, device=device)


@contextmanager
def join_processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; without it, this one is alone.

    ``device`` is "cpu", "cuda", "cuda:1", or "auto", a CUDA device where there is one; several processes take a
    CUDA device each. Raises :class:`DeviceError`, :class:`SettingError`, :class:`TrainingError`.
    """
    count = _number("WORLD_SIZE", "1")
    if count == 1:
        alone, _ = placed(device, _try_device)
        if alone.type == "cuda":
            torch.cuda.set_device(alone)
        yield Processes(0, 1, alone)
        return
    wanted = str(chosen_device(device))
    if wanted not in ("cpu", "cuda"):
        raise DeviceError(
            f"the device {device!r} is not for {count} processes; give cuda, one for each, or cpu"
        )
    if missing := {"RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"} - set(os.environ):
        raise TrainingError(
            f"WORLD_SIZE is {count}, but {min(missing)} is not set; start several processes with torchrun"
        )
    cuda = wanted == "cuda"
    own, _ = placed(f"cuda:{_number('LOCAL_RANK')}" if cuda else "cpu", _try_device)
    if cuda:
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        # One process validates for as long as it takes while the others wait.
        control = distributed.new_group(backend="gloo", timeout=timedelta(days=1))
        assert isinstance(control, distributed.ProcessGroup)
        yield Processes(distributed.get_rank(), count, own, control)
    finally:
        distributed.destroy_process_group()
