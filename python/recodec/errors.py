"""Every error that recodec raises on purpose.

Messages say what was wrong, the value, the limit and what to do. Where a file cannot be had at all, an error is also
the system's: a missing image raises what is both an :class:`ImageError` and a :class:`FileNotFoundError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self


class RecodecError(Exception):
    """Base of all errors raised by recodec."""


class ImageError(RecodecError, ValueError):
    """The image to encode cannot be used: wrong mode, shape, type or values."""


class TargetError(RecodecError, ValueError):
    """The requested rate, size or quality cannot be reached or is contradictory."""


class FormatError(RecodecError, ValueError):
    """The bytes are not a valid recodec file."""


class TruncatedError(FormatError):
    """The file ends too early."""


class UnsupportedError(FormatError):
    """The file is valid, but needs a newer version or a feature this one lacks."""


class ChecksumError(FormatError):
    """Stored and computed checksums differ: the file is damaged."""


class LimitError(FormatError):
    """The file or image exceeds a limit: one that the caller may raise where its name is told, or one of the format."""


class WeightsError(RecodecError):
    """A model is unknown, missing, damaged or not the one the file was made with."""


class OptionError(RecodecError, TypeError):
    """A function was given a keyword argument that it does not know."""


class SettingError(RecodecError, ValueError):
    """An environment variable names something that is not there."""


class DeviceError(RecodecError):
    """A device or number type cannot be used."""


class PackageError(RecodecError, ImportError):
    """Something needs a package that recodec does without otherwise, and it is not installed."""


class SourceError(RecodecError, OSError):
    """Encoded bytes cannot be read from where they should come from."""


class BatchError(RecodecError, ExceptionGroup[Exception]):
    """Some items of a list failed; the others are done.

    ``results`` has a result for every item, None where there is none, and ``errors`` what was raised instead, by index
    from 0. As an exception group it can be told apart with ``except*``.
    """

    results: list[Any]
    errors: dict[int, Exception]

    def __new__(cls, results: Sequence[Any], errors: Mapping[int, Exception]) -> Self:
        """Make one of all results, and of what was raised at some indices."""
        said = "; ".join(
            f"item {index}: {line_of(error)}" for index, error in list(errors.items())[:_ITEMS_SAID]
        )
        more = f"; and {len(errors) - _ITEMS_SAID} more" if len(errors) > _ITEMS_SAID else ""
        made = super().__new__(
            cls, f"{len(errors)} of {len(results)} items failed ({said}{more})", list(errors.values())
        )
        made.results, made.errors = list(results), dict(errors)
        return made

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.results, self.errors)


# Of a list; more in one line nobody reads.
_ITEMS_SAID = 3


def line_of(error: Exception) -> str:
    """What an error says, and its kind, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


class OutputError(RecodecError):
    """A result cannot be written where it was asked for."""


class RecodecWarning(UserWarning):
    """What recodec reports beside a result: something is not as a caller may expect."""


class MetadataDroppedWarning(RecodecWarning):
    """A size limit left no room for metadata, so the file is without.

    ``dropped`` names it, out of "xmp", "exif" and "icc", in the order in which it was left out.
    """

    def __init__(self, dropped: Sequence[str], max_bytes: int):
        self.dropped, self.max_bytes = tuple(dropped), max_bytes
        super().__init__(
            f"the size limit of {max_bytes} bytes left no room for metadata ({', '.join(dropped)}), which is "
            "not in the file; raise the limit to keep it"
        )

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.dropped, self.max_bytes)


class OutputWarning(RecodecWarning):
    """Something of a picture is not in the image file that it was written to: its format has no room for it."""


class InputWarning(RecodecWarning):
    """Something of an input is not in the file, or not as it was."""


class IgnoredOptionWarning(RecodecWarning):
    """A keyword argument of Pillow's ``save`` is none of recodec's, so it changes nothing."""


class UnsuitablePictureWarning(RecodecWarning):
    """A picture is of a kind that the model cannot show well: ``psnr`` (dB) is about its best, at any rate."""

    def __init__(self, model: str, psnr: float):
        self.model, self.psnr = model, psnr
        super().__init__(
            f"model {model} is not made for pictures like this one: no rate brings it above about {psnr:.0f} dB "
            "PSNR; take a lossless format for text, line art and screenshots"
        )

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.model, self.psnr)


class ReducedDepthWarning(RecodecWarning):
    """An image of Pillow has 8 bits of the 16 that the file keeps: it has no ``mode`` for more."""

    def __init__(self, mode: str):
        self.mode = mode
        super().__init__(
            f"Pillow has no {mode} images of 16 bits per sample, so this one has 8, which the file does not; decode it "
            "with like='numpy' or like='torch'"
        )

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.mode,)


class HiddenModelWarning(RecodecWarning):
    """Files are made with weights that have the id of others, which come with recodec."""

    def __init__(self, model: str):
        self.model = model
        super().__init__(
            f"these weights are not the {model!r} that comes with recodec, but that is what their files name: nobody "
            "can decode them without these weights; give the weights a name of their own"
        )

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.model,)


class DeadNetworkWarning(RecodecWarning):
    """A network that was trained for one plane of a picture says the same everywhere; ``plane`` counts from 1.

    The file is right, but its size is that of a picture without prediction.
    """

    def __init__(self, plane: int):
        self.plane = plane
        super().__init__(
            f"the network of plane {plane} says the same for every pixel: nothing is predicted and the file is large; "
            "give other or more seeds, or differences instead of raw samples"
        )

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.plane,)


class RecipeError(RecodecError, ValueError):
    """A training recipe cannot be read, has an unknown key or an impossible value."""


class TrainingError(RecodecError):
    """Training cannot go on: the loss is not finite, or a checkpoint does not fit."""
