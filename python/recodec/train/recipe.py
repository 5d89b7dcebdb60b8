"""What to train and how: one small TOML file per model. What only one task has lies with that task."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from recodec.errors import RecipeError, WeightsError
from recodec.model_search import MODEL_ID
from recodec.tables import from_table
from recodec.train.overrides import with_overrides

Precision = Literal["auto", "float32", "bfloat16"]
Switch = Literal["auto", "on", "off"]

# More than any device holds; a slip of the finger should not end in a process that is killed for memory.
_LARGEST_BATCH = 65536


def require(holds: bool, name: str, value: object, limit: str) -> None:
    """Raise ``ValueError`` that says what a field is and must be, unless it holds."""
    if not holds:
        raise ValueError(f"{name} is {value!r}; it must be {limit}")


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training with a learning rate that falls along half a cosine.

    It lasts ``steps`` steps or ``minutes`` minutes of training time, whichever is given. ``batch`` counts
    the samples of a step over all processes.
    """

    steps: int = 0
    minutes: float = 0.0
    batch: int = 8
    learning_rate: float = 1e-3
    final_rate: float = 0.0
    warm_up_steps: int = 100

    def __post_init__(self) -> None:
        if (self.steps > 0) == (self.minutes > 0):
            raise ValueError(f"a phase has {self.steps} steps and {self.minutes} minutes; give exactly one")
        require(1 <= self.batch <= _LARGEST_BATCH, "batch", self.batch, f"in 1..{_LARGEST_BATCH}")
        for name in ("steps", "minutes", "warm_up_steps", "final_rate"):
            require(0 <= getattr(self, name) < math.inf, name, getattr(self, name), "at least 0 and finite")
        require(0 < self.learning_rate < math.inf, "learning_rate", self.learning_rate, "above 0")

    @property
    def work(self) -> float:
        """What a step costs beside those of other phases, in any unit."""
        return self.batch


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How weights follow gradients: by Adam.

    Gradients are clipped to the norm ``clip``; ``beta1`` and ``beta2`` are the memories of their mean and of their
    squares. ``fused`` steps touch each weight once; on a CPU they round otherwise than plain ones. The weights that are
    kept are an average with decay ``ema`` per step, brought up to date every ``ema_every`` steps.
    """

    clip: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    ema: float = 0.999
    ema_every: int = 1
    fused: bool = True

    def __post_init__(self) -> None:
        require(self.clip > 0, "clip", self.clip, "above 0")
        for name in ("beta1", "beta2", "ema"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "in 0..1, below 1")
        require(self.ema_every >= 1, "ema_every", self.ema_every, "at least 1")


@dataclass(frozen=True, slots=True)
class Compute:
    """How steps are computed.

    ``precision`` "auto" is bfloat16 on CUDA, and on a CPU that turns out to multiply it faster than float32;
    ``compile`` "auto" compiles on CUDA alone.
    """

    precision: Precision = "auto"
    compile: Switch = "auto"

    def __post_init__(self) -> None:
        precisions, switches = get_args(Precision), get_args(Switch)
        require(self.precision in precisions, "precision", self.precision, f"one of {precisions}")
        require(self.compile in switches, "compile", self.compile, f"one of {switches}")


@dataclass(frozen=True, slots=True)
class Validation:
    """How often the averaged weights are judged, and on how many of the photographs given for it."""

    every_minutes: float = 10.0
    images: int = 8

    def __post_init__(self) -> None:
        require(self.every_minutes > 0, "every_minutes", self.every_minutes, "above 0")
        require(self.images >= 1, "images", self.images, "at least 1")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model's name and what every training has. Each task adds its own fields.

    ``architecture`` is that of the network, as weights name it.
    """

    # What tables of a task's recipe are made of.
    tables: ClassVar[Mapping[str, type[Any]]] = {
        "optimizer": Optimizer,
        "compute": Compute,
        "validation": Validation,
    }
    phase: ClassVar[type[Phase]] = Phase
    phase_tables: ClassVar[Mapping[str, type[Any]]] = {}
    # Configurations of the task's network, which read the table of that name; None for a task without one.
    network_config: ClassVar[Any] = None

    model: str
    phases: tuple[Phase, ...]
    task: str = "pixel"
    architecture: str = "pixel"
    seed: int = 0
    optimizer: Optimizer = field(default_factory=Optimizer)
    compute: Compute = field(default_factory=Compute)
    validation: Validation = field(default_factory=Validation)

    def __post_init__(self) -> None:
        require(
            type(self.model) is str and MODEL_ID.fullmatch(self.model) is not None,
            "model",
            self.model,
            "1 to 32 of a-z, 0-9 and '-'",
        )
        require(len(self.phases) > 0, "phases", self.phases, "at least one phase")
        require(self.seed >= 0, "seed", self.seed, "at least 0")


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a TOML recipe, with single keys set as :func:`with_overrides` has them.

    Raises :class:`RecipeError` naming the file and what is wrong with it.
    """
    try:
        return recipe_from_dict(with_overrides(tomllib.loads(path.read_text(encoding="utf-8")), overrides))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} cannot be read as a recipe: {error}") from error
    except (RecipeError, WeightsError) as error:
        raise RecipeError(f"{path}: {error}") from error


def recipe_from_dict(data: Mapping[str, Any]) -> Recipe:
    """Build the recipe of its task from nested plain data, as TOML gives it. Raises :class:`RecipeError`."""
    from recodec.train.tasks import recipe_class

    kind = recipe_class(data.get("task", "pixel"), data.get("architecture", "pixel"))
    tables = dict(data)
    if kind.network_config is not None:
        network = tables.get("network", {})
        if not isinstance(network, Mapping):
            raise RecipeError(f"network is {network!r}; it must be a table")
        tables["network"] = kind.network_config.from_dict(dict(network))
    phases = tables.get("phases", [])
    if not isinstance(phases, list):
        raise RecipeError(f"phases is {phases!r}; give each phase as a table [[phases]]")
    tables["phases"] = tuple(
        from_table(kind.phase, phase, f"phase {number}", RecipeError, nested=kind.phase_tables)
        for number, phase in enumerate(phases, start=1)
    )
    return from_table(kind, tables, "the recipe", RecipeError, nested=kind.tables)


def find_recipe(name: str) -> Path:
    """A recipe by path, or by the name of one that comes with the package.

    Raises :class:`RecipeError` if there is neither.
    """
    if Path(name).is_file():
        return Path(name)
    shipped = Path(str(resources.files("recodec.train"))) / "recipes"
    if (shipped / f"{name}.toml").is_file():
        return shipped / f"{name}.toml"
    names = sorted(path.stem for path in shipped.glob("*.toml"))
    raise RecipeError(f"there is no recipe {name!r}; give a file, or one of {', '.join(names)}")
