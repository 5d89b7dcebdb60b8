"""The training loop: phases of a recipe, checkpoints that resume, an average of the weights."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recodec.errors import RecodecError, TrainingError
from recodec.networks.recurrent import Noise, RecurrentCodec
from recodec.train.acceleration import accelerate
from recodec.train.checkpoint import Checkpoint, Progress
from recodec.train.crops import Crops, crop_batches, to_pixels
from recodec.train.journal import Journal, Losses, Teller
from recodec.train.losses import ReconstructionLoss
from recodec.train.photographs import Photographs
from recodec.train.processes import Processes
from recodec.train.recipe import Phase, Recipe
from recodec.train.schedule import learning_rate, noise_amplitude, unroll_length
from recodec.train.signals import calling_on_signals
from recodec.train.transform import start_from_transform
from recodec.train.validation import Curve, Validator
from recodec.weights import Model

CHECKPOINT_MINUTES = 5.0
_LOG_STEPS = 20
_CALIBRATION_CROPS, _TRANSFORM_CROPS, _CALIBRATION_SIZE = 256, 2048, 64
# Crops and noise of a step follow from (seed, purpose, phase, number).
_CROPS, _UNROLL, _NOISE, _CALIBRATION = range(4)
_POST_FILTER = "decoder.post_filter."


class Objective(nn.Module):
    """What a step minimises."""

    def __init__(self, network: RecurrentCodec, loss: ReconstructionLoss):
        super().__init__()
        self.network, self.loss = network, loss

    def forward(
        self, pixels: Tensor, lead_in: int, iterations: int, noise: Noise | None, density: Sequence[float]
    ) -> Tensor:
        """Loss of each iteration after ``lead_in`` others: (iterations,)."""
        pictures = self.network.unroll(pixels, iterations, lead_in=lead_in, noise=noise, density=density)
        losses: Tensor = self.loss(pictures, pixels)
        return losses


class Trainer:
    """Trains one recipe. What it needs to go on lies in ``folder/checkpoint.pt``."""

    def __init__(
        self,
        recipe: Recipe,
        photographs: Photographs,
        folder: Path,
        processes: Processes,
        *,
        validation: Photographs | None = None,
        workers: int = 0,
        teller: Teller | None = None,
    ):
        for phase in recipe.phases:
            if phase.batch % processes.count:
                raise TrainingError(
                    f"batch is {phase.batch}; it must be a multiple of the {processes.count} processes"
                )
        self.recipe, self.photographs, self.folder = recipe, photographs, folder
        self.processes, self.workers = processes, workers
        torch.manual_seed(recipe.seed)
        self.network = RecurrentCodec(recipe.network)
        if recipe.network.front_end == "dct8" and not self.checkpoint_path.exists():
            self.network.calibrate(self._sample_pixels(_CALIBRATION_CROPS))
            if recipe.start == "transform":
                density = recipe.phases[0].density
                start_from_transform(self.network, self._sample_pixels(_TRANSFORM_CROPS), density)
        accelerate(self.network, recipe.compute, processes.device)
        self._freeze()
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.objective = Objective(self.network, ReconstructionLoss(recipe.phases[0].loss))
        self.objective.to(processes.device)
        self._step_module: nn.Module = self.objective
        if processes.count > 1:
            # A single iteration leaves hidden kernels and gain networks without gradients.
            single = any(phase.unroll != "full" or phase.iterations == 1 for phase in recipe.phases)
            self._step_module = DistributedDataParallel(self.objective, find_unused_parameters=single)
        self.optimizer = self._make_optimizer()
        self.progress = Progress()
        self.unreadable: set[str] = set()
        self.origin = ""
        self.curve: Curve | None = None
        self._validator = None
        if processes.first:
            folder.mkdir(parents=True, exist_ok=True)
            if validation is not None:
                self._validator = Validator(validation, recipe.validation.images, processes.device)
        self.journal = Journal(folder / "log.jsonl", teller or Teller(None))
        self.stopped_by_signal = False

    def _freeze(self) -> None:
        """Leave gradients to what trains: without any, the loop remembers nothing for them either."""
        network = self.network
        match self.recipe.optimizer.trains:
            case "decoder":
                network.encoder.requires_grad_(False)
                network.binarizer.requires_grad_(False)
            case "post-filter":
                assert network.decoder.post_filter is not None
                network.requires_grad_(False)
                network.decoder.post_filter.requires_grad_(True)

    @property
    def _extended(self) -> str:
        """How names of what trains begin, where it matters which late iterations were trained."""
        return _POST_FILTER if self.recipe.optimizer.trains == "post-filter" else ""

    def _sample_pixels(self, count: int) -> Tensor:
        crops = Crops(self.photographs, _CALIBRATION_SIZE, self.recipe.data, (self.recipe.seed, _CALIBRATION))
        return to_pixels(torch.stack([crops[index].pixels for index in range(count)]))

    def _make_optimizer(self) -> torch.optim.Adam:
        rates = {"log_gain": self.recipe.optimizer.gain_rate}
        if self.recipe.optimizer.shortcut_rate != 1:
            rates["shortcut.weight"] = self.recipe.optimizer.shortcut_rate
        members: dict[str, list[nn.Parameter]] = {"": [], **{ending: [] for ending in rates}}
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                ending = next((ending for ending in rates if name.endswith(ending)), "")
                members[ending].append(parameter)
        self._rates = [rates.get(ending, 1.0) for ending, group in members.items() if group]
        groups = [{"params": group} for group in members.values() if group]
        return torch.optim.Adam(groups, lr=1e-3, fused=self.processes.device.type == "cuda")

    @property
    def checkpoint_path(self) -> Path:
        """Where the run's state is kept."""
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Write the checkpoint, in the first process. Raises :class:`TrainingError`."""
        self.unreadable = self.processes.union(self.unreadable)
        if self.processes.first:
            Checkpoint(
                self.network.state_dict(),
                self.average,
                self.optimizer.state_dict(),
                self.objective.loss.state_dict(),
                self.progress,
                sorted(self.unreadable),
                self.origin,
            ).write(self.checkpoint_path, self.recipe.network)

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one. Raises :class:`TrainingError` if it does not fit."""
        if not self.checkpoint_path.exists():
            return False
        saved = Checkpoint.read(self.checkpoint_path, self.recipe.network, self.processes.device)
        self.network.load_state_dict(saved.network)
        self.average = saved.average
        fused = self.optimizer.param_groups[0]["fused"]
        try:
            self.optimizer.load_state_dict(saved.optimizer)
        except ValueError as error:
            raise TrainingError(
                f"{self.checkpoint_path} was trained with other weights at rates of their own; keep trains and "
                "shortcut_rate of [optimizer], or start anew"
            ) from error
        for group in self.optimizer.param_groups:
            group["fused"] = fused  # the checkpoint may come from another kind of device
        self.objective.loss.load_state_dict(saved.loss)
        self.progress = saved.progress
        self.unreadable = set(saved.unreadable)
        self.origin = saved.origin
        if self.processes.first:
            self.journal.record("resumed", step=self.progress.step)
        return True

    def start_from(self, model: Model) -> None:
        """Take the weights of a trained model; projections that it shares become those of every iteration.

        A post-filter that it lacks, or has in another shape, stays as it is here. Raises
        :class:`TrainingError` if its network is another one otherwise.
        """
        config, wanted = model.network.config, self.recipe.network
        own_projections = config.own_projections or wanted.own_projections
        if replace(config, own_projections=own_projections, post_filter=wanted.post_filter) != wanted:
            raise TrainingError(f"model {model.id} to start from has another network than the recipe")
        weights = model.network.state_dict()
        own = self.network.state_dict()
        if config.post_filter != wanted.post_filter:
            weights |= {name: value for name, value in own.items() if name.startswith(_POST_FILTER)}
        self.network.load_state_dict({name: weights[name].expand_as(own[name]) for name in own})
        self.origin = f"{model.id} {model.hash.hex()}"
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}

    def run(self, minutes: float | None = None, steps: int | None = None) -> bool:
        """Train until the recipe ends (True), or until it is told to stop (False).

        That is after ``minutes``, after ``steps``, or by SIGTERM or SIGINT; a checkpoint is written in any
        case. Raises :class:`TrainingError` when the loss is not finite; the last good checkpoint stays.
        """
        if self.recipe.optimizer.trains == "post-filter" and not self.origin:
            raise TrainingError(
                "only the post-filter trains, so the rest must come from a model to start from"
            )
        self.stopped_by_signal = False
        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        last_step = math.inf if steps is None else self.progress.step + steps
        with calling_on_signals(self._stop):
            while self.progress.phase < len(self.recipe.phases):
                phase = self.recipe.phases[self.progress.phase]
                if not self._run_phase(phase, deadline, last_step):
                    self.save()
                    self.journal.teller.say(f"stopped at step {self.progress.step}")
                    return False
                self.progress.phase += 1
                self.progress.phase_step, self.progress.phase_seconds = 0, 0.0
                self.save()
        return True

    def _stop(self) -> None:
        self.stopped_by_signal = True

    def _run_phase(self, phase: Phase, deadline: float, last_step: float) -> bool:
        progress, recipe, processes = self.progress, self.recipe, self.processes
        if progress.phase_step == 0:
            self._extend()
        remembered = self.objective.loss.state_dict()
        self.objective.loss = ReconstructionLoss(phase.loss).to(processes.device)
        self.objective.loss.load_state_dict(remembered)
        crops = Crops(self.photographs, phase.crop, recipe.data, (recipe.seed, _CROPS, progress.phase))
        batches = crop_batches(
            crops,
            phase.batch,
            start=progress.phase_step,
            rank=processes.rank,
            processes=processes.count,
            workers=self.workers,
            pin_memory=processes.device.type == "cuda",
        )
        losses = Losses(recipe.network.iterations, processes)
        saved = validated = logged = clock = time.monotonic()
        logged_step = progress.step
        try:
            while True:
                now = time.monotonic()
                stop = self.stopped_by_signal or now > deadline or progress.step >= last_step
                seconds, stopping = processes.largest(progress.phase_seconds + now - clock, float(stop))
                progress.seconds += seconds - progress.phase_seconds
                progress.phase_seconds, clock = seconds, now
                done = self._share_done(phase)
                if done >= 1 or stopping or progress.step - logged_step >= _LOG_STEPS:
                    if progress.step > logged_step:
                        speed = (progress.step - logged_step) * phase.batch / (now - logged)
                        self._log(*losses.take(), speed, min(self._seconds_left(done), deadline - now))
                    logged, logged_step = now, progress.step
                    if done >= 1 or stopping:
                        return done >= 1
                    if now - saved > 60 * CHECKPOINT_MINUTES:
                        self.save()
                        saved = now
                    (due,) = processes.largest(float(now - validated > 60 * recipe.validation.every_minutes))
                    if due:
                        self.save()
                        self.validate()
                        processes.wait()
                        saved = validated = logged = clock = time.monotonic()
                try:
                    batch = next(batches)
                except RuntimeError:
                    # Whoever asked this process to stop may have killed its workers.
                    if self.stopped_by_signal:
                        continue
                    raise
                self.unreadable |= batch.unreadable
                pixels = to_pixels(batch.pixels.to(processes.device, non_blocking=True))
                losses.add(*self._train_step(phase, done, pixels))
        finally:
            batches.close()

    def _share_done(self, phase: Phase) -> float:
        if phase.steps:
            return self.progress.phase_step / phase.steps
        return self.progress.phase_seconds / (60 * phase.minutes)

    def _train_step(self, phase: Phase, done: float, pixels: Tensor) -> tuple[int, Tensor, Tensor]:
        step = self.progress.phase_step
        rate = learning_rate(phase, step, done)
        for group, share in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        rng = np.random.default_rng([self.recipe.seed, _UNROLL, self.progress.phase, step])
        lead_in, iterations = unroll_length(phase, done, rng)
        losses = self._step_module(pixels, lead_in, iterations, self._noise(phase, done), phase.density)
        self.optimizer.zero_grad()
        losses.mean().backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimizer.clip)
        self.optimizer.step()
        self.progress.step += 1
        self.progress.phase_step += 1
        self._update_average()
        return lead_in, losses.detach(), norm

    def _noise(self, phase: Phase, done: float) -> Noise | None:
        """Noise of this step for this process's part of the batch."""
        amplitude = noise_amplitude(phase, done)
        if amplitude == 0:
            return None
        rank, count, device = self.processes.rank, self.processes.count, self.processes.device
        numbers = [self.recipe.seed, _NOISE, self.progress.phase, self.progress.phase_step]
        seed = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
        generator = torch.Generator(device).manual_seed(seed)

        def draw(shape: torch.Size) -> Tensor:
            # For all processes alike, so that their number changes nothing.
            everyone = torch.rand(count * shape[0], *shape[1:], device=device, generator=generator)
            own = everyone[rank * shape[0] : (rank + 1) * shape[0]]
            return amplitude * (2 * own - 1)

        return draw

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on, a long memory would still hold the random start.
        decay = min(self.recipe.optimizer.ema, (1 + self.progress.step) / (10 + self.progress.step))
        # What is frozen stays the very weights of the model to start from.
        names = [name for name, parameter in self.network.named_parameters() if parameter.requires_grad]
        current = self.network.state_dict()
        torch._foreach_lerp_([self.average[n] for n in names], [current[n] for n in names], 1 - decay)

    def _extend(self) -> None:
        """Iterations that no former phase reached start from where the last trained one stands.

        Those of a transform start have one of their own.
        """
        former = self.recipe.phases[: self.progress.phase] if self.recipe.start == "random" else ()
        if trained := max((p.iterations + p.lead_in for p in former), default=0):
            self.network.extend(trained, self._extended)
            for name in self.network.per_iteration(self._extended):
                self.average[name][trained:] = self.average[name][trained - 1]

    def _log(
        self,
        losses: list[float | None],
        gradient_norm: float,
        crops_per_second: float,
        seconds_left: float,
    ) -> None:
        """Record the last steps. Raises :class:`TrainingError` if a loss or gradient is not finite."""
        values = [gradient_norm, *(loss for loss in losses if loss is not None)]
        state = {"step": self.progress.step, "phase": self.progress.phase, "losses": losses}
        if not all(map(math.isfinite, values)):
            if self.processes.first:
                self.journal.record("stopped", reason="the loss or its gradient is not finite", **state)
            raise TrainingError(
                f"the loss or its gradient is not finite within {_LOG_STEPS} steps before step {self.progress.step}; the last "
                "good checkpoint is kept, lower the learning rate"
            )
        if self.processes.first:
            self.journal.record(
                "train",
                **state,
                minutes=self.progress.seconds / 60,
                gradient_norm=gradient_norm,
                crops_per_second=crops_per_second,
                learning_rate=self.optimizer.param_groups[0]["lr"],
                unreadable=len(self.unreadable),
            )
            self.journal.progress(self.progress.step, losses, crops_per_second, seconds_left)

    def _seconds_left(self, done: float) -> float:
        """Of the recipe, at the speed of this phase for all phases that count steps."""
        progress, phases = self.progress, self.recipe.phases
        phase = phases[progress.phase]
        in_phase = progress.phase_seconds * (1 - done) / done if done > 0 else math.inf
        per_crop = progress.phase_seconds / max(1, progress.phase_step) / (phase.batch * phase.crop**2)
        later = phases[progress.phase + 1 :]
        return in_phase + sum(60 * p.minutes or per_crop * p.batch * p.crop**2 * p.steps for p in later)

    def validate(self) -> Curve | None:
        """Judge the averaged weights on the validation photographs, if there are any.

        A photograph that cannot be coded costs the figures, never the run.
        """
        if self._validator is None:
            return None
        iterations = self._trained_iterations()
        pictures = self.folder / "pictures" / f"step-{self.progress.step:07d}"
        try:
            self.curve = self._validator.run(self.averaged_network(), iterations, pictures)
        except RecodecError as error:
            self.journal.record("validation failed", step=self.progress.step, reason=str(error))
            self.journal.teller.say(f"validation failed: {error}")
            return None
        self.journal.record("validation", step=self.progress.step, **self.curve.to_dict())
        psnr, ms_ssim = self.curve.psnr, self.curve.ms_ssim
        text = "" if ms_ssim[-1] is None else f", MS-SSIM {ms_ssim[0]:.4f} to {ms_ssim[-1]:.4f}"
        self.journal.teller.say(
            f"validation at step {self.progress.step}: {self.curve.bpp[0]:.3f} to {self.curve.bpp[-1]:.3f} bpp, "
            f"{psnr[0]:.2f} to {psnr[-1]:.2f} dB{text}"
        )
        return self.curve

    def _trained_iterations(self) -> int:
        """How many iterations the phases so far have reached."""
        return max(p.iterations + p.lead_in for p in self.recipe.phases[: self.progress.phase + 1])

    def averaged_network(self) -> RecurrentCodec:
        """A copy of the network with the averaged weights, as a file of weights holds them."""
        network = RecurrentCodec(self.recipe.network)
        network.load_state_dict({name: value.cpu().half().float() for name, value in self.average.items()})
        if self.recipe.start == "random":
            network.extend(self._trained_iterations(), self._extended)
        if density := self.recipe.phases[min(self.progress.phase, len(self.recipe.phases) - 1)].density:
            network.fit_dead_zones(self._sample_pixels(_CALIBRATION_CROPS), density)
        return network
