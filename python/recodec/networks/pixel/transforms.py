"""Fixed transforms between pixels and feature maps."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn


def _dct_basis() -> Tensor:
    """Orthonormal rows, (192, 3·8·8): the 8×8 DCT-II of three rotated colour channels."""
    # In NumPy: models are first built on torch's meta device, where some operations load its compiler.
    k = np.arange(8.0)
    dct = np.cos((2 * k + 1) * k[:, None] * math.pi / 16) * 0.5
    dct[0] /= math.sqrt(2)
    # Rows: brightness, blue against red, green against the two others; orthonormal.
    colour = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 2.0, -1.0]])
    colour /= np.linalg.norm(colour, axis=1, keepdims=True)
    return torch.from_numpy(np.einsum("kc,uy,vx->kuvcyx", colour, dct, dct).reshape(192, 192))


class BlockDCT(nn.Module):
    """Fixed 8×8 block DCT in a rotated colour space, each coefficient divided by a rough scale.

    ``scale`` (192 positive values, one per coefficient) is estimated from training photographs and
    stored with the weights; it brings all coefficients to a similar size.
    """

    basis: Tensor
    scale: Tensor
    stride = 8
    width = 192

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("basis", _dct_basis().float(), persistent=False)
        self.register_buffer("scale", torch.ones(self.width))

    def analyse(self, x: Tensor) -> Tensor:
        """(N, 3, 8h, 8w) pixels to (N, 192, h, w) coefficients."""
        n, channels, height, width = x.shape
        blocks = x.view(n, channels, height // 8, 8, width // 8, 8).permute(0, 2, 4, 1, 3, 5)
        y = blocks.reshape(n, height // 8, width // 8, self.width) @ (self.basis / self.scale[:, None]).t()
        return y.permute(0, 3, 1, 2)

    def synthesise(self, y: Tensor) -> Tensor:
        """Inverse of :meth:`analyse`."""
        n, _, height, width = y.shape
        blocks = y.permute(0, 2, 3, 1) @ (self.basis * self.scale[:, None])
        x = blocks.view(n, height, width, 3, 8, 8).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(n, 3, 8 * height, 8 * width)


class Pixels(nn.Module):
    """The paper's front end: none."""

    stride = 1
    width = 3

    def analyse(self, x: Tensor) -> Tensor:
        """Return ``x``."""
        return x

    def synthesise(self, y: Tensor) -> Tensor:
        """Return ``y``."""
        return y
