"""From pictures to files: what :meth:`recodec.Codec.encode` does."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import torch

from recodec import _core
from recodec.container.core import ICC, STRIP
from recodec.container.targets import Target, Targets, preview_target, resolve_target
from recodec.container.writer import FileWriter
from recodec.errors import (
    HiddenModelWarning,
    InputWarning,
    OptionError,
    TargetError,
    UnsuitablePictureWarning,
)
from recodec.families.lossless.engine import StripEncoder
from recodec.families.lossless.fields import EFFORTS, MEMORY_SHARE
from recodec.families.protocol import Encoder, Engine
from recodec.families.registry import family_without_weights
from recodec.io.pictures import ImageLike, Picture, read_picture
from recodec.limits import DEFAULT_MAX_MEMORY, DEFAULT_MAX_PIXELS, MAX_MEMORY_TEXT, Limits
from recodec.lossless_mode import LOSSLESS, LosslessMode, LosslessOptions, lossless_mode, model_for
from recodec.options import Option, check_options
from recodec.quality import Goal, decibels, goal_of
from recodec.runtime.batches import batched, prepared, usable_cores
from recodec.runtime.together import pictures_together
from recodec.several import attempt, tried
from recodec.weights import hides_shipped

# dB that a model should be able to reach; photographs lie above, text and line art below.
_LEAST_PSNR = 30.0
_MODE = LosslessOptions.__optional_keys__


class EncodeOptions(Targets, LosslessOptions, total=False):
    """Keyword arguments of :meth:`recodec.Codec.encode`; ``entropy`` is an option of family 1."""

    convert: Annotated[
        bool,
        Option(
            False,
            """Allow what is refused otherwise: CMYK, YCbCr, LAB and HSV become sRGB, by their ICC profile if there is
            one; 16-bit samples become v / 257, rounded (Pillow itself reads those of colour images as v / 256, cut),
            those of 12 bits 255 v / 4095; floats must lie in [0, 1], values of mode I in 0..255, and those of mode F in
            either (in the latter if they are whole or some reach 16), and are rounded.""",
        ),
    ]
    strip: Annotated[bool, Option(False, "Leave ICC, EXIF and XMP out.")]
    entropy: Annotated[
        Literal["auto", "network", "adaptive"],
        Option(
            "auto",
            """Code with the model's trained entropy network where it has one; "network" raises where it has none,
            "adaptive" does without: larger files, which readers from before entropy networks can read.""",
        ),
    ]
    on_progress: Annotated[
        Callable[[float], object] | None,
        Option(
            None,
            """Called during the search of ``effort`` 1 to 9, which may take minutes, with the share of it that is done,
            up to 1, picture by picture; what it raises ends the encoding. Nothing else calls it.""",
        ),
    ]
    max_pixels: Annotated[int | None, Option(DEFAULT_MAX_PIXELS, "Refuse larger pictures; None is no limit.")]
    max_memory: Annotated[int | None, Option(DEFAULT_MAX_MEMORY, MAX_MEMORY_TEXT)]


@dataclass(frozen=True, slots=True)
class _Job:
    """A picture on its way into a file."""

    encoder: Encoder
    writer: FileWriter
    goal: Goal | None
    strips: StripEncoder | None = None

    @property
    def batch_key(self) -> Hashable:
        """What pictures that are encoded together have in common; None where that cannot be."""
        key = self.encoder.batch_key
        return None if key is None or self.goal is not None else (key, self.writer.iterations)


def encode_all(
    engine: Engine,
    images: Iterable[ImageLike | Picture | Exception],
    options: EncodeOptions,
    *,
    alone: bool = False,
    batch_size: int | None = None,
) -> Iterator[FileWriter | Exception]:
    """Complete files, in order, and an error in the place of each that cannot be made.

    An image ``alone`` has the whole machine. Raises :class:`OptionError`, and :class:`TargetError` for options that no
    picture could do with.
    """
    check_options("encode", options, EncodeOptions.__optional_keys__)
    mode = lossless_mode(options, lossless=engine.exact)
    engine = _engine_for(engine, mode)
    others: dict[str, Any] = {name: value for name, value in options.items() if name not in _MODE}
    _check(others)

    def start(image: ImageLike | Picture, threads: int = 1) -> _Job:
        return _start(engine, mode, image, threads=threads, **others)

    together = pictures_together(engine.at_once, batch_size, alone=alone)
    if together == 1:

        def whole(image: Any) -> FileWriter:
            job = start(image, torch.get_num_threads())
            if engine.at_once > 1 and job.batch_key is not None:
                engine.encode_together([job.encoder], job.writer.iterations)
            return _filled(job)

        yield from (tried(whole, image) for image in images)
        return

    def process(jobs: Sequence[_Job | Exception]) -> list[FileWriter | Exception]:
        sound = [job for job in jobs if not isinstance(job, Exception)]
        if not sound:
            return [job for job in jobs if isinstance(job, Exception)]
        if sound[0].batch_key is None:
            return [attempt(_filled, job) for job in sound]
        try:
            engine.encode_together([job.encoder for job in sound], sound[0].writer.iterations)
        except Exception as error:  # noqa: BLE001 - of all of them
            return [error] * len(sound)
        return list(prepared(sound, partial(attempt, _filled), usable_cores()))

    jobs = prepared(images, partial(tried, start), usable_cores())
    yield from batched(jobs, _kind, process, together)


def _kind(job: _Job | Exception) -> Hashable:
    """Of jobs that are done together; errors are of one kind, apart from all jobs."""
    return Exception if isinstance(job, Exception) else job.batch_key


def _check(options: Mapping[str, Any]) -> None:
    """Raise :class:`TargetError` for limits and targets that are none, whatever the picture, and
    :class:`OptionError` for a callback that is none.
    """
    called = options.get("on_progress")
    if called is not None and not callable(called):
        raise OptionError(f"on_progress is {called!r}; it must be a function of one number, or None")
    Limits(**{name: options[name] for name in ("max_pixels", "max_memory") if name in options})
    resolve_target(1, **{name: options[name] for name in Targets.__optional_keys__ & options.keys()})


def _engine_for(engine: Engine, mode: LosslessMode) -> Engine:
    """The one that makes such files: where nothing lossy stands in front, a model has no part in them."""
    if not mode.lossless or (mode.preview is not None and not engine.exact):
        return engine
    # Says what is wrong with a preview.
    model_for(LOSSLESS, {"preview": mode.preview})
    if engine.exact:
        return engine
    family = family_without_weights(LOSSLESS)
    assert family is not None
    return family.engine(None, "cpu", "", "auto")


def _start(
    engine: Engine,
    mode: LosslessMode,
    image: ImageLike | Picture,
    *,
    threads: int,
    convert: bool = False,
    strip: bool = False,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    max_memory: int | None = DEFAULT_MAX_MEMORY,
    on_progress: Callable[[float], object] | None = None,
    **options: Any,
) -> _Job:
    """Read a picture and begin its file; ``options`` are targets and the family's own."""
    limits = Limits(max_pixels, max_memory)
    picture = read_picture(
        image,
        partial(engine.check_size, limits=limits),
        convert=convert,
        strip=strip,
        exact=mode.lossless,
    )
    targets: Targets = {name: options.pop(name) for name in Targets.__optional_keys__ & options.keys()}  # type: ignore[assignment]
    target = _target(engine, mode, picture, targets, options)
    if target.iterations is not None and target.iterations > engine.iterations:
        raise TargetError(f"iterations is {target.iterations}; model {engine.id} has {engine.iterations}")
    # Lossy pictures have 8 bits.
    shown = picture if engine.exact else picture.of_eight_bits()
    header = _header(engine, shown)
    strips = None
    if mode.search:
        options["effort"] = mode.search
        if "on_progress" in engine.encoder_options:
            options["on_progress"] = on_progress
    if engine.exact:
        # Systems of the zoo that lose nothing have one way to do so.
        if "effort" in engine.encoder_options:
            options["effort"] = mode.effort
        elif mode.said:
            options["effort"] = EFFORTS[mode.effort]
    elif mode.lossless:
        share = int(limits.max_memory * MEMORY_SHARE)
        strips = StripEncoder(picture, mode.effort, STRIP, threads=threads, max_memory=share)
        limits = limits.less(strips.memory)
    for name in sorted(options.keys() - engine.encoder_options):
        raise TargetError(
            f"{name} is {options[name]!r}, but files of model {engine.id} are made without; leave it out"
        )
    encoder = engine.encoder(shown, header, limits, **options)
    header.fields = encoder.fields
    writer = FileWriter(header, shown, target, engine.iterations)
    writer.noticed += [InputWarning(f"of the image, {text}") for text in picture.said]
    if engine.model is not None and hides_shipped(engine.model):
        writer.noticed.append(HiddenModelWarning(engine.id))
    best = decibels(encoder.least_error())
    if best < _LEAST_PSNR and not mode.lossless:
        writer.noticed.append(UnsuitablePictureWarning(engine.id, best))
    return _Job(encoder, writer, goal_of(target, shown), strips)


def _target(
    engine: Engine, mode: LosslessMode, picture: Picture, targets: Targets, options: Mapping[str, Any]
) -> Target:
    """Where the code chunks stop; files without loss do not before they are whole."""
    pixels = picture.width * picture.height
    given = [name for name, value in targets.items() if value is not None]
    if engine.exact and (given := given + list(options)):
        raise TargetError(
            f"files of {engine.id!r} keep every sample, whatever it takes; leave out {', '.join(given)}"
        )
    if mode.preview is not None and given:
        raise TargetError(
            f"preview is {mode.preview:g} bpp, and nothing is lost behind it; leave out {', '.join(given)}"
        )
    if engine.exact:
        return Target(iterations=engine.iterations)
    return resolve_target(pixels, **targets) if mode.preview is None else preview_target(pixels, mode.preview)


def _header(engine: Engine, picture: Picture) -> _core.Header:
    """What headers of all families hold."""
    header = _core.Header()
    header.width, header.height, header.channels = picture.width, picture.height, picture.channels
    header.bit_depth = picture.depth
    header.colour = int(ICC in picture.metadata)
    header.alpha = 0 if picture.alpha is None else engine.family.alpha_method
    header.family, header.model, header.model_hash = engine.family.number, engine.id, engine.hash
    return header


def _filled(job: _Job) -> FileWriter:
    """The complete file of one picture."""
    _fill_codes(job)
    if job.strips is not None:
        job.writer.add_strips(job.strips.fields, iter(job.strips.next, None))
    return job.writer


def _fill_codes(job: _Job) -> None:
    reached, goal = -math.inf, job.goal
    while (payload := job.encoder.next()) is not None:
        complete = job.writer.add(payload)
        if goal is None:
            if complete:
                return
            continue
        reached = goal.measure(job.encoder)
        if reached >= goal.wanted:
            return
    if goal is not None:
        raise goal.missed(reached, job.writer.iterations)
