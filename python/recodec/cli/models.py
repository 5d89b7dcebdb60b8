"""Loading a model for a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recodec import Codec


def load(model: str, device: str, dtype: str = "float32", model_hash: str | None = None) -> Codec:
    """A codec on a device, working in a type of number. Raises a usage error if the device is not there."""
    import recodec

    try:
        return recodec.load(model, device=device, dtype=dtype, model_hash=model_hash)
    except recodec.DeviceError as error:
        raise click.UsageError(str(error)) from error
