"""Loading a model for a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recodec.families.registry import codecs_without_weights
from recodec.model_search import DEFAULT_MODEL, find_model, is_path

if TYPE_CHECKING:
    from recodec import Codec


def load(model: str, device: str, dtype: str = "float32", model_hash: str | None = None) -> Codec:
    """A codec on a device, working in a type of number. Raises a usage error if the device is not there."""
    import recodec

    # Before torch is loaded for it.
    check(model)
    try:
        return recodec.load(model, device=device, dtype=dtype, model_hash=model_hash)
    except recodec.DeviceError as error:
        raise click.UsageError(str(error)) from error


def check(model: str) -> None:
    """Raise :class:`recodec.WeightsError` for a model that is not there, without a look at what is in its file."""
    from recodec.errors import WeightsError
    from recodec.file_errors import of_file

    if is_path(model):
        try:
            open(model, "rb").close()
        except OSError as error:
            raise of_file(
                WeightsError, error, f"{model} cannot be read as weights: {error.strerror}"
            ) from error
    elif model not in codecs_without_weights():
        find_model(DEFAULT_MODEL if model == "default" else model)
