"""Operators of the networks, each with its definition in plain PyTorch and, for GPUs, Triton kernels.

An operator is one file: the reference body, which is the definition; ``torch.library`` operators around it, one
that returns its results and one, with a trailing underscore, that writes them into given buffers; gradients, by
computing again through the reference; and a function to call, which chooses the body (:mod:`.backend`).
"""

from recodec.ops.backend import Backend, current_backend, use_backend
from recodec.ops.conv_gru import conv_gru_step, conv_gru_step_
from recodec.ops.conv_lstm import conv_lstm_step, conv_lstm_step_
from recodec.ops.residual_conv_gru import residual_conv_gru_step, residual_conv_gru_step_

__all__ = [
    "Backend",
    "conv_gru_step",
    "conv_gru_step_",
    "conv_lstm_step",
    "conv_lstm_step_",
    "current_backend",
    "residual_conv_gru_step",
    "residual_conv_gru_step_",
    "use_backend",
]
