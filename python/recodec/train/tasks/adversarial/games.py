"""What critic and autoencoder minimise, from what the critic says of pictures and of what was shown of them.

Pictures are (N, 3, H, W). The distance between two is the root mean square of their difference, and slopes are by that
distance: so the adversarial term stands in one scale with the distortion, whatever the size of the patches.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_Critic = Callable[[Tensor], Tensor]


def wasserstein_distance(of_pictures: Tensor, of_shown: Tensor) -> Tensor:
    """An estimate of the distance, if the critic's slope is at most 1: (N,) and (N,) to a number.

    The critic enlarges it, the autoencoder makes it smaller. Arjovsky et al. 2017, equation 2; the first part is
    constant for the autoencoder, but what a critic adds to everything cancels out.
    """
    return of_pictures.mean() - of_shown.mean()


def cross_entropy(judged: Tensor, picture: bool) -> Tensor:
    """Of logits (N,), for what is a picture and what is not; the autoencoder wants its own taken for pictures."""
    return F.softplus(-judged if picture else judged).mean()


def slope(critic: _Critic, pictures: Tensor) -> Tensor:
    """(N,): how fast the critic's judgement changes with the root mean square of a picture's change."""
    at = pictures.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    # A norm of exactly 0 would have no derivative.
    return (gradient.square().sum((1, 2, 3)) * at[0].numel() + 1e-12).sqrt()


def slope_from_one(critic: _Critic, pictures: Tensor, shown: Tensor, between: Tensor) -> Tensor:
    """Squared difference of the slope from 1 on the way from pictures to what is shown; Gulrajani et al. 2017.

    ``between`` (N, 1, 1, 1) says where on the way, in [0, 1) (arXiv 1704.00028).
    """
    return (slope(critic, torch.lerp(pictures, shown, between)) - 1).square().mean()


def squared_slope(critic: _Critic, pictures: Tensor) -> Tensor:
    """Half of the squared slope at pictures; R1 of Mescheder et al. 2018 (arXiv 1801.04406)."""
    return slope(critic, pictures).square().mean() / 2
