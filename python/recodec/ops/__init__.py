"""Operators of the networks, each with its definition in plain PyTorch and, for GPUs, Triton kernels.

An operator is one file: the reference body, which is the definition; what its outputs are like; how its kernel is
launched. :mod:`.registration` makes a ``torch.library`` operator of these, with gradients by computing again
through the reference, and :mod:`.backend` says which body runs.
"""
