"""What can be chosen for a file, and what of it stands in the header: version, level and patches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from recodec import _core
from recodec.container.info import Details
from recodec.errors import FormatError, TargetError, UnsupportedError
from recodec.families.protocol import Family
from recodec.limits import TORCH_BYTES, Limits, check_pixels, too_much_memory

if TYPE_CHECKING:
    from recodec.zoo.learned.symbols import SymbolDecoder

# Both are drafts until the zoo is released: such files may need the release that made them. In those of the second
# stages may adjust their synthesis.
PLAIN, TUNED = 0, 1
_FIELD_BYTES = 3
# Sides of patches are powers of two; 0 stands for whole pictures.
_LARGEST_PATCH_BITS = 10
_MOST_STEPS = 100_000
# Samples, latents and pictures in all number types, beside the tile at work.
_BYTES_PER_PIXEL = 24


@dataclass(frozen=True, slots=True)
class Settings:
    """How a picture is encoded.

    ``level`` counts qualities of models that have several, from the smallest file. ``patch`` codes squares of so many
    pixels each by itself, as the sources do with theirs of 32; 0 is the whole picture. In ``refine`` steps latents are
    searched for that show the picture better in no more bytes; files do not tell. With ``tune`` a second search may
    adjust the synthesis as well, and the file says how. Raises :class:`TargetError`.
    """

    level: int = 0
    patch: int = 0
    refine: int = 0
    tune: bool = False

    def __post_init__(self) -> None:
        if type(self.level) is not int or not 0 <= self.level <= 255:
            raise TargetError(f"level is {self.level!r}; it must be a whole number in 0..255")
        sides = [0, *(1 << bits for bits in range(1, _LARGEST_PATCH_BITS + 1))]
        if type(self.patch) is not int or self.patch not in sides:
            raise TargetError(
                f"patch is {self.patch!r}; it must be 0 for whole pictures, or a power of two up to {sides[-1]}"
            )
        if type(self.refine) is not int or not 0 <= self.refine <= _MOST_STEPS:
            raise TargetError(f"refine is {self.refine!r}; it must be a whole number in 0..{_MOST_STEPS}")
        if type(self.tune) is not bool:
            raise TargetError(f"tune is {self.tune!r}; it must be True or False")
        if self.tune and not self.refine:
            raise TargetError("tune is True, but refine is 0; tuning is a search that needs steps, 100 or so")


@dataclass(frozen=True, slots=True)
class Fields:
    """What a header says of a file: ``tuned`` if its stages may adjust their synthesis."""

    level: int
    patch: int
    tuned: bool

    def to_bytes(self) -> bytes:
        """As they stand in the header."""
        patch_bits = self.patch.bit_length() - 1 if self.patch else 0
        return bytes([TUNED if self.tuned else PLAIN, self.level, patch_bits])

    @classmethod
    def of(cls, fields: bytes) -> Fields:
        """From those of a header. Raises :class:`FormatError` and :class:`UnsupportedError`."""
        if len(fields) < _FIELD_BYTES:
            raise FormatError("the header body is shorter than its fields")
        version, level, patch_bits = fields[:_FIELD_BYTES]
        if version not in (PLAIN, TUNED):
            raise UnsupportedError(
                f"header field version of the zoo's models is {version}; this version knows {PLAIN} and {TUNED}"
            )
        if patch_bits > _LARGEST_PATCH_BITS:
            raise FormatError(
                f"header field patch is {patch_bits}; {_LARGEST_PATCH_BITS} is the largest there is"
            )
        return cls(level, 1 << patch_bits if patch_bits else 0, version == TUNED)


@dataclass(frozen=True)
class LearnedDetails(Details):
    """What a file says of itself."""

    level: int
    patch: int
    tuned: bool

    def rows(self) -> dict[str, str]:
        """For a reader."""
        cut = f"patches of {self.patch} x {self.patch}" if self.patch else "the whole picture"
        return {"coding": f"level {self.level}, {cut}{', tuned synthesis' if self.tuned else ''}"}


class LearnedFileHeader:
    """A header whose chunks are stages. Raises :class:`FormatError` and :class:`UnsupportedError`."""

    def __init__(self, family: Family, common: _core.Header):
        self.family, self.common = family, common
        self.fields = Fields.of(bytes(common.fields))

    @cached_property
    def details(self) -> LearnedDetails:
        """What :func:`recodec.info` says of them."""
        return LearnedDetails(self.fields.level, self.fields.patch, self.fields.tuned)

    def check(self, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels or too much memory."""
        common = self.common
        check_pixels(common.width, common.height, limits.max_pixels, max(1, self.fields.patch))
        needed = TORCH_BYTES + _BYTES_PER_PIXEL * common.width * common.height
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)

    def checker(self, limits: Limits) -> SymbolDecoder:
        """Latents need their model's tables, no network. Raises :class:`WeightsError`."""
        from recodec.weights import shared_model
        from recodec.zoo.learned.symbols import SymbolDecoder

        model = shared_model(self.common.model, self.common.model_hash.hex())
        return SymbolDecoder(model, self, limits)
