"""Training of the network that one plane is predicted by; the only place with floats."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recodec import _core
from recodec.zoo.mlp.header import Settings
from recodec.zoo.mlp.network import LAYERS, Matrix, quantised
from recodec.zoo.mlp.planes import Samples, Weights

# Of a plane at most.
_MOST_EXAMPLES = 1 << 18
# With 79 numbers each, in all number types that they go through.
TRAINING_BYTES = _MOST_EXAMPLES * 79 * 16
_BATCH, _RATE = 1024, 5e-3
# Of the race between seeds, and of examples that judge it.
_RACE_STEPS, _JUDGES = 150, 4096
_ATTEMPTS = 4
# A plane with fewer samples than this many for each step has fewer steps.
_SAMPLES_A_STEP = 32


def fit(planes: Samples, settings: Settings) -> tuple[Weights, bool]:
    """Weights for the last of (P, H, W) planes, and whether their predictions live: are not the same everywhere.

    Where they do not, other seeds are tried; not with raw samples, with which networks die of what they see.
    """
    count = planes[0].size
    places = np.linspace(0, count - 1, min(count, _MOST_EXAMPLES)).astype(np.int64)
    examples = _core.mlp_examples(planes, places, settings.raw)
    inputs, targets = examples[:, :-1], examples[:, -1]
    judged = np.linspace(0, len(inputs) - 1, min(len(inputs), _JUDGES)).astype(np.int64)
    asked = inputs.any(axis=1)
    linear = settings.predictor == "linear"
    for attempt in range(1 if settings.raw or linear else _ATTEMPTS):
        first = settings.seed + attempt * settings.seeds
        layers = (
            [_regression(inputs, targets)] if linear else _trained(inputs, targets, settings, first, count)
        )
        weights = quantised(layers, inputs[judged].astype(np.float64))
        errors = _core.mlp_errors(planes, weights, linear, settings.raw)
        if lives := _lives(errors.reshape(-1)[places[asked]], targets[asked]):
            break
    return weights, lives


def _lives(errors: Samples, targets: NDArray[np.int16]) -> bool:
    """Whether outputs differ somewhere, or nothing asks them to."""
    if len(targets) == 0:
        return True
    folded = errors.astype(np.int64)
    wrong = np.where(folded % 2, -(folded + 1) // 2, folded // 2)
    # Differences count from a base, so what they are off by tells the output.
    outputs = (targets - wrong + 128) % 256
    return bool(np.ptp(outputs) > 0 or np.ptp(targets) == 0)


def _regression(inputs: NDArray[np.int16], targets: NDArray[np.int16]) -> Matrix:
    """Least squares, with a little that keeps weights small where inputs are the same."""
    x, y = inputs.astype(np.float64), targets.astype(np.float64)
    moments = x.T @ x + (1e-6 * float((x * x).sum()) / x.shape[1] + 1e-3) * np.eye(x.shape[1])
    solution: Matrix = np.linalg.solve(moments, x.T @ y)
    return solution[None]


# A caller may have switched gradients off.
@torch.inference_mode(False)
@torch.enable_grad()
def _trained(
    inputs: NDArray[np.int16], targets: NDArray[np.int16], settings: Settings, seed: int, count: int
) -> list[Matrix]:
    x = torch.from_numpy(inputs).float() / 255
    y = torch.from_numpy(targets.copy()).float()[:, None] / 255
    steps = min(settings.steps, 50 + count // _SAMPLES_A_STEP)
    start = None if settings.raw else torch.from_numpy(_regression(inputs, targets)[0]).float()
    racers = [_Racer(x, y, _begun(x.shape[1], seed + number, start), seed + number, steps)
              for number in range(settings.seeds)]  # fmt: skip
    if len(racers) > 1:
        for racer in racers:
            racer.run(min(_RACE_STEPS, steps))
    best = min(racers, key=lambda racer: racer.loss())
    best.run(steps)
    return [weight.detach().double().numpy() for weight in best.layers]


def _begun(inputs: int, seed: int, regression: Tensor | None) -> list[nn.Parameter]:
    """Weights at random, as they are usually begun, or so that the network is a ``regression`` to begin with.

    For that units come in pairs of opposite sign, since relu(z) − relu(−z) is z, so none of them can be dead for all
    samples; the first pair hands the regression on.
    """
    random = torch.Generator().manual_seed(seed)
    layers = []
    for number, (fan_in, fan_out) in enumerate(pairwise((inputs, *LAYERS))):
        weight = torch.empty(fan_out, fan_in)
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=random)
        if regression is not None:
            # Between pairs, and on both sides of each.
            half = weight[: max(fan_out // 2, 1), : fan_in if number == 0 else fan_in // 2].clone()
            half[0] = regression if number == 0 else 0
            if number > 0:
                half[0, 0] = 1
                half = torch.stack([half, -half], dim=2).flatten(1)
            weight = torch.stack([half, -half], dim=1).flatten(0, 1) if fan_out > 1 else half
        layers.append(nn.Parameter(weight.contiguous()))
    return layers


class _Racer:
    """A network on its way. Its draws are its own, whatever else is drawn."""

    def __init__(self, x: Tensor, y: Tensor, layers: list[nn.Parameter], seed: int, steps: int):
        self._x, self._y, self._step = x, y, 0
        self._random = torch.Generator().manual_seed(seed)
        self.layers = layers
        self._optimizer = torch.optim.Adam(layers, lr=_RATE)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, steps)

    def _forward(self, x: Tensor) -> Tensor:
        for weight in self.layers[:-1]:
            x = torch.relu(x @ weight.T)
        return x @ self.layers[-1].T

    def run(self, until: int) -> None:
        """Train up to a step."""
        for _ in range(self._step, until):
            chosen = torch.randint(len(self._x), (_BATCH,), generator=self._random)
            loss = (self._forward(self._x[chosen]) - self._y[chosen]).abs().mean()
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            self._schedule.step()
        self._step = until

    @torch.no_grad()
    def loss(self) -> float:
        """Mean absolute error of some examples."""
        every = -(-len(self._x) // _JUDGES)
        return float((self._forward(self._x[::every]) - self._y[::every]).abs().mean())
