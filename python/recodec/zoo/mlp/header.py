"""What can be chosen for a file, and what of it stands in the header: version and flags."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from recodec import _core
from recodec.container.info import Details
from recodec.container.targets import positive_int
from recodec.errors import FormatError, TargetError, UnsupportedError
from recodec.families.protocol import Family
from recodec.limits import PLAIN_BYTES, Limits, check_pixels, too_much_memory
from recodec.zoo.mlp.planes import PlaneDecoder

Coder: TypeAlias = Literal["huffman", "contexts"]
Predictor: TypeAlias = Literal["network", "linear"]

# 0 until the coder is released: files of this version may need the release that made them.
VERSION = 0

_RAW, _LINEAR, _CONTEXTS = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Form:
    """What a decoder has to know.

    ``raw`` networks see samples and not differences, ``linear`` ones are a single layer, and ``contexts`` take the
    place of Huffman's code.
    """

    raw: bool
    linear: bool
    contexts: bool

    def to_bytes(self) -> bytes:
        """The fields of a header."""
        return bytes([VERSION, self.raw * _RAW | self.linear * _LINEAR | self.contexts * _CONTEXTS])

    @classmethod
    def of(cls, fields: bytes) -> Form:
        """From the fields of a header. Raises :class:`FormatError` and :class:`UnsupportedError`."""
        if len(fields) < 2:
            raise FormatError("the header body is shorter than its fields")
        if fields[0] != VERSION:
            raise UnsupportedError(
                f"header field version of the MLP is {fields[0]}; this version knows {VERSION}"
            )
        if unknown := fields[1] & ~(_RAW | _LINEAR | _CONTEXTS):
            raise UnsupportedError(f"header field flags of the MLP has {unknown:#x}, which are not known")
        return cls(bool(fields[1] & _RAW), bool(fields[1] & _LINEAR), bool(fields[1] & _CONTEXTS))


@dataclass(frozen=True, slots=True)
class Settings:
    """How a picture is encoded.

    ``raw`` gives the network samples, as the report has it, and not their differences from (W + N) / 2. ``predictor``
    "linear" is a regression on the same samples. ``coder`` "contexts" codes errors by a range coder in 16 contexts and
    not by Huffman's code. ``seeds`` networks are begun, the best is trained for ``steps`` at most, fewer for small
    pictures; ``seed`` is the first. Raises :class:`TargetError`.
    """

    raw: bool = False
    predictor: Predictor = "network"
    coder: Coder = "huffman"
    seeds: int = 3
    steps: int = 2500
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("predictor", ("network", "linear")), ("coder", ("huffman", "contexts"))):
            if (value := getattr(self, name)) not in known:
                raise TargetError(f"{name} is {value!r}; it must be {' or '.join(known)}")
        for name in ("seeds", "steps"):
            object.__setattr__(self, name, positive_int(name, getattr(self, name)))
        if not isinstance(self.seed, int) or not 0 <= self.seed < 1 << 63:
            raise TargetError(f"seed is {self.seed!r}; it must be a whole number from 0")

    @property
    def form(self) -> Form:
        """What of them a decoder has to know."""
        return Form(bool(self.raw), self.predictor == "linear", self.coder == "contexts")


@dataclass(frozen=True)
class MlpDetails(Details):
    """What a file says of itself."""

    predictor: str
    raw: bool
    coder: str

    def rows(self) -> dict[str, str]:
        """For a reader."""
        seen = "samples" if self.raw else "differences"
        return {"coding": f"{self.predictor} on {seen}, {self.coder}; lossless"}


def memory_of(width: int, height: int, channels: int) -> int:
    """Bytes that the process takes for a picture of (height, width, channels) samples, without training."""
    padded = (width + 10) * (height + 6)
    return PLAIN_BYTES + channels * padded + (3 * channels + 3) * width * height


class MlpFileHeader:
    """A header whose chunks are planes. Raises :class:`FormatError` and :class:`UnsupportedError`."""

    def __init__(self, family: Family, common: _core.Header):
        self.family, self.common = family, common
        self.form = Form.of(bytes(common.fields))

    @cached_property
    def details(self) -> MlpDetails:
        """What :func:`recodec.info` says of them."""
        form = self.form
        predictor = "linear regression" if form.linear else "network"
        return MlpDetails(predictor, form.raw, "contexts" if form.contexts else "huffman")

    def check(self, limits: Limits) -> None:
        """Raise :class:`LimitError` for too many pixels or too much memory."""
        common = self.common
        check_pixels(common.width, common.height, limits.max_pixels)
        needed = memory_of(common.width, common.height, common.channels)
        if needed > limits.max_memory:
            raise too_much_memory(needed, limits.max_memory)

    def checker(self, limits: Limits) -> PlaneDecoder:
        """Networks are in the file."""
        return self.decoder()

    def decoder(self) -> PlaneDecoder:
        """Of the file's planes."""
        common, form = self.common, self.form
        return PlaneDecoder(
            common.channels, common.height, common.width, form.raw, form.linear, form.contexts
        )
