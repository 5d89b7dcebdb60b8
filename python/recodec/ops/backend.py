"""Which body of an operator runs, the PyTorch reference or the Triton kernels, and what all operators share.

"auto", the default, takes the kernels for CUDA tensors where Triton is installed and no gradients are wanted, else
the reference; whether Triton finds a compiler, :class:`recodec.families.recurrent.engine.RecurrentEngine` tries once. A
backend asked for by name is used or refused with a :class:`DeviceError`. "triton" computes on CPU tensors too if Triton
interprets its kernels (``TRITON_INTERPRET=1`` before it is imported), which is how they are tested without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from recodec.errors import DeviceError

Backend = Literal["auto", "reference", "triton"]

KERNEL_TYPES = (torch.float32, torch.float16, torch.bfloat16)

_INSTALLED = find_spec("triton") is not None

_chosen: ContextVar[Backend] = ContextVar("recodec_backend", default="auto")


@contextmanager
def use_backend(backend: Backend | None) -> Iterator[None]:
    """Compute operators with ``backend`` inside a ``with`` block, in this thread or task; None changes nothing.

    Raises :class:`DeviceError` for an unknown name or if Triton is asked for and missing.
    """
    if backend is None:
        yield
        return
    if backend not in get_args(Backend):
        raise DeviceError(f"backend is {backend!r}; it must be one of {', '.join(get_args(Backend))}")
    if backend == "triton" and not triton_installed():
        raise DeviceError(
            "backend 'triton' needs Triton, which is not installed; install recodec[triton] or use backend 'auto'"
        )
    token = _chosen.set(backend)
    try:
        yield
    finally:
        _chosen.reset(token)


def current_backend() -> Backend:
    """The backend that operators use here."""
    return _chosen.get()


def triton_installed() -> bool:
    """Whether Triton can be imported, without importing it."""
    return _INSTALLED


def use_kernels(x: Tensor) -> bool:
    """Whether Triton kernels, and not the reference, are to compute with ``x``.

    Raises :class:`DeviceError` if Triton was asked for by name and cannot take ``x``.
    """
    # The compiler cannot trace the choice; operators in what it makes look for it when they run.
    backend = "auto" if torch.compiler.is_compiling() else _chosen.get()
    if backend == "auto":
        return x.is_cuda and x.dtype in KERNEL_TYPES and triton_installed() and _infers(x)
    if backend == "reference":
        return False
    if x.dtype not in KERNEL_TYPES:
        raise DeviceError(
            f"backend 'triton' cannot compute in {x.dtype}; use float32, float16 or bfloat16, or backend 'auto'"
        )
    if not (x.is_cuda or (x.device.type == "cpu" and triton_interprets())):
        raise DeviceError(
            f"backend 'triton' cannot compute on a tensor on {x.device}; move it to a CUDA device, use backend "
            "'auto', or set TRITON_INTERPRET=1 before the program starts to interpret the kernels on a CPU"
        )
    return True


def _infers(x: Tensor) -> bool:
    """Whether this is no training: gradients would compute the reference as well, and autocast knows no kernels."""
    return not (torch.is_grad_enabled() or torch.is_autocast_enabled(x.device.type))


def triton_interprets() -> bool:
    """Whether Triton runs its kernels in Python instead of compiling them."""
    import triton

    return bool(triton.knobs.runtime.interpret)


def carried_type(dtype: torch.dtype) -> torch.dtype:
    """The type of what is added to from iteration to iteration: float32 where others work in fewer bits."""
    return torch.promote_types(dtype, torch.float32)


def laid_out(x: Tensor) -> Tensor:
    """``x`` as whatever computes with it reads it best: once, where several operators do."""
    return x.contiguous(memory_format=torch.channels_last) if use_kernels(x) else x


def allocate(like: Tensor, shape: Sequence[int], dtype: torch.dtype | None = None) -> Tensor:
    """An unwritten output on the device of ``like``: logical N C H W, in memory N H W C."""
    return torch.empty(
        tuple(shape), dtype=dtype or like.dtype, device=like.device, memory_format=torch.channels_last
    )


def require(condition: bool, message: str) -> None:
    """Refuse arguments that do not fit together; kernels trust sizes and would read or write elsewhere."""
    if not condition:
        raise RuntimeError(message)


def expect(name: str, tensor: Tensor | None, like: Tensor, *shape: int, any_type: bool = False) -> None:
    """Refuse a tensor, None excepted, that is not of this shape and on the device and of the type of ``like``."""
    if tensor is None:
        return
    fits = tensor.shape == shape and tensor.device == like.device and (any_type or tensor.dtype == like.dtype)
    if not fits:
        raise RuntimeError(
            f"{name} is {tuple(tensor.shape)}, {tensor.dtype}, on {tensor.device}; it must be {shape}, "
            f"{'of any type' if any_type else like.dtype}, on {like.device}",
        )


def recompute_through(
    body: Callable[..., Sequence[Tensor]],
) -> tuple[Callable[..., None], Callable[..., Any]]:
    """Gradients of an operator from those of its reference ``body``, which runs again in the backward pass.

    Returns ``(setup_context, backward)`` for ``register_autograd`` of an operator that takes what ``body`` takes
    and returns a list of tensors as ``body`` does.
    """

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.tensors = [isinstance(value, Tensor) for value in inputs]
        ctx.save_for_backward(*(value for value in inputs if isinstance(value, Tensor)))
        ctx.others = [value for value in inputs if not isinstance(value, Tensor)]

    def backward(ctx: Any, grads: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
        saved, others = iter(ctx.saved_tensors), iter(ctx.others)
        needed = ctx.needs_input_grad
        with torch.enable_grad():
            inputs = [
                next(saved).detach().requires_grad_(need) if is_tensor else next(others)
                for is_tensor, need in zip(ctx.tensors, needed, strict=True)
            ]
            outputs = body(*inputs)
        pairs = [
            (y, grad) for y, grad in zip(outputs, grads, strict=True) if grad is not None and y.requires_grad
        ]
        found = iter(
            torch.autograd.grad(
                [y for y, _ in pairs],
                [value for value, need in zip(inputs, needed, strict=True) if need],
                [grad for _, grad in pairs],
                allow_unused=True,
            )
        )
        return tuple(next(found) if need else None for need in needed)

    return setup_context, backward
