"""Projection, feedback and reconstruction: kernels against the definitions, contracts, gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from recodec.ops.backend import Backend, carried_type
from recodec.ops.feedback import feedback
from recodec.ops.projection import projection
from recodec.ops.reconstruct import reconstruct
from tests.ops.steps import NONDETERMINISM
from tests.tolerance import assert_near, assert_same

COUNT, HEIGHT, WIDTH = 2, 7, 9

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

on_gpu = pytest.mark.skipif(DEVICE.type == "cpu", reason="Triton's interpreter multiplies bfloat16 wrongly")
all_types = pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16, pytest.param(torch.bfloat16, marks=on_gpu)], ids=str
)
both_backends = pytest.mark.parametrize("backend", ["reference", "triton"])


pytestmark = pytest.mark.usefixtures("few_tiles")


@dataclass(frozen=True)
class Case:
    """A call: what it needs, as shapes and scales by name."""

    returning: Callable[..., Any]
    needs: dict[str, tuple[tuple[int, ...], float]]
    options: dict[str, Any]

    def arguments(self, dtype: torch.dtype) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(4)
        made: dict[str, Any] = {"bias": None}
        for name, (shape, scale) in self.needs.items():
            value = torch.randn(shape, generator=generator, dtype=torch.float64)
            # What divides, and what is a unit, is above 0.
            value = 0.5 + scale * value.abs() if name in ("gain", "scale") else scale * value
            made[name] = value.to(DEVICE, carried_type(dtype) if name in WIDE else dtype)
        return made | self.options

    def run(self, arguments: dict[str, Any], backend: Backend) -> list[Tensor]:
        results = self.returning(**arguments, backend=backend)
        return [y for y in (results if isinstance(results, tuple) else [results]) if y is not None]

    def operator_arguments(self, dtype: torch.dtype, wanting: bool) -> tuple[Any, ...]:
        """In the order of the operator's schema."""
        made = self.arguments(dtype)
        order = {
            projection: ("weight", "bias", "factor"),
            feedback: ("weight", "bias", "log_gain", "gain", "base"),
            reconstruct: ("weight", "bias", "linear", "log_gain", "gain", "base", "scale"),
        }[self.returning]
        first = "linear" if self.returning is feedback else "x"
        values = [made.get(name) for name in (first, *order)]
        learned = [name not in ("factor", "scale") for name in (first, *order)]
        return tuple(
            value.requires_grad_() if wanting and learn and isinstance(value, Tensor) else value
            for value, learn in zip(values, learned, strict=True)
        )


def project_case(inputs: int, channels: int, factor: int, bias: bool) -> Case:
    needs = {"x": ((COUNT, inputs, HEIGHT, WIDTH), 1.0), "weight": ((channels, inputs, 1, 1), inputs**-0.5)}
    if bias:
        needs["bias"] = ((channels,), 1.0)
    return Case(projection, needs, {"factor": factor})


def feedback_case(inputs: int, channels: int, *terms: str) -> Case:
    shape = (COUNT, inputs, HEIGHT, WIDTH)
    needs = {"linear": (shape, 1.0), "weight": ((channels, 2 * inputs, 1, 1), 0.5 * inputs**-0.5)}
    available = {
        "bias": ((channels,), 1.0),
        "log_gain": ((inputs,), 0.3),
        "gain": ((COUNT, 1, HEIGHT, WIDTH), 1.0),
        "base": (shape, 1.0),
    }
    needs |= {name: available[name] for name in terms}
    return Case(feedback, needs, {})


def reconstruct_case(inputs: int, channels: int, *terms: str) -> Case:
    shape, gain_shape = (COUNT, channels, HEIGHT, WIDTH), (COUNT, 1, HEIGHT, WIDTH)
    needs = {
        "x": ((COUNT, inputs, HEIGHT, WIDTH), 0.5),
        "weight": ((channels, inputs, 1, 1), 0.5 * inputs**-0.5),
    }
    available = {
        "bias": ((channels,), 0.5),
        "linear": (shape, 0.5),
        "log_gain": ((channels,), 0.3),
        "gain": (gain_shape, 1.0),
        "base": (shape, 0.5),
        "scale": ((channels,), 0.1),
    }
    needs |= {name: available[name] for name in terms}
    return Case(reconstruct, needs, {})


# What iterations carry, and what scales it.
WIDE = {"log_gain", "gain", "base", "scale"}
ALL_TERMS = ("bias", "linear", "log_gain", "gain", "base", "scale")
CASES = {
    "projection": project_case(5, 12, 1, bias=True),
    "projection-space": project_case(33, 20, 2, bias=False),
    "projection-wide": project_case(33, 20, 1, bias=False),
    "projection-space-bias": project_case(5, 12, 2, bias=True),
    "feedback": feedback_case(33, 20, "bias", "log_gain", "gain", "base"),
    "feedback-first": feedback_case(5, 12, "bias", "log_gain"),
    "feedback-plain": feedback_case(5, 20, "base"),
    "reconstruct": reconstruct_case(33, 20, *ALL_TERMS[:-1]),
    "reconstruct-masking": reconstruct_case(5, 192, *ALL_TERMS),
    "reconstruct-masking-first": reconstruct_case(33, 192, "linear", "log_gain", "scale"),
    "reconstruct-paper": reconstruct_case(5, 3, "bias", "base"),
}
all_cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@all_types
@all_cases
@pytest.mark.usefixtures("poisoned_memory")
def test_kernel_computes_the_definition(case: Case, dtype: torch.dtype) -> None:
    arguments = case.arguments(dtype)
    exact = {name: v.double() if isinstance(v, Tensor) else v for name, v in arguments.items()}
    triples = zip(
        case.run(arguments, "triton"),
        case.run(arguments, "reference"),
        case.run(exact, "reference"),
        strict=True,
    )
    for actual, plain, value in triples:
        assert_near(actual, plain, value, dtype)


@pytest.mark.parametrize("name", ["projection-space-bias", "feedback", "reconstruct-masking"])
def test_gaps_between_values_do_not_matter(name: str) -> None:
    case = CASES[name]
    arguments = case.arguments(torch.float32)
    # Every other value along the last axis of something twice as long.
    spread = {
        key: torch.stack([value, torch.full_like(value, torch.nan)], dim=-1)[..., 0]
        for key, value in arguments.items()
        if isinstance(value, Tensor)
    }
    for actual, expected in zip(
        case.run(arguments | spread, "triton"), case.run(arguments, "triton"), strict=True
    ):
        assert_same(actual, expected)


@pytest.mark.parametrize("name", ["projection", "projection-space", "feedback", "reconstruct-masking"])
def test_operators_keep_the_contract_of_torch(name: str) -> None:
    case = CASES[name]
    returning = getattr(torch.ops.recodec, case.returning.__name__).default
    # Tracing gradients with any sizes takes long and is done for one operator only.
    quick = ("test_schema", "test_autograd_registration", "test_faketensor")
    complete = (*quick, "test_aot_dispatch_dynamic")
    wanting = case.operator_arguments(torch.float32, wanting=True)
    torch.library.opcheck(returning, wanting, test_utils=complete if name == "projection" else quick)
    plain = case.operator_arguments(torch.float32, wanting=False)
    torch.library.opcheck(returning, plain)


SMALL = {
    "projection": Case(projection, {"x": ((1, 2, 2, 3), 1.0), "weight": ((4, 2, 1, 1), 1.0)}, {"factor": 2}),
    "feedback": feedback_case(2, 3, "bias", "log_gain", "gain", "base"),
    "reconstruct": reconstruct_case(2, 3, *ALL_TERMS[:-1]),
}


@pytest.mark.parametrize("name", SMALL)
def test_gradients_of_the_operator_are_those_of_the_definition(name: str) -> None:
    arguments = SMALL[name].operator_arguments(torch.float64, wanting=True)
    operator = getattr(torch.ops.recodec, name).default
    assert torch.autograd.gradcheck(operator, arguments, fast_mode=True, nondet_tol=NONDETERMINISM)


@pytest.mark.parametrize("name", ["projection-space", "feedback", "reconstruct-masking"])
def test_gradients_flow_through_the_kernel(name: str) -> None:
    case = CASES[name]
    found = []
    for backend in ("triton", "reference"):
        arguments = case.arguments(torch.float32)
        leaves = [
            value.requires_grad_()
            for key, value in arguments.items()
            if isinstance(value, Tensor) and key != "scale"
        ]
        y, *gains = case.run(arguments, backend)  # type: ignore[arg-type]
        assert not any(gain.requires_grad for gain in gains)
        found.append(torch.autograd.grad(y.square().sum(), leaves))
    for actual, expected in zip(*found, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_arguments_of_another_size_are_refused() -> None:
    case = CASES["reconstruct-masking"]
    arguments = case.arguments(torch.float32)
    changes = {
        "weight": arguments["weight"][:, :4],
        "bias": arguments["bias"][:4],
        "gain": arguments["gain"][..., :4],
        "linear": arguments["linear"][:1],
        "base": arguments["base"][:, :4],
        "scale": arguments["scale"][:64],
    }
    for name, value in changes.items():
        with pytest.raises(RuntimeError, match=f"{name} is"):
            case.run(arguments | {name: value}, "triton")
    narrow = CASES["reconstruct"].arguments(torch.float32) | {"scale": torch.ones(192, device=DEVICE)}
    with pytest.raises(RuntimeError, match="masking needs 192 channels, not 20"):
        CASES["reconstruct"].run(narrow, "triton")
    odd = CASES["projection"].arguments(torch.float32) | {"factor": 5}
    with pytest.raises(RuntimeError, match="12 channels are no multiple of factor 5 squared"):
        CASES["projection"].run(odd, "triton")
