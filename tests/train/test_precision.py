"""Which type of number training computes in."""

from __future__ import annotations

import pytest
import torch

from recodec.runtime import precision
from recodec.train.precision import working_type
from recodec.train.recipe import Compute

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("wanted", "gain", "device", "expected"),
    [
        ("float32", 5.0, CPU, torch.float32),
        ("float32", 5.0, CUDA, torch.float32),
        ("bfloat16", 0.1, CPU, torch.bfloat16),
        ("auto", 0.1, CPU, torch.float32),
        ("auto", 2.0, CPU, torch.bfloat16),
        ("auto", 0.1, CUDA, torch.bfloat16),
    ],
)
def test_auto_goes_by_what_is_faster(
    monkeypatch: pytest.MonkeyPatch, wanted: str, gain: float, device: torch.device, expected: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "bfloat16_gain", lambda: gain)
    assert working_type(Compute(wanted), device) == expected  # type: ignore[arg-type]


def test_the_gain_is_measured_once() -> None:
    gain = precision.bfloat16_gain()
    assert gain > 0
    assert precision.bfloat16_gain() == gain
