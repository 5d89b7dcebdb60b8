"""What a recipe of an entropy network says beside that of every training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from recodec.train.recipe import Optimizer, Phase, Recipe, Validation, require

EntropyKind = Literal["context", "binary-rnn", "progressive"]

_BITS_AT_ONCE, _LARGEST_WIDTH = 8, 256


@dataclass(frozen=True, slots=True)
class EntropyPhase(Phase):
    """A stretch of training on windows of codes; collecting codes takes its own time."""

    learning_rate: float = 3e-3
    final_rate: float = 6e-5
    warm_up_steps: int = 50


@dataclass(frozen=True, slots=True)
class EntropyOptimizer(Optimizer):
    """With settings for gradients of code lengths."""

    clip: float = 0.05
    beta2: float = 0.99
    ema: float = 0.998


@dataclass(frozen=True, slots=True)
class EntropyValidation(Validation):
    """Judged when the run ends: coding takes longer than a step is worth."""

    every_minutes: float = 1e6
    images: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyRecipe(Recipe):
    """An entropy network for the codes of the model ``codes_of``.

    ``images`` photographs give codes. ``embedding_width`` 0 is ``width``; only the entropy model has it.
    """

    tables: ClassVar[Mapping[str, type[Any]]] = {
        **Recipe.tables,
        "optimizer": EntropyOptimizer,
        "validation": EntropyValidation,
    }
    phase: ClassVar[type[Phase]] = EntropyPhase

    phases: tuple[EntropyPhase, ...]
    codes_of: str
    task: str = "entropy"
    kind: EntropyKind = "context"
    images: int = 1000
    width: int = 64
    embedding_width: int = 0
    optimizer: EntropyOptimizer = field(default_factory=EntropyOptimizer)
    validation: EntropyValidation = field(default_factory=EntropyValidation)

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)
        require(self.kind in get_args(EntropyKind), "kind", self.kind, f"one of {get_args(EntropyKind)}")
        require(type(self.codes_of) is str and bool(self.codes_of), "codes_of", self.codes_of, "a model")
        for name, least in (("images", 1), ("width", 1), ("embedding_width", 0)):
            require(getattr(self, name) >= least, name, getattr(self, name), f"at least {least}")
        if self.kind == "context":
            for name in ("width", "inner_embedding_width"):
                value = getattr(self, name)
                require(
                    value % _BITS_AT_ONCE == 0 and _BITS_AT_ONCE <= value <= _LARGEST_WIDTH,
                    name.removeprefix("inner_"),
                    value,
                    f"a multiple of {_BITS_AT_ONCE} in {_BITS_AT_ONCE}..{_LARGEST_WIDTH}",
                )

    @property
    def inner_embedding_width(self) -> int:
        """The embedding's width, given or not."""
        return self.embedding_width or self.width
