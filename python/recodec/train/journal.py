"""What a run says while it goes: JSON lines in a file, and a live line."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from recodec.train.processes import Processes

_SECONDS_BETWEEN_LINES = 15.0


class Losses:
    """Running mean of the loss of each iteration, gathered without waiting for the device."""

    def __init__(self, iterations: int, processes: Processes):
        self._processes = processes
        # Loss and count of every iteration, then gradient norm and count of steps.
        self._sums = torch.zeros(2, iterations + 1, device=processes.device)

    def add(self, lead_in: int, losses: Tensor, gradient_norm: Tensor) -> None:
        """Losses (T,) of iterations lead_in … lead_in + T − 1 of one step."""
        part = slice(lead_in, lead_in + len(losses))
        self._sums[0, part] += losses
        self._sums[1, part] += 1
        self._sums[0, -1] += gradient_norm
        self._sums[1, -1] += 1

    def take(self) -> tuple[list[float | None], float]:
        """Mean losses and gradient norm over steps and processes since the last call.

        None for iterations that did not run; not finite where a value was not.
        """
        sums, counts = self._processes.total(self._sums)
        self._sums.zero_()
        means = [float(s / c) if c else None for s, c in zip(sums, counts, strict=True)]
        return means[:-1], means[-1] or 0.0


class Teller:
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
    """Appends records to ``log.jsonl`` and tells the reader how things stand."""

    def __init__(self, path: Path, teller: Teller):
        self._path, self.teller = path, teller

    def record(self, event: str, **values: Any) -> None:
        """Append one JSON line. Values that are not finite become null: JSON has no name for them."""
        line = {"event": event, "time": round(time.time(), 1), **values}
        with self._path.open("a") as file:
            file.write(json.dumps(_finite(line)) + "\n")

    def progress(
        self, step: int, losses: list[float | None], crops_per_second: float, seconds_left: float
    ) -> None:
        """Tell step, loss of each iteration, speed and time left in one line."""
        values = " ".join("-" if loss is None else f"{loss:.4f}" for loss in losses)
        left = f"{seconds_left / 60:.0f} min left" if math.isfinite(seconds_left) else "time left unknown"
        self.teller.pass_by(f"step {step}  {values}  {crops_per_second:.1f} crops/s  {left}")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
