"""From floats to the integers that files hold and decoders compute with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recodec.zoo.mlp.planes import Weights

Matrix = NDArray[np.float64]

# Of the network, behind its inputs; a regression has the last alone.
LAYERS = (32, 16, 8, 4, 2, 1)

# Weights are Q12 in 16 bits; those of one output of a later layer add up to less than 16, activations end at 512.
_UNIT = 1 << 12
_MOST_WEIGHT, _MOST_ROW, _MOST_ACTIVATION = 7.999, 15.9, 400.0


def quantised(layers: Sequence[Matrix], inputs: Matrix) -> Weights:
    """All weights, layer by layer, of (outputs, inputs) matrices; ``inputs`` are examples of what the network sees.

    Without biases, a unit of rectified linear ones may be scaled by anything that the next layer takes back: that
    brings weights and activations within their limits.
    """
    matrices = [np.nan_to_num(layer.astype(np.float64)) for layer in layers]
    activations = inputs
    for number, matrix in enumerate(matrices[:-1]):
        activations = np.maximum(activations @ matrix.T, 0)
        largest = np.maximum(np.abs(matrix).max(axis=1), 1e-9)
        scale = np.minimum(
            _MOST_WEIGHT / largest, _MOST_ACTIVATION / np.maximum(activations.max(axis=0), 1e-9)
        )
        if number > 0:
            scale = np.minimum(scale, _MOST_ROW / np.maximum(np.abs(matrix).sum(axis=1), 1e-9))
        scale = np.minimum(scale, 1)
        matrix *= scale[:, None]
        matrices[number + 1] /= scale
        activations = activations * scale
    last = matrices[-1]
    if len(matrices) > 1:
        last *= min(1.0, _MOST_ROW / max(float(np.abs(last).sum()), 1e-9))
    flat = np.concatenate([matrix.reshape(-1) for matrix in matrices])
    weights: Weights = np.rint(flat.clip(-_MOST_WEIGHT, _MOST_WEIGHT) * _UNIT).astype(np.int16)
    return weights
