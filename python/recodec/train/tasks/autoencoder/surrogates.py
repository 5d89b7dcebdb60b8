"""What stands for rounding while an autoencoder trains: three functions of one signature.

Each takes values in units of steps, and uniform numbers in [0, 1) of the same shape, and returns values of which
gradients are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from torch import Tensor

Surrogate = Literal["identity", "noise", "stochastic"]


def identity(values: Tensor, uniform: Tensor) -> Tensor:
    """Rounded, with the gradient of what is not (Bengio et al. 2013, arXiv 1308.3432; Theis et al. 2017)."""
    return values + (values.round() - values).detach()


def noise(values: Tensor, uniform: Tensor) -> Tensor:
    """Uniform noise of a step's width, not rounded (Ballé et al. 2017, arXiv 1611.01704)."""
    return values + (uniform - 0.5)


def stochastic(values: Tensor, uniform: Tensor) -> Tensor:
    """Up or down by chance, right in the mean, with the gradient of values (Theis et al. 2017)."""
    return values + ((values + uniform).floor() - values).detach()


SURROGATES: Mapping[Surrogate, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": identity,
    "noise": noise,
    "stochastic": stochastic,
}
