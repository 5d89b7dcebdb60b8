"""What to train and how: one small TOML file per model."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from recodec.errors import RecipeError, WeightsError
from recodec.networks.config import NetworkConfig
from recodec.train.crops import CropOptions
from recodec.train.losses import LossWeights
from recodec.train.transform import can_start_from_transform
from recodec.weights import MODEL_ID

Start = Literal["random", "transform"]
Part = Literal["all", "decoder", "post-filter"]
Unroll = Literal["full", "random", "growing"]
Precision = Literal["auto", "float32", "bfloat16"]
Switch = Literal["auto", "on", "off"]

Table = TypeVar("Table")

# More than any device holds; a slip of the finger should not end in a process that is killed for memory.
_LARGEST_CROP, _LARGEST_BATCH = 4096, 65536


def _require(holds: bool, name: str, value: object, limit: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value!r}; it must be {limit}")


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training with a learning rate that falls along half a cosine.

    It lasts ``steps`` steps or ``minutes`` minutes of training time, whichever is given. ``batch`` counts
    the crops of a step over all processes. ``unroll`` says how many of ``iterations`` run in a step: all
    of them, a number drawn anew each time, or one more and more as the phase goes on. Where ``lead_in``
    is above 0, a random number up to it runs before them without gradients in half of the steps, so that
    late iterations are trained too. Codes are drawn with uniform noise whose amplitude goes from the
    first to the second value of ``noise``: 1 is the paper's sampling, 0 the sign. Networks with a dead zone
    have no noise but need ``density``: the share of codes that are not 0, for each iteration, later ones
    sharing the last. Where only the post-filter trains, there is neither: codes are those of files.
    """

    steps: int = 0
    minutes: float = 0.0
    crop: int = 64
    batch: int = 8
    iterations: int = 8
    unroll: Unroll = "full"
    lead_in: int = 0
    learning_rate: float = 1e-3
    final_rate: float = 0.0
    warm_up_steps: int = 100
    noise: tuple[float, float] = (0.0, 0.0)
    density: tuple[float, ...] = ()
    loss: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        if (self.steps > 0) == (self.minutes > 0):
            raise ValueError(f"a phase has {self.steps} steps and {self.minutes} minutes; give exactly one")
        limits = {"crop": _LARGEST_CROP, "batch": _LARGEST_BATCH, "iterations": 255}
        for name, most in limits.items():
            _require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"in 1..{most}")
        for name in ("steps", "minutes", "lead_in", "warm_up_steps", "final_rate"):
            _require(0 <= getattr(self, name) < math.inf, name, getattr(self, name), "at least 0 and finite")
        _require(0 < self.learning_rate < math.inf, "learning_rate", self.learning_rate, "above 0")
        _require(self.unroll in get_args(Unroll), "unroll", self.unroll, f"one of {get_args(Unroll)}")
        _require(
            len(self.noise) == 2 and all(0 <= amplitude <= 1 for amplitude in self.noise),
            "noise",
            self.noise,
            "two amplitudes in 0..1, at the start and at the end",
        )
        _require(
            all(0 < share < 1 for share in self.density),
            "density",
            self.density,
            "shares above 0 and below 1",
        )


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How weights follow gradients: Adam.

    Gradients are clipped to the norm ``clip``; ``gain_rate`` multiplies the learning rate of the learned
    gains, ``shortcut_rate`` that of the decoder's shortcut. ``trains`` "decoder" leaves what only encodes as
    it starts, "post-filter" all that comes before the filter, dead zones included; the weights that are kept
    are an average with decay ``ema`` per step.
    """

    clip: float = 1.0
    gain_rate: float = 5.0
    shortcut_rate: float = 1.0
    trains: Part = "all"
    ema: float = 0.999

    def __post_init__(self) -> None:
        _require(self.clip > 0, "clip", self.clip, "above 0")
        _require(self.gain_rate >= 0, "gain_rate", self.gain_rate, "at least 0")
        _require(self.shortcut_rate >= 0, "shortcut_rate", self.shortcut_rate, "at least 0")
        _require(self.trains in get_args(Part), "trains", self.trains, f"one of {get_args(Part)}")
        _require(0 <= self.ema < 1, "ema", self.ema, "in 0..1, below 1")


@dataclass(frozen=True, slots=True)
class Compute:
    """How steps are computed. "auto" is bfloat16 and compiled on CUDA, neither on a CPU."""

    precision: Precision = "auto"
    compile: Switch = "auto"

    def __post_init__(self) -> None:
        precisions, switches = get_args(Precision), get_args(Switch)
        _require(self.precision in precisions, "precision", self.precision, f"one of {precisions}")
        _require(self.compile in switches, "compile", self.compile, f"one of {switches}")


@dataclass(frozen=True, slots=True)
class Validation:
    """How often the averaged weights are judged, and on how many of the photographs given for it."""

    every_minutes: float = 10.0
    images: int = 8

    def __post_init__(self) -> None:
        _require(self.every_minutes > 0, "every_minutes", self.every_minutes, "above 0")
        _require(self.images >= 1, "images", self.images, "at least 1")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model's name, its network, and everything about its training."""

    model: str
    network: NetworkConfig
    phases: tuple[Phase, ...]
    start: Start = "random"
    seed: int = 0
    data: CropOptions = field(default_factory=CropOptions)
    optimizer: Optimizer = field(default_factory=Optimizer)
    compute: Compute = field(default_factory=Compute)
    validation: Validation = field(default_factory=Validation)

    def __post_init__(self) -> None:
        _require(
            MODEL_ID.fullmatch(self.model) is not None, "model", self.model, "1 to 32 of a-z, 0-9 and '-'"
        )
        _require(len(self.phases) > 0, "phases", self.phases, "at least one phase")
        _require(self.seed >= 0, "seed", self.seed, "at least 0")
        _require(self.start in get_args(Start), "start", self.start, f"one of {get_args(Start)}")
        _require(
            self.start == "random" or can_start_from_transform(self.network),
            "start",
            self.start,
            '"random" for this network; "transform" needs front_end = "dct8", reconstruction = "additive" or '
            '"masking", gains, shortcut, own_projections and dead_zone',
        )
        frozen_loop = self.optimizer.trains == "post-filter"
        _require(
            not frozen_loop or self.network.post_filter is not None,
            "trains",
            self.optimizer.trains,
            '"all" or "decoder" for a network without post_filter',
        )
        _require(
            not frozen_loop or self.start == "random",
            "start",
            self.start,
            '"random" where only the post-filter trains; the rest is that of the model to start from',
        )
        for phase in self.phases:
            stride, most = self.network.stride, self.network.iterations
            _require(
                bool(phase.density) == (self.network.dead_zone and not frozen_loop),
                "density",
                phase.density,
                "left out where only the post-filter trains; dead zones are those of the model to start from"
                if frozen_loop
                else "given for networks with a dead zone, and only for them",
            )
            _require(
                not (self.network.dead_zone or frozen_loop) or not any(phase.noise),
                "noise",
                phase.noise,
                "[0, 0] for a network with a dead zone, and where only the post-filter trains",
            )
            _require(phase.crop % stride == 0, "crop", phase.crop, f"a multiple of the stride {stride}")
            _require(
                phase.iterations + phase.lead_in <= most,
                "iterations + lead_in",
                phase.iterations + phase.lead_in,
                f"at most the network's {most} iterations",
            )

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read a TOML recipe. Raises :class:`RecipeError` naming the file and what is wrong with it."""
        try:
            return cls.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RecipeError(f"{path} cannot be read as a recipe: {error}") from error
        except (RecipeError, WeightsError) as error:
            raise RecipeError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """Build from nested plain data, as TOML gives it. Raises :class:`RecipeError`."""
        tables: dict[str, Any] = dict(data)
        network = tables.get("network", {})
        if not isinstance(network, Mapping):
            raise RecipeError(f"network is {network!r}; it must be a table")
        tables["network"] = NetworkConfig.from_dict(dict(network))
        phases = tables.get("phases", [])
        if not isinstance(phases, list):
            raise RecipeError(f"phases is {phases!r}; give each phase as a table [[phases]]")
        tables["phases"] = tuple(
            _build(Phase, phase, f"phase {number}", loss=LossWeights)
            for number, phase in enumerate(phases, start=1)
        )
        return _build(
            cls,
            tables,
            "the recipe",
            data=CropOptions,
            optimizer=Optimizer,
            compute=Compute,
            validation=Validation,
        )


def _build(kind: type[Table], table: object, where: str, **nested: type[Any]) -> Table:
    """A dataclass from a table, with unknown keys and wrong types refused by name."""
    if not isinstance(table, Mapping):
        raise RecipeError(f"{where} is {table!r}; it must be a table")
    known: dict[str, Field[Any]] = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(table) - set(known)):
        raise RecipeError(f"{where} has the unknown key {unknown[0]!r}; known are {', '.join(known)}")
    values = {}
    for name, value in table.items():
        if name in nested:
            values[name] = _build(nested[name], value, f"{name} of {where}")
        else:
            values[name] = _converted(known[name], value, where)
    missing = [f.name for f in known.values() if f.default is f.default_factory is MISSING]
    if absent := [name for name in missing if name not in values]:
        raise RecipeError(f"{where} lacks {absent[0]!r}")
    try:
        return kind(**values)
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from error


def _converted(known: Field[Any], value: Any, where: str) -> Any:
    """``value`` in the type of the field's default; whole numbers pass for real ones."""
    wanted = str if known.default is MISSING else type(known.default)
    if wanted is float and type(value) is int:
        return float(value)
    if wanted is tuple and isinstance(value, list) and all(type(v) in (int, float) for v in value):
        return tuple(map(float, value))
    if known.name in ("network", "phases") or type(value) is wanted:
        return value
    raise RecipeError(f"{where}: {known.name} is {value!r}; it must be of type {wanted.__name__}")


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
