"""The functions behind ``import recodec`` that need a codec; they find or share one."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, Unpack, overload

import torch
from PIL import Image
from torch import Tensor

from recodec.codec import Codec, DecodeOptions, EncodeOptions
from recodec.decoding import CodedFile, check_decode_options, decode_all, open_file
from recodec.decoding import progressive as decode_progressively
from recodec.families.protocol import Engine, FileHeader
from recodec.families.registry import codecs_without_weights, engine_of, family_without_weights
from recodec.io.destinations import Destination
from recodec.io.image_files import image_places
from recodec.io.output_images import Array, Like, Output, check_like
from recodec.io.pictures import ImageLike, Picture
from recodec.io.sources import Source, read_blocks
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, Limits
from recodec.lossless_mode import model_for
from recodec.model_search import DEFAULT_MODEL, SEARCH_PATH_VARIABLE, available_models, check_name
from recodec.ops.backend import Backend
from recodec.several import attempt, collected, is_several, single
from recodec.weights import load_model


def load(
    model: str | os.PathLike[str] = "default",
    *,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    backend: Backend = "auto",
    model_hash: str | None = None,
) -> Codec:
    """Load a model by id (see :func:`models`), or a weights file by its path.

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


# Of three axes it is one picture, of four several.
@overload
def encode(
    image: Tensor, *, model: str = "default", out: Any = ..., **options: Unpack[EncodeOptions]
) -> Any: ...
@overload
def encode(  # type: ignore[overload-overlap]
    image: ImageLike | Picture,
    *,
    model: str = "default",
    out: Destination | None = ...,
    **options: Unpack[EncodeOptions],
) -> bytes: ...
@overload
def encode(
    image: Sequence[ImageLike | Picture],
    *,
    model: str = "default",
    out: Sequence[Destination] | None = ...,
    **options: Unpack[EncodeOptions],
) -> list[bytes]: ...


def encode(image: Any, *, model: str = "default", out: Any = None, **options: Unpack[EncodeOptions]) -> Any:
    """Encode one image, or a list of them; see :meth:`Codec.encode`. ``model`` is a model's id or path.

    ``lossless=True`` keeps every sample and takes no model, unless there is a ``preview`` for it to show.
    """
    return _codec(model_for(model, options)).encode(image, out=out, **options)


@overload
def decode(  # type: ignore[overload-overlap]
    data: Source,
    *,
    like: Literal["pil"] = "pil",
    out: Destination | None = ...,
    **options: Unpack[DecodeOptions],
) -> Image.Image: ...
@overload
def decode(  # type: ignore[overload-overlap]
    data: Source, *, like: Literal["numpy"], out: Destination | None = ..., **options: Unpack[DecodeOptions]
) -> Array: ...
@overload
def decode(  # type: ignore[overload-overlap]
    data: Source, *, like: Literal["torch"], out: Destination | None = ..., **options: Unpack[DecodeOptions]
) -> Tensor: ...
@overload
def decode(  # type: ignore[overload-overlap]
    data: Source, *, like: str, out: Destination | None = ..., **options: Unpack[DecodeOptions]
) -> Output: ...
@overload
def decode(
    data: Sequence[Source],
    *,
    like: Literal["pil"] = "pil",
    out: Sequence[Destination] | None = ...,
    **options: Unpack[DecodeOptions],
) -> list[Image.Image]: ...
@overload
def decode(
    data: Sequence[Source],
    *,
    like: Literal["numpy"],
    out: Sequence[Destination] | None = ...,
    **options: Unpack[DecodeOptions],
) -> list[Array]: ...
@overload
def decode(
    data: Sequence[Source],
    *,
    like: Literal["torch"],
    out: Sequence[Destination] | None = ...,
    **options: Unpack[DecodeOptions],
) -> list[Tensor]: ...
@overload
def decode(
    data: Sequence[Source],
    *,
    like: str,
    out: Sequence[Destination] | None = ...,
    **options: Unpack[DecodeOptions],
) -> list[Output]: ...


def decode(
    data: Any,
    *,
    like: str = "pil",
    out: Any = None,
    **options: Unpack[DecodeOptions],
) -> Any:
    """Decode one file, or a list of them, each with the model it names; see :meth:`Codec.decode` for the options."""
    limits, kind = check_decode_options(options), check_like(like)
    places = image_places(out, len(data) if is_several(data) else None)
    if not is_several(data):
        file = open_file(data, limits)
        return single(decode_all(_engine(file.header), [file], kind, options, places))
    files = [attempt(lambda source: open_file(source, limits), source) for source in data]
    return collected(_decoded(files, kind, options, places))


def _decoded(
    files: Sequence[CodedFile | Exception],
    like: Like,
    options: DecodeOptions,
    outs: Sequence[Destination | None],
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
            shown = decode_all(engine, chosen, like, options, [outs[place] for place in group])
            results.update(zip(group, shown, strict=True))
    return [results[place] for place in range(len(files))]


@overload
def progressive(
    data: Source, *, like: Literal["pil"] = "pil", max_pixels: int | None = ..., max_memory: int | None = ...
) -> Iterator[Image.Image]: ...
@overload
def progressive(
    data: Source, *, like: Literal["numpy"], max_pixels: int | None = ..., max_memory: int | None = ...
) -> Iterator[Array]: ...
@overload
def progressive(
    data: Source, *, like: Literal["torch"], max_pixels: int | None = ..., max_memory: int | None = ...
) -> Iterator[Tensor]: ...
@overload
def progressive(
    data: Source, *, like: str, max_pixels: int | None = ..., max_memory: int | None = ...
) -> Iterator[Output]: ...


def progressive(
    data: Source,
    *,
    like: str = "pil",
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    max_memory: int | None = DEFAULT_MAX_MEMORY,
) -> Iterator[Any]:
    """Yield one ever better image per code chunk and strip; see :meth:`Codec.progressive`."""
    return decode_progressively(_engine, read_blocks(data), check_like(like), Limits(max_pixels, max_memory))


def _engine(header: FileHeader) -> Engine:
    return _codec(header.common.model, header.common.model_hash.hex()).engine
