"""Which body computes, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch

from recodec.errors import DeviceError
from recodec.ops import backend, conv_lstm
from recodec.ops.backend import current_backend, use_backend, use_kernels
from recodec.ops.conv_lstm import conv_lstm_step
from tests.ops.steps import Case, Step

STEP = Step(conv_lstm_step, conv_lstm.reference, 4, 4, parts=2, candidate=False)
CASE = Case(1, 1, 1, 1, 4)


def test_auto_is_the_reference_on_a_cpu_without_the_dispatcher(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(conv_lstm._step, "_registered", never)
    STEP.run(CASE, torch.float32, "auto")
    STEP.run(CASE, torch.float32, "reference")
    with pytest.raises(AssertionError):
        STEP.run(CASE, torch.float32, "triton")


def test_choice_ends_with_its_block_and_stays_in_its_thread() -> None:
    seen = []
    with use_backend("triton"):
        with use_backend("reference"):
            assert current_backend() == "reference"
        thread = threading.Thread(target=lambda: seen.append(current_backend()))
        thread.start()
        thread.join()
        assert current_backend() == "triton"
    assert current_backend() == "auto"
    assert seen == ["auto"]


def test_argument_overrules_the_block() -> None:
    x, state, weights = STEP.inputs(CASE, torch.float64)
    with use_backend("triton"):
        y, _ = conv_lstm_step(x, state, *weights, backend="reference")  # type: ignore[arg-type]
        assert y.dtype == torch.float64
        with pytest.raises(DeviceError):
            conv_lstm_step(x, state, *weights)  # type: ignore[arg-type]


def test_unknown_backend_is_an_error() -> None:
    with pytest.raises(DeviceError, match="'cudnn'; it must be one of auto, reference, triton"):
        STEP.run(CASE, torch.float32, "cudnn")  # type: ignore[arg-type]


def test_missing_triton_is_an_error_only_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "triton_installed", lambda: False)
    with pytest.raises(DeviceError, match=r"not installed; install recodec\[triton\]"):
        STEP.run(CASE, torch.float32, "triton")
    STEP.run(CASE, torch.float32, "auto")


def test_triton_does_not_compile_for_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "triton_interprets", lambda: False)
    with use_backend("triton"), pytest.raises(DeviceError, match="on a tensor on cpu"):
        use_kernels(torch.zeros(1))


def test_other_devices_are_refused_by_name_and_left_to_the_reference_by_auto() -> None:
    x = torch.zeros(1, device="meta")
    assert not use_kernels(x)
    with use_backend("triton"), pytest.raises(DeviceError, match="on a tensor on meta"):
        use_kernels(x)


def test_importing_operators_and_stepping_on_a_cpu_does_not_import_triton() -> None:
    code = """
import sys, torch
from recodec.networks.cells import ResidualConvGRU
from recodec.ops.conv_lstm import conv_lstm_step
ResidualConvGRU(3, 4, 3, 1).step(torch.zeros(1, 3, 4, 4), None)
conv_lstm_step(torch.zeros(1, 3, 4, 4), None, torch.zeros(16, 3, 1, 1), torch.zeros(16), torch.zeros(16, 4, 1, 1))
print([m for m in sys.modules if m == "triton" or m.startswith("recodec.kernels")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_compiled_code_chooses_as_other_code_does() -> None:
    x, state, weights = STEP.inputs(CASE, torch.float32)

    def step(x: torch.Tensor) -> torch.Tensor:
        y, _ = conv_lstm_step(x, state, *weights)  # type: ignore[arg-type]
        return y

    compiled = torch.compile(step, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), step(x), rtol=0, atol=0)


@torch.no_grad()
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device to launch compiled kernels")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_auto_launches_kernels_on_cuda(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    from recodec.kernels import conv_lstm as kernels

    launched = []
    launch = kernels.launch_conv_lstm_step
    monkeypatch.setattr(kernels, "launch_conv_lstm_step", lambda *a: (launched.append(1), launch(*a)))
    x, state, weights = STEP.inputs(CASE, dtype)
    assert state is not None
    cuda = [value.cuda() for value in (*state, *weights)]
    conv_lstm_step(x.cuda(), (cuda[0], cuda[1]), *cuda[2:])  # type: ignore[misc]
    assert launched
