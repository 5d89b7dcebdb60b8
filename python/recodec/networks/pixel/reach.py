"""How far the recurrent codec looks around a position."""

from __future__ import annotations

import math

from recodec.networks.pixel.config import LayerConfig, NetworkConfig
from recodec.networks.pixel.gains import GAIN_PATCH
from recodec.networks.plane_network import Reach

# The format's field for the decoder's is a byte; wider halos would cost more than the seam they hide.
_FARTHEST = Reach(encoder=16, decoder=8)


def reach_of(config: NetworkConfig) -> Reach:
    """What codes and pixels shown depend on.

    Hidden kernels above 1×1 reach further with every iteration, and so do feedback and a gain network.
    """
    within = _decoder_reach(config)
    reach, scale = 0.0, config.grid_factor
    for layer in config.encoder:
        reach += _layer_reach(layer, config.iterations) / scale
        scale = max(1, scale // layer.resample)
    return Reach(min(_FARTHEST.encoder, math.ceil(reach + within)), min(_FARTHEST.decoder, math.ceil(within)))


def _decoder_reach(config: NetworkConfig) -> float:
    reach, scale = 0.0, 1
    for index, layer in enumerate(config.decoder):
        reach += _layer_reach(layer, config.iterations) / scale
        # What feedback shows of the former picture had that layer's reach, and that of all before.
        if config.feedback_layer is not None and index >= config.feedback_layer:
            reach += (config.iterations - 1) * (layer.kernel // 2) / scale
        scale *= layer.resample
    if config.reconstruction == "residual-scaling":
        reach += config.iterations * (1.5 * GAIN_PATCH) / config.stride
    return reach


def _layer_reach(layer: LayerConfig, iterations: int) -> int:
    hidden = 0 if layer.kind == "conv" else layer.hidden_kernel // 2
    return layer.kernel // 2 + (iterations - 1) * hidden
