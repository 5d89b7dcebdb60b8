"""Size and quality of real files of photographs that were not trained on."""

from __future__ import annotations

import statistics
from contextlib import suppress
from typing import Any

import numpy as np

from recodec.codec import Codec
from recodec.errors import ImageError
from recodec.eval.curve import measure
from recodec.eval.metrics import Pixels
from recodec.networks.autoencoder.network import Autoencoder
from recodec.train.data.photographs import Photographs
from recodec.weights import Model
from recodec.zoo.family import ZOO
from recodec.zoo.learned.engine import LearnedEngine
from recodec.zoo.learned.header import Settings


class Judge:
    """Encodes some photographs with the weights as they are. Raises :class:`ImageError` where none can be read."""

    def __init__(self, photographs: Photographs, images: int):
        self._originals: list[Pixels] = []
        for index in range(len(photographs)):
            if len(self._originals) < images:
                with suppress(ImageError):
                    self._originals.append(np.asarray(photographs.read(index)))
        if not self._originals:
            raise ImageError(f"none of {len(photographs)} validation photographs can be read")
        self.last: dict[str, Any] = {}

    def judge(self, network: Autoencoder) -> dict[str, list[float]]:
        """Means over whole photographs after each stage, or at each level."""
        # The files live as long as this function, so the model needs no true identity.
        model = Model("validation", bytes(8), network, {})
        rows: list[tuple[float, float]] = []
        for level in range(network.config.levels):
            codec = Codec(LearnedEngine(ZOO, model, "cpu", "float32", "auto", Settings(level)))
            steps = [list(measure(codec, original, network.config.stages)) for original in self._originals]
            for stage in zip(*steps, strict=True):
                scores = [step.score for step in stage]
                rows.append(
                    (statistics.fmean(s.bpp for s in scores), statistics.fmean(s.psnr for s in scores))
                )
        self.last = {"bpp": [row[0] for row in rows], "psnr": [row[1] for row in rows]}
        return self.last
