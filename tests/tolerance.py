"""How near results have to be, in three tiers that no environment variable and no repetition loosens.

Bit-exact: codes, packed bits and every byte of a file. Float32: bounds measured here with some room. Float16 and
bfloat16: at most twice as far from the exact result as plain PyTorch in the same type.
"""

from __future__ import annotations

import torch
from torch import Tensor

# The largest error of a cell step against float64, at widths of tests, is 6e-7 with kernels, 1.1e-6 with PyTorch.
FLOAT32_STEP = 2e-6

_TIMES_PLAIN = 2.0


def assert_same(actual: Tensor, expected: Tensor) -> None:
    """Bit for bit, type and shape included."""
    assert actual.dtype == expected.dtype
    assert torch.equal(actual, expected)


def error(actual: Tensor, exact: Tensor) -> float:
    """The largest absolute difference to the result in float64; NaN if there is one anywhere."""
    assert exact.dtype == torch.float64
    assert actual.shape == exact.shape
    return float((actual.double() - exact).abs().max())


def assert_near(actual: Tensor, plain: Tensor, exact: Tensor, factors: torch.dtype) -> None:
    """The tier of the type of ``factors``, which are multiplied: ``plain`` by PyTorch, ``exact`` in float64."""
    assert actual.dtype == plain.dtype
    distance = error(actual, exact)
    limit = FLOAT32_STEP
    if factors != torch.float32:
        limit = max(
            _TIMES_PLAIN * error(plain, exact), torch.finfo(plain.dtype).eps * float(exact.abs().max())
        )
    assert distance <= limit, f"{distance:.2e} from the exact result, more than {limit:.2e}"
