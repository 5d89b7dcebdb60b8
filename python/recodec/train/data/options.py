"""How crops are drawn: the data table of a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Selection = Literal["random", "high-entropy"]
Weighting = Literal["picture", "area"]

_MAX_SCALE = 4.0


@dataclass(frozen=True, slots=True)
class CropOptions:
    """How crops are taken from photographs.

    ``scale`` bounds the random factor by which a photograph is shrunk first, which hides the artefacts of
    earlier JPEG coding. One that the highest factor leaves smaller than a crop is shrunk less, or enlarged;
    without ``enlarge`` it is skipped. "random" takes a square anywhere. "high-entropy" cuts the photograph
    into tiles and takes one of the share ``keep`` that PNG compresses worst (Toderici et al., "Full
    Resolution Image Compression with Recurrent Neural Networks", 2017, section 4: 100 of the 880 tiles of a
    1280x720 picture). ``weighting`` "picture" draws all photographs equally often, "area" in proportion to
    their pixels, for sets of very different sizes.

    ``mirror`` flips half of the crops; of the share ``transpose`` rows and columns change places, of the
    share ``jitter`` the colours change (:func:`recodec.train.data.colours.jittered`). The share
    ``synthetic`` is drawn instead of photographed (:mod:`recodec.train.data.synthetic`) and left as drawn.

    Raises ``ValueError`` unless 0 < low <= high <= 4 for ``scale``, 0 < keep <= 1 and 0 <= share <= 1 for
    the other shares, and for a ``selection`` or ``weighting`` of another name.
    """

    scale: tuple[float, float] = (0.4, 0.9)
    selection: Selection = "random"
    keep: float = 0.11
    mirror: bool = True
    transpose: float = 0.0
    jitter: float = 0.0
    synthetic: float = 0.0
    weighting: Weighting = "picture"
    enlarge: bool = True

    def __post_init__(self) -> None:
        if len(self.scale) != 2:
            raise ValueError(f"scale is {self.scale}; it must be two factors, lowest and highest")
        low, high = self.scale
        if not 0 < low <= high <= _MAX_SCALE:
            raise ValueError(f"scale is {low} to {high}; it must be 0 < low <= high <= {_MAX_SCALE:g}")
        for name, kinds in ("selection", Selection), ("weighting", Weighting):
            if getattr(self, name) not in get_args(kinds):
                choices = ", ".join(get_args(kinds))
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {choices}")
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep is {self.keep}; it must be above 0 and at most 1")
        for name in ("transpose", "jitter", "synthetic"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in 0..1")
