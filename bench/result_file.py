"""Results of benchmarks in files: JSON with the machine they are of, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from recodec.io import outputs


class NoResultError(click.ClickException):
    """A file is none that a benchmark wrote."""

    exit_code = 2


def write(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write what a benchmark found, and on which machine unless it says so itself; None is nowhere."""
    if path is None:
        return
    if "environment" not in result:
        from recodec.cli.environment import describe

        result = {"environment": describe(), **result}
    outputs.write(path, (json.dumps(result, indent=1) + "\n").encode())


def read(path: Path) -> Any:
    """What :func:`write` or pytest-benchmark wrote. Raises :class:`NoResultError` naming the file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoResultError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise NoResultError(
            f"{path} is not JSON: {error}; give a file that a benchmark wrote by --out"
        ) from error
    if not isinstance(found, dict | list):
        raise NoResultError(f"{path} holds {found!r}; give a file that a benchmark wrote by --out")
    return found
