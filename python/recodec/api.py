"""The functions behind ``import recodec`` that need a codec; they find or share one."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, Unpack, cast, overload

import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recodec.codec import Codec, DecodeOptions, EncodeOptions, ProgressiveOptions
from recodec.decode_options import ForMany, ForOne, ForProgressive, check_decode_options
from recodec.decoding import CodedFile, decode_all, open_file
from recodec.decoding import progressive as decode_progressively
from recodec.families.protocol import Engine, FileHeader
from recodec.families.registry import codecs_without_weights, engine_of, family_without_weights
from recodec.io.destinations import Destination
from recodec.io.image_files import image_place, image_places
from recodec.io.output_images import AnyType, Array, Kind, Output, RealArray, RealType, WholeType, check_kind
from recodec.io.pictures import ImageLike, Picture
from recodec.io.sources import Source
from recodec.lossless_mode import model_for
from recodec.model_search import DEFAULT_MODEL, SEARCH_PATH_VARIABLE, available_models, check_name
from recodec.ops.backend import Backend
from recodec.options import with_options
from recodec.runtime.together import check_batch_size
from recodec.several import Items, Several, attempt, collected, is_several, single, tried
from recodec.weights import load_model


def load(
    model: str | os.PathLike[str] = "default",
    *,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    backend: Backend = "auto",
    model_hash: str | None = None,
) -> Codec:
    """Load a model by id (see :func:`models`), or a weights file by its path, as text too.

    ``device`` is one of torch's, or "auto": a CUDA device where there is one, else the CPU.
    ``model_hash`` as :attr:`Info.model_hash` has it finds the weights that a file names, even where others have their
    id.
    ``backend`` "auto" computes with recodec's Triton kernels on CUDA devices that have Triton, "reference" with
    plain PyTorch everywhere, "triton" with the kernels or not at all. Raises :class:`WeightsError` if the
    model is unknown or damaged, :class:`DeviceError` for a device, ``dtype`` or backend that cannot be had.
    """
    check_name(model)
    if isinstance(model, str) and (family := family_without_weights(model)):
        return Codec(family.engine(None, device, dtype, backend))
    weights = load_model(DEFAULT_MODEL if model == "default" else model, model_hash)
    return Codec(engine_of(weights, device, dtype, backend))


@lru_cache(maxsize=4)
def _shared_codec(model: str, model_hash: str | None, search_path: str) -> Codec:
    return load(model, model_hash=model_hash)


def _codec(model: str, model_hash: str | None = None) -> Codec:
    check_name(model)
    # The search path is part of the key so that a change of the variable is seen.
    return _shared_codec(model, model_hash, os.environ.get(SEARCH_PATH_VARIABLE, ""))


def models() -> tuple[str, ...]:
    """Ids of the models that can be loaded here."""
    return tuple(sorted({*available_models(), *codecs_without_weights()}))


# Of two or three axes it is one picture, of four several.
@overload
def encode(
    image: Tensor | NDArray[Any],
    *,
    model: str = "default",
    out: Any = ...,
    batch_size: int | None = ...,
    **options: Unpack[EncodeOptions],
) -> Any: ...
@overload
def encode(  # type: ignore[overload-overlap]
    image: ImageLike | Picture,
    *,
    model: str = "default",
    out: Destination | None = ...,
    batch_size: int | None = ...,
    **options: Unpack[EncodeOptions],
) -> bytes: ...
@overload
def encode(
    image: Several[ImageLike | Picture],
    *,
    model: str = "default",
    out: Sequence[Destination] | None = ...,
    batch_size: int | None = ...,
    **options: Unpack[EncodeOptions],
) -> list[bytes]: ...


@with_options(EncodeOptions)
def encode(
    image: ImageLike | Picture | Several[ImageLike | Picture],
    *,
    model: str = "default",
    out: Destination | Sequence[Destination] | None = None,
    batch_size: int | None = None,
    **options: Unpack[EncodeOptions],
) -> Any:
    """Encode one image to a file, or several to a list of files.

    ``model`` is a model's id (see :func:`models`) or the path of its weights.

    An image is a Pillow image, a path, an open binary file, an image file's bytes (bytes-like, or an array or
    tensor of uint8 with one axis), an array (uint8, H×W or H×W×C) or a tensor (uint8 or float in [0, 1], C×H×W);
    1 and 2 channels are grey and grey with alpha, 3 and 4 RGB and RGBA. Alpha is kept without loss. Palettes
    become RGB, or RGBA where something in them is transparent.

    Give at most one target. The file is returned, and written to ``out`` as well: a path, which gets all of it or
    stays as it was, or an open binary file.

    Several are a list, a tuple or any other iterable, a ``Dataset`` of torch, an array of objects or a batch
    (tensor N×C×H×W, array N×H×W×C), and ``out`` is a list of as many. Each is taken when its turn comes, and all are
    tried: where some fail, a :class:`BatchError` has the others' files. An iterator that fails ends there.

    Of several a GPU computes up to ``batch_size`` of one size together (by itself 8), and no more than some batches
    wait in memory. A CPU takes one at a time, whatever it says.

    Text and line art that the model cannot show well come with an :class:`UnsuitablePictureWarning`. Raises
    :class:`ImageError`, :class:`TargetError`, :class:`LimitError`, :class:`WeightsError`, :class:`OutputError`.
    """
    codec = _codec(model_for(model, options))
    return codec.encode(cast(Any, image), out=out, batch_size=batch_size, **options)


@overload
def decode(  # type: ignore[overload-overlap]
    data: Source, *, like: Literal["pil"] = "pil", dtype: AnyType = ..., **options: Unpack[ForOne]
) -> Image.Image: ...
@overload
def decode(  # type: ignore[overload-overlap]
    data: Source, *, like: Literal["numpy"], dtype: WholeType = ..., **options: Unpack[ForOne]
) -> Array: ...
@overload
def decode(  # type: ignore[overload-overlap]
    data: Source, *, like: Literal["numpy"], dtype: RealType, **options: Unpack[ForOne]
) -> RealArray: ...
@overload
def decode(  # type: ignore[overload-overlap]
    data: Source, *, like: Literal["torch"], dtype: AnyType = ..., **options: Unpack[ForOne]
) -> Tensor: ...
@overload
def decode(  # type: ignore[overload-overlap]
    data: Source, *, like: str, dtype: AnyType = ..., **options: Unpack[ForOne]
) -> Output: ...
@overload
def decode(
    data: Several[Source],
    *,
    like: Literal["pil"] = "pil",
    dtype: AnyType = ...,
    **options: Unpack[ForMany],
) -> list[Image.Image]: ...
@overload
def decode(
    data: Several[Source],
    *,
    like: Literal["numpy"],
    dtype: WholeType = ...,
    **options: Unpack[ForMany],
) -> list[Array]: ...
@overload
def decode(
    data: Several[Source], *, like: Literal["numpy"], dtype: RealType, **options: Unpack[ForMany]
) -> list[RealArray]: ...
@overload
def decode(
    data: Several[Source],
    *,
    like: Literal["torch"],
    dtype: AnyType = ...,
    **options: Unpack[ForMany],
) -> list[Tensor]: ...
@overload
def decode(
    data: Several[Source], *, like: str, dtype: AnyType = ..., **options: Unpack[ForMany]
) -> list[Output]: ...


@with_options(DecodeOptions)
def decode(
    data: Source | Several[Source],
    *,
    like: str = "pil",
    dtype: AnyType = None,
    out: Destination | Sequence[Destination] | None = None,
    batch_size: int | None = None,
    **options: Unpack[DecodeOptions],
) -> Any:
    """Decode a file with the model it names, or several, of any models, to a list.

    A file is its bytes (bytes-like, or an array or tensor of uint8 with one axis), its path or an open binary file.
    ``like`` is "pil" (mode L, LA, RGB or RGBA), "numpy" (H×W×C uint8) or "torch" (C×H×W uint8 on the
    codec's device), C being 1 to 4 in that order of modes. Files of 16 bits give uint16 and mode I;16, and other modes
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
    limits, kind = check_decode_options(options), check_kind(like, dtype)
    check_batch_size(batch_size)
    if not is_several(data):
        place = image_place(out)
        file = open_file(cast(Source, data), limits)
        return single([*decode_all(_engine(file.header), [file], kind, options, [place], alone=True)])
    items, places = image_places(Items(data), out)
    files = [tried(lambda source: open_file(source, limits), source) for source in items]
    return collected(_decoded(files, kind, options, [*islice(places, len(files))], batch_size))


def _decoded(
    files: Sequence[CodedFile | Exception],
    kind: Kind,
    options: DecodeOptions,
    outs: Sequence[Destination | None],
    batch_size: int | None,
) -> list[Output | Exception]:
    """Pictures of files of any models; those of one model together."""
    results: dict[int, Output | Exception] = {}
    places: dict[Hashable, list[int]] = {}
    for place, file in enumerate(files):
        if isinstance(file, Exception):
            results[place] = file
        else:
            common = file.header.common
            places.setdefault((common.model, common.model_hash), []).append(place)
    for group in places.values():
        chosen = [file for place in group if not isinstance(file := files[place], Exception)]
        engine = attempt(_engine, chosen[0].header)
        if isinstance(engine, Exception):
            results.update(dict.fromkeys(group, engine))
        else:
            own = [outs[place] for place in group]
            shown = decode_all(
                engine, chosen, kind, options, own, alone=len(group) == 1, batch_size=batch_size
            )
            results.update(zip(group, shown, strict=True))
    return [results[place] for place in range(len(files))]


@overload
def progressive(
    data: Source,
    *,
    like: Literal["pil"] = "pil",
    dtype: AnyType = ...,
    **options: Unpack[ForProgressive],
) -> Iterator[Image.Image]: ...
@overload
def progressive(
    data: Source, *, like: Literal["numpy"], dtype: WholeType = ..., **options: Unpack[ForProgressive]
) -> Iterator[Array]: ...
@overload
def progressive(
    data: Source, *, like: Literal["numpy"], dtype: RealType, **options: Unpack[ForProgressive]
) -> Iterator[RealArray]: ...
@overload
def progressive(
    data: Source, *, like: Literal["torch"], dtype: AnyType = ..., **options: Unpack[ForProgressive]
) -> Iterator[Tensor]: ...
@overload
def progressive(
    data: Source, *, like: str, dtype: AnyType = ..., **options: Unpack[ForProgressive]
) -> Iterator[Output]: ...


@with_options(ProgressiveOptions)
def progressive(
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
    where it takes the place of the one before: a path, which always has a whole one, or an open binary file that can
    seek.
    """
    return decode_progressively(_engine, data, check_kind(like, dtype), options, out)


def _engine(header: FileHeader) -> Engine:
    return _codec(header.common.model, header.common.model_hash.hex()).engine
