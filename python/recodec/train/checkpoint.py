"""Checkpoints: everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recodec.errors import TrainingError
from recodec.networks.config import NetworkConfig


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
    """The state of a run. Nothing random is in it: what is random in a step follows from its number."""

    network: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Any]
    loss: dict[str, Tensor]
    progress: Progress

    def write(self, path: Path, config: NetworkConfig) -> None:
        """Write all of it; an interrupted write leaves the former checkpoint in place."""
        data = {
            "config": config.to_texts(),
            "network": self.network,
            "average": self.average,
            "optimizer": self.optimizer,
            "loss": self.loss,
            "progress": asdict(self.progress),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(data, temporary)
        os.replace(temporary, path)

    @classmethod
    def read(cls, path: Path, config: NetworkConfig, device: torch.device) -> Checkpoint:
        """Read a checkpoint of this very network. Raises :class:`TrainingError`."""
        try:
            data = torch.load(path, map_location=device, weights_only=True)
            found = data.pop("config")
            checkpoint = cls(**{**data, "progress": Progress(**data["progress"])})
        except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TrainingError(
                f"{path} cannot be read as a checkpoint: {reason}; move it away to start anew"
            ) from error
        if found != config.to_texts():
            raise TrainingError(f"{path} holds another network than the recipe; use another folder")
        return checkpoint
