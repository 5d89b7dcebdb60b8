"""Commands as a user runs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
from click.testing import CliRunner, Result
from numpy.typing import NDArray

import recodec
from recodec.cli import main

# As from a shell in the foreground, whatever this process has been told to ignore.
RECODEC = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import recodec.__main__",
)


def run(*arguments: object, code: int = 0, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)
    assert result.exit_code == code, result.output
    return result


def error_line(result: Result) -> str:
    """The only line on standard error."""
    (line,) = result.stderr.splitlines()
    assert line.startswith("recodec: ")
    return str(line)


def pixels(source: bytes | Path, **options: Any) -> NDArray[np.uint8]:
    return cast("NDArray[np.uint8]", recodec.decode(source, like="numpy", **options))
