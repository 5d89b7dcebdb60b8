"""One thread at a time for an image of Pillow, which reads its file where several would get in each other's way."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_guard = threading.Lock()
# By identity, as images can be no keys: a lock, and how many hold it or wait for it.
_locks: dict[int, tuple[threading.RLock, int]] = {}


def _forget() -> None:
    """In a forked child nobody holds what other threads of its parent held."""
    global _guard
    _guard = threading.Lock()
    _locks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextmanager
def exclusive(image: Image.Image) -> Iterator[None]:
    """Let nobody else who asks for the same object in; who has it may ask again."""
    key = id(image)
    with _guard:
        lock, users = _locks.get(key, (threading.RLock(), 0))
        _locks[key] = lock, users + 1
    try:
        with lock:
            yield
    finally:
        with _guard:
            _, users = _locks[key]
            if users == 1:
                del _locks[key]
            else:
                _locks[key] = lock, users - 1
