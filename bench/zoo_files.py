"""Pictures through systems of the zoo: files on disk, which another process decodes, and what it found."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

import recodec
from recodec.codec import Codec
from recodec.weights import load_model
from recodec.zoo.family import ZOO
from recodec.zoo.learned.engine import LearnedEncoder, LearnedEngine
from recodec.zoo.learned.header import Settings
from zoo_pictures import Pixels

_DECODER = Path(__file__).with_name("zoo_decode.py")


@dataclass(frozen=True)
class Row:
    """A system at a level, after so many stages. ``raw`` is bits per pixel without any entropy coding, if bounded."""

    system: str
    level: int
    stages: int
    raw: float | None
    label: str


@dataclass(frozen=True)
class Decoded:
    """A file's bytes and the pixels that the other process found in it."""

    bytes: int
    pixels: Pixels


class _Watched(LearnedEngine):
    """Keeps the last encoder, and with it the symbols that went into the file."""

    last: LearnedEncoder

    def encoder(self, *arguments: Any, **options: Any) -> LearnedEncoder:
        self.last = super().encoder(*arguments, **options)
        return self.last


def rows_of(system: str) -> list[Row]:
    """All levels and stages of a system. Raises :class:`WeightsError`."""
    config = load_model(system).network.config
    rows = []
    for level in range(config.levels):
        for stages in range(1, config.stages + 1):
            bounded = config.quantiser != "rounded"
            raw = config.bits * config.channels * stages / config.stride**2 if bounded else None
            name = system
            name += f", level {level}" if config.levels > 1 else ""
            name += f", {stages} of {config.stages} stages" if config.stages > 1 else ""
            rows.append(Row(system, level, stages, raw, name))
    return rows


def through_files(
    system: str, pictures: Mapping[str, Pixels], settings: Settings
) -> dict[Row, dict[str, Decoded]]:
    """Every picture at every level and stage. Stops if another process finds other symbols than were encoded."""
    model = load_model(system)
    found: dict[Row, dict[str, Decoded]] = {}
    for level in range(model.network.config.levels):
        rows = [row for row in rows_of(system) if row.level == level]
        engine = _Watched(ZOO, model, "cpu", "float32", "auto", dataclasses.replace(settings, level=level))
        codec = Codec(engine)
        with tempfile.TemporaryDirectory() as name:
            folder, symbols = Path(name), {}
            for number, original in enumerate(pictures.values()):
                whole = codec.encode(original, iterations=codec.iterations)
                symbols[number] = [stage.latents for stage in engine.last.stages]
                for row in rows:
                    file = recodec.truncate(whole, iterations=row.stages)
                    (folder / f"{number}-{row.stages}.rcd").write_bytes(file)
            subprocess.run([sys.executable, str(_DECODER), str(folder)], check=True)
            for row in rows:
                found[row] = {
                    picture: _read(folder / f"{number}-{row.stages}.rcd", symbols[number][: row.stages])
                    for number, picture in enumerate(pictures)
                }
    return found


def _read(file: Path, symbols: Sequence[np.ndarray[Any, Any]]) -> Decoded:
    with np.load(file.with_suffix(".npz")) as decoded:
        stages = [decoded[f"stage {number}"] for number in range(len(decoded.files) - 1)]
        pixels = decoded["pixels"]
    same = len(stages) == len(symbols) and all(map(np.array_equal, stages, symbols))
    if not same:
        raise click.ClickException(f"{file.name}: another process decodes other symbols than were encoded")
    return Decoded(file.stat().st_size, pixels)
