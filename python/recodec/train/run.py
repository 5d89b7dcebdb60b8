"""A whole training run, from a recipe to a file of weights: what the commands do, for Python as well."""

from __future__ import annotations

import dataclasses
import platform
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import torch

from recodec.errors import RecipeError, TrainingError
from recodec.io.outputs import make_folder
from recodec.model_search import SHIPPED, SUFFIX
from recodec.train.data.photographs import Photographs
from recodec.train.journal import Console, Journal
from recodec.train.processes import Processes, join_processes
from recodec.train.recipe import Recipe, find_recipe, load_recipe
from recodec.train.task import Setting, Task
from recodec.train.tasks import make_task
from recodec.train.tensorboard import TensorBoard, require_tensorboard
from recodec.train.trainer import Trainer
from recodec.weights import load_model

_WORKERS_PER_GPU = 8


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a run: the weights file, steps so far, whether the recipe is complete."""

    weights: Path
    steps: int
    finished: bool


def train(
    recipe: Recipe | str,
    data: Sequence[Path],
    folder: Path,
    *,
    validation: Sequence[Path] = (),
    name: str | None = None,
    overrides: Sequence[str] = (),
    start_from: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    workers: int | None = None,
    device: str = "auto",
    tensorboard: bool = False,
    stream: TextIO | None = None,
    command: str = "recodec train",
) -> Run:
    """Train ``recipe``, a file or the name of one that comes with recodec, on photographs.

    ``data`` and ``validation`` are folders, tar shards or files. ``folder`` gets checkpoint, log, pictures and
    ``<model>.safetensors``; a checkpoint found there is gone on with, and what of its making is another now is said.
    ``name`` is the model's id instead of the recipe's; ``overrides`` are ``KEY=VALUE`` for keys of a recipe that is a
    file. ``start_from`` is a model, by id or weights file, that a new run starts from. Stops after ``minutes``, when
    the run has ``steps`` steps, those before it was resumed included, at the recipe's end, or at SIGTERM or SIGINT.
    ``workers`` processes read photographs; None is a thread on a CPU and 8 for each GPU. ``device`` is where it trains;
    "auto" is a CUDA device where there is one. ``tensorboard`` writes the log's figures into ``folder/tensorboard`` as
    well. ``stream`` is told how things stand. Processes that ``torchrun`` started train together. Raises
    :class:`RecipeError`, :class:`TrainingError`, :class:`WeightsError`, :class:`ImageError`, :class:`SettingError`,
    :class:`DeviceError`, and :class:`PackageError` where TensorBoard is wanted and missing.
    """
    text = ""
    if not isinstance(recipe, Recipe):
        path = find_recipe(recipe)
        recipe, text = load_recipe(path, overrides), path.read_text(encoding="utf-8")
        command = " ".join([command, path.name, *(f"--set {shlex.quote(setting)}" for setting in overrides)])
    elif overrides:
        raise RecipeError(f"{overrides[0]!r} is for recipes that are files; change the recipe given instead")
    if name is not None:
        recipe, command = _named(recipe, name), f"{command} --name {name}"
    if tensorboard:
        require_tensorboard()
    with ExitStack() as stack:
        processes = stack.enter_context(join_processes(device))
        make_folder(folder)
        console = Console(stream if processes.first else None)
        photographs = Photographs(data)
        console.say(f"{recipe.model}: {len(photographs)} photographs, {processes.count} x {processes.device}")
        if workers is None:
            workers = _WORKERS_PER_GPU if processes.device.type == "cuda" else 0
        curves = TensorBoard(folder / "tensorboard") if tensorboard and processes.first else None
        journal = Journal(folder / "log.jsonl", console, curves)
        stack.callback(journal.close)
        setting = Setting(
            photographs,
            Photographs(validation) if validation else None,
            processes,
            journal,
            workers,
        )
        task = make_task(recipe, setting)
        trainer = Trainer(task, folder)
        if (SHIPPED / f"{recipe.model}{SUFFIX}").exists() and processes.first:
            console.say(f"{recipe.model} comes with recodec; to use both, give this one another --name")
        if trainer.resume():
            ignored = "; --start-from is for new runs" if start_from else ""
            console.say(f"resumed at step {trainer.progress.step}{ignored}")
            for change in trainer.changes:
                console.say(f"not as one run: {change}")
        elif start_from:
            trainer.start_from(load_model(start_from))
        more = None if steps is None else max(0, steps - trainer.progress.step)
        finished = trainer.run(minutes, more)
        weights = folder / f"{recipe.model}.safetensors"
        if processes.first:
            notes = _notes(trainer, command, text, data, validation, finished)
            _export(trainer, task, weights, notes)
            if trainer.skipped:
                console.say(
                    f"{len(trainer.skipped)} photographs were skipped, {min(trainer.skipped)!r} first"
                )
            console.say(f"weights: {weights}")
            go_on = "run the same command again to go on"
            if steps is not None and trainer.progress.step >= steps:
                go_on = (
                    f"all {steps} steps are done; run the same command again with a higher --steps to go on"
                )
            console.say("the recipe is complete" if finished else go_on)
        return Run(weights, trainer.progress.step, finished)


def _named(recipe: Recipe, name: str) -> Recipe:
    try:
        return dataclasses.replace(recipe, model=name)
    except ValueError as error:
        raise RecipeError(f"the name: {error}") from error


def _export(trainer: Trainer, task: Task[Any], path: Path, notes: dict[str, Any]) -> None:
    def write() -> None:
        figures = task.figures()
        task.export(path, trainer.averaged(), {**notes, **({"validation": figures} if figures else {})})

    try:
        write()
        # Who sends a signal waits for seconds, then kills.
        if not trainer.stopped_by_signal and trainer.validate():
            write()
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error}") from error


def _notes(
    trainer: Trainer,
    command: str,
    recipe_text: str,
    data: Sequence[Path],
    validation: Sequence[Path],
    finished: bool,
) -> dict[str, Any]:
    """Where weights come from, without names of folders: they are published, the machine is nobody's business."""
    names = [source.name for source in data]
    flags = [f"--data {name}" for name in names] + [f"--valid {source.name}" for source in validation]
    if trainer.origin:
        flags.append(f"--start-from {trainer.origin.split()[0]}")
    return {
        "recipe": recipe_text,
        "command": " ".join([command, *flags]),
        "started_from": trainer.origin,
        "data": {
            "sources": names,
            "photographs": len(trainer.task.setting.photographs),
            "skipped": len(trainer.skipped),
        },
        "training": {
            "steps": trainer.progress.step,
            "minutes": round(trainer.progress.seconds / 60, 1),
            "finished": finished,
            "device": _device_name(trainer.processes),
            "processes": trainer.processes.count,
            "changes": trainer.changes,
            "torch": torch.__version__,
        },
    }


def _device_name(processes: Processes) -> str:
    cuda = processes.device.type == "cuda"
    return torch.cuda.get_device_name(processes.device) if cuda else platform.machine()
