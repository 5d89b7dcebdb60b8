"""Starting weights from linear algebra: a recurrent network that begins as a progressive transform coder.

The Karhunen-Loève transform of what each iteration leaves, quantised with a dead zone, is a codec without
any training. Its directions become the binarizer's projections and the shortcut around the decoder's
layers, so that gradient descent starts from a picture and learns what linear algebra cannot: context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from recodec.eval.metrics import JPEG_LUMA
from recodec.networks.binarizer import density_at
from recodec.networks.pixel.config import NetworkConfig
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.networks.pixel.transforms import BlockDCT
from recodec.ops.binarizer import ternarize
from recodec.ops.rearrange import depth_to_space, space_to_depth

# Where the dead zone ends in the binarizer's features: tanh is still steep there.
_ZONE = 0.5
# Most levels of one direction; brightness spans this many steps of the first iteration.
_LEVELS = 16
# Directions looked at, in multiples of the codes per position.
_CANDIDATES = 2.5


def can_start_from_transform(config: NetworkConfig) -> bool:
    """Whether a network has the linear path from pixels to codes and back that the start needs."""
    return (
        config.front_end == "dct8"
        and config.reconstruction in ("additive", "masking")
        and config.gains
        and config.shortcut
        and config.own_projections
        and config.dead_zone
    )


@torch.no_grad()
def start_from_transform(network: RecurrentCodec, pixels: Tensor, density: Sequence[float]) -> None:
    """Set all linear paths of ``network`` from sample crops (N, 3, H, W); the layers add nothing at first.

    ``density`` is the share of codes that are not 0, for each iteration, later ones sharing the last. The
    network must be one that :func:`can_start_from_transform`, with a calibrated front end.
    """
    front_end = cast("BlockDCT", network.front_end)
    binarizer, decoder = network.binarizer.conv, network.decoder
    encoder_gain = network.encoder.gain
    assert encoder_gain is not None
    assert decoder.gain is not None
    assert decoder.shortcut is not None
    factor, layers_width = network.config.grid_factor, network.encoder.layers_width
    for projection in (binarizer, decoder.output):
        projection.weight.zero_()
        assert projection.bias is not None
        projection.bias.zero_()
    scale = front_end.scale
    weights = _visibility()[:, None, None]
    around = weights.flatten().repeat(factor**2)
    target = front_end.analyse(pixels)
    decoded = torch.zeros_like(target)
    for iteration in range(network.config.iterations):
        gain = network.masking(decoded, scale) if network.masking and iteration else torch.ones(())
        left = (target - decoded) * scale[:, None, None] * gain
        samples = space_to_depth(left * weights, factor)
        share = density_at(density, iteration)
        flat = samples.permute(1, 0, 2, 3).flatten(1)
        analysis, synthesis, zone = _transform(flat, network.config.depth, share)
        features = torch.einsum("cd,nchw->ndhw", analysis, samples)
        synthesis = synthesis / around[:, None]
        said = torch.einsum("cd,ndhw->nchw", synthesis, ternarize(features, zone))
        said = depth_to_space(said, factor)
        before, after = _deviation(left), _deviation(left - said)
        decoded = decoded + said / gain / scale[:, None, None]
        # The gains bring what the layers see, and what they are to say, to deviations of 1.
        encoder_gain.log_gain[iteration] = (scale / before).log()
        decoder.gain.log_gain[iteration] = (after / scale).log()
        seen = analysis * (around * before.repeat(factor**2))[:, None]
        binarizer.weight[iteration, :, layers_width:, 0, 0] = seen.t() * (_ZONE / zone)
        decoder.shortcut.weight[iteration, :, :, 0, 0] = synthesis / after.repeat(factor**2)[:, None]


def _visibility() -> Tensor:
    """What errors of the 192 coefficients count: root of what JPEG's example table gives, colours 30 % less."""
    luminance = (12 / torch.tensor(JPEG_LUMA).flatten()).sqrt()
    return torch.cat([luminance, 0.7 * luminance, 0.7 * luminance])


def _deviation(features: Tensor) -> Tensor:
    return features.square().mean((0, 2, 3)).sqrt().clamp_min(1e-4)


def _transform(samples: Tensor, depth: int, density: float) -> tuple[Tensor, Tensor, float]:
    """Analysis and synthesis (C, depth) for samples (C, n), and the dead zone that gives the density.

    A direction that spans many steps of the quantiser takes several codes, the k-th of which sees it shrunk
    by 2k − 1: together they count its steps. Synthesis is the least-squares fit of the samples by their codes.
    """
    covariance = samples @ samples.t() / samples.shape[1]
    directions = torch.linalg.eigh(covariance)[1].flip(1)[:, : round(_CANDIDATES * depth)]
    values = directions.t() @ samples
    low, high = 1e-3, 4.0
    for _ in range(14):
        zone = (low * high) ** 0.5
        chosen, shrink = _choose(values.abs(), zone, depth)
        codes = values[chosen] * shrink[:, None]
        codes = torch.sign(codes) * (codes.abs() > zone)
        if codes.abs().mean() > density:
            low = zone
        else:
            high = zone
    gram = codes @ codes.t() / codes.shape[1]
    ridge = 1e-4 * gram.diagonal().mean() * torch.eye(depth)
    synthesis = torch.linalg.solve(gram + ridge, codes @ samples.t() / codes.shape[1]).t()
    return directions[:, chosen] * shrink, synthesis, zone


def _choose(magnitudes: Tensor, zone: float, depth: int) -> tuple[Tensor, Tensor]:
    """Directions and shrinkages of the ``depth`` codes that take most off the squared error."""
    levels = torch.arange(1, 2 * _LEVELS, 2)
    benefit = torch.stack([(magnitudes - level * zone).clamp_min(0).mean(1) for level in levels.tolist()], 1)
    # Among levels that no sample reaches, the next of a direction comes first.
    benefit += (magnitudes.amax(1)[:, None] - levels * zone).clamp_max(0)
    best = benefit.flatten().topk(depth).indices.sort().values
    return best // _LEVELS, 1 / levels[best % _LEVELS].float()
