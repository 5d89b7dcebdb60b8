"""Networks compute in the types they were loaded for, whatever torch is set to around them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def inference() -> Iterator[None]:
    """Inference mode, and no autocast of a caller's."""
    with torch.inference_mode(), without_autocast():
        yield


@contextmanager
def without_autocast() -> Iterator[None]:
    """Files made under autocast would be others, and their pictures too."""
    with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        yield
