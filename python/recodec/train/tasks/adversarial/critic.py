"""The critic: what tells pictures from those that an autoencoder shows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

_KERNEL, _GROWTH, _SLOPE = 4, 4, 0.2
# How often it halves a picture's sides.
HALVINGS = 3


class Critic(nn.Module):
    """Three 4×4 convolutions of stride 2: pixels (N, 3, H, W) in [−0.5, 0.5] to (N,), high for pictures.

    The student report's, with the LeakyReLU that its code lacks and, as in all its critics here, without batch norm: a
    bound on the slope is one on each picture's, which statistics of others would be part of. Patches of the picture
    are judged apart, and the mean counts.
    """

    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, _KERNEL, 2, padding=1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(width, _GROWTH * width, _KERNEL, 2, padding=1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(_GROWTH * width, 1, _KERNEL, 2, padding=1),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Judge."""
        judged: Tensor = self.layers(pixels).mean((1, 2, 3))
        return judged

    def frozen(self, pixels: Tensor, clip: float | None = None) -> Tensor:
        """The same for pictures that learn from it while it does not, with weights in ±``clip`` if that is given."""
        weights = {name: value.detach() for name, value in self.named_parameters()}
        if clip is not None:
            weights = {name: value.clamp(-clip, clip) for name, value in weights.items()}
        judged: Tensor = functional_call(self, weights, (pixels,))
        return judged

    @torch.no_grad()
    def clip(self, bound: float) -> None:
        """Bring every weight back into ±``bound``."""
        for value in self.parameters():
            value.clamp_(-bound, bound)
