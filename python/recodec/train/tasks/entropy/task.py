"""The task that trains an entropy network on the codes of a frozen model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from recodec.errors import ImageError
from recodec.io import outputs
from recodec.networks.plane_network import PlaneNetwork
from recodec.train.data.photographs import Photographs
from recodec.train.recipe import Phase
from recodec.train.task import LOSS, Batch, Moment, Setting, Task, Terms
from recodec.train.tasks.entropy.codes import Border, Coded, code_picture, draw_windows, training_pictures
from recodec.train.tasks.entropy.network import make_network
from recodec.train.tasks.entropy.recipe import EntropyRecipe
from recodec.train.tasks.entropy.report import Report, measure, write_model
from recodec.weights import Model

# The line LSTM's memory is long, so the paper's networks want larger windows.
_WINDOWS = {"context": 16, "binary-rnn": 24, "progressive": 24}
_BORDERS = {"context": Border(2, 2, 1), "binary-rnn": Border(4, 4, 0), "progressive": Border(4, 4, 2)}
_ENTROPY_WINDOWS = 2
_NETWORK = "network."
# Weights are rounded as they are shipped from here on.
_ROUNDING_SHARE = 0.5


class EntropyTask(Task[EntropyRecipe]):
    """Trains one entropy network.

    Codes are collected again after a stop: they follow from the photographs and the seed.
    """

    def __init__(self, recipe: EntropyRecipe, setting: Setting, model: Model):
        super().__init__(recipe, setting)
        self.model = model
        torch.manual_seed(recipe.seed)
        self.network: Any = self.make_network()
        self.coded: list[Coded] = []
        self._figures: dict[str, Any] = {}

    @property
    def codec(self) -> PlaneNetwork:
        """The network whose codes they are; it does not train."""
        return self.model.plane_network()

    def identity(self) -> dict[str, str]:
        """The model, the network and the choice of codes."""
        recipe = self.recipe
        return {
            "task": recipe.task,
            "model": f"{self.model.id} {self.model.hash.hex()}",
            "network": f"{recipe.kind} {recipe.width} {recipe.embedding_width}",
            "choice of codes": f"{recipe.images} photographs, seed {recipe.seed}",
        }

    def make_network(self) -> Any:
        """An untrained network. Raises :class:`TrainingError` if the core has none for the model's codes."""
        return make_network(self.recipe, self.codec)

    def collect(self, picture: Image.Image) -> Coded:
        """What the network learns from, of a picture."""
        return code_picture(self.codec, picture, self.setting.processes.device)

    @property
    def windows(self) -> tuple[int, Border]:
        """Positions along a window's side, and what of them does not count."""
        return _WINDOWS[self.recipe.kind], _BORDERS[self.recipe.kind]

    def prepare(self, *, step: int, origin: str, stopped: Callable[[], bool]) -> None:
        """Collect codes of the recipe's photographs. Raises :class:`ImageError` if none can be read."""
        if self.coded:
            return
        start, total, setting = time.monotonic(), self.recipe.images, self.setting
        self.codec.to(setting.processes.device)
        numbered: list[tuple[int, Coded]] = []
        pictures = training_pictures(setting.photographs, total, self.recipe.seed)
        unreadable = 0
        stop = False
        for number, picture in enumerate(pictures, start=1):
            stop = stopped()
            if stop:
                break
            if picture is None:
                unreadable += 1
            elif number % setting.processes.count == setting.processes.rank:
                numbered.append((number, self.collect(picture)))
            left = (time.monotonic() - start) * (total - number) / number
            setting.journal.console.pass_by(
                f"codes of {number}/{total} photographs  {left / 60:.0f} min left"
            )
        # All or none: those that go on would wait for the codes of one that does not.
        if setting.processes.largest(stop) != [0]:
            return
        # In one order for any number of processes, so that they all draw the same windows.
        gathered = sorted(setting.processes.gather(numbered), key=lambda item: item[0])
        coded = [codes for _, codes in gathered]
        if not coded:
            raise ImageError(f"none of {total} photographs drawn can be read")
        self.coded = coded
        if setting.processes.first:
            minutes = (time.monotonic() - start) / 60
            setting.journal.record("codes", photographs=len(coded), unreadable=unreadable, minutes=minutes)

    def batches(self, phase: Phase, number: int, start: int) -> Generator[Batch]:
        """Windows of the codes: this process's part, and how much all of them together count."""
        processes = self.setting.processes
        (size, border), own = self.windows, phase.batch // processes.count
        part = slice(processes.rank * own, (processes.rank + 1) * own)
        for step in count(start):
            rng = self.generator(_ENTROPY_WINDOWS, Moment(number, step, 0.0))
            planes, counts = draw_windows(self.coded, phase.batch, size, border, rng)
            share = counts.sum().clamp_min(1) / processes.count
            data = (planes[part], counts[part], share)
            yield Batch(tuple(tensor.to(processes.device) for tensor in data), frozenset())

    def forward(self, data: tuple[Tensor, Tensor, Tensor], moment: Moment) -> Terms:
        """Bits per pixel of all chunks together on this step's windows, and per iteration for the loss."""
        self.network.rounding = moment.done >= _ROUNDING_SHARE
        return self.measure(*data, moment)

    def measure(self, planes: Tensor, counts: Tensor, share: Tensor, moment: Moment) -> Terms:
        """The terms of windows (N, T, D, h, w) whose positions ``counts`` (N, h, w) out of ``share`` per process."""
        bpp = (self.network.code_length(planes) * counts[:, None]).sum() / share / self.codec.stride**2
        return {LOSS: bpp / self.codec.iterations, "bpp": bpp}

    def averaged_network(self, average: Mapping[str, Tensor]) -> Any:
        """A network with averaged weights, on the CPU, not rounded."""
        network = self.make_network()
        network.load_state_dict({name.removeprefix(_NETWORK): value.cpu() for name, value in average.items()})
        return network.eval().requires_grad_(False)

    def validate(self, average: Mapping[str, Tensor], step: int, pictures: Path) -> str | None:
        """Bits of real files beside those of adaptive contexts."""
        setting = self.setting
        if setting.validation is None:
            return None
        report = self.report(self.averaged_network(average), setting.validation)
        for line in report.lines():
            setting.journal.console.say(line)
        self._figures = report.to_dict()
        setting.journal.record("validation", step=step, **self._figures)
        return f"{sum(report.float_bpp):.4f} bpp in all chunks"

    def report(self, network: Any, photographs: Photographs) -> Report:
        """What a network saves on real files."""
        images, device = self.recipe.validation.images, self.setting.processes.device
        return measure(self.model, network, photographs, images, device)

    def figures(self) -> dict[str, Any]:
        """The report."""
        return self._figures

    def export(self, path: Path, average: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """``report.json``; and the model with this entropy network, if the core has such."""
        all_notes = {
            **notes,
            "codes_of": f"{self.model.id} {self.model.hash.hex()}",
            "recipe": {**asdict(self.recipe), "codes_of": self.model.id},
        }
        outputs.write(path.parent / "report.json", (json.dumps(all_notes, indent=1) + "\n").encode())
        if tables := self.averaged_network(average).tables():
            write_model(path, self.model, tables, all_notes)
