"""One way to make an operator of a definition in plain PyTorch and of kernels that compute the same.

An operator's file is its definition, what its outputs are like, and how its kernel is launched; what torch wants to
know of it beside that (schema, outputs without values, gradients) follows from those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from recodec.ops.backend import recompute_through, use_kernels

Definition = Callable[..., list[Tensor]]
Allocate = Callable[..., list[Tensor]]
Launch = Callable[..., None]


class Operator:
    """``torch.ops.recodec.<name>``, and the choice of its body.

    ``definition`` takes tensors, None and numbers, the first of them a tensor, and returns a list of tensors. Of the
    same arguments ``allocate`` makes unwritten outputs, once it is sure that they fit together: kernels trust sizes
    and would read or write elsewhere. ``launch`` gets the arguments and the outputs to write.
    """

    def __init__(self, name: str, definition: Definition, allocate: Allocate, launch: Launch):
        self._definition, self._allocate, self._launch = definition, allocate, launch
        schema = torch.library.infer_schema(definition, mutates_args=())
        self._registered: Any = torch.library.custom_op(
            f"recodec::{name}", self._compute, mutates_args=(), schema=schema
        )
        self._registered.register_fake(allocate)
        setup_context, backward = recompute_through(definition)
        self._registered.register_autograd(backward, setup_context=setup_context)

    def __call__(self, *arguments: Any) -> list[Tensor]:
        """The outputs: by kernels or by the definition, as :func:`~recodec.ops.backend.use_kernels` says."""
        body = self._registered if use_kernels(arguments[0]) else self._definition
        outputs: list[Tensor] = body(*arguments)
        return outputs

    def _compute(self, *arguments: Any) -> list[Tensor]:
        outputs = self._allocate(*arguments)
        if use_kernels(arguments[0]):
            self._launch(*arguments, outputs)
        else:
            _copy(self._definition(*arguments), outputs)
        return outputs


def _copy(results: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    for output, result in zip(outputs, results, strict=True):
        output.copy_(result)
