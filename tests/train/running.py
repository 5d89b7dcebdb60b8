"""Making and running trainers in tests."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import torch

from recodec.train.data.photographs import Photographs
from recodec.train.journal import Console, Journal
from recodec.train.processes import Processes
from recodec.train.recipe import Recipe
from recodec.train.task import Setting
from recodec.train.tasks import make_task
from recodec.train.trainer import Trainer

ALONE = Processes(0, 1, torch.device("cpu"))


def make_trainer(
    recipe: Recipe, photographs: Photographs, folder: Path, validation: Photographs | None = None
) -> Trainer:
    """A trainer of a new task, whose checkpoint is not read yet."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "log.jsonl", Console(None))
    return Trainer(make_task(recipe, Setting(photographs, validation, ALONE, journal)), folder)


def logged(folder: Path, event: str = "train") -> list[dict[str, Any]]:
    """Records of one kind, as a run wrote them."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def documented(task: str) -> dict[str, Any]:
    """The recipe of a task as the guide to training has it."""
    guide = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    blocks = [block.split("```")[0] for block in guide.split("```toml\n")[1:]]
    (found,) = (block for block in blocks if f'task = "{task}"' in block)
    return tomllib.loads(found)


def assert_a_stop_changes_nothing(
    recipe: Recipe, photographs: Photographs, folder: Path, half: int
) -> tuple[Trainer, Trainer]:
    """Trainers that are done with a recipe of twice ``half`` steps and agree, weight by weight and term by term."""
    straight = make_trainer(recipe, photographs, folder / "straight")
    assert straight.run()
    assert not make_trainer(recipe, photographs, folder / "resumed").run(steps=half)
    again = make_trainer(recipe, photographs, folder / "resumed")
    assert again.resume()
    assert again.progress.step == half
    assert again.run(steps=half)
    state = again.task.state_dict()
    for name, value in straight.task.state_dict().items():
        assert torch.equal(value, state[name]), name
    for name, value in straight.average.items():
        assert torch.equal(value, again.average[name]), name
    return straight, again
