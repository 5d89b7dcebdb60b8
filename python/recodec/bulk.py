"""Whole folders on Ray Data, on one machine or many: one codec per worker, resumable, no file stops the rest::

    recodec.bulk.encode_folder("photos", "coded", workers=4, bpp=0.5, summary="coded.jsonl")

Both folders must lie where every worker reaches them. ``RECODEC_WEIGHTS`` must be set when Ray starts.
"""

from __future__ import annotations

import functools
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, Unpack

import numpy as np
from PIL import Image

import recodec
from recodec import files
from recodec.codec import DecodeOptions, EncodeOptions
from recodec.errors import PackageError
from recodec.io import folders, outputs, picture_kinds
from recodec.io.image_files import to_bytes
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS
from recodec.lossless_mode import model_for
from recodec.options import check_options, with_options
from recodec.runtime.placement import chosen_device

try:
    import ray.data
except ImportError as error:
    raise PackageError(
        "recodec.bulk needs Ray Data, which is not installed; install it with the extra bulk: pip install "
        "'.[bulk]' in a checkout"
    ) from error

Folder: TypeAlias = str | os.PathLike[str]
Record: TypeAlias = dict[str, Any]
Batch: TypeAlias = dict[str, Any]


@with_options(EncodeOptions)
def encode_folder(
    source: Folder,
    target: Folder,
    *,
    workers: int = 1,
    model: str = "default",
    device: str = "cpu",
    summary: Folder | None = None,
    **options: Unpack[EncodeOptions],
) -> list[Record]:
    """Encode every image in and below ``source`` to a .rcd file at the same place below ``target``.

    An output that exists and verifies is left as it is, whatever it was made with, so a run that was
    stopped goes on where it was. Returns one record per image, as ``recodec encode --json`` prints them:
    ``file`` and ``output`` with ``bytes``, ``bpp``, ``iterations`` and ``lossless``, or with ``skipped``; or ``file``
    with ``error`` and ``message``; and one per file of another kind, with ``left_out``. ``summary`` names a file that
    they are written to, one a line, as they come.
    ``options`` are those of :meth:`Codec.encode`. Images that would become one file fail,
    each with an error. Raises :class:`WeightsError`.
    """
    check_options("encode", options, EncodeOptions.__optional_keys__)
    model = model_for(model, options)
    device = str(chosen_device(device))
    recodec.load(model, device=device)  # fail here rather than in every worker
    picture_kinds.register_plugins()
    plan = folders.plan([os.fspath(source)], os.fspath(target), ".rcd", wanted=picture_kinds.image_chooser())
    worker = (_Encoder, {"model": model, "device": device, "options": options})
    return _run(plan, worker, workers, device, summary)


@with_options(DecodeOptions)
def decode_folder(
    source: Folder,
    target: Folder,
    *,
    workers: int = 1,
    device: str = "cpu",
    summary: Folder | None = None,
    **options: Unpack[DecodeOptions],
) -> list[Record]:
    """Decode every .rcd file in and below ``source`` to a PNG file at the same place below ``target``.

    Skips, reports and raises like :func:`encode_folder`; ``options`` are those of :meth:`Codec.decode`.
    """
    check_options("decode", options, DecodeOptions.__optional_keys__)
    device = str(chosen_device(device))
    plan = folders.plan([os.fspath(source)], os.fspath(target), ".png", wanted=picture_kinds.is_rcd_file)
    worker = (_Decoder, {"device": device, "options": options})
    return _run(plan, worker, workers, device, summary)


class _Encoder:
    """What Ray keeps in a process of its own; takes and gives batches of rows."""

    def __init__(self, model: str, device: str, options: EncodeOptions):
        self._codec, self._options = recodec.load(model, device=device), options
        picture_kinds.register_plugins()
        # max_pixels is the limit here; Pillow's own would stop below it.
        Image.MAX_IMAGE_PIXELS = None

    def __call__(self, batch: Batch) -> Batch:
        return _report(batch, self._work, self._options)

    def _work(self, source: str, target: str) -> Record:
        data = self._codec.encode(Path(source), **self._options)
        outputs.write(target, data)
        info = recodec.info(data)
        return {
            "bytes": len(data),
            "bpp": info.bpp,
            "iterations": info.iterations,
            "lossless": info.lossless,
        }


class _Decoder:
    """The same for decoding; holds a codec for every model that the files name."""

    def __init__(self, device: str, options: DecodeOptions):
        self._load = functools.cache(functools.partial(recodec.load, device=device))
        self._options = options
        # As above, for the pictures that are there.
        Image.MAX_IMAGE_PIXELS = None

    def __call__(self, batch: Batch) -> Batch:
        return _report(batch, self._work, self._options)

    def _work(self, source: str, target: str) -> Record:
        data = Path(source).read_bytes()
        info = recodec.info(data)
        image = self._load(info.model, model_hash=info.model_hash).decode(data, **self._options)
        outputs.write(target, to_bytes(image, "PNG")[0])
        return {"width": image.width, "height": image.height, "truncated": info.truncated}


def _report(
    batch: Batch, work: Callable[[str, str], Record], options: EncodeOptions | DecodeOptions
) -> Batch:
    """Do ``work`` for every row whose output is not there and sound, by the limits among its ``options``."""
    max_pixels = options.get("max_pixels", DEFAULT_MAX_PIXELS)
    max_memory = options.get("max_memory", DEFAULT_MAX_MEMORY)
    records: list[Record] = []
    for paths in zip(batch["source"], batch["target"], strict=True):
        source, target = map(os.fsdecode, paths)
        try:
            # Ray repeats what a lost worker had begun; what it had finished is found here too.
            if files.is_sound(target, max_pixels=max_pixels, max_memory=max_memory):
                records.append({"file": source, "output": target, "skipped": True})
                continue
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            records.append({"file": source, "output": target, **work(source, target)})
        except Exception as error:  # noqa: BLE001 - whatever happens, the other files get their turn
            records.append(_failure(source, error))
    # As text, because records have different keys.
    return {"record": np.array([json.dumps(record) for record in records], dtype=object)}


def _run(
    plan: folders.Plan,
    worker: tuple[type, Record],
    workers: int,
    device: str,
    summary: Folder | None,
) -> list[Record]:
    records: list[Record] = [{"file": file, "left_out": kind} for file, kind in plan.left_out]
    records += [_failure(pair.source, pair.problem) for pair in plan.pairs if pair.problem]
    # As bytes: not every name is text that Ray could send.
    names = [tuple(map(os.fsencode, pair[:2])) for pair in plan.pairs if not pair.problem]
    with open(summary, "w") if summary is not None else io.StringIO() as lines:
        lines.writelines(json.dumps(record) + "\n" for record in records)
        for text in _work(names, worker, workers, device) if names else ():
            lines.write(text + "\n")
            lines.flush()
            records.append(json.loads(text))
    return records


def _work(
    names: Sequence[tuple[bytes, ...]], worker: tuple[type, Record], workers: int, device: str
) -> Iterator[str]:
    """Records as JSON, as they are done."""
    kind, arguments = worker
    rows = [{"source": source, "target": target} for source, target in names]
    results = ray.data.from_items(rows).map_batches(
        kind,
        # One file a call: each takes long enough to be worth one.
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
        fn_constructor_kwargs=arguments,
        num_cpus=1,
        num_gpus=0 if device == "cpu" else 1,
    )
    for row in results.iter_rows():
        yield row["record"]


def _failure(source: str, error: Exception) -> Record:
    return {"file": source, "error": type(error).__name__, "message": " ".join(str(error).split())}
