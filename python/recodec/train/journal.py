"""What a run says while it goes: JSON lines in a file, and a live line."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

_SECONDS_BETWEEN_LINES = 15.0


class Losses:
    """Running mean of the loss of each iteration, gathered without waiting for the device."""

    def __init__(self, iterations: int, device: torch.device):
        self._sum = torch.zeros(iterations, device=device)
        self._count = torch.zeros(iterations, device=device)

    def add(self, lead_in: int, losses: Tensor) -> None:
        """Losses (T,) of iterations lead_in … lead_in + T − 1."""
        part = slice(lead_in, lead_in + len(losses))
        self._sum[part] += losses
        self._count[part] += 1

    def take(self) -> list[float | None]:
        """Means since the last call; None for iterations that did not run. Not finite where a loss was not."""
        means = (self._sum / self._count).tolist()
        ran = (self._count > 0).tolist()
        self._sum.zero_()
        self._count.zero_()
        return [mean if counted else None for mean, counted in zip(means, ran, strict=True)]


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
        return round(value, 6) if math.isfinite(value) else None
    return value
