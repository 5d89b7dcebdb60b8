"""Operators of the networks, each with its definition in plain PyTorch and, for GPUs, Triton kernels.

An operator is one file: the reference body, which is the definition; ``torch.library`` operators around it, one
that returns its results and one, with a trailing underscore, that writes them into given buffers; gradients, by
computing again through the reference; and a function to call, which chooses the body (:mod:`.backend`).
"""
