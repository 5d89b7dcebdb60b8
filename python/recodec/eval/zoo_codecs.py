"""Systems of the zoo behind the interface of the codecs that are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import recodec
from recodec.codec import Codec
from recodec.eval.codecs import Coded, ImageCodec, climb_prefixes
from recodec.eval.curve import decode_pixels
from recodec.eval.metrics import Pixels
from recodec.zoo.learned.engine import LearnedEngine


class ZooCodec(ImageCodec):
    """A trained system. The settings count its levels, from 1, and in each the prefixes of a file stage by stage."""

    def __init__(self, engine: LearnedEngine):
        config = engine.network.config
        self._stages = config.stages
        self._codecs = [
            Codec(engine.with_settings(dataclasses.replace(engine.settings, level=level)))
            for level in range(config.levels)
        ]
        self.name = engine.id
        self.description = (
            f"system {engine.id} of the zoo ({engine.hash.hex()}), levels: {config.levels}, "
            f"stages: {config.stages}"
        )
        self.ladder = tuple(range(1, config.levels * config.stages + 1))

    @property
    def version(self) -> str:
        """Of this package, and where networks run."""
        return f"recodec {recodec.__version__}, {self._codecs[0].device.type}"

    def unavailable(self) -> str | None:
        """A model that was loaded can be used."""
        return None

    def encode(self, original: Pixels, setting: float) -> bytes:
        """A file of the setting's level and stages."""
        level, stages = self._of(setting)
        data: bytes = self._codecs[level].encode(original, iterations=stages)
        return data

    def decode(self, file: bytes) -> Pixels:
        """All stages of a file."""
        return decode_pixels(self._codecs[0], file)

    def climb(self, original: Pixels, settings: Sequence[float]) -> Iterator[Coded]:
        """Encode once for each level."""
        wanted: dict[int, list[int]] = {}
        for level, stages in map(self._of, settings):
            wanted.setdefault(level, []).append(stages)
        for level, counts in wanted.items():
            for coded in climb_prefixes(self._codecs[level], original, counts):
                yield dataclasses.replace(coded, setting=level * self._stages + coded.setting)

    def _of(self, setting: float) -> tuple[int, int]:
        """Level, and number of stages."""
        level, before = divmod(int(setting) - 1, self._stages)
        return level, before + 1
