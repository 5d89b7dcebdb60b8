"""Networks on their way to a device, in a type of number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from recodec.errors import DeviceError

Network = TypeVar("Network")


def number_type(wanted: str | torch.dtype, known: Sequence[torch.dtype]) -> torch.dtype:
    """One of ``known``, by its name too. Raises :class:`DeviceError` for others."""
    found = getattr(torch, wanted, None) if isinstance(wanted, str) else wanted
    if not isinstance(found, torch.dtype) or found not in known:
        names = ", ".join(str(one).removeprefix("torch.") for one in known)
        raise DeviceError(f"dtype is {wanted}; it must be {'one of ' if len(known) > 1 else ''}{names} here")
    return found


def chosen_device(device: str | torch.device) -> str | torch.device:
    """``device``, or what "auto" stands for: a CUDA device where there is one, else the CPU.

    Other devices are used where they are asked for by name: nobody has held their results to these.
    """
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def placed(
    device: str | torch.device, place: Callable[[torch.device], Network]
) -> tuple[torch.device, Network]:
    """The device, and a network as ``place`` brings it there. Raises :class:`DeviceError` for what cannot be had."""
    try:
        found = torch.device(chosen_device(device))
        if found.type == "meta":
            raise RuntimeError("it holds no values")
        network = place(found)
    # A build of torch without a back end fails an assertion instead.
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f"the device {str(device)!r} cannot be used: {reason}") from error
    if str(found) == "cuda":
        # Of this thread; others may have another current device.
        found = torch.device("cuda", torch.cuda.current_device())
    return found, network
