"""Whole folders on Ray Data, on one machine or many: one codec per worker, resumable, no file stops the rest::

    recodec.bulk.encode_folder("photos", "coded", workers=4, bpp=0.5, summary="coded.jsonl")

Both folders must lie where every worker reaches them. ``RECODEC_WEIGHTS`` must be set when Ray starts.
"""

from __future__ import annotations

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
from recodec.container.targets import positive, positive_int
from recodec.errors import PackageError
from recodec.io import folders, outputs, picture_kinds
from recodec.io.image_files import to_bytes
from recodec.io.sources import Buffer, read_source
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS
from recodec.lossless_mode import model_for
from recodec.options import check_options, with_options
from recodec.pipelines.codecs import Codecs
from recodec.runtime.placement import chosen_device
from recodec.several import attempt, outcomes

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
    dtype: str = "float32",
    gpus: float = 1,
    batch_size: int = 1,
    summary: Folder | None = None,
    **options: Unpack[EncodeOptions],
) -> list[Record]:
    """Encode every image in and below ``source`` to a .rcd file at the same place below ``target``.

    An output that exists and verifies is left as it is, whatever it was made with, so a run that was
    stopped goes on where it was. Returns one record per image, as ``recodec encode --json`` prints them:
    ``file`` and ``output`` with ``bytes``, ``bpp``, ``iterations`` and ``lossless``, or with ``skipped``; or ``file``
    with ``error`` and ``message``; and one per file of another kind, with ``left_out``. ``summary`` names a file that
    they are written to, one a line, as they come.
    Networks compute in ``dtype`` on ``device``. A worker takes ``gpus`` of the GPUs, which may be a share of one, and
    ``batch_size`` files in turn, those of one size together on a GPU; they are written when all of them are done.
    ``options`` are those of :meth:`Codec.encode`. Images that would become one file fail,
    each with an error. Raises :class:`WeightsError`, :class:`DeviceError`, :class:`TargetError`.
    """
    check_options("encode", options, EncodeOptions.__optional_keys__)
    model = model_for(model, options)
    device = str(chosen_device(device))
    recodec.load(model, device=device, dtype=dtype)  # fail here rather than in every worker
    picture_kinds.register_plugins()
    plan = folders.plan([os.fspath(source)], os.fspath(target), ".rcd", wanted=picture_kinds.image_chooser())
    worker = (_Encoder, {"model": model, "device": device, "dtype": dtype, "options": options})
    return _run(plan, worker, _Share(workers, device, gpus, batch_size), summary)


@with_options(DecodeOptions)
def decode_folder(
    source: Folder,
    target: Folder,
    *,
    workers: int = 1,
    device: str = "cpu",
    dtype: str = "float32",
    gpus: float = 1,
    batch_size: int = 1,
    summary: Folder | None = None,
    **options: Unpack[DecodeOptions],
) -> list[Record]:
    """Decode every .rcd file in and below ``source`` to a PNG file at the same place below ``target``.

    Skips, reports and raises like :func:`encode_folder`, which says what ``dtype``, ``gpus`` and ``batch_size`` are;
    ``options`` are those of :meth:`Codec.decode`.
    """
    check_options("decode", options, DecodeOptions.__optional_keys__)
    device = str(chosen_device(device))
    plan = folders.plan([os.fspath(source)], os.fspath(target), ".png", wanted=picture_kinds.is_rcd_file)
    worker = (_Decoder, {"device": device, "dtype": dtype, "options": options})
    return _run(plan, worker, _Share(workers, device, gpus, batch_size), summary)


class _Share:
    """Of machines and files, what a worker gets. Raises :class:`TargetError`."""

    def __init__(self, workers: int, device: str, gpus: float, batch_size: int):
        self.workers, self.batch_size = workers, positive_int("batch_size", batch_size)
        self.gpus = 0.0 if device == "cpu" else positive("gpus", gpus)


class _Encoder:
    """What Ray keeps in a process of its own; takes and gives batches of rows."""

    def __init__(self, model: str, device: str, dtype: str, options: EncodeOptions):
        self._codec, self._options = recodec.load(model, device=device, dtype=dtype), options
        picture_kinds.register_plugins()
        # max_pixels is the limit here; Pillow's own would stop below it.
        Image.MAX_IMAGE_PIXELS = None

    def __call__(self, batch: Batch) -> Batch:
        return _report(batch, self._coded, self._written, self._options)

    def _coded(self, sources: Sequence[str]) -> list[Any]:
        return outcomes(self._codec.encode, [*map(Path, sources)], batch_size=len(sources), **self._options)

    def _written(self, target: str, data: bytes) -> Record:
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

    def __init__(self, device: str, dtype: str, options: DecodeOptions):
        self._codecs, self._options = Codecs(device, dtype), options
        # As above, for the pictures that are there.
        Image.MAX_IMAGE_PIXELS = None

    def __call__(self, batch: Batch) -> Batch:
        return _report(batch, self._shown, self._written, self._options)

    def _shown(self, sources: Sequence[str]) -> list[Any]:
        files = [attempt(read_source, source) for source in sources]
        shown = self._codecs.decode(files, batch_size=len(files), **self._options)
        return [
            one if isinstance(one, Exception) else (one, data) for one, data in zip(shown, files, strict=True)
        ]

    def _written(self, target: str, shown: tuple[Image.Image, Buffer]) -> Record:
        image, data = shown
        outputs.write(target, to_bytes(image, "PNG")[0])
        return {"width": image.width, "height": image.height, "truncated": recodec.info(data).truncated}


def _report(
    batch: Batch,
    work: Callable[[Sequence[str]], Sequence[Any]],
    written: Callable[[str, Any], Record],
    options: EncodeOptions | DecodeOptions,
) -> Batch:
    """Do ``work`` for all rows whose output is not there and sound, by the limits among ``options``; write each."""
    max_pixels = options.get("max_pixels", DEFAULT_MAX_PIXELS)
    max_memory = options.get("max_memory", DEFAULT_MAX_MEMORY)
    rows = [tuple(map(os.fsdecode, pair)) for pair in zip(batch["source"], batch["target"], strict=True)]
    # Ray repeats what a lost worker had begun; what it had finished is found here too.
    sound = {pair for pair in rows if files.is_sound(pair[1], max_pixels=max_pixels, max_memory=max_memory)}
    missing = [pair for pair in rows if pair not in sound]
    try:
        done = dict(zip(missing, work([source for source, _ in missing]) if missing else (), strict=True))
    except Exception as error:  # noqa: BLE001 - whatever happens, the other files get their turn
        done = dict.fromkeys(missing, error)

    def finished(pair: tuple[str, ...]) -> Record:
        source, target = pair
        if pair in sound:
            return {"file": source, "output": target, "skipped": True}
        if isinstance(done[pair], Exception):
            raise done[pair]
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        return {"file": source, "output": target, **written(target, done[pair])}

    records = [attempt(finished, pair) for pair in rows]
    told = [
        _failure(pair[0], record) if isinstance(record, Exception) else record
        for pair, record in zip(rows, records, strict=True)
    ]
    # As text, because records have different keys.
    return {"record": np.array([json.dumps(record) for record in told], dtype=object)}


def _run(
    plan: folders.Plan,
    worker: tuple[type, Record],
    share: _Share,
    summary: Folder | None,
) -> list[Record]:
    records: list[Record] = [{"file": file, "left_out": kind} for file, kind in plan.left_out]
    records += [_failure(pair.source, pair.problem) for pair in plan.pairs if pair.problem]
    # As bytes: not every name is text that Ray could send.
    names = [tuple(map(os.fsencode, pair[:2])) for pair in plan.pairs if not pair.problem]
    with open(summary, "w") if summary is not None else io.StringIO() as lines:
        lines.writelines(json.dumps(record) + "\n" for record in records)
        for text in _work(names, worker, share) if names else ():
            lines.write(text + "\n")
            lines.flush()
            records.append(json.loads(text))
    return records


def _work(names: Sequence[tuple[bytes, ...]], worker: tuple[type, Record], share: _Share) -> Iterator[str]:
    """Records as JSON, as they are done."""
    kind, arguments = worker
    rows = [{"source": source, "target": target} for source, target in names]
    results = ray.data.from_items(rows).map_batches(
        kind,
        batch_size=share.batch_size,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=share.workers, initial_size=share.workers),
        fn_constructor_kwargs=arguments,
        num_cpus=1,
        num_gpus=share.gpus,
    )
    for row in results.iter_rows():
        yield row["record"]


def _failure(source: str, error: Exception) -> Record:
    return {"file": source, "error": type(error).__name__, "message": " ".join(str(error).split())}
