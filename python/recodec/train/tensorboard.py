"""The figures of ``log.jsonl`` as TensorBoard reads them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recodec.errors import PackageError


def require_tensorboard() -> None:
    """Raise :class:`PackageError` where the package tensorboard is missing."""
    if find_spec("tensorboard") is None:
        raise PackageError(
            "curves for TensorBoard need the package tensorboard, which is not installed; install it with "
            "pip install tensorboard, or recodec with the extra tensorboard"
        )


class TensorBoard:
    """Writes every number of a record over its step, as ``train/terms/loss``, into a folder."""

    def __init__(self, folder: Path):
        require_tensorboard()
        self._folder = folder
        self._writer: Any = None

    def add(self, event: str, values: Mapping[str, Any]) -> None:
        """Take the record of a step; one of none, or of no numbers, adds nothing. Raises :class:`OSError`."""
        step = values.get("step")
        if step is None:
            return
        if self._writer is None:
            # A run that goes on from a checkpoint goes again through the steps after it.
            purged = step + 1 if event == "resumed" else None
            # Not an import statement: what torch has there is without types, where the package is installed.
            module = import_module("torch.utils.tensorboard")
            self._writer = module.SummaryWriter(str(self._folder), purge_step=purged)
        for name, value in _numbers({key: item for key, item in values.items() if key != "step"}):
            self._writer.add_scalar(f"{event}/{name}", value, step)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left, and no more."""
        if self._writer is not None:
            self._writer.close()


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}/{inner}", number) for inner, number in _numbers(value))
        elif isinstance(value, list | tuple):
            # As wide as the last, so that names sort as the numbers do.
            width = len(str(len(value)))
            numbered = {f"{number:0{width}}": item for number, item in enumerate(value, start=1)}
            yield from ((f"{name}/{inner}", number) for inner, number in _numbers(numbered))
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield name, float(value)
