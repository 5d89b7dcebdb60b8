"""What an entropy network saves on real files, and the model that carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recodec import _core
from recodec.container.core import CODES
from recodec.errors import WeightsError
from recodec.families.recurrent.planes import CoderPart, PlaneEncoder
from recodec.model_search import MODEL_ID
from recodec.train.data.photographs import Photographs
from recodec.train.tasks.entropy.codes import Coded, code_picture, first_readable
from recodec.train.tasks.entropy.network import EntropyNetwork
from recodec.weights import Model, save_model


@dataclass(frozen=True, slots=True)
class Report:
    """Bits per pixel of each code chunk, mean over photographs.

    ``float_bpp`` is the code length of the network in floating point; ``network_bpp`` and ``adaptive_bpp`` count the
    bytes of chunks in real files, checksum and size included. ``network_bpp`` is None for networks that no file can be
    written with.
    """

    images: int
    float_bpp: list[float]
    network_bpp: list[float] | None
    adaptive_bpp: list[float]

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """A table for a reader: totals up to each chunk."""
        integer = [float("nan")] * len(self.float_bpp) if self.network_bpp is None else self.network_bpp
        totals = [np.cumsum(values) for values in (self.adaptive_bpp, self.float_bpp, integer)]
        lines = ["bits per pixel, totals    adaptive  float     network"]
        for chunk, (adaptive, ideal, network) in enumerate(zip(*totals, strict=True), start=1):
            last = "-" if self.network_bpp is None else f"{network:.4f} {network / adaptive - 1:+.1%}"
            lines.append(f"after {chunk:3} chunks          {adaptive:8.4f}  {ideal:8.4f}  {last}")
        return lines


@torch.no_grad()
def measure(
    model: Model, network: EntropyNetwork, photographs: Photographs, count: int, device: torch.device
) -> Report:
    """Code the first photographs in every way. Raises :class:`ImageError` if none can be read."""
    images = first_readable(photographs, count)
    entropy_tables = None
    if tables := network.tables():
        entropy_tables = with_tables(model, tables).entropy_tables
    rows: dict[str, list[list[float]]] = {"float": [], "adaptive": [], "network": []}
    version = 3 if model.plane_network().symbols == 3 else 1
    for image in images:
        coded = code_picture(model.plane_network(), image, device)
        pixels = coded.width * coded.height
        lengths = network.code_length(torch.from_numpy(coded.codes)[None].float())
        rows["float"].append((lengths.sum((0, 2, 3)) / pixels).tolist())
        rows["adaptive"].append(_bits_per_pixel(coded, version, None))
        if entropy_tables is not None:
            rows["network"].append(_bits_per_pixel(coded, 1, entropy_tables))
    means = {name: np.mean(values, axis=0).tolist() for name, values in rows.items() if values}
    return Report(len(images), means["float"], means.get("network"), means["adaptive"])


def _bits_per_pixel(coded: Coded, version: int, part: CoderPart | None) -> list[float]:
    _, depth, rows, columns = coded.codes.shape
    coder = PlaneEncoder(depth, rows, columns, version, part)
    chunks = (_core.write_chunk(CODES, coder.encode(plane)) for plane in coded.codes)
    return [8 * len(chunk) / (coded.width * coded.height) for chunk in chunks]


def with_tables(model: Model, tables: Mapping[str, Tensor]) -> Model:
    """The same model with another entropy network."""
    return replace(model, tables=tables)


def check_name(name: str) -> None:
    """Raise :class:`WeightsError` unless a model may be called that."""
    if not MODEL_ID.fullmatch(name):
        raise WeightsError(f"{name!r} is no model id; give 1 to 32 of a-z, 0-9 and '-'")


def write_model(path: Path, model: Model, tables: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
    """Write ``model`` with an entropy network: weights as they are, ``notes`` under "entropy" beside its own."""
    save_model(path, model.network, {**model.notes, "entropy": dict(notes)}, tables)
