"""What a caller says of effort and of losing nothing: how much, whether, with which preview. Loads no torch."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, TypedDict

from recodec.container.targets import positive
from recodec.errors import TargetError
from recodec.families.lossless.fields import DEFAULT_EFFORT, EFFORTS
from recodec.options import Option

LOSSLESS = "lossless"
Effort: TypeAlias = Literal["fast", "default", "best"]
# Of a search for fewer bits, where something may be lost.
MOST_EFFORT = 9


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
        Effort | int | None,
        Option(
            None,
            """0 to 9: how long to search for codes that show this very picture as well in fewer bytes; nothing but
            encoding takes longer, and 0 is no search. Of lossless: "fast", "default" or "best", for smaller files and
            more time both ways.""",
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
    """``effort`` counts in EFFORTS, and ``said`` is whether a caller asked for it; ``preview`` is the rate (bpp) of a
    lossy picture in front, None without one.

    ``search`` is the effort, 0 to 9, of codes that lose something.
    """

    lossless: bool = False
    effort: int = DEFAULT_EFFORT
    preview: float | None = None
    search: int = 0
    said: bool = False


def lossless_mode(options: Mapping[str, Any], *, lossless: bool = False) -> LosslessMode:
    """What options say; a codec that is ``lossless`` needs no saying. Raises :class:`TargetError`."""
    wanted = lossless or bool(options.get("lossless", False))
    effort, preview = options.get("effort"), options.get("preview")
    if preview is not None and not wanted:
        raise TargetError(
            f"preview is {preview!r}, but only files without loss have one; give lossless=True (--lossless) with it"
        )
    if not wanted:
        return LosslessMode(search=_search(effort))
    if effort is not None and effort not in EFFORTS:
        raise TargetError(f"effort is {effort!r}; of files without loss it is one of {', '.join(EFFORTS)}")
    return LosslessMode(
        wanted,
        DEFAULT_EFFORT if effort is None else EFFORTS.index(effort),
        None if preview is None else positive("preview", preview),
        said=effort is not None,
    )


def _search(effort: object) -> int:
    if effort is None:
        return 0
    if isinstance(effort, str) and effort in EFFORTS:
        raise TargetError(
            f"effort is {effort!r}, which files without loss have; give lossless=True (--lossless) with it, or 0 to "
            f"{MOST_EFFORT}"
        )
    try:
        found = None if isinstance(effort, bool) else operator.index(effort)  # type: ignore[arg-type]
    except TypeError:
        found = None
    if found is None or not 0 <= found <= MOST_EFFORT:
        raise TargetError(f"effort is {effort!r}; it must be a whole number from 0 to {MOST_EFFORT}")
    return found


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
