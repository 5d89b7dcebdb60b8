"""Options that mean the same in every benchmark; docs/profiling.md lists them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click

from recodec.errors import OutputError
from recodec.io.outputs import make_folder
from recodec.model_search import DEFAULT_MODEL

Command = TypeVar("Command", bound=Callable[..., Any])


class Option(Protocol):
    """What puts an option on a command."""

    def __call__(self, command: Command, /) -> Command: ...


def _make_folder(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    # Before an hour of measuring, not after it.
    if value is not None and not context.resilient_parsing:
        try:
            make_folder(value.parent)
        except OutputError as error:
            raise click.BadParameter(str(error)) from error
    return value


out = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_make_folder,
    help="JSON to write, for bench/compare.py.",
)
device = click.option("--device", default="cpu", show_default=True, help="Where networks run.")


def model(default: str = DEFAULT_MODEL) -> Option:
    """Which model is measured, by id or by its file."""
    return click.option("--model", default=default, show_default=True, help="Id or weights file.")


def limit(default: int | None = None) -> Option:
    """How many pictures, the first ones by name; None is all of them."""
    shown = "all" if default is None else True
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        default=default,
        show_default=shown,
        help="Pictures, the first N.",
    )


def repeats(default: int, least: int = 1) -> Option:
    """How many timed runs a figure is the median of."""
    kind = click.IntRange(min=least)
    return click.option(
        "--repeats", type=kind, default=default, show_default=True, help="Timed runs of each."
    )


def threads(default: int | None = 1) -> Option:
    """CPU threads of torch, set before the command begins; None is as many as torch takes by itself."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        default=default,
        show_default="as torch has it" if default is None else True,
        expose_value=False,
        callback=_set_threads,
        help="CPU threads of torch.",
    )


def _set_threads(context: click.Context, parameter: click.Parameter, value: int | None) -> None:
    if value is not None and not context.resilient_parsing:
        import torch

        torch.set_num_threads(value)
