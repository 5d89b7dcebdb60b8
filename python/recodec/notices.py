"""Warnings that point to the line of whoever called this package."""

from __future__ import annotations

import sys
import warnings

# A line of this package says nothing to a caller; Pillow calls the plugin, and torch wraps functions.
_PASSED_BY = ("recodec", "PIL", "torch")


def warn(warning: Warning) -> None:
    """Issue a warning at the nearest line outside this package and what calls it on a caller's behalf."""
    # 2 is the caller of this function.
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _PASSED_BY:
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)
