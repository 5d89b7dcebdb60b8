"""From a run to a weights file that says where it comes from."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from recodec.train.trainer import Trainer
from recodec.weights import save_model


def export(
    trainer: Trainer,
    path: Path,
    recipe: Path,
    sources: Sequence[Path],
    validation: Sequence[Path],
    finished: bool,
) -> None:
    """Write the averaged weights as fp16 with recipe, data, command and figures in the metadata.

    Raises :class:`WeightsError` if fp16 cannot hold them.
    """
    # Names without folders: a weights file is published, the machine it was made on is nobody's business.
    names = [source.name for source in sources]
    flags = [f"--data {name}" for name in names] + [f"--valid {source.name}" for source in validation]
    if trainer.origin:
        flags.append(f"--start-from {trainer.origin.split()[0]}")
    device = trainer.processes.device
    notes: dict[str, Any] = {
        "recipe": recipe.read_text(encoding="utf-8"),
        "command": " ".join(["recodec train", recipe.name, *flags]),
        "started_from": trainer.origin,
        "data": {
            "sources": names,
            "photographs": len(trainer.photographs),
            "unreadable": len(trainer.unreadable),
        },
        "training": {
            "steps": trainer.progress.step,
            "minutes": round(trainer.progress.seconds / 60, 1),
            "finished": finished,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
            "processes": trainer.processes.count,
            "torch": torch.__version__,
        },
    }
    if trainer.curve is not None:
        notes["validation"] = trainer.curve.to_dict()
    save_model(path, trainer.averaged_network(), notes)
