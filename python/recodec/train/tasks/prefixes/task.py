"""The task that trains the decoder on real planes of random prefixes, and then both sides together.

While the encoder stays, what the decoder is given is exactly what files hold, and gradients are exact. Where planes are
not in order yet, they are put in order first, from the transform that a run starts from. Once an entropy network knows
those planes, the encoder can learn what they cost: with gradients through quantisers made soft.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recodec.errors import TrainingError
from recodec.networks.entropy.embedded import EmbeddedEntropyModel
from recodec.networks.latent.levels import TransformNetwork
from recodec.networks.latent.network import LatentNetwork
from recodec.networks.latent.transform import STRIDE
from recodec.train.data.batches import to_pixels
from recodec.train.data.synthetic import synthetic_picture
from recodec.train.task import LOSS, Moment, Setting, Terms
from recodec.train.tasks.crop_steps import sample_pixels
from recodec.train.tasks.prefixes.costs import CodeCosts
from recodec.train.tasks.prefixes.curvature import curvatures
from recodec.train.tasks.prefixes.recipe import PrefixRecipe
from recodec.train.tasks.prefixes.schedule import make_room, plan
from recodec.train.tasks.prefixes.validation import code_prefixes, estimated_bits
from recodec.train.tasks.rate_distortion.curves import Code
from recodec.train.tasks.rate_distortion.distortion import balance
from recodec.train.tasks.rate_distortion.task import RateDistortionTask, as_shipped
from recodec.weights import Model, save_model

# Crops from which the order of planes is measured, and those for what errors cost, which is dearer.
_SAMPLE_CROPS, _CURVATURE_CROPS, _SAMPLE_SIZE = 384, 32, 192
# What is random follows from (seed, purpose, phase, number).
_PREFIXES, _SAMPLES, _SIGNS, _EXTREMES, _CHUNKS = range(1, 6)
_DRAWN = 64
_NETWORK, _COSTS = "network.", "costs."
_AT_ONCE = 16


class PrefixTask(RateDistortionTask[PrefixRecipe]):
    """Trains the decoder of a :class:`LatentNetwork`; or all of it, and the entropy network that tells costs."""

    lambdas: Tensor

    def __init__(self, recipe: PrefixRecipe, setting: Setting):
        super().__init__(recipe, setting)
        self.network = LatentNetwork(recipe.network).compute_in(self.dtype)
        self.costs = CodeCosts(recipe.costs_of, setting.processes.device) if recipe.costs_of else None
        self.network.analysis.requires_grad_(self.costs is not None)
        # The weight of distortion for which each chunk pays.
        self.register_buffer("lambdas", torch.ones(recipe.network.chunks))

    def identity(self) -> dict[str, str]:
        """The network."""
        texts = self.recipe.network.to_texts()
        return {"task": self.recipe.task, "network": texts["encoder"] + texts["decoder"]}

    def start_from(self, model: Model) -> None:
        """Go on with a model of planes, or put the planes of a transform in order."""
        network = model.network
        if isinstance(network, TransformNetwork) and self.costs is None:
            self._arrange(network)
        elif isinstance(network, LatentNetwork) and network.config == self.recipe.network:
            if self.costs is not None and self.costs.take_from(model):
                self.setting.journal.console.say(f"costs are told by the entropy network of {model.id}")
            self.network.load_state_dict(network.state_dict())
            kept = model.training.get("lambdas")
            if kept is None or self.costs is not None:
                self._measure()
            else:
                self.lambdas.copy_(kept.float().exp())
        else:
            raise TrainingError(f"model {model.id} to start from has another network than the recipe")

    def _arrange(self, transform: TransformNetwork) -> None:
        """Take over a transform, and measure in which order its planes pay."""
        recipe, network, journal = self.recipe, self.network, self.setting.journal
        sides = transform.config.channels, transform.config.analysis, transform.config.synthesis
        if sides != (recipe.network.channels, recipe.network.analysis, recipe.network.synthesis):
            raise TrainingError("the transform to start from has another network than the recipe")
        network.analysis.load_state_dict(transform.analysis.state_dict())
        network.synthesis.load_state_dict(transform.synthesis.state_dict())
        network.scale.copy_(transform.scale)
        seed = (recipe.seed, _SAMPLES)
        pixels = sample_pixels(self.setting, recipe.data, _SAMPLE_SIZE, _SAMPLE_CROPS, seed)
        journal.console.say("measuring what errors of each latent cost")
        distortion = recipe.phases[0].distortion
        curvature = curvatures(
            transform,
            pixels[:_CURVATURE_CROPS],
            lambda shown, crops: distortion.measure(shown, crops).distortion,
            _SIGNS,
        )
        journal.console.say("putting planes in order")
        with torch.no_grad():
            latents = torch.cat([network.latents(part) for part in torch.split(pixels, _AT_ONCE)])
            steps = transform.levels.log_step.exp()
            planes = network.planes
            threshold = (steps[-1] * recipe.chunks.finest * _stagger(len(planes.threshold))).half().float()
            magnitude = latents.abs() / threshold[:, None, None]
            index = (
                magnitude.clamp(max=(1 << recipe.network.planes) - 1).to(torch.int32) * latents.sign().int()
            )
            ends = [rate * STRIDE**2 for rate in recipe.chunks.ends(recipe.network.chunks)]
            found = plan(index, magnitude, threshold, curvature, steps, recipe.network.planes, ends)
            extremes = (
                network.latents(_extreme_pixels(_SAMPLE_SIZE, recipe.seed).to(pixels)).abs().amax((0, 2, 3))
            )
            largest = torch.maximum(magnitude.amax((0, 2, 3)), extremes / threshold)
            planes.threshold.copy_(threshold)
            planes.chunk_of.copy_(make_room(found.chunk_of, recipe.network.chunks, largest))
            planes.point.copy_(found.points)
            planes.forget()
            planes.check()
            self.lambdas.copy_(torch.tensor(found.lambdas))
            self._take_levels(transform)
        journal.record(
            "planes",
            codes=[len(chunk) for chunk in planes.chunks],
            rates=[round(rate / STRIDE**2, 4) for rate in found.rates],
            lambdas=[round(value, 1) for value in found.lambdas],
        )

    @torch.no_grad()
    def _measure(self) -> None:
        """Measure what each chunk pays for, bits over distortion, where it is not known or known by other bits."""
        recipe, network = self.recipe, self.network
        seed = (recipe.seed, _SAMPLES)
        pixels = sample_pixels(self.setting, recipe.data, _SAMPLE_SIZE, _CURVATURE_CROPS, seed)
        index = network.analyse(pixels)
        bits = estimated_bits(network, index) if self.costs is None else self.costs.bits
        rates, distortions = [], []
        for count in range(1, network.iterations + 1):
            rates.append(bits(index, count - 1) / pixels[:, 0].numel())
            values = network.planes.values(network.planes.prefix(index, count), count)
            rows = torch.full((len(pixels),), count - 1, device=pixels.device)
            shown = network.show(values, rows)
            distortions.append(float(recipe.phases[0].distortion.measure(shown, pixels).distortion.mean()))
        slopes = torch.tensor(rates)[1:] / (-torch.tensor(distortions).diff()).clamp_min(1e-9)
        # Of both sides of a chunk's end, and rising as rates do.
        both = torch.cat([slopes[:1], (slopes[1:] * slopes[:-1]).sqrt(), slopes[-1:]])
        self.lambdas.copy_(both.cummax(0).values)
        if self.costs is not None:
            self.costs.rates.copy_(torch.tensor(rates).cumsum(0) * STRIDE**2)

    def _take_levels(self, transform: TransformNetwork) -> None:
        """Begin each chunk with gains and offset of the levels whose quantisers are most like it."""
        planes, tables, levels = self.network.planes, self.network.chunks, transform.levels
        for chunk in range(planes.count):
            known = planes.lowest[chunk + 1]
            sizes = planes.threshold.log() + known * math.log(2)
            places = _places(sizes, levels.log_step)
            tables.log_gain[chunk].copy_(_between(levels.log_gain, places))
            sent = known < planes.point.shape[2]
            middle = places[sent].median().expand(levels.offset.shape[1])
            tables.offset[chunk].copy_(_between(levels.offset, middle))

    def prepare(self, *, step: int, origin: str, stopped: object) -> None:
        """Judge what a new run starts from, so that validation can tell the gain. Raises :class:`TrainingError`."""
        if not origin:
            raise TrainingError(
                "the decoder on prefixes starts from a transform or a model of planes (--start-from)"
            )
        super().prepare(step=step, origin=origin, stopped=stopped)

    @property
    def fast(self) -> list[nn.Parameter]:
        """Gains and points, and the entropy network, which follows the codes."""
        own = [self.network.chunks.log_gain, self.network.planes.point]
        return own if self.costs is None else [*own, *self.costs.parameters()]

    def forward(self, pixels: Tensor, moment: Moment) -> Terms:
        """Squared error and MS-SSIM of prefixes, and their weighted sum at each prefix's own λ."""
        phase = self.recipe.phases[moment.phase]
        rows = self.draw(_PREFIXES, self.recipe.network.chunks, len(pixels), moment)
        network, planes, counts = self.network, self.network.planes, (rows + 1).tolist()
        with torch.set_grad_enabled(self.costs is not None):
            latents = network.latents(pixels)
        index = planes.index(latents.detach())
        values = torch.cat(
            [planes.values(planes.prefix(index[i : i + 1], count), count) for i, count in enumerate(counts)]
        )
        lambdas, cost = self.lambdas[rows], torch.zeros(len(pixels), device=pixels.device)
        terms = {}
        if self.costs is not None:
            terms["entropy"] = self.costs.learn(index, self.generator(_CHUNKS, moment))
            moved = latents - latents.detach()
            values = values + moved * self.costs.slopes(planes, latents.detach(), counts)
            pull = self.costs.pull(planes, latents.detach(), index, counts)
            cost = (moved * pull).sum((1, 2, 3)) / pixels[0, 0].numel()
        found = phase.distortion.measure(network.show(values, rows), pixels)
        loss = balance(lambdas * found.distortion + cost, lambdas)
        loss = loss + sum(terms.values())
        return {LOSS: loss, "mse": found.error.mean(), "ms_ssim": found.similarity.mean(), **terms}

    def _shipped(self, state: Mapping[str, Tensor]) -> LatentNetwork:
        network = LatentNetwork(self.recipe.network)
        as_shipped(network, state, _NETWORK)
        return network

    def _averaged_costs(
        self, state: Mapping[str, Tensor], network: LatentNetwork
    ) -> EmbeddedEntropyModel | None:
        return None if self.costs is None else self.costs.averaged(state, _COSTS, network.planes)

    def code(self, state: Mapping[str, Tensor]) -> Code:
        """Every prefix, by estimated rates, or those of the network that tells costs."""
        network = self._shipped(state)
        entropy = self._averaged_costs(state, network)
        return code_prefixes(
            network, None if entropy is None else lambda *chunk: float(entropy.bits(*chunk).sum())
        )

    def export(self, path: Path, average: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Weights as fp16, the entropy network if there is one, and what each chunk pays for, which only training
        reads.
        """
        network = self._shipped(average)
        entropy = self._averaged_costs(average, network)
        tables = None if entropy is None else entropy.tables()
        save_model(path, network, dict(notes), tables, training={"lambdas": average["lambdas"].log()})


def _extreme_pixels(size: int, seed: int) -> Tensor:
    """Flat areas of the most saturated colours, and drawn pictures: what latents must be able to say."""
    corners = torch.tensor(list(product((-0.5, 0.5), repeat=3)))[:, :, None, None].expand(-1, -1, size, size)
    rng = np.random.default_rng([seed, _EXTREMES])
    drawn = np.stack([synthetic_picture(size, rng) for _ in range(_DRAWN)])
    return torch.cat([corners, to_pixels(torch.from_numpy(drawn).permute(0, 3, 1, 2))])


def _stagger(channels: int) -> Tensor:
    """Factors of 0.7 to 1.4 for thresholds, so that the planes of all channels do not pay at the same few rates."""
    golden = (torch.arange(channels) * 0.6180339887) % 1
    return torch.exp2(golden - 0.5)


def _places(sizes: Tensor, log_step: Tensor) -> Tensor:
    """Where the log of each channel's step lies among those of the levels (levels, channels), which fall."""
    falling = log_step.cummin(0).values
    above = (falling > sizes).sum(0).clamp(1, len(falling) - 1)
    upper, lower = falling.gather(0, above[None] - 1)[0], falling.gather(0, above[None])[0]
    share = ((upper - sizes) / (upper - lower).clamp_min(1e-6)).clamp(0, 1)
    return above - 1 + share


def _between(values: Tensor, places: Tensor) -> Tensor:
    """``values`` (levels, n) at places among the levels (n,)."""
    lower = places.floor().long().clamp(max=len(values) - 2)
    share = places - lower
    below, above = values.gather(0, lower[None])[0], values.gather(0, lower[None] + 1)[0]
    return torch.lerp(below, above, share)
