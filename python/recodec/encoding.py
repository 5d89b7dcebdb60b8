"""From pictures to files: what :meth:`recodec.Codec.encode` does."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from recodec import _core
from recodec.container.core import ICC
from recodec.container.targets import Target, Targets, resolve_target
from recodec.container.writer import FileWriter
from recodec.errors import HiddenModelWarning, InputWarning, TargetError, UnsuitablePictureWarning
from recodec.families.protocol import Encoder, Engine
from recodec.io.pictures import ImageLike, Picture, read_picture
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, Limits
from recodec.options import check_options
from recodec.runtime.batches import batched, prepared, usable_cores
from recodec.weights import hides_shipped

# dB that a model should be able to reach; photographs lie above, text and line art below.
_LEAST_PSNR = 30.0


class EncodeOptions(Targets, total=False):
    """Keyword arguments of :meth:`recodec.Codec.encode`; ``entropy`` is an option of family 1."""

    convert: bool
    strip: bool
    entropy: Literal["auto", "network", "adaptive"]
    max_pixels: int | None
    max_memory: int | None


@dataclass(frozen=True, slots=True)
class _Job:
    """A picture on its way into a file."""

    encoder: Encoder
    writer: FileWriter
    psnr: float | None

    @property
    def batch_key(self) -> Hashable:
        """What pictures that are encoded together have in common; None where that cannot be."""
        key = self.encoder.batch_key
        return None if key is None or self.psnr is not None else (key, self.writer.iterations)


def encode_all(
    engine: Engine, images: Sequence[ImageLike | Picture], options: EncodeOptions
) -> Iterator[FileWriter]:
    """Complete files, in order. Raises :class:`OptionError`."""
    check_options("encode", options, EncodeOptions.__optional_keys__)
    if engine.at_once == 1:
        for image in images:
            job = _start(engine, image, **options)
            _fill(job)
            yield job.writer
        return

    def process(jobs: Sequence[_Job]) -> list[FileWriter]:
        if jobs[0].batch_key is None:
            for job in jobs:
                _fill(job)
        else:
            engine.encode_together([job.encoder for job in jobs], jobs[0].writer.iterations)
            for _ in prepared(jobs, _fill, usable_cores()):
                pass
        return [job.writer for job in jobs]

    if len(images) == 1:
        yield from process([_start(engine, images[0], **options)])
        return
    jobs = prepared(images, lambda image: _start(engine, image, **options), usable_cores())
    yield from batched(jobs, lambda job: job.batch_key, process, engine.at_once)


def _start(
    engine: Engine,
    image: ImageLike | Picture,
    *,
    convert: bool = False,
    strip: bool = False,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    max_memory: int | None = DEFAULT_MAX_MEMORY,
    **options: Any,
) -> _Job:
    """Read a picture and begin its file; ``options`` are targets and the family's own."""
    limits = Limits(max_pixels, max_memory)
    picture = read_picture(
        image,
        partial(engine.check_size, limits=limits),
        convert=convert,
        strip=strip,
    )
    targets: Targets = {name: options.pop(name) for name in Targets.__optional_keys__ & options.keys()}  # type: ignore[assignment]
    target = _target(engine, picture, targets)
    if target.iterations is not None and target.iterations > engine.iterations:
        raise TargetError(f"iterations is {target.iterations}; model {engine.id} has {engine.iterations}")
    header = _header(engine, picture)
    encoder = engine.encoder(picture, header, limits, **options)
    header.fields = encoder.fields
    writer = FileWriter(header, picture, target, engine.iterations)
    writer.noticed += [InputWarning(f"of the image, {text}") for text in picture.said]
    if engine.model is not None and hides_shipped(engine.model):
        writer.noticed.append(HiddenModelWarning(engine.id))
    best = _decibels(encoder.least_error())
    if best < _LEAST_PSNR:
        writer.noticed.append(UnsuitablePictureWarning(engine.id, best))
    return _Job(encoder, writer, target.psnr)


def _target(engine: Engine, picture: Picture, targets: Targets) -> Target:
    """Where to stop; files without loss do not before they are whole."""
    if not engine.exact:
        return resolve_target(picture.width * picture.height, **targets)
    if given := [name for name, value in targets.items() if value is not None]:
        raise TargetError(
            f"files of {engine.id!r} keep every sample, whatever it takes; leave out {', '.join(given)}"
        )
    return Target(iterations=engine.iterations)


def _header(engine: Engine, picture: Picture) -> _core.Header:
    """What headers of all families hold."""
    header = _core.Header()
    header.width, header.height, header.channels = picture.width, picture.height, picture.channels
    header.colour = int(ICC in picture.metadata)
    header.alpha = int(picture.alpha is not None)
    header.family, header.model, header.model_hash = engine.family.number, engine.id, engine.hash
    return header


def _fill(job: _Job) -> None:
    """Complete the file of one picture."""
    reached = -math.inf
    while (payload := job.encoder.next()) is not None:
        complete = job.writer.add(payload)
        if job.psnr is None:
            if complete:
                return
            continue
        reached = _decibels(job.encoder.squared_error())
        if reached >= job.psnr:
            return
    if job.psnr is not None:
        raise TargetError(
            f"psnr is {job.psnr} dB, but all {job.writer.iterations} iterations reach {reached:.2f} dB on this "
            "picture; lower it"
        )


def _decibels(squared_error: float) -> float:
    return 10 * math.log10(255**2 / squared_error) if squared_error else math.inf
