"""The task that trains the recurrent codec: reconstruction after every iteration, through unrolled loops."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recodec.errors import TrainingError
from recodec.networks.convolution import lay_weights_in_nhwc
from recodec.networks.pixel.recurrent import Noise, RecurrentCodec
from recodec.ops.convolution import use_matrix_products
from recodec.train.losses import ReconstructionLoss
from recodec.train.precision import working_type
from recodec.train.recipe import Phase
from recodec.train.task import LOSS, Batch, Moment, ParameterGroup, Setting, Task, Terms
from recodec.train.tasks.crop_steps import pixel_batches, sample_pixels
from recodec.train.tasks.pixel.recipe import PixelPhase, PixelRecipe
from recodec.train.tasks.pixel.start import start_from_transform
from recodec.train.tasks.pixel.validation import Curve, Validator
from recodec.weights import Model, save_model

_CALIBRATION_CROPS, _TRANSFORM_CROPS, _CALIBRATION_SIZE = 256, 2048, 64
# Crops and noise of a step follow from (seed, purpose, phase, number).
_CROPS, _UNROLL, _NOISE, _CALIBRATION = range(4)
_NETWORK = "network."
# Encoder and decoder, first and later iterations, with and without gradients, for a few crop sizes.
_GRAPHS = 64


class PixelTask(Task[PixelRecipe]):
    """Trains a :class:`RecurrentCodec`."""

    def __init__(self, recipe: PixelRecipe, setting: Setting):
        super().__init__(recipe, setting)
        torch.manual_seed(recipe.seed)
        self.network = RecurrentCodec(recipe.network)
        self.loss = ReconstructionLoss(recipe.phases[0].loss)
        self.curve: Curve | None = None
        self._matrix_products = False
        self._validator: Validator | None = None
        if setting.validation is not None and setting.processes.first:
            self._validator = Validator(
                setting.validation, recipe.validation.images, setting.processes.device
            )
        self._freeze()

    def _freeze(self) -> None:
        """Leave gradients to what trains: without any, the loop remembers nothing for them either."""
        if self.recipe.optimizer.trains == "decoder":
            self.network.encoder.requires_grad_(False)
            self.network.binarizer.requires_grad_(False)

    def identity(self) -> dict[str, str]:
        """The network."""
        texts = self.recipe.network.to_texts()
        return {"task": self.recipe.task, "network": texts["encoder"] + texts["decoder"]}

    def start(self) -> None:
        """Calibrate the front end; with ``start = "transform"``, begin as a progressive transform coder."""
        if self.recipe.network.front_end != "dct8":
            return
        self.network.calibrate(self._sample(_CALIBRATION_CROPS))
        if self.recipe.start == "transform":
            pixels = self._sample(_TRANSFORM_CROPS)
            start_from_transform(self.network, pixels, self.recipe.phases[0].density)

    def _sample(self, count: int) -> Tensor:
        seed = (self.recipe.seed, _CALIBRATION)
        return sample_pixels(self.setting, self.recipe.data, _CALIBRATION_SIZE, count, seed)

    def start_from(self, model: Model) -> None:
        """Projections that a model shares become those of every iteration."""
        wanted = self.recipe.network
        if model.architecture != self.recipe.architecture:
            raise TrainingError(f"model {model.id} to start from is of another architecture than the recipe")
        config = model.network.config
        own_projections = config.own_projections or wanted.own_projections
        if replace(config, own_projections=own_projections) != wanted:
            raise TrainingError(f"model {model.id} to start from has another network than the recipe")
        weights = model.network.state_dict()
        own = self.network.state_dict()
        self.network.load_state_dict({name: weights[name].expand_as(own[name]) for name in own})

    def place(self) -> None:
        """Go to the device, in the fastest form that the recipe allows there."""
        device, compute = self.setting.processes.device, self.recipe.compute
        self.to(device)
        lay_weights_in_nhwc(self.network)
        cuda = device.type == "cuda"
        bfloat16 = working_type(compute, device) == torch.bfloat16
        compiled = compute.compile == "on" or (compute.compile == "auto" and cuda)
        self._matrix_products = not (cuda or bfloat16 or compiled)
        if cuda:
            torch.set_float32_matmul_precision("high")
        for stack in (self.network.encoder.layers, self.network.decoder.layers):
            if bfloat16:
                stack.compute_under(torch.bfloat16)
            if compiled:
                # One iteration, never the unrolled loop, whose graph would be as long as all of them. Gradients
                # of several processes are exchanged between compiled steps, never within one.
                torch._dynamo.config.optimize_ddp = False
                torch._dynamo.config.recompile_limit = max(_GRAPHS, torch._dynamo.config.recompile_limit)
                stack.compile(dynamic=False)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Gains and shortcut have rates of their own."""
        options = self.recipe.optimizer
        rates = {"log_gain": options.gain_rate}
        if options.shortcut_rate != 1:
            rates["shortcut.weight"] = options.shortcut_rate
        members: dict[str, list[nn.Parameter]] = {"": [], **{ending: [] for ending in rates}}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                ending = next((ending for ending in rates if name.endswith(ending)), "")
                members[ending].append(parameter)
        return [ParameterGroup(group, rates.get(ending, 1.0)) for ending, group in members.items() if group]

    @property
    def may_leave_unused(self) -> bool:
        """A single iteration leaves hidden kernels and gain networks without gradients."""
        return any(phase.unroll != "full" or phase.iterations == 1 for phase in self.recipe.phases)

    def begin_phase(self, number: int, average: Mapping[str, Tensor]) -> None:
        """Iterations that no former phase reached start from where the last trained one stands.

        Those of a transform start have one of their own.
        """
        if number == 0 or self.recipe.start != "random":
            return
        trained = self.recipe.trained_iterations(number - 1)
        self.network.extend(trained)
        for name in self.network.per_iteration():
            mean = average.get(_NETWORK + name)
            if mean is not None:
                mean[trained:] = mean[trained - 1]

    def batches(self, phase: Phase, number: int, start: int) -> Generator[Batch]:
        """Crops of the phase."""
        assert isinstance(phase, PixelPhase)
        seed = (self.recipe.seed, _CROPS, number)
        return pixel_batches(self.setting, self.recipe.data, phase.crop, phase.batch, seed, start)

    def forward(self, pixels: Tensor, moment: Moment) -> Terms:
        """The loss of each iteration that ran with gradients, and their mean."""
        phase = self.recipe.phases[moment.phase]
        lead_in, iterations = phase.unroll_length(moment.done, self.generator(_UNROLL, moment))
        noise = self._noise(phase.noise_amplitude(moment.done), moment)
        self.loss.weights = phase.loss
        with use_matrix_products(self._matrix_products):
            pictures = self.network.unroll(
                pixels, iterations, lead_in=lead_in, noise=noise, density=phase.density
            )
        losses = self.loss(pictures, pixels)
        terms = {f"iteration {number}": loss for number, loss in enumerate(losses, start=lead_in + 1)}
        return {LOSS: losses.mean(), **terms}

    def _noise(self, amplitude: float, moment: Moment) -> Noise | None:
        if amplitude == 0:
            return None
        uniform = self.uniform(_NOISE, moment)
        return lambda shape: amplitude * (2 * uniform(shape) - 1)

    def averaged_network(self, average: Mapping[str, Tensor]) -> RecurrentCodec:
        """A network with averaged weights, as a file of weights holds them."""
        recipe = self.recipe
        network = RecurrentCodec(recipe.network)
        weights = {
            name.removeprefix(_NETWORK): value.cpu().half().float()
            for name, value in average.items()
            if name.startswith(_NETWORK)
        }
        network.load_state_dict(weights)
        if recipe.start == "random":
            network.extend(recipe.trained_iterations(self.phase))
        if density := recipe.phases[self.phase].density:
            network.fit_dead_zones(self._sample(_CALIBRATION_CROPS), density)
        return network

    def validate(self, average: Mapping[str, Tensor], step: int, pictures: Path) -> str | None:
        """Code the validation photographs to real files."""
        if self._validator is None:
            return None
        iterations = self.recipe.trained_iterations(self.phase)
        self.curve = self._validator.run(self.averaged_network(average), iterations, pictures)
        self.setting.journal.record("validation", step=step, **self.curve.to_dict())
        psnr, ms_ssim = self.curve.psnr, self.curve.ms_ssim
        text = "" if ms_ssim[-1] is None else f", MS-SSIM {ms_ssim[0]:.4f} to {ms_ssim[-1]:.4f}"
        bpp = self.curve.bpp
        return f"{bpp[0]:.3f} to {bpp[-1]:.3f} bpp, {psnr[0]:.2f} to {psnr[-1]:.2f} dB{text}"

    def figures(self) -> dict[str, Any]:
        """The curve."""
        return {} if self.curve is None else self.curve.to_dict()

    def export(self, path: Path, average: Mapping[str, Tensor], notes: Mapping[str, Any]) -> None:
        """Weights as fp16."""
        save_model(path, self.averaged_network(average), dict(notes))
