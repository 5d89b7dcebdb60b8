"""Starting weights of the latent network: the Karhunen-Loève transform of 16×16 blocks on its linear paths."""

from __future__ import annotations

import torch
from torch import Tensor

from recodec.networks.latent.levels import TransformNetwork
from recodec.networks.latent.transform import STRIDE
from recodec.ops.rearrange import space_to_depth

# Errors of colour count less to the eye; brightness, blue and red differences of ITU-T T.871.
_COLOURS = ((0.299, 0.587, 0.114), (-0.1687, -0.3313, 0.5), (0.5, -0.4187, -0.0813))
_COLOUR_WEIGHTS = (1.0, 0.75, 0.75)
# The squared error of a uniform quantiser of step s is s²/12; at the best rate its slope is 6 dB a bit.
_STEP_SQUARED = 26.0


@torch.no_grad()
def start_from_principal_components(network: TransformNetwork, pixels: Tensor, lambdas: list[float]) -> None:
    """Set the linear paths from sample crops (N, 3, H, W) in [−0.5, 0.5], and each level's steps from its λ.

    The nonlinear branches are left at zero.
    """
    channels = network.config.channels
    blocks = space_to_depth(pixels, STRIDE).permute(0, 2, 3, 1).flatten(0, 2).double()
    colours = torch.tensor(_COLOURS, dtype=torch.float64)
    colours = colours / colours.norm(dim=1, keepdim=True) * torch.tensor(_COLOUR_WEIGHTS)[:, None]
    weighting = torch.kron(torch.eye(STRIDE**2, dtype=torch.float64), colours)
    weighted = blocks @ weighting.T
    directions = torch.linalg.eigh(weighted.T @ weighted / len(weighted))[1].flip(1)[:, :channels].T
    forward = directions @ weighting
    backward = torch.linalg.solve(weighting, directions.T)
    for layer, weight in ((network.analysis.linear, forward), (network.synthesis.linear, backward)):
        layer.weight.copy_(weight.float()[:, :, None, None])
        assert layer.bias is not None
        layer.bias.zero_()
    network.scale.copy_((blocks @ forward.T).std(0).clamp_min(1e-4).float())
    steps = (_STEP_SQUARED / torch.tensor(lambdas)).sqrt()
    network.levels.log_step.copy_(steps.log()[:, None].expand_as(network.levels.log_step))
