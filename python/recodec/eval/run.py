"""Pictures through codecs: points of rate and distortion, kept on disk as they are made."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import torch
from PIL import Image

import recodec
from recodec.codec import Codec
from recodec.errors import WeightsError
from recodec.eval.codecs import CLASSIC, Coded, ImageCodec, RecodecModel
from recodec.eval.curve import load_exact, load_rgb
from recodec.eval.exact_codecs import EXACT
from recodec.eval.metrics import METRICS, Pixels, measure_all
from recodec.eval.viewer import Frames, make_frames
from recodec.io import outputs
from recodec.io.folders import LeftOut, find
from recodec.io.picture_kinds import image_chooser

# setting, bytes, bpp, enc_ms, dec_ms and the metrics, as in the anchors' files
Point: TypeAlias = dict[str, float | None]

# Goes up when a metric, a way to measure or the frames of the viewer change, so that old results are not taken for
# new ones.
_METHOD = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare. Plain data, so that worker processes can be given it.

    ``models`` are ids or paths of models, systems of the zoo among them; a system has all its levels and stages,
    whatever ``iterations`` is.
    ``codecs`` are names from :data:`recodec.eval.codecs.CLASSIC`, or with ``exact``, which keeps grey pictures grey,
    from :data:`recodec.eval.exact_codecs.EXACT`; ``iterations`` None is all of a model; ``threads`` is of one process,
    0 leaves torch's choice; ``convert`` allows what :func:`load_rgb` would refuse.
    """

    codecs: tuple[str, ...]
    models: tuple[str, ...]
    metrics: tuple[str, ...]
    device: str = "cpu"
    iterations: int | None = None
    threads: int = 0
    convert: bool = False
    exact: bool = False

    @property
    def known(self) -> Sequence[ImageCodec]:
        """Those that ``codecs`` may name."""
        return EXACT if self.exact else CLASSIC

    def build(self) -> list[ImageCodec]:
        """The codecs, models first. Raises :class:`recodec.WeightsError` and the like."""
        models = [
            _model_codec(recodec.load(model, device=self.device), self.iterations) for model in self.models
        ]
        return [*models, *(codec for codec in self.known if codec.name in self.codecs)]


def _model_codec(codec: Codec, iterations: int | None) -> ImageCodec:
    """Raises :class:`WeightsError` for one that loses nothing."""
    if codec.engine.exact:
        raise WeightsError(
            f"codec {codec.id!r} loses nothing, so it has no curve; recodec eval --lossless compares codecs that lose "
            "nothing"
        )
    if codec.engine.family.name != "zoo":
        return RecodecModel(codec, iterations)
    # Who compares none of them does not load them.
    from recodec.eval.zoo_codecs import ZooCodec
    from recodec.zoo.learned.engine import LearnedEngine

    assert isinstance(codec.engine, LearnedEngine)
    return ZooCodec(codec.engine)


@dataclass(frozen=True, slots=True)
class Task:
    """A picture to measure, and whether it will be shown in the viewer."""

    path: Path
    shown: bool = False


@dataclass(slots=True)
class Measured:
    """What became of a picture: points per codec, or what went wrong with it or with a codec."""

    file: str
    error: str | None = None
    sha256: str = ""
    width: int = 0
    height: int = 0
    points: dict[str, list[Point]] | None = None
    failed: dict[str, str] | None = None
    frames: Frames | None = None
    reused: int = 0


def find_pictures(paths: Iterable[Path], limit: int | None = None) -> tuple[list[Path], list[LeftOut]]:
    """Files as they are named, folders searched for pictures, in order and each once; and what is left out of them."""
    found: dict[Path, None] = {}
    left_out: list[LeftOut] = []
    wanted = image_chooser()
    for path in paths:
        found |= dict.fromkeys(Path(file) for file, _, _ in find(str(path), wanted, left_out))
    return list(found)[:limit], left_out


class Evaluator:
    """Measures one picture after the other, and remembers every point in ``cache``.

    ``advance`` is told, point by point, which part of a picture's points was measured.
    """

    def __init__(self, plan: Plan, cache: Path, advance: Callable[[float], object] = lambda part: None):
        if plan.threads:
            torch.set_num_threads(plan.threads)
        self._plan, self._cache, self._codecs, self._advance = plan, cache, plan.build(), advance
        self._points_each = sum(len(codec.ladder) for codec in self._codecs)

    def measure(self, task: Task) -> Measured:
        """Never raises for what is wrong with the picture."""
        try:
            data = task.path.read_bytes()
            load = load_exact if self._plan.exact else load_rgb
            original = load(BytesIO(data), convert=self._plan.convert)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the others get their turn
            return Measured(str(task.path), _one_line(error))
        digest = hashlib.sha256(data).hexdigest()
        height, width = original.shape[:2]
        result = Measured(str(task.path), None, digest, width, height, {}, {})
        assert result.points is not None
        assert result.failed is not None
        for codec in self._codecs:
            store = Store(self._cache / digest[:16] / f"{codec.name}-{self._fingerprint(codec)}.json")
            try:
                result.points[codec.name], reused = self._points(codec, original, store)
                result.reused += reused
            except Exception as error:  # noqa: BLE001 - one codec that fails does not stop the others
                result.failed[codec.name] = _one_line(error)
        if task.shown:
            result.frames = self._frames(task, original, digest)
        return result

    def _fingerprint(self, codec: ImageCodec) -> str:
        return f"{codec.fingerprint()[:8]}-{_METHOD}"

    def _points(self, codec: ImageCodec, original: Pixels, store: Store) -> tuple[list[Point], int]:
        """A point per setting, and how many of them were there already."""
        kept = {"setting", "bytes", "bpp", "enc_ms", "dec_ms", *self._plan.metrics}
        missing = [s for s in codec.ladder if not kept <= (store.get(s) or {}).keys()]
        for coded in codec.climb(original, missing) if missing else ():
            store.put(coded.setting, self._score(original, coded, store.get(coded.setting)))
            self._advance(1 / self._points_each)
        points = []
        for setting in codec.ladder:
            point = store.get(setting)
            assert point is not None
            points.append({name: value for name, value in point.items() if name in kept})
        return points, len(codec.ladder) - len(missing)

    def _score(self, original: Pixels, coded: Coded, known: Point | None) -> Point:
        height, width = original.shape[:2]
        return {
            **(known or {}),
            "setting": coded.setting,
            "bytes": len(coded.file),
            "bpp": 8 * len(coded.file) / (width * height),
            "enc_ms": 1000 * coded.encode_s,
            "dec_ms": 1000 * coded.decode_s,
            **measure_all((m for m in self._plan.metrics if m not in (known or {})), original, coded.pixels),
        }

    def _frames(self, task: Task, original: Pixels, digest: str) -> Frames | None:
        """For the viewer, of the first model."""
        codec = next((c for c in self._codecs if isinstance(c, RecodecModel)), None)
        if codec is None:
            return None
        path = self._cache / digest[:16] / f"viewer-{self._fingerprint(codec)}-{len(codec.ladder)}.json"
        try:
            if path.exists():
                return Frames.from_json(path.read_text())
            frames = make_frames(task.path.name, codec.codec, original, len(codec.ladder))
            outputs.write(path, frames.to_json().encode())
        except Exception:  # noqa: BLE001 - if the codec fails here, its points have told why
            return None
        return frames


class Store:
    """The points of one picture and codec in a file that is whole at any moment."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self._points: dict[str, Point] = json.loads(path.read_text())
        except (OSError, ValueError):
            self._points = {}

    def get(self, setting: float) -> Point | None:
        """The point at a setting, if it has been measured."""
        return self._points.get(f"{setting:g}")

    def put(self, setting: float, point: Point) -> None:
        """Keep a point, at once."""
        self._points[f"{setting:g}"] = point
        self._path.parent.mkdir(parents=True, exist_ok=True)
        outputs.write(self._path, json.dumps(self._points).encode())


_evaluator: Evaluator | None = None


def _start_worker(plan: Plan, cache: Path) -> None:
    global _evaluator
    # As the command does: the limit is recodec's own.
    Image.MAX_IMAGE_PIXELS = None
    _evaluator = Evaluator(plan, cache)


def _work(task: Task) -> Measured:
    assert _evaluator is not None
    return _evaluator.measure(task)


def measure_pictures(
    plan: Plan,
    tasks: Sequence[Task],
    cache: Path,
    jobs: int = 1,
    advance: Callable[[float], object] = lambda part: None,
) -> Iterator[Measured]:
    """Measure all, in ``jobs`` processes, and yield each as it is done.

    ``advance`` is that of :class:`Evaluator`; several processes say nothing between pictures.
    Left early, by an exception at the caller too, it stops its processes; what was measured is in ``cache``.
    """
    if jobs == 1 or len(tasks) < 2:
        yield from map(Evaluator(plan, cache, advance).measure, tasks)
        return
    with _workers(plan, cache, min(jobs, len(tasks))) as workers:
        futures = [workers.submit(_work, task) for task in tasks]
        yield from (future.result() for future in as_completed(futures))


@contextmanager
def _workers(plan: Plan, cache: Path, jobs: int) -> Iterator[ProcessPoolExecutor]:
    before = set(multiprocessing.active_children())
    # Forking a process that has used torch's threads may hang.
    context = multiprocessing.get_context("spawn")
    workers = ProcessPoolExecutor(jobs, context, _start_worker, (plan, cache))
    try:
        yield workers
    except BaseException:
        # Not to wait for pictures that nobody will ask for.
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        workers.shutdown(cancel_futures=True)


def threads_for(jobs: int) -> int:
    """Threads of each of ``jobs`` processes, so that together they are as many as there are cores."""
    return max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else 0


def unavailable(plan: Plan) -> dict[str, str]:
    """Codecs and metrics of a plan that cannot be used here, and why."""
    codecs = {c.name: why for c in plan.known if c.name in plan.codecs and (why := c.unavailable())}
    return codecs | {name: why for name in plan.metrics if (why := METRICS[name].unavailable())}


def _one_line(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def as_json(result: Measured) -> dict[str, Any]:
    """For ``results.json``: the error, or everything that was measured."""
    if result.error is not None:
        return {"file": result.file, "error": result.error}
    return {
        "file": result.file,
        "sha256": result.sha256,
        "width": result.width,
        "height": result.height,
        "codecs": result.points,
        **({"failed": result.failed} if result.failed else {}),
    }
