"""The benchmarks as modules: they are scripts, which find each other in their own folder."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Import a script of the benchmarks by its name."""
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module
