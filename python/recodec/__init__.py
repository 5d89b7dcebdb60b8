"""recodec: a progressive image codec with recurrent neural networks::

    data = recodec.encode(image, bpp=0.5)
    image = recodec.decode(data)

Any prefix of a file that holds its header and a whole chunk is a picture. Importing this package is
instant: torch is loaded with the first call that needs it.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from recodec.errors import (
    BatchError,
    ChecksumError,
    DeadNetworkWarning,
    DeviceError,
    FormatError,
    HiddenModelWarning,
    IgnoredOptionWarning,
    ImageError,
    InputWarning,
    LimitError,
    MetadataDroppedWarning,
    OptionError,
    OutputError,
    OutputWarning,
    PackageError,
    RecodecError,
    RecodecWarning,
    ReducedDepthWarning,
    SettingError,
    SourceError,
    TargetError,
    TruncatedError,
    UnsuitablePictureWarning,
    UnsupportedError,
    WeightsError,
)

if TYPE_CHECKING:
    from recodec.api import decode, encode, load, models, progressive
    from recodec.codec import Codec
    from recodec.container.info import Info
    from recodec.files import info, truncate, verify

__version__ = version("recodec")

__all__ = [
    "BatchError",
    "ChecksumError",
    "Codec",
    "DeadNetworkWarning",
    "DeviceError",
    "FormatError",
    "HiddenModelWarning",
    "IgnoredOptionWarning",
    "ImageError",
    "Info",
    "InputWarning",
    "LimitError",
    "MetadataDroppedWarning",
    "OptionError",
    "OutputError",
    "OutputWarning",
    "PackageError",
    "RecodecError",
    "RecodecWarning",
    "ReducedDepthWarning",
    "SettingError",
    "SourceError",
    "TargetError",
    "TruncatedError",
    "UnsuitablePictureWarning",
    "UnsupportedError",
    "WeightsError",
    "__version__",
    "decode",
    "encode",
    "info",
    "load",
    "models",
    "progressive",
    "truncate",
    "verify",
]

_LAZY = {
    **dict.fromkeys(("decode", "encode", "load", "models", "progressive"), "recodec.api"),
    **dict.fromkeys(("info", "truncate", "verify"), "recodec.files"),
    "Codec": "recodec.codec",
    "Info": "recodec.container.info",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_LAZY[name]), name)
    except ImportError as error:
        if error.name == "recodec._core":
            error.add_note("the compiled part of recodec is missing; install it with: pip install .")
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
