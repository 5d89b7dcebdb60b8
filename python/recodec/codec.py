"""The codec: one model, or one family without weights, ready to encode and decode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, Unpack, cast, overload

import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec import files
from recodec.decode_options import DecodeOptions, ForMany, ForOne, ForProgressive, ProgressiveOptions
from recodec.decoding import decode_all, progressive
from recodec.encoding import EncodeOptions, encode_all
from recodec.errors import SettingError, WeightsError
from recodec.families.protocol import Engine
from recodec.families.registry import engine_of, family_without_weights
from recodec.io.destinations import Destination, deliver, destinations, placed
from recodec.io.image_files import image_place, image_places
from recodec.io.output_images import AnyType, Array, Output, RealArray, RealType, WholeType, check_kind
from recodec.io.pictures import ImageLike, Picture, is_batch
from recodec.io.sources import Source
from recodec.notices import warn
from recodec.ops.backend import Backend
from recodec.options import with_options
from recodec.runtime import forks
from recodec.several import Items, Several, attempt, collected, is_several, single
from recodec.weights import Model, find_weights, load_model

forks.guard()

__all__ = ["Codec", "DecodeOptions", "EncodeOptions", "Output", "ProgressiveOptions"]


def _is_found(model: Model) -> bool:
    try:
        find_weights(model.id, model.hash.hex())
    except (WeightsError, SettingError):
        return False
    return True


def _restored(
    name: str, hash_: bytes, model: Model | None, device: str, dtype: str, backend: Backend
) -> Codec:
    """A codec as it was. Raises :class:`WeightsError` where its weights are not to be found."""
    if family := family_without_weights(name):
        return Codec(family.engine(None, device, dtype, backend))
    return Codec(engine_of(model or load_model(name, hash_.hex()), device, dtype, backend))


class Codec:
    """Encodes and decodes with one model. Holds no state between calls: share it between threads.

    Made by :func:`recodec.load`.
    """

    def __init__(self, engine: Engine):
        self.engine = engine

    def __repr__(self) -> str:
        engine = self.engine
        kind = engine.family.name if engine.model is None else engine.model.architecture
        dtype = str(engine.dtype).removeprefix("torch.")
        return (
            f"Codec({engine.id!r}, architecture={kind!r}, device={str(engine.device)!r}, dtype={dtype!r}, "
            f"backend={engine.backend!r}, hash={engine.hash.hex()!r})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles and copies are made of id and settings; weights that are not found by their id go along whole."""
        engine = self.engine
        dtype = str(engine.dtype).removeprefix("torch.")
        own = None if engine.model is None or _is_found(engine.model) else engine.model
        return _restored, (engine.id, engine.hash, own, str(engine.device), dtype, engine.backend)

    @property
    def id(self) -> str:
        """What :func:`recodec.load` finds it by, and its files name."""
        return self.engine.id

    @property
    def hash(self) -> bytes:
        """8 bytes of all that decoding depends on, in every file."""
        return self.engine.hash

    @property
    def model(self) -> Model:
        """Its weights. Raises :class:`AttributeError` if it has none."""
        if self.engine.model is None:
            raise AttributeError(f"codec {self.id} has no weights")
        return self.engine.model

    @property
    def device(self) -> torch.device:
        """Where the networks run."""
        return self.engine.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of number that they compute in."""
        return self.engine.dtype

    # What needs no model, so that a codec has all there is.
    info = staticmethod(files.info)
    truncate = staticmethod(files.truncate)
    verify = staticmethod(files.verify)

    @property
    def iterations(self) -> int:
        """The most iterations a file of this model can hold."""
        return self.engine.iterations

    # Of two or three axes it is one picture, of four several.
    @overload
    def encode(
        self, image: Tensor | NDArray[Any], *, out: Any = ..., **options: Unpack[EncodeOptions]
    ) -> Any: ...
    @overload
    def encode(  # type: ignore[overload-overlap]
        self,
        image: ImageLike | Picture,
        *,
        out: Destination | None = ...,
        batch_size: int | None = ...,
        **options: Unpack[EncodeOptions],
    ) -> bytes: ...
    @overload
    def encode(
        self,
        image: Several[ImageLike | Picture],
        *,
        out: Sequence[Destination] | None = ...,
        batch_size: int | None = ...,
        **options: Unpack[EncodeOptions],
    ) -> list[bytes]: ...

    @with_options(EncodeOptions)
    def encode(
        self,
        image: ImageLike | Picture | Several[ImageLike | Picture],
        *,
        out: Destination | Sequence[Destination] | None = None,
        batch_size: int | None = None,
        **options: Unpack[EncodeOptions],
    ) -> Any:
        """Encode one image to a file, or several to a list of files.

        An image is a Pillow image, a path, an open binary file, an image file's bytes (bytes-like, or an array or
        tensor of uint8 with one axis), an array (uint8, H×W or H×W×C) or a tensor (uint8 or float in [0, 1], C×H×W);
        1 and 2 channels are grey and grey with alpha, 3 and 4 RGB and RGBA. Alpha is kept without loss. Palettes
        become RGB, or RGBA where something in them is transparent.

        Give at most one target. The file is returned, and written to ``out`` as well: a path, which gets all of it or
        stays as it was, or an open binary file.

        Several are a list, a tuple or any other iterable, a ``Dataset`` of torch, an array of objects or a batch
        (tensor N×C×H×W, array N×H×W×C), and ``out`` is a list of as many. Each is taken when its turn comes, and all
        are tried: where some fail, a :class:`BatchError` has the others' files. An iterator that fails ends there.

        Of several a GPU computes up to ``batch_size`` of one size together (by itself 8), and no more than some batches
        wait in memory. A CPU takes one at a time, whatever it says.

        Text and line art that the model cannot show well come with an :class:`UnsuitablePictureWarning`. Raises
        :class:`ImageError`, :class:`TargetError`, :class:`LimitError`, :class:`WeightsError`, :class:`OutputError`.

        With ``lossless`` but no ``preview`` the codec "lossless" makes the file, whatever this one is.
        """
        if is_several(image) or is_batch(image):
            items, places = placed(Items(image), out)
            return collected(self._encoded(items, places, options, batch_size, alone=items.count == 1))
        return single([*self._encoded([image], destinations(out, None), options, batch_size, alone=True)])

    def _encoded(
        self,
        images: Iterable[Any],
        places: Iterable[Destination | None],
        options: EncodeOptions,
        batch_size: int | None,
        *,
        alone: bool,
    ) -> Iterator[bytes | Exception]:
        writers = encode_all(self.engine, images, options, alone=alone, batch_size=batch_size)
        # Places may go on for ever.
        for writer, place in zip(writers, places, strict=False):
            if isinstance(writer, Exception):
                yield writer
                continue
            for warning in writer.warnings:
                warn(warning)
            data = writer.assembly.to_bytes()
            failed = None if place is None else attempt(partial(deliver, place), data)
            yield data if failed is None else failed

    @overload
    def decode(  # type: ignore[overload-overlap]
        self,
        data: Source,
        *,
        like: Literal["pil"] = "pil",
        dtype: AnyType = ...,
        **options: Unpack[ForOne],
    ) -> Image.Image: ...
    @overload
    def decode(  # type: ignore[overload-overlap]
        self,
        data: Source,
        *,
        like: Literal["numpy"],
        dtype: WholeType = ...,
        **options: Unpack[ForOne],
    ) -> Array: ...
    @overload
    def decode(  # type: ignore[overload-overlap]
        self, data: Source, *, like: Literal["numpy"], dtype: RealType, **options: Unpack[ForOne]
    ) -> RealArray: ...
    @overload
    def decode(  # type: ignore[overload-overlap]
        self, data: Source, *, like: Literal["torch"], dtype: AnyType = ..., **options: Unpack[ForOne]
    ) -> Tensor: ...
    @overload
    def decode(  # type: ignore[overload-overlap]
        self, data: Source, *, like: str, dtype: AnyType = ..., **options: Unpack[ForOne]
    ) -> Output: ...
    @overload
    def decode(
        self,
        data: Several[Source],
        *,
        like: Literal["pil"] = "pil",
        dtype: AnyType = ...,
        **options: Unpack[ForMany],
    ) -> list[Image.Image]: ...
    @overload
    def decode(
        self,
        data: Several[Source],
        *,
        like: Literal["numpy"],
        dtype: WholeType = ...,
        **options: Unpack[ForMany],
    ) -> list[Array]: ...
    @overload
    def decode(
        self, data: Several[Source], *, like: Literal["numpy"], dtype: RealType, **options: Unpack[ForMany]
    ) -> list[RealArray]: ...
    @overload
    def decode(
        self,
        data: Several[Source],
        *,
        like: Literal["torch"],
        dtype: AnyType = ...,
        **options: Unpack[ForMany],
    ) -> list[Tensor]: ...
    @overload
    def decode(
        self, data: Several[Source], *, like: str, dtype: AnyType = ..., **options: Unpack[ForMany]
    ) -> list[Output]: ...

    @with_options(DecodeOptions)
    def decode(
        self,
        data: Source | Several[Source],
        *,
        like: str = "pil",
        dtype: AnyType = None,
        out: Destination | Sequence[Destination] | None = None,
        batch_size: int | None = None,
        **options: Unpack[DecodeOptions],
    ) -> Any:
        """Decode a file, or several to a list.

        A file is its bytes (bytes-like, or an array or tensor of uint8 with one axis), its path or an open binary file.
        ``like`` is "pil" (mode L, LA, RGB or RGBA), "numpy" (H×W×C uint8) or "torch" (C×H×W uint8 on the codec's
        device), C being 1 to 4 in that order of modes. Files of 16 bits give uint16 and mode I;16, and other modes
        with 8 bits and a :class:`ReducedDepthWarning`. ``dtype`` has arrays and tensors in one type, whatever the
        file has: "uint8", "uint16" (0 to 65535) or "float32" in [0, 1], also by NumPy's and torch's names; images of
        Pillow in "uint8" alone. Nothing is shown unless every chunk used is intact.

        The picture is returned, and written to ``out`` as well: a path, which gets an image file of the format that its
        suffix names, all of it or none, or an open binary file, which gets PNG if its name says nothing else. What the
        format has no room for comes with an :class:`OutputWarning`.

        Several are a list, a tuple or any other iterable, a ``Dataset`` of torch or an array of objects, and ``out`` is
        a list of as many. All are tried: where some fail, a :class:`BatchError` has the pictures of the others.

        Of several a GPU computes up to ``batch_size`` of one size together (by itself 8), and no more than some batches
        wait in memory. A CPU takes one at a time, whatever it says.

        Raises :class:`FormatError`, :class:`WeightsError`, :class:`TargetError`, :class:`LimitError`,
        :class:`SourceError`, :class:`OutputError`.
        """
        kind = check_kind(like, dtype)
        if is_several(data):
            items, places = image_places(Items(data), out)
            shown = decode_all(
                self.engine, items, kind, options, places, alone=items.count == 1, batch_size=batch_size
            )
            return collected(shown)
        file, place = cast(Source, data), image_place(out)
        shown = decode_all(self.engine, [file], kind, options, [place], alone=True, batch_size=batch_size)
        return single([*shown])

    @overload
    def progressive(
        self,
        data: Source,
        *,
        like: Literal["pil"] = "pil",
        dtype: AnyType = ...,
        **options: Unpack[ForProgressive],
    ) -> Iterator[Image.Image]: ...
    @overload
    def progressive(
        self,
        data: Source,
        *,
        like: Literal["numpy"],
        dtype: WholeType = ...,
        **options: Unpack[ForProgressive],
    ) -> Iterator[Array]: ...
    @overload
    def progressive(
        self, data: Source, *, like: Literal["numpy"], dtype: RealType, **options: Unpack[ForProgressive]
    ) -> Iterator[RealArray]: ...
    @overload
    def progressive(
        self,
        data: Source,
        *,
        like: Literal["torch"],
        dtype: AnyType = ...,
        **options: Unpack[ForProgressive],
    ) -> Iterator[Tensor]: ...
    @overload
    def progressive(
        self, data: Source, *, like: str, dtype: AnyType = ..., **options: Unpack[ForProgressive]
    ) -> Iterator[Output]: ...

    @with_options(ProgressiveOptions)
    def progressive(
        self,
        data: Source,
        *,
        like: str = "pil",
        dtype: AnyType = None,
        out: Destination | None = None,
        **options: Unpack[ProgressiveOptions],
    ) -> Iterator[Any]:
        """Yield one ever better image per code chunk, and one per strip of exact rows behind them.

        ``data`` may be a binary file object that is still being filled (a pipe, a socket's file): each
        image comes as soon as its chunk is complete, and nothing is read beyond the end mark's block.
        ``like``, ``dtype`` and what is raised are those of :meth:`decode`. Each image is written to ``out`` as well,
        where it takes the place of the one before: a path, which always has a whole one, or an open binary file that
        can seek.
        """
        return progressive(lambda header: self.engine, data, check_kind(like, dtype), options, out)
