"""What headers can make a reader do: ``python -m tests.fuzz.headers --headers N --seed S``.

Every header claims a picture of a power of four pixels, of any shape, with up to three other fields changed; checksums
are right. Processor time and memory of each call are held to those of a sound file of as many pixels, as an encoder
makes it of a square or half of one. Pixels are those that are coded: models work on blocks of 16 x 16, so a picture
that is one pixel high has 16 times its own, and costs what these do, sound or not; strips do not. The columns "of
claimed" are the same without that, against a square of the claimed pixels themselves.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageFile

import recodec
import recodec.pillow
from recodec import _core, files
from recodec.container.attachments import encode_alpha
from recodec.container.core import ALPHA, CODES, attached_chunk, end_chunk
from recodec.container.reader import Reader
from recodec.errors import RecodecError
from recodec.limits import DEFAULT_MAX_PIXELS
from recodec.pillow import RecodecImageFile
from recodec.weights import load_model
from tests.plane_files import PlaneFields, code_chunk, read_header, write_header

from .inputs import GOLDEN, draw
from .strip_claims import MOST_EXPONENT, STRIPS, StripClaim, strip_claim

MOST_TIME, MOST_MEMORY = 20, 4
# What any call may take, whatever the picture: below it clocks and pages say nothing.
_LEAST_SECONDS, _LEAST_BYTES = 2e-3, 16 << 20
# Sides of the blocks that all models here work on.
_BLOCK = 16

CHUNKS = 3
Models = Sequence[tuple[str, str]]
MODELS: Models = (
    ("tiny", "adaptive"),
    ("tiny-network", "adaptive"),
    ("tiny-network", "network"),
    ("tiny-latent", "adaptive"),
    ("tiny-latent", "network"),
    ("lossless", STRIPS),
    ("tiny", STRIPS),
)
SHIPPED: Models = (
    ("latent-4", "network"),
    ("latent-4", "adaptive"),
    ("rnn-1", "network"),
    ("dev-1", "adaptive"),
    ("lossless", STRIPS),
)
_ENTROPY = ((1, 1), (1, 3), (1, 4), (2, 1), (2, 2), (2, 4))


def _is_sound(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".rcd") as file:
        file.write(data)
        file.flush()
        files.is_sound(file.name)


def _pillow(act: Callable[[Any], object]) -> Callable[[bytes], None]:
    def call(data: bytes) -> None:
        with suppress(OSError, SyntaxError), RecodecImageFile(io.BytesIO(data)) as image:
            act(image)

    return call


def _load_truncated(image: ImageFile.ImageFile) -> None:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


WAYS: dict[str, Callable[[bytes], object]] = {
    "info": recodec.info,
    "truncate": lambda data: recodec.truncate(data, iterations=1),
    "verify": recodec.verify,
    "is_sound": _is_sound,
    "decode": recodec.decode,
    "progressive": lambda data: [None for _ in recodec.progressive(data)],
    "Image.open": _pillow(lambda image: image.size),
    "Image.verify": _pillow(lambda image: image.verify()),
    "Image.load": _pillow(lambda image: image.load()),
    "Image.load, truncated": _pillow(_load_truncated),
}


@dataclass(frozen=True)
class Cost:
    """Of one call, with the least that counts."""

    seconds: float
    bytes: int
    outcome: str = ""


def cost_of(way: str, data: bytes) -> Cost:
    """Processor time, and by how much the process grew meanwhile. Raises what is no :class:`RecodecError`."""
    gc.collect()
    _core.release_free_memory()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    start = time.process_time()
    try:
        WAYS[way](data)
        outcome = "result"
    except RecodecError as error:
        outcome = type(error).__name__
    seconds = time.process_time() - start
    return Cost(max(seconds, _LEAST_SECONDS), max(_status("VmHWM") - before, _LEAST_BYTES), outcome)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    raise AssertionError(f"the system does not tell {name}")


@cache
def sound_file(model: str, entropy: str, exponent: int) -> bytes:
    """A file of 2^exponent pixels."""
    width, height = 1 << -(-exponent // 2), 1 << exponent // 2
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(exponent).normal(0, 20, (height, width))
    waves = 128 + 60 * np.sin(x / 9) * np.cos(y / 7) + noise
    picture = Image.fromarray(np.stack([waves, waves * 0.8, 255 - waves], 2).clip(0, 255).astype(np.uint8))
    if entropy == STRIPS:
        return recodec.encode(
            picture, model=model, lossless=True, preview=None if model == "lossless" else 0.5
        )
    return recodec.encode(picture, model=model, entropy=entropy, iterations=CHUNKS)  # type: ignore[arg-type]


@cache
def sound_cost(way: str, model: str, entropy: str, exponent: int) -> Cost:
    """The most processor time of two tries after one that warms up, and the most memory of all."""
    costs = [cost_of(way, sound_file(model, entropy, exponent)) for _ in range(3)]
    assert all(cost.outcome == "result" for cost in costs)
    return Cost(max(cost.seconds for cost in costs[1:]), max(cost.bytes for cost in costs))


@dataclass(frozen=True)
class Claim:
    """A header and the sound file that its claims are held to."""

    model: str
    entropy: str
    exponent: int
    fields: PlaneFields

    @property
    def coded_exponent(self) -> int:
        """Of the pixels that are coded."""
        return _coded_exponent(self.fields.width, self.fields.height)

    def file(self) -> bytes:
        """The claim with the chunks of the sound file, their checksums right for what they are decoded to."""
        return _file_of(self)

    def __str__(self) -> str:
        f = self.fields
        tiles = f"{f.tile_columns} x {f.tile_rows} tiles, halo {f.tile_halo}"
        kind = f"entropy coder {f.entropy}.{f.entropy_version}{', alpha' if f.alpha else ''}"
        return f"{f.model}: {f.width} x {f.height}, stride {f.stride}, depth {f.depth}, {tiles}, {kind}"


def _coded_exponent(width: int, height: int) -> int:
    """All sides are powers of two."""
    return (-(-width // _BLOCK) * -(-height // _BLOCK) * _BLOCK**2).bit_length() - 1


def claim(rng: Generator, most: int, models: Models = MODELS) -> Claim | StripClaim:
    """A header that claims up to 2^most pixels."""
    model, entropy = draw(rng, models)
    exponent = 2 * int(rng.integers(most // 2 + 1, size=3).min())
    if entropy == STRIPS:
        exponent = min(exponent, MOST_EXPONENT)
        sound = sound_file(model, entropy, exponent)
        side = 1 << exponent // 2
        coded = exponent if model == "lossless" else _coded_exponent(side, side)
        return strip_claim(rng, model, exponent, coded, sound)
    fields, _ = read_header(sound_file(model, entropy, min(exponent, 8)))
    wide = draw(rng, (0, exponent, exponent // 2, int(rng.integers(exponent + 1))))
    fields = replace(fields, width=1 << wide, height=1 << exponent - wide)
    for change in rng.choice(5, int(rng.integers(4)), replace=False):
        fields = replace(fields, **_changes(rng, fields, int(change)))
    # Tiles of a grid that became smaller are a matter of syntax.
    rows, columns = fields.grid
    fields.tile_rows, fields.tile_columns = min(fields.tile_rows, rows), min(fields.tile_columns, columns)
    return Claim(model, entropy, exponent, fields)


def _changes(rng: Generator, fields: PlaneFields, kind: int) -> dict[str, int]:
    rows, columns = fields.grid
    if kind == 0:
        return {"stride": draw(rng, (1, 2, 3, 4, 8, 15, 16, 32, 255))}
    if kind == 1:
        return {"depth": draw(rng, (1, 2, 3, 4, 8, 12, 16, 48, 64, 96, 128, 256))}
    if kind == 2:
        version = draw(rng, _ENTROPY)
        return {"entropy": version[0], "entropy_version": version[1]}
    if kind == 3:
        share = draw(rng, (1, 2, 4, 16, 64))
        return {
            "tile_rows": draw(rng, (1, max(1, rows // share))),
            "tile_columns": draw(rng, (1, max(1, columns // share))),
            "tile_halo": draw(rng, (0, 1, 2, 5, 22, 255)),
        }
    return {"alpha": 1, "channels": draw(rng, (1, 3)), "arithmetic": draw(rng, (0, 1, 2, 9))}


def _file_of(made: Claim) -> bytes:
    fields = made.fields
    sound = Reader(sound_file(made.model, made.entropy, made.exponent))
    coded = [chunk.payload[4:] for chunk in sound.chunks() if chunk.type == CODES]
    try:
        data = write_header(fields)
    except _core.CoreError:
        # Embedded planes in tiles: cannot be written, and so not be read.
        data = write_header(replace(fields, tile_rows=1, tile_columns=1))
    if fields.alpha:
        data += attached_chunk(ALPHA, encode_alpha(np.zeros((fields.height, fields.width), np.uint8)))
    for content, checksum in zip(coded, _checksums(fields, coded), strict=True):
        data += code_chunk(content, checksum)
    return data + end_chunk(len(coded))


def _checksums(fields: PlaneFields, coded: list[bytes]) -> list[int]:
    """None that are right where decoding takes more than a reader should let itself in for."""
    header, _ = _core.read_header(write_header(replace(fields, tile_rows=1, tile_columns=1)))
    own = _core.read_plane_header(header)
    rows, columns = fields.grid
    try:
        if rows * columns * fields.stride**2 > DEFAULT_MAX_PIXELS:
            return [0] * len(coded)
        part = load_model(fields.model).coder_part(own)
        if not own.embedded:
            _core.check_codes(own, len(coded))
        coder = _core.ChunkCoder(fields.entropy, fields.entropy_version, fields.depth, rows, columns, part)
        return coder.decode_any(coded)[1]
    except _core.CoreError:
        return [0] * len(coded)


@dataclass
class Row:
    """Of one way: how often it gave a result, and the claims that cost most in proportion."""

    calls: int = 0
    results: int = 0
    time: tuple[float, str] = (0.0, "")
    memory: tuple[float, str] = (0.0, "")
    time_of_claimed: float = 0.0
    memory_of_claimed: float = 0.0
    found: int = 0


def measure(
    headers: int, seed: int, most: int, show: Callable[[str], None] = print, models: Models = MODELS
) -> dict[str, Row]:
    """Rows by way, with the models at hand; ``show`` is told of every claim that costs too much."""
    rows = {way: Row() for way in WAYS}
    gc.collect()
    gc.freeze()  # or collecting would take longer than most calls
    try:
        for number in range(headers):
            _measure(rows, number, claim(np.random.default_rng((seed, number)), most, models), show)
    finally:
        gc.unfreeze()
    return rows


def _measure(
    rows: dict[str, Row], number: int, made: Claim | StripClaim, show: Callable[[str], None]
) -> None:
    data = made.file()
    for way, row in rows.items():
        sound, square = (
            sound_cost(way, made.model, made.entropy, exponent)
            for exponent in (made.coded_exponent, made.exponent)
        )
        cost = cost_of(way, data)
        seconds = cost.seconds
        if seconds > MOST_TIME / 2 * square.seconds:
            # Other work on the machine is not the header's.
            seconds = min(seconds, *(cost_of(way, data).seconds for _ in range(2)))
        time_ratio, memory_ratio = seconds / sound.seconds, cost.bytes / sound.bytes
        row.calls += 1
        row.time_of_claimed = max(row.time_of_claimed, seconds / square.seconds)
        row.memory_of_claimed = max(row.memory_of_claimed, cost.bytes / square.bytes)
        row.results += cost.outcome == "result"
        row.time = max(row.time, (time_ratio, str(made)))
        row.memory = max(row.memory, (memory_ratio, str(made)))
        if time_ratio > MOST_TIME or memory_ratio > MOST_MEMORY:
            row.found += 1
            show(f"{way} {number}: {time_ratio:.1f} times the time, {memory_ratio:.1f} the memory of {made}")


def main() -> int:
    """Print a table; 1 if a claim costs too much."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.headers", description=__doc__)
    parser.add_argument("--headers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=20, help="claims of up to 2^MOST pixels")
    parser.add_argument("--shipped", action="store_true", help="of the models that come with recodec")
    options = parser.parse_args()
    os.environ["RECODEC_WEIGHTS"] = "" if options.shipped else str(GOLDEN)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    models = SHIPPED if options.shipped else MODELS
    rows = measure(options.headers, options.seed, options.most, partial(print, flush=True), models)
    print(
        f"{'way':22} {'calls':>6} {'results':>8} {'time':>6} {'memory':>7}  {'of claimed':>13}  worst in time"
    )
    for way, row in rows.items():
        claimed = f"{row.time_of_claimed:5.1f}x {row.memory_of_claimed:5.1f}x"
        held = f"{row.time[0]:5.1f}x {row.memory[0]:6.1f}x"
        print(f"{way:22} {row.calls:6} {row.results:8} {held}  {claimed}  {row.time[1]}")
    found = sum(row.found for row in rows.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{found} too costly (more than {MOST_TIME} times the time or {MOST_MEMORY} times the memory of a sound file)"
        f"; the process had {peak} MiB at most"
    )
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
