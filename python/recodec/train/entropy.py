"""Training an entropy network on the codes of a frozen model."""

from __future__ import annotations

import math
import os
import pickle
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor, nn

from recodec.errors import ImageError, TrainingError
from recodec.networks.config import NetworkConfig
from recodec.networks.context import ContextConfig, ContextNetwork
from recodec.networks.entropy_paper import BinaryRNN, PaperEntropyConfig, ProgressiveCoder
from recodec.train.codes import Border, Coded, code_picture, draw_windows, training_pictures
from recodec.train.journal import Journal
from recodec.train.photographs import Photographs
from recodec.train.signals import calling_on_signals
from recodec.weights import Model

Kind = Literal["context", "binary-rnn", "progressive"]
EntropyNetwork: TypeAlias = ContextNetwork | BinaryRNN

_LOG_STEPS = 20
_CHECKPOINT_SECONDS = 300.0
_WARM_UP_STEPS = 50
_FINAL_RATE = 0.02
# Of Adam and of the averaged weights, which catch up fast at first.
_BETAS, _DECAY, _CATCH_UP = (0.9, 0.99), 0.998, 10
# Codes of a position that are coded together, at best, and what their bits must come in for the C++ core.
_GROUP, _BITS_AT_ONCE = 16, 8
# The line LSTM's memory is long, so the paper's networks want larger windows.
_WINDOWS = {"context": 16, "binary-rnn": 24, "progressive": 24}
_BORDERS = {"context": Border(2, 2, 1), "binary-rnn": Border(4, 4, 0), "progressive": Border(4, 4, 2)}


@dataclass(frozen=True, slots=True)
class EntropyRecipe:
    """What is trained and for how long: ``steps``, or else ``minutes``; collecting codes takes its own time.

    ``images`` photographs give codes. ``embedding_width`` 0 is ``width``; only the context network has it.
    """

    kind: Kind = "context"
    minutes: float = 45.0
    steps: int = 0
    images: int = 1000
    seed: int = 0
    width: int = 64
    embedding_width: int = 0
    batch: int = 8
    learning_rate: float = 3e-3
    clip: float = 0.05

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise TrainingError(f"network is {self.kind!r}; it must be one of {', '.join(get_args(Kind))}")
        for name, least in (
            ("steps", 0),
            ("images", 1),
            ("seed", 0),
            ("width", 1),
            ("embedding_width", 0),
            ("batch", 1),
        ):
            if getattr(self, name) < least:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        for name in ("minutes", "learning_rate", "clip"):
            if not (getattr(self, name) > 0 and math.isfinite(getattr(self, name))):
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be above 0")


def make_network(kind: Kind, width: int, config: NetworkConfig, embedding_width: int = 0) -> EntropyNetwork:
    """An untrained network for a codec's codes. Raises :class:`TrainingError` if the core has none such."""
    symbols = 3 if config.dead_zone else 2
    if kind == "context":
        embedding_width = embedding_width or width
        for name, value in (("width", width), ("embedding_width", embedding_width)):
            if value % 8 or not 8 <= value <= 256:
                raise TrainingError(f"{name} is {value}; it must be a multiple of 8 in 8..256")
        groups = code_groups(config.depth, symbols)
        return ContextNetwork(
            ContextConfig(config.depth, symbols, config.iterations, width, embedding_width, groups)
        )
    network = {"binary-rnn": BinaryRNN, "progressive": ProgressiveCoder}[kind]
    return network(PaperEntropyConfig(config.depth, symbols, config.iterations, width))


def code_groups(depth: int, symbols: int) -> int:
    """Groups of about 16 codes whose bits come in eights. Raises :class:`TrainingError` if there are none."""
    fitting = [
        size
        for size in range(1, depth + 1)
        if depth % size == 0 and size * (symbols - 1) % _BITS_AT_ONCE == 0
    ]
    if not fitting:
        raise TrainingError(
            f"the model has {depth} codes per position; a context network needs a multiple of "
            f"{_BITS_AT_ONCE // (symbols - 1)}"
        )
    return depth // min(fitting, key=lambda size: (abs(size - _GROUP), size))


class EntropyTrainer:
    """Trains one network. What it needs to go on, but for codes, lies in ``folder/entropy-checkpoint.pt``.

    Codes are collected again after a stop: they follow from the photographs and the seed.
    """

    def __init__(
        self,
        model: Model,
        recipe: EntropyRecipe,
        photographs: Photographs,
        folder: Path,
        journal: Journal,
        device: torch.device | None = None,
    ):
        self.model, self.recipe, self.photographs = model, recipe, photographs
        self.folder, self.journal = folder, journal
        self.device = device or torch.device("cpu")
        model.network.to(self.device)
        torch.manual_seed(recipe.seed)
        self.network = self._untrained().to(self.device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), recipe.learning_rate, betas=_BETAS)
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.step, self.seconds = 0, 0.0
        self.unreadable = 0
        self.coded: list[Coded] = []
        self._stopped = False

    def _untrained(self) -> EntropyNetwork:
        recipe = self.recipe
        return make_network(recipe.kind, recipe.width, self.model.network.config, recipe.embedding_width)

    @property
    def done(self) -> float:
        """The share of the recipe that is done, 1 at its end."""
        recipe = self.recipe
        return self.step / recipe.steps if recipe.steps else self.seconds / (60 * recipe.minutes)

    def run(self, stop_after: int | None = None) -> bool:
        """Collect codes and train until the recipe ends (True), or until stopped (False).

        That is by SIGTERM or SIGINT, or after so many steps; a checkpoint is written in any case. Raises
        :class:`TrainingError` when the loss is not finite; the last good checkpoint stays.
        """
        if self.done >= 1:
            return True
        self._stopped = False
        with calling_on_signals(self._stop):
            if not self.coded:
                self._collect()
            last = math.inf if stop_after is None else self.step + stop_after
            logged = saved = clock = time.monotonic()
            lengths: list[float] = []
            while not self._stopped and self.step < last and self.done < 1:
                lengths.append(self._train_step())
                now = time.monotonic()
                self.seconds, clock = self.seconds + now - clock, now
                if len(lengths) == _LOG_STEPS:
                    self._log(lengths, now - logged)
                    logged, lengths = now, []
                if now - saved > _CHECKPOINT_SECONDS:
                    self.save()
                    saved = now
            if lengths:
                self._log(lengths, time.monotonic() - logged)
            self.save()
        if self.done < 1:
            self.journal.teller.say(f"stopped at step {self.step}")
        return self.done >= 1

    def _collect(self) -> None:
        """Codes of the recipe's photographs, unless stopped. Raises :class:`ImageError` if none can be read."""
        start, total = time.monotonic(), self.recipe.images
        coded: list[Coded] = []
        pictures = training_pictures(self.photographs, total, self.recipe.seed)
        for number, picture in enumerate(pictures, start=1):
            if self._stopped:
                return
            if picture is not None:
                coded.append(code_picture(self.model.network, picture, self.device))
            left = (time.monotonic() - start) * (total - number) / number
            self.journal.teller.pass_by(f"codes of {number}/{total} photographs  {left / 60:.0f} min left")
        if not coded:
            raise ImageError(f"none of {total} photographs drawn can be read")
        self.coded, self.unreadable = coded, total - len(coded)
        minutes = (time.monotonic() - start) / 60
        self.journal.record("codes", photographs=len(coded), unreadable=self.unreadable, minutes=minutes)

    def _train_step(self) -> float:
        """Bits per pixel of all chunks together on this step's windows."""
        recipe, config = self.recipe, self.model.network.config
        done = self.done
        if isinstance(self.network, ContextNetwork):
            self.network.rounding = done >= 0.5
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        warm = min(1.0, (self.step + 1) / _WARM_UP_STEPS)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * warm * (falling * (1 - _FINAL_RATE) + _FINAL_RATE)
        rng = np.random.default_rng([recipe.seed, 2, self.step])
        planes, counts = draw_windows(
            self.coded, recipe.batch, _WINDOWS[recipe.kind], _BORDERS[recipe.kind], rng
        )
        planes, counts = planes.to(self.device), counts.to(self.device)
        bits = (self.network.code_length(planes) * counts[:, None]).sum() / counts.sum().clamp_min(1)
        bpp = bits / config.stride**2
        value = float(bpp.detach())
        if not math.isfinite(value):
            self.journal.record("stopped", reason="the code length is not finite", step=self.step)
            raise TrainingError(
                f"the code length is not finite at step {self.step}; the last good checkpoint is kept, lower the "
                "learning rate"
            )
        self.optimizer.zero_grad()
        torch.autograd.backward(bpp / config.iterations)
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        self.step += 1
        decay = min(_DECAY, self.step / (self.step + _CATCH_UP))
        for name, current in self.network.state_dict().items():
            self.average[name].lerp_(current, 1 - decay)
        return value

    def _log(self, lengths: Sequence[float], seconds: float) -> None:
        bpp, done = float(np.mean(lengths)), self.done
        self.journal.record(
            "train",
            step=self.step,
            minutes=self.seconds / 60,
            bpp=bpp,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            steps_per_second=len(lengths) / max(seconds, 1e-9),
        )
        left = max(0.0, self.seconds * (1 - done) / done / 60) if done else math.nan
        self.journal.teller.pass_by(f"step {self.step}  {bpp:.4f} bpp  {left:.0f} min left")

    def averaged_network(self) -> EntropyNetwork:
        """A copy of the network with the averaged weights, on the CPU, not rounded."""
        network = self._untrained()
        network.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return network.eval().requires_grad_(False)

    @property
    def checkpoint_path(self) -> Path:
        """Where the run's state is kept; not where a codec's own training keeps its."""
        return self.folder / "entropy-checkpoint.pt"

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must agree in. How long to train may change."""
        recipe = {key: value for key, value in asdict(self.recipe).items() if key not in ("minutes", "steps")}
        return {"model": f"{self.model.id} {self.model.hash.hex()}", **recipe}

    def save(self) -> None:
        """Write the checkpoint, all of it or nothing. Raises :class:`TrainingError` if there is no room."""
        data = {
            "identity": self._identity(),
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "progress": [self.step, self.seconds, self.unreadable],
        }
        temporary = self.checkpoint_path.with_suffix(".tmp")
        try:
            torch.save(data, temporary)
            os.replace(temporary, self.checkpoint_path)
        except (OSError, RuntimeError) as error:
            temporary.unlink(missing_ok=True)
            raise TrainingError(f"{self.checkpoint_path} cannot be written: {error}") from error

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one. Raises :class:`TrainingError` if it does not fit."""
        path = self.checkpoint_path
        if not path.exists():
            return False
        try:
            data = torch.load(path, map_location=self.device, weights_only=True)
            identity = data["identity"]
            if identity == self._identity():
                self._restore(data)
        # Whatever a file that is no checkpoint makes of the reader.
        except (
            *(OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError, EOFError),
            pickle.UnpicklingError,
        ) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TrainingError(
                f"{path} cannot be read as a checkpoint: {reason}; move it away to start anew"
            ) from error
        if identity != self._identity():
            raise TrainingError(
                f"{path} is of another model, network or choice of codes than wanted; use another folder"
            )
        self.journal.record("resumed", step=self.step)
        return True

    def _restore(self, data: dict[str, Any]) -> None:
        average: dict[str, Tensor] = data["average"]
        step, seconds, unreadable = data["progress"]
        self.network.load_state_dict(data["network"])
        self.optimizer.load_state_dict(data["optimizer"])
        self.average, self.step, self.seconds, self.unreadable = average, step, seconds, unreadable

    def _stop(self) -> None:
        self._stopped = True
