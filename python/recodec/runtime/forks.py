"""What happens where a process that has loaded recodec forks.

GNU's OpenMP, on which torch's CPU builds stand, keeps its threads; a forked child has none of them and would wait for
them for ever. One thread alone asks nobody.
"""

from __future__ import annotations

import os

import torch


def guard() -> None:
    """Let torch compute on one thread in every child that this process forks from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
