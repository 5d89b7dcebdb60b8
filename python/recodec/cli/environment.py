"""``recodec env``: what a bug report should say about a machine."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from recodec.cli import options

_PACKAGES = (
    "recodec",
    "torch",
    "numpy",
    "pillow",
    "safetensors",
    "click",
    "rich",
    "triton",
)


@click.command()
@options.as_json
def env(as_json: bool) -> None:
    """Show versions, devices and models, for bug reports."""
    found = describe()
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items()) or "none"
        elif isinstance(value, list):
            value = ", ".join(value)
        click.echo(f"{name:<10}{value}")


def describe() -> dict[str, Any]:
    """Versions, compiler, processor, devices and models of this machine, as plain data."""
    from recodec import _core

    return {
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "format": _core.FORMAT_VERSION,
        "compiler": _core.COMPILER,
        "platform": platform.platform(),
        "cpu": f"{_cpu()}, {os.cpu_count()} threads",
        "coder": _instructions(),
        "devices": _devices(),
        "models": _models(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """The processor's name; ``platform.processor()`` is empty or a mere architecture on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _instructions() -> str:
    """What the entropy coder computes with."""
    from recodec import _core

    try:
        return _core.chosen_instructions()
    except _core.CoreError as error:
        return f"none: {error.args[1]}"


def _devices() -> list[str]:
    import torch

    names = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return ["cpu", *names, *(["mps"] if torch.backends.mps.is_available() else [])]


def _models() -> dict[str, str]:
    from recodec.errors import SettingError
    from recodec.model_search import available_models, find_model

    try:
        names = available_models()
    except SettingError as error:
        return {"none:": str(error)}
    return {model: f"{find_model(model).stat().st_size} bytes" for model in names}
