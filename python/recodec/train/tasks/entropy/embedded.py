"""The task for embedded planes: chunks drawn at random from whole indices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from recodec import _core
from recodec.container.core import CODES
from recodec.errors import TrainingError
from recodec.families.recurrent.planes import ADAPTIVE, EMBEDDED, NETWORK, CoderPart, PlaneEncoder
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent.network import LatentNetwork
from recodec.runtime.samples import Samples
from recodec.runtime.seamless import analyse
from recodec.runtime.states import Workplace
from recodec.runtime.tiling import grid_shape
from recodec.train.data.photographs import Photographs
from recodec.train.task import LOSS, Moment, Terms
from recodec.train.tasks.entropy.codes import Border, Coded, draw_windows, first_readable
from recodec.train.tasks.entropy.report import Report, with_tables
from recodec.train.tasks.entropy.task import EntropyTask
from recodec.train.tasks.prefixes.schedule import plane_bits
from recodec.weights import Model

_WINDOW, _BORDER = 16, Border(1, 1, 1)
# Chunks of a step, and windows by which rates are told beforehand.
_CHUNKS, _SAMPLES = 5, 128
_CHOICE, _RATES = 3, 4


class EmbeddedEntropyTask(EntropyTask):
    """Trains an entropy model of a latent network's planes.

    A bit counts in proportion to one over the rate of all chunks up to its own, which is what it makes of the curve.
    """

    def make_network(self) -> EmbeddedEntropyModel:
        """As wide as the recipe says; ``embedding_width`` is that of the second layer."""
        recipe = self.recipe
        if recipe.kind != "context":
            raise TrainingError(
                f"the network {recipe.kind!r} is not for embedded planes, as model {self.model.id} has them"
            )
        return EmbeddedEntropyModel(self.latent.planes, recipe.width, recipe.inner_embedding_width)

    def start_from(self, model: Model) -> None:
        """Begin with a model's entropy network, code by code of the same channel and plane."""
        require_embedded(model)
        other = EmbeddedEntropyModel.from_tables(model.network.planes, model.tables)
        wanted, found = (
            tuple(network.own.shape) + tuple(network.inner.shape) for network in (self.network, other)
        )
        if wanted != found:
            raise TrainingError(
                f"the entropy network of {model.id} is for {found[1]} channels, of width {found[4]} and embedding "
                f"width {found[3]}, but the run's for {wanted[1]}, of {wanted[4]} and {wanted[3]}; give its widths"
            )
        self.network.start_from(other)

    @property
    def latent(self) -> LatentNetwork:
        """The network whose planes they are."""
        network: LatentNetwork = self.model.network
        return network

    def collect(self, picture: Image.Image) -> Coded:
        """Whole indices, as the one plane of (1, channels, h, w)."""
        return Coded(
            picture.width, picture.height, _index(self.latent, picture, self.setting.processes.device)
        )

    @property
    def windows(self) -> tuple[int, Border]:
        """What is around a window's border is not known to the network."""
        return _WINDOW, _BORDER

    def prepare(self, *, step: int, origin: str, stopped: Callable[[], bool]) -> None:
        """Collect indices, and tell from some of them about which rate each chunk brings."""
        super().prepare(step=step, origin=origin, stopped=stopped)
        if self.coded:
            rng = np.random.default_rng([self.recipe.seed, _RATES])
            index = draw_windows(self.coded, _SAMPLES, _WINDOW, _BORDER, rng)[0][:, 0].to(torch.int32)
            bits = torch.stack([plane_bits(index, plane) for plane in range(self.latent.config.planes)], 1)
            rates = torch.tensor(
                [float(bits[chunk.channels, chunk.planes].sum()) for chunk in self.latent.planes.chunks]
            )
            self.rates = rates.cumsum(0).clamp_min(1e-6) / index[:, 0].numel() / self.codec.stride**2

    def measure(self, planes: Tensor, counts: Tensor, share: Tensor, moment: Moment) -> Terms:
        """Of a few chunks, for all."""
        index = planes[:, 0].to(torch.int32)
        chunks = self.codec.iterations
        drawn = self.generator(_CHOICE, moment).choice(chunks, size=min(_CHUNKS, chunks), replace=False)
        loss = total = torch.zeros((), device=index.device)
        for chunk in drawn.tolist():
            bits: Tensor = self.network.bits(index, chunk)
            bpp = (bits * counts).sum() / share / self.codec.stride**2 * chunks / len(drawn)
            loss, total = loss + bpp / float(self.rates[chunk]), total + bpp
        return {LOSS: loss / chunks, "bpp": total}

    @torch.no_grad()
    def report(self, network: Any, photographs: Photographs) -> Report:
        """Bits of each chunk of the first photographs, by the network in both arithmetics and by adaptive contexts."""
        latent, model = self.latent, with_tables(self.model, network.tables())
        rows: dict[str, list[list[float]]] = {"float": [], "adaptive": [], "network": []}
        images = first_readable(photographs, self.recipe.validation.images)
        for image in images:
            index = torch.from_numpy(_index(latent, image, self.setting.processes.device)).to(torch.int32)
            pixels = image.width * image.height
            rows["float"].append(
                [float(network.bits(index, chunk).sum()) / pixels for chunk in range(latent.iterations)]
            )
            planes = [latent.planes.codes(index, chunk)[0].numpy() for chunk in range(latent.iterations)]
            parts: dict[str, tuple[int, CoderPart | None]] = {
                "adaptive": (ADAPTIVE, model.order),
                "network": (NETWORK, model.entropy_tables),
            }
            for name, (kind, part) in parts.items():
                coder = PlaneEncoder(latent.depth, index.shape[2], index.shape[3], EMBEDDED[kind], part)
                sizes = (len(_core.write_chunk(CODES, coder.encode(plane))) for plane in planes)
                rows[name].append([8 * size / pixels for size in sizes])
        means = {name: np.mean(values, axis=0).tolist() for name, values in rows.items()}
        return Report(len(images), means["float"], means["network"], means["adaptive"])


def require_embedded(model: Model) -> None:
    """Raise :class:`TrainingError` unless a model has an entropy network of embedded planes."""
    if model.order is None or not model.tables:
        raise TrainingError(f"model {model.id} has no entropy network of embedded planes to start from")


def entropy_widths(model: Model) -> dict[str, int]:
    """Of a model's entropy network, as recipes name them. Raises :class:`TrainingError` if it has none."""
    require_embedded(model)
    return {
        "width": model.tables["bias"].shape[1],
        "embedding_width": model.tables["inner_bias"].shape[1],
    }


@torch.inference_mode()
def _index(network: LatentNetwork, picture: Image.Image, device: torch.device) -> Any:
    rows, columns = grid_shape(picture.width, picture.height, network.stride)
    samples = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    place = Workplace(device, torch.float32)
    index = analyse(network, Samples(samples, network.stride, device), rows, columns, place)
    return index.to(torch.int16).cpu().numpy()
