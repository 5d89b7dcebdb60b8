"""Checkpoints: everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recodec.errors import TrainingError
from recodec.io import outputs

_LARGEST_HALF = torch.finfo(torch.float16).max
_UNPICKLING = (AttributeError, EOFError, pickle.UnpicklingError)


@dataclass
class Progress:
    """How far a run is. Seconds and minutes count training alone, not validation."""

    step: int = 0
    phase: int = 0
    phase_step: int = 0
    phase_seconds: float = 0.0
    seconds: float = 0.0


@dataclass
class Checkpoint:
    """The state of a run. Nothing random is in it: what is random in a step follows from its number.

    ``origin`` says which weights the run started from, "" for none. ``made_of`` has what the steps depend on, by
    name, and ``changes`` says when that became another.
    """

    task: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Any]
    progress: Progress
    skipped: list[str]
    origin: str
    made_of: dict[str, str] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    def changed(self, made_of: Mapping[str, str]) -> list[str]:
        """Names of what is another now; a checkpoint from before this was kept has none."""
        return [name for name, value in made_of.items() if self.made_of.get(name, value) != value]

    def write(self, path: Path, identity: Mapping[str, str]) -> None:
        """Write all of it or nothing: the former checkpoint stays until this one is complete.

        ``identity`` is what whoever reads it must agree in. Raises :class:`TrainingError` if weights are not finite
        as fp16, or there is no room.
        """
        for name, value in (*self.task.items(), *self.average.items()):
            # Counters are whole numbers, which weights files hold as they are.
            if value.is_floating_point() and not bool((value.abs() <= _LARGEST_HALF).all()):
                raise TrainingError(
                    f"{name} holds values that are not finite or above {_LARGEST_HALF:g}, which weights files "
                    "cannot hold; the last good checkpoint is kept, lower the learning rate"
                )
        data = {
            "identity": dict(identity),
            "task": self.task,
            "average": self.average,
            "optimizer": self.optimizer,
            "progress": asdict(self.progress),
            "skipped": self.skipped,
            "origin": self.origin,
            "made_of": self.made_of,
            "changes": self.changes,
        }
        try:
            outputs.replace(path, lambda temporary: torch.save(data, temporary))
        except (OSError, RuntimeError) as error:
            raise TrainingError(f"{path} cannot be written: {error}") from error

    @classmethod
    def read(cls, path: Path, identity: Mapping[str, str], device: torch.device) -> Checkpoint:
        """Read a checkpoint of this very identity. Raises :class:`TrainingError`."""
        try:
            data = torch.load(path, map_location=device, weights_only=True)
            found = data.pop("identity")
            checkpoint = cls(**{**data, "progress": Progress(**data["progress"])})
        # Whatever a file that is no checkpoint makes of the reader.
        except (OSError, RuntimeError, LookupError, TypeError, ValueError, *_UNPICKLING) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TrainingError(
                f"{path} cannot be read as a checkpoint: {reason}; move it away to start anew"
            ) from error
        for name, value in identity.items():
            if found.get(name) != value:
                raise TrainingError(
                    f"{path} is of another {name} than the recipe: {_short(found.get(name))} and not {_short(value)}; "
                    "use another folder"
                )
        return checkpoint


def _short(text: object, most: int = 60) -> str:
    shown = str(text)
    return shown if len(shown) <= most else f"{shown[:most]}…"
