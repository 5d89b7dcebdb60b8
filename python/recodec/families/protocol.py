"""What everything else knows of a family: payloads of code chunks in and out, and pictures.

The container, targets, batches, Pillow, bulk, evaluation and the commands are written against these alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from recodec.container.info import Details
from recodec.limits import Limits

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from recodec import _core
    from recodec.io.pictures import Picture
    from recodec.ops.backend import Backend
    from recodec.runtime.tiling import Region
    from recodec.weights import Model


class Encoder(Protocol):
    """Of one picture, chunk by chunk."""

    @property
    def fields(self) -> bytes:
        """The family's own fields of the file's header."""

    @property
    def batch_key(self) -> Hashable:
        """What pictures that are encoded together have in common; None where that cannot be."""

    def next(self) -> bytes | None:
        """Payload of the next code chunk, checksum included; None after the last there can be."""

    def squared_error(self) -> float:
        """Mean over the samples of what a decoder shows after the chunks so far, of 0..255. Only targets in dB ask."""

    def shown(self) -> Tensor:
        """(channels, H, W) uint8 samples that a decoder shows after the chunks so far. Only targets of MS-SSIM ask."""

    def least_error(self) -> float:
        """About the mean squared error, of 0..255, that no number of chunks goes below; 0 where that is not known."""


class Checker(Protocol):
    """Of the code chunks of one file, with all that they stand for but the picture."""

    def take(self, payloads: Sequence[bytes]) -> None:
        """Decode the payloads that come next. Raises :class:`ChecksumError` and :class:`LimitError`."""


class Decoder(Checker, Protocol):
    """Of one file, as far as its chunks have been taken."""

    @property
    def batch_key(self) -> Hashable:
        """What files that are shown together have in common; None where that cannot be."""

    def show(self) -> Iterator[tuple[Region, Tensor]]:
        """Region by region in pixels, its (channels, h, w) uint8 samples: the only thing that pays for a picture.

        Once all chunks are taken, unless the decoder was made for progressive decoding. Raises :class:`LimitError`.
        """


class FileHeader(Protocol):
    """A file's header as its family reads it. Loads no torch."""

    @property
    def family(self) -> Family:
        """Whose it is."""

    @property
    def common(self) -> _core.Header:
        """The fields that all families have."""

    @property
    def details(self) -> Details:
        """What :func:`recodec.info` says of the family's own fields."""

    def check(self, limits: Limits) -> None:
        """Before any memory is taken, and without a model: raises :class:`LimitError`."""

    def checker(self, limits: Limits) -> Checker:
        """Without networks. Raises :class:`WeightsError` where chunks need a model that is not there."""


class Engine(Protocol):
    """A codec of a family where it runs; holds no state of a picture.

    Headers, encoders and decoders that it is given are those of its own family.
    """

    @property
    def family(self) -> Family:
        """Whose files it makes and reads."""

    @property
    def id(self) -> str:
        """What :func:`recodec.load` finds it by, and files name."""

    @property
    def hash(self) -> bytes:
        """8 bytes of all that decoding depends on, in every file."""

    @property
    def model(self) -> Model | None:
        """Its weights, if it has any."""

    @property
    def device(self) -> torch.device:
        """Where its networks run."""

    @property
    def dtype(self) -> torch.dtype:
        """The number type that they compute in."""

    @property
    def backend(self) -> Backend:
        """By what their operators are computed."""

    @property
    def iterations(self) -> int:
        """The most code chunks that a file can hold."""

    @property
    def exact(self) -> bool:
        """Whether a whole file is the picture without loss, and anything less none."""

    @property
    def at_once(self) -> int:
        """Pictures with one batch key that are computed together; above 1, threads prepare what the device takes."""

    @property
    def encoder_options(self) -> frozenset[str]:
        """Names of what :meth:`encoder` takes beside a picture's header and limits."""

    def require(self, header: Any) -> None:
        """Raise :class:`WeightsError` or :class:`FormatError` for a file of the family that is not this codec's."""

    def encoder(self, picture: Picture, header: _core.Header, limits: Limits, **options: Any) -> Encoder:
        """Begin a picture; its size is checked, and the common fields of its ``header`` are there.

        ``options`` are among :attr:`encoder_options`.
        """

    def decoder(self, header: Any, limits: Limits, *, progressive: bool = False, threads: int = 1) -> Decoder:
        """Begin a file; its header is checked. With ``progressive`` it shows pictures between chunks."""

    def check_size(self, width: int, height: int, limits: Limits) -> None:
        """Raise :class:`LimitError` for a picture that is too large as it is coded."""

    def encode_together(self, encoders: Sequence[Any], chunks: int) -> None:
        """Compute what so many chunks of each need; the encoders have one batch key."""

    def decode_together(self, decoders: Sequence[Any]) -> None:
        """Compute the pictures of all; the decoders have one batch key."""


class Family(Protocol):
    """How the chunks of a file are to be understood. Loads no torch."""

    number: ClassVar[int]
    name: ClassVar[str]
    # How files of pictures with alpha have it, as headers say it.
    alpha_method: ClassVar[int]

    def read(self, header: _core.Header) -> FileHeader:
        """The header with the family's own fields. Raises :class:`FormatError` and :class:`UnsupportedError`."""

    def engine(
        self, model: Model | None, device: str | torch.device, dtype: str | torch.dtype, backend: Backend
    ) -> Engine:
        """Raises :class:`DeviceError` for what cannot be had."""
