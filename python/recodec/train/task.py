"""What the trainer trains, as it sees it: parameters, batches, named terms, figures and a file at the end."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from recodec.errors import TrainingError
from recodec.train.data.photographs import Photographs
from recodec.train.journal import Journal
from recodec.train.processes import Processes
from recodec.train.recipe import Phase, Recipe
from recodec.weights import Model

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)

# Named terms of a step, each a number; LOSS is what is minimised.
Terms = dict[str, Tensor]
LOSS = "loss"


@dataclass(frozen=True)
class Setting:
    """What a run has beside its recipe. ``workers`` processes read photographs ahead; 0 is a thread.

    ``validation`` is None where nothing is judged.
    """

    photographs: Photographs
    validation: Photographs | None
    processes: Processes
    journal: Journal
    workers: int = 0
    # What was met and could not be used; names of photographs.
    skipped: set[str] = field(default_factory=set)


class Moment(NamedTuple):
    """Where a step stands: number and step of its phase, and the share of the phase that is done, 0 to 1."""

    phase: int
    step: int
    done: float


class Batch(NamedTuple):
    """What a process gets of a step's samples, and names of what had to be skipped on the way."""

    data: Any
    skipped: frozenset[str]


class ParameterGroup(NamedTuple):
    """Parameters whose learning rate is ``rate`` times that of the phase."""

    parameters: list[nn.Parameter]
    rate: float


class Task(nn.Module, ABC, Generic[AnyRecipe]):
    """One kind of training. All that changes while it trains is in ``state_dict()``.

    A module, so that the trainer may wrap it for several processes; ``forward`` computes a step. What is random in
    a step follows from the recipe's seed and the step's number, and is drawn for all processes alike: a resumed run
    and a run of more processes take the same values.
    """

    def __init__(self, recipe: AnyRecipe, setting: Setting):
        super().__init__()
        self.recipe, self.setting = recipe, setting
        # Number of the phase that runs or ran last; the trainer sets it.
        self.phase = 0

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """What a checkpoint must agree in to be gone on with."""

    @cached_property
    def made_of(self) -> dict[str, str]:
        """What its steps depend on beside the network, by name: a run that goes on with another is another run."""
        named = {one.name: repr(getattr(self.recipe, one.name)) for one in dataclasses.fields(self.recipe)}
        # How weights are called, computed and judged is as it may be.
        for name in ("model", "compute", "validation"):
            del named[name]
        return {"photographs": self.setting.photographs.fingerprint(), **named}

    @abstractmethod
    def batches(self, phase: Phase, number: int, start: int) -> Generator[Batch]:
        """Endless samples of a phase from step ``start`` on."""

    @abstractmethod
    def forward(self, data: Any, moment: Moment) -> Terms:
        """The terms of one step on this process's samples, :data:`LOSS` among them."""

    @abstractmethod
    def export(self, path: Path, average: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Write averaged weights, under ``state_dict()``'s names, to a file with ``notes``.

        Raises :class:`WeightsError` if it cannot hold them.
        """

    def start(self) -> None:
        """Set the weights of a new run from data."""

    def start_from(self, model: Model) -> None:
        """Take the weights of a trained model. Raises :class:`TrainingError` if they do not fit."""
        raise TrainingError(
            f"a run of the task {self.recipe.task!r} starts from no model, but was given {model.id}"
        )

    def place(self) -> None:
        """Go to the device, in the fastest form that the recipe allows there."""
        self.to(self.setting.processes.device)

    def prepare(self, *, step: int, origin: str, stopped: Callable[[], bool]) -> None:
        """Make ready what no checkpoint holds, before steps go on after ``step``; may end early once ``stopped``.

        ``origin`` is the model that the run started from, "" for none.
        """

    def begin_phase(self, number: int, average: Mapping[str, Tensor]) -> None:
        """Called before the first step of a phase; what it does to parameters it does to their averages."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """What trains, and how fast."""
        return [ParameterGroup([p for p in self.parameters() if p.requires_grad], 1.0)]

    @property
    def may_leave_unused(self) -> bool:
        """Whether a step may leave parameters without gradients, which several processes must know."""
        return False

    def fault(self, terms: Terms) -> str | None:
        """Why the run must stop before a step of these terms changes a weight, the same in all processes.

        None if it may go on. Terms are finite, and so are the gradients.
        """
        return None

    @property
    def sound(self) -> bool:
        """Whether a checkpoint of what there is now would be a good one; else the one before stays."""
        return True

    def validate(self, average: Mapping[str, Tensor], step: int, pictures: Path) -> str | None:
        """Judge averaged weights: records figures, returns a line for the reader, None without validation data."""
        return None

    def figures(self) -> dict[str, Any]:
        """What the last validation found, for the notes of the weights."""
        return {}

    def uniform(self, purpose: int, moment: Moment) -> Callable[[torch.Size], Tensor]:
        """What draws uniform numbers in [0, 1) of a shape, that of this process's part, one after the other."""
        processes = self.setting.processes
        numbers = [self.recipe.seed, purpose, moment.phase, moment.step]
        seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
        generator = torch.Generator(processes.device).manual_seed(seed)

        def draw(shape: torch.Size) -> Tensor:
            # For all processes alike, so that their number changes nothing.
            everyone = torch.rand(
                processes.count * shape[0], *shape[1:], device=processes.device, generator=generator
            )
            return everyone[processes.rank * shape[0] : (processes.rank + 1) * shape[0]]

        return draw

    def generator(self, purpose: int, moment: Moment) -> np.random.Generator:
        """NumPy's generator for one purpose in one step, the same in all processes."""
        return np.random.default_rng([self.recipe.seed, purpose, moment.phase, moment.step])
