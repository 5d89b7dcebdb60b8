"""What :meth:`recodec.Codec.decode` and :meth:`recodec.Codec.progressive` can be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypedDict

from recodec.container.targets import positive_int
from recodec.errors import TargetError
from recodec.io.destinations import Destination
from recodec.io.reduced_sizes import MaxSize, check_max_size
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, MAX_MEMORY_TEXT, Limits
from recodec.options import Option, check_options


class ProgressiveOptions(TypedDict, total=False):
    """Keyword arguments of :meth:`recodec.Codec.progressive` beside ``like``."""

    max_size: Annotated[
        MaxSize | None,
        Option(
            None,
            """Make the picture smaller, after it was decoded whole, until its longer side has so many pixels at most,
            or width and height as many as a pair says; its shape is kept, and it is never made larger.""",
        ),
    ]
    max_pixels: Annotated[
        int | None,
        Option(DEFAULT_MAX_PIXELS, "Refuse larger pictures, whatever the file claims; None is no limit."),
    ]
    max_memory: Annotated[int | None, Option(DEFAULT_MAX_MEMORY, MAX_MEMORY_TEXT)]


class DecodeOptions(ProgressiveOptions, total=False):
    """Keyword arguments of :meth:`recodec.Codec.decode` beside ``like``."""

    iterations: Annotated[
        int | None, Option(None, "Stop after so many chunks, before strips of exact rows; None takes all.")
    ]
    strict: Annotated[
        bool,
        Option(False, "Refuse a file that was cut, which is otherwise shown as far as its whole chunks go."),
    ]
    draft: Annotated[
        bool,
        Option(
            False,
            """With ``max_size``, take only the first chunks, as many as so small a picture needs, and no strips of
            exact rows behind them: faster, and seldom to be told from the whole picture made smaller.""",
        ),
    ]


class ForOne(DecodeOptions, total=False):
    """What type checkers know of a call for one file."""

    out: Destination | None
    batch_size: int | None


class ForMany(DecodeOptions, total=False):
    """What they know of a call for several."""

    out: Sequence[Destination] | None
    batch_size: int | None


class ForProgressive(ProgressiveOptions, total=False):
    """What they know of a call for one that arrives."""

    out: Destination | None


def check_decode_options(options: DecodeOptions) -> Limits:
    """The limits among options. Raises :class:`OptionError`, and :class:`TargetError` for what is no number."""
    check_options("decode", options, DecodeOptions.__optional_keys__ | {"like", "dtype", "batch_size"})
    if options.get("iterations") is not None:
        positive_int("iterations", options["iterations"])  # type: ignore[arg-type]
    if options.get("max_size") is None and options.get("draft"):
        raise TargetError("draft is for small pictures; say how small by max_size, or give iterations")
    return _checked(options)


def check_progressive_options(options: ProgressiveOptions) -> Limits:
    """The same of fewer options."""
    check_options("progressive", options, ProgressiveOptions.__optional_keys__ | {"like", "dtype"})
    return _checked(options)


def _checked(options: ProgressiveOptions) -> Limits:
    check_max_size(options.get("max_size"))
    return Limits(
        options.get("max_pixels", DEFAULT_MAX_PIXELS), options.get("max_memory", DEFAULT_MAX_MEMORY)
    )
