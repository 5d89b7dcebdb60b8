"""The cell steps as the tests of their operators see them: one description for the three of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recodec.ops.backend import Backend, use_backend
from tests.tolerance import assert_near

COUNT, WIDTH_IN, HEIGHT, WIDTH = 2, 5, 7, 9
# cuDNN may add up gradients in another order each time, for which torch allows 1e-12 of its own convolution.
NONDETERMINISM = 1e-10
# Where there is a GPU, kernels are compiled and cannot run on a CPU.
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Case:
    """Sizes of a step."""

    kernel: int
    hidden_kernel: int
    stride: int
    factor: int
    channels: int
    state: bool = True

    def __str__(self) -> str:
        sizes = f"k{self.kernel}-h{self.hidden_kernel}-s{self.stride}-f{self.factor}-c{self.channels}"
        return sizes if self.state else f"{sizes}-zero-state"

    @property
    def state_shape(self) -> tuple[int, ...]:
        return (COUNT, self.channels, -(-HEIGHT // self.stride), -(-WIDTH // self.stride))

    @property
    def y_shape(self) -> tuple[int, ...]:
        n, channels, height, width = self.state_shape
        return (n, channels // self.factor**2, self.factor * height, self.factor * width)


CASES = [
    Case(3, 1, 1, 2, 20),
    Case(2, 3, 1, 1, 12),
    Case(1, 1, 2, 1, 12),
    Case(3, 3, 2, 2, 12),
    Case(5, 3, 2, 1, 17),
]


@dataclass(frozen=True)
class Step:
    """An operator: the function to call, its reference, and the gates whose rows weights have."""

    returning: Callable[..., Any]
    reference: Callable[..., Sequence[Tensor]]
    gates: int
    hidden_rows: int
    # How many tensors the state has, whether there is a candidate's convolution, and paths around.
    parts: int = 1
    candidate: bool = True
    paths: bool = False

    def inputs(
        self, case: Case, dtype: torch.dtype
    ) -> tuple[Tensor, tuple[Tensor, ...] | None, list[Tensor]]:
        """x, state and weights."""
        generator = torch.Generator().manual_seed(3)

        def normal(*shape: int, scale: float = 1.0) -> Tensor:
            return (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(DEVICE, dtype)

        channels, kernel, hidden = case.channels, case.kernel, case.hidden_kernel
        x = normal(COUNT, WIDTH_IN, HEIGHT, WIDTH)
        state = tuple(normal(*case.state_shape) for _ in range(self.parts)) if case.state else None
        weights = [
            normal(self.gates * channels, WIDTH_IN, kernel, kernel, scale=0.2),
            normal(self.gates * channels),
            normal(self.hidden_rows * channels, channels, hidden, hidden, scale=0.1),
        ]
        if self.candidate:
            weights.append(normal(channels, channels, hidden, hidden, scale=0.1))
        if self.paths:
            weights += [normal(channels, WIDTH_IN, 1, 1), normal(channels, channels, 1, 1)]
        return x, state, weights

    def run(self, case: Case, dtype: torch.dtype, backend: Backend) -> list[Tensor]:
        """The new state and y, in this order."""
        return self._run(case, *self.inputs(case, dtype), backend)

    def run_exactly(self, case: Case, dtype: torch.dtype) -> list[Tensor]:
        """The same in float64, from what inputs are in ``dtype``."""
        x, state, weights = self.inputs(case, dtype)
        state = state and tuple(part.double() for part in state)
        return self._run(case, x.double(), state, [weight.double() for weight in weights], "reference")

    def _run(
        self, case: Case, x: Tensor, state: tuple[Tensor, ...] | None, weights: list[Tensor], backend: Backend
    ) -> list[Tensor]:
        with use_backend(backend):
            y, state = self.returning(x, state, *weights, stride=case.stride, factor=case.factor)
        return [*state, y]


def check_kernels(step: Step, case: Case, dtype: torch.dtype) -> None:
    """Hold the kernels to the definition, by their distance to it in float64."""
    results = step.run(case, dtype, "triton")
    plain = step.run(case, dtype, "reference")
    exact = step.run_exactly(case, dtype)
    for actual, near, value in zip(results, plain, exact, strict=True):
        assert_near(actual, near, value, dtype)


def operator_arguments(step: Step, case: Case, dtype: torch.dtype) -> tuple[Any, ...]:
    """What ``torch.ops.recodec`` takes for a step, with gradients wanted for every tensor."""
    x, state, weights = step.inputs(case, dtype)
    leaves = [x, *(state or (None,) * step.parts), *weights]
    return (*(leaf if leaf is None else leaf.requires_grad_() for leaf in leaves), case.stride, case.factor)


def check_contract(step: Step, name: str, case: Case) -> None:
    """What torch asks of an operator: schema, shapes without values, gradients, tracing with any sizes."""
    returning = getattr(torch.ops.recodec, name).default
    wanting = operator_arguments(step, case, torch.float32)
    plain = [value.detach() if isinstance(value, Tensor) else value for value in wanting]
    # Tracing gradients with any sizes takes half a minute for most cases and is not repeated for all.
    quick = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(returning, wanting, test_utils=quick)
    torch.library.opcheck(returning, plain)


def check_gradients(step: Step, name: str, state: bool) -> None:
    """Hold gradients to differences, and to those of the definition."""
    arguments = operator_arguments(step, Case(2, 3, 2, 2, 4, state), torch.float64)
    operator = getattr(torch.ops.recodec, name).default
    assert torch.autograd.gradcheck(operator, arguments, fast_mode=True, nondet_tol=NONDETERMINISM)
    tensors = [value for value in arguments if isinstance(value, Tensor)]
    found = []
    for body in (operator, step.reference):
        total = sum((index + value).square().sum() for index, value in enumerate(body(*arguments)))
        found.append(torch.autograd.grad(total, tensors, allow_unused=True))
    for actual, expected in zip(*found, strict=True):
        assert (actual is None) == (expected is None)
        if actual is not None:
            torch.testing.assert_close(actual, expected, rtol=0, atol=1e-11)
