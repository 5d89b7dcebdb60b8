"""What a caller says of losing nothing: whether, with what effort, with which preview in front. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from recodec.container.targets import positive
from recodec.errors import TargetError
from recodec.families.lossless.fields import DEFAULT_EFFORT, EFFORTS
from recodec.options import Option

LOSSLESS = "lossless"
Effort: TypeAlias = Literal["fast", "default", "best"]


class LosslessOptions(TypedDict, total=False):
    """The keyword arguments that files without loss have."""

    lossless: Annotated[
        bool,
        Option(
            False,
            """Keep every sample, of 8 or 16 bits; takes no target and no model, and refuses what would have to be
            rounded.""",
        ),
    ]
    effort: Annotated[
        Effort | None,
        Option(
            None, """Of lossless: "fast", "default" or "best", for smaller files and more time both ways."""
        ),
    ]
    preview: Annotated[
        float | None,
        Option(
            None, "Of lossless: a lossy picture of so many bits per pixel, of the model, begins the file."
        ),
    ]


@dataclass(frozen=True, slots=True)
class LosslessMode:
    """``effort`` counts in EFFORTS; ``preview`` is the rate (bpp) of a lossy picture in front, None without one."""

    lossless: bool = False
    effort: int = DEFAULT_EFFORT
    preview: float | None = None


def lossless_mode(options: Mapping[str, Any], *, lossless: bool = False) -> LosslessMode:
    """What options say; a codec that is ``lossless`` needs no saying. Raises :class:`TargetError`."""
    wanted = lossless or bool(options.get("lossless", False))
    effort, preview = options.get("effort"), options.get("preview")
    if effort is not None and effort not in EFFORTS:
        raise TargetError(f"effort is {effort!r}; it must be one of {', '.join(EFFORTS)}")
    for name, value in (("effort", effort), ("preview", preview)):
        if value is not None and not wanted:
            raise TargetError(
                f"{name} is {value!r}, but only files without loss have one; give lossless=True (--lossless) with it"
            )
    return LosslessMode(
        wanted,
        DEFAULT_EFFORT if effort is None else EFFORTS.index(effort),
        None if preview is None else positive("preview", preview),
    )


def model_for(model: str, options: Mapping[str, Any]) -> str:
    """The codec that makes a file with these options, a ``model`` being named. Raises :class:`TargetError`."""
    mode = lossless_mode(options, lossless=model == LOSSLESS)
    if not mode.lossless:
        return model
    if mode.preview is None:
        if model not in ("default", LOSSLESS):
            raise TargetError(
                f"the model is {model!r}, but a file without loss takes none unless it has a preview; leave "
                "the model out, or give preview=0.25 (--preview)"
            )
        return LOSSLESS
    if model == LOSSLESS:
        raise TargetError(
            f"preview is {mode.preview:g}, but the codec {LOSSLESS!r} makes no lossy pictures; leave the model out, or "
            "name one that does"
        )
    return model
