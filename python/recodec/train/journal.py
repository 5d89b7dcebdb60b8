"""What a run says while it goes: JSON lines in a file, curves for TensorBoard if asked for, and a live line."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from recodec.train.processes import Processes
from recodec.train.tensorboard import TensorBoard

_SECONDS_BETWEEN_LINES = 15.0


class Means:
    """Running means of named terms, gathered without waiting for the device."""

    def __init__(self, processes: Processes):
        self._processes = processes
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: dict[str, Tensor]) -> None:
        """Terms of one step, which may have others than the steps before but has the same in all processes."""
        for name, value in terms.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """Means over steps and processes since the last call; not finite where a value was not."""
        names = list(self._sums)
        if not names:
            return {}
        totals = self._processes.total(torch.stack([self._sums[name].float() for name in names]))
        counts = [self._processes.count * self._counts[name] for name in names]
        self._sums, self._counts = {}, {}
        return {name: float(total) / count for name, total, count in zip(names, totals, counts, strict=True)}


class Console:
    """Lines for a reader: some stay, one is passing."""

    def __init__(self, stream: TextIO | None):
        self._stream = stream
        self._passing_at = -math.inf
        self._passing_width = 0

    def say(self, line: str) -> None:
        """Write a line that stays."""
        if self._stream is not None:
            print(line.ljust(self._passing_width), file=self._stream, flush=True)
            self._passing_width = 0

    def pass_by(self, line: str) -> None:
        """Show a line in the place of the one before on a terminal; elsewhere, one now and then."""
        if self._stream is None:
            return
        if self._stream.isatty():
            print(line.ljust(self._passing_width), end="\r", file=self._stream, flush=True)
            self._passing_width = len(line)
        elif time.monotonic() - self._passing_at > _SECONDS_BETWEEN_LINES:
            print(line, file=self._stream, flush=True)
            self._passing_at = time.monotonic()


class Journal:
    """Appends records to ``log.jsonl``, and to ``tensorboard``, and tells the reader how things stand."""

    def __init__(self, path: Path, console: Console, tensorboard: TensorBoard | None = None):
        self._path, self.console, self._tensorboard = path, console, tensorboard

    @property
    def folder(self) -> Path:
        """Where the run keeps what it makes."""
        return self._path.parent

    def record(self, event: str, **values: Any) -> None:
        """Append one JSON line. Values that are not finite become null: JSON has no name for them."""
        line = {"event": event, "time": round(time.time(), 1), **_finite(values)}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self._tensorboard is not None:
            self._tensorboard.add(event, values)

    def close(self) -> None:
        """Write what is left of the curves for TensorBoard."""
        if self._tensorboard is not None:
            self._tensorboard.close()

    def progress(
        self, step: int, terms: dict[str, float], samples_per_second: float, seconds_left: float
    ) -> None:
        """Tell step, terms, speed and time left in one line."""
        values = "  ".join(f"{name} {value:.4g}" for name, value in terms.items())
        left = f"{seconds_left / 60:.0f} min left" if math.isfinite(seconds_left) else "time left unknown"
        self.console.pass_by(f"step {step}  {values}  {samples_per_second:.1f} samples/s  {left}")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
