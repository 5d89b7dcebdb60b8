"""What analysis and synthesis are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recodec.networks.autoencoder.config import LayerConfig, with_widths
from recodec.ops.rearrange import depth_to_space

_SLOPE = 0.2
_LEAST_BETA = 1e-6
# Each feature begins to be divided by itself, hardly by others: at 0 a square would never move.
_OWN, _OTHERS = 0.1, 1e-4


class Residual(nn.Module):
    """Two convolutions around a ReLU, added to their input: (N, in, H, W) to (N, out, H, W)."""

    def __init__(self, width_in: int, width_out: int, kernel: int):
        super().__init__()
        self.inner = nn.Conv2d(width_in, width_out, kernel, padding=kernel // 2)
        self.outer = nn.Conv2d(width_out, width_out, kernel, padding=kernel // 2)
        self.skip = nn.Identity() if width_in == width_out else nn.Conv2d(width_in, width_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return what comes in, and what the convolutions make of it."""
        y: Tensor = self.skip(x) + self.outer(torch.relu(self.inner(x)))
        return y


class DivisiveNormalisation(nn.Module):
    """GDN, (N, width, H, W) to the same: x / √(β + Γ·x²) at each position, or with ``inverse`` x·√(β + Γ·x²).

    Ballé et al. 2017 (arXiv 1611.01704), equation 3 with exponents of 2 and 1/2. β and Γ are squares of what is
    learned, so that they cannot fall below 0.
    """

    def __init__(self, width: int, *, inverse: bool = False):
        super().__init__()
        self._inverse = inverse
        self.root_beta = nn.Parameter(torch.ones(width))
        gamma = torch.full((width, width), _OTHERS) + (_OWN - _OTHERS) * torch.eye(width)
        self.root_gamma = nn.Parameter(gamma.sqrt())

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, or undo it."""
        beta, gamma = self.root_beta.square() + _LEAST_BETA, self.root_gamma.square()
        norm = F.conv2d(x.square(), gamma[:, :, None, None], beta)
        return x * norm.sqrt() if self._inverse else x * norm.rsqrt()


class Shuffle(nn.Module):
    """Depth-to-space: (N, factor²·C, H, W) to (N, C, factor·H, factor·W)."""

    def __init__(self, factor: int):
        super().__init__()
        self._factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Rearrange."""
        return depth_to_space(x, self._factor)


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": lambda: nn.LeakyReLU(_SLOPE),
    "tanh": nn.Tanh,
}


def _layer(layer: LayerConfig, width_in: int, width_out: int) -> nn.Module:
    if layer.kind == "conv":
        return nn.Conv2d(width_in, width_out, layer.kernel, layer.factor, padding=layer.kernel // 2)
    if layer.kind == "residual":
        return Residual(width_in, width_out, layer.kernel)
    if layer.kind in ("gdn", "inverse-gdn"):
        return DivisiveNormalisation(width_out, inverse=layer.kind != "gdn")
    made: dict[str, nn.Module] = {
        "pool": nn.MaxPool2d(layer.factor),
        "average": nn.AvgPool2d(layer.factor),
        "up": nn.Upsample(scale_factor=layer.factor, mode="bilinear", align_corners=False),
        "shuffle": Shuffle(layer.factor),
        "norm": nn.BatchNorm2d(width_out),
    }
    return made[layer.kind]


def stack(layers: Sequence[LayerConfig], width: int) -> nn.Sequential:
    """All layers in a row, for ``width`` features that come in."""
    made = nn.Sequential()
    for layer, width_in, width_out in with_widths(layers, width):
        made.append(_layer(layer, width_in, width_out))
        if layer.activation != "linear":
            made.append(_ACTIVATIONS[layer.activation]())
    return made
