"""The training loop: phases of a recipe, checkpoints that resume, an average of the weights. Knows no network."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from recodec.errors import RecodecError, TrainingError
from recodec.train.checkpoint import Checkpoint, Progress
from recodec.train.journal import Means
from recodec.train.optimizer import make_optimizer
from recodec.train.recipe import Phase
from recodec.train.schedule import learning_rate
from recodec.train.signals import calling_on_signals
from recodec.train.task import LOSS, Moment, Task, Terms
from recodec.weights import Model

CHECKPOINT_MINUTES = 5.0
_LOG_STEPS = 20


class Trainer:
    """Trains one task. What it needs to go on lies in ``folder/checkpoint.pt``."""

    def __init__(self, task: Task[Any], folder: Path):
        recipe, setting = task.recipe, task.setting
        processes = setting.processes
        for phase in recipe.phases:
            if phase.batch % processes.count:
                raise TrainingError(
                    f"batch is {phase.batch}; it must be a multiple of the {processes.count} processes"
                )
        self.task, self.recipe, self.folder = task, recipe, folder
        self.processes, self.journal = processes, setting.journal
        if not self.checkpoint_path.exists():
            task.start()
        task.place()
        self.average = self._initial_average()
        self._module: nn.Module = task
        if processes.count > 1:
            # Gradients lie where they are exchanged from; a copy of each would cost as much as the optimiser.
            self._module = DistributedDataParallel(
                task, find_unused_parameters=task.may_leave_unused, gradient_as_bucket_view=True
            )
        groups = task.parameter_groups()
        self._rates = [group.rate for group in groups]
        self.optimizer = make_optimizer(
            recipe.optimizer, [group.parameters for group in groups], processes.device
        )
        self.progress = Progress()
        self.origin = ""
        self.changes: list[str] = []
        self.stopped_by_signal = False

    def _initial_average(self) -> dict[str, Tensor]:
        named = self.task.named_parameters()
        return {name: value.detach().clone() for name, value in named if value.requires_grad}

    @property
    def checkpoint_path(self) -> Path:
        """Where the run's state is kept."""
        return self.folder / "checkpoint.pt"

    @property
    def skipped(self) -> set[str]:
        """Photographs that could not be used."""
        return self.task.setting.skipped

    def averaged(self) -> dict[str, Tensor]:
        """The task's state with averaged weights; what is frozen and what is counted, as it is."""
        return self.task.state_dict() | self.average

    def save(self) -> None:
        """Write the checkpoint, in the first process, unless the task would rather keep the one before.

        Raises :class:`TrainingError`.
        """
        everyone = self.processes.union(self.skipped)
        self.skipped.update(everyone)
        if self.processes.first and (self.task.sound or not self.checkpoint_path.exists()):
            Checkpoint(
                self.task.state_dict(),
                self.average,
                self.optimizer.state_dict(),
                self.progress,
                sorted(self.skipped),
                self.origin,
                self.task.made_of,
                self.changes,
            ).write(self.checkpoint_path, self.task.identity())

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one. Raises :class:`TrainingError` if it does not fit."""
        if not self.checkpoint_path.exists():
            return False
        saved = Checkpoint.read(self.checkpoint_path, self.task.identity(), self.processes.device)
        fused = self.optimizer.param_groups[0].get("fused")
        try:
            self.task.load_state_dict(saved.task)
            self.optimizer.load_state_dict(saved.optimizer)
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(
                f"{self.checkpoint_path} does not fit the recipe by what trains and at which rates: {reason}; "
                "keep those, or start anew in another folder"
            ) from error
        for group in self.optimizer.param_groups:
            if "fused" in group:
                group["fused"] = fused  # the checkpoint may come from another kind of device
        if saved.average.keys() != self.average.keys():
            raise TrainingError(
                f"{self.checkpoint_path} has other parameters in training than the recipe; start anew in another folder"
            )
        for name, value in saved.average.items():
            self.average[name].copy_(value)
        self.progress, self.origin = saved.progress, saved.origin
        self.task.phase = min(saved.progress.phase, len(self.recipe.phases) - 1)
        self.skipped.update(saved.skipped)
        changed = saved.changed(self.task.made_of)
        self.changes = list(saved.changes)
        if changed:
            self.changes.append(f"{', '.join(changed)} changed at step {self.progress.step}")
        if self.processes.first:
            self.journal.record("resumed", step=self.progress.step, changed=changed)
        return True

    def start_from(self, model: Model) -> None:
        """Take the weights of a trained model. Raises :class:`TrainingError` if it is not of this network."""
        self.task.start_from(model)
        self.origin = f"{model.id} {model.hash.hex()}"
        self.average = self._initial_average()

    def run(self, minutes: float | None = None, steps: int | None = None) -> bool:
        """Train until the recipe ends (True), or until it is told to stop (False).

        That is after ``minutes``, after ``steps`` more, or by SIGTERM or SIGINT; a checkpoint is written in any
        case. Raises :class:`TrainingError` when the loss is not finite or the task finds fault with it; the last good
        checkpoint stays.
        """
        self.stopped_by_signal = False
        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        last_step = math.inf if steps is None else self.progress.step + steps
        with calling_on_signals(self._stop):
            self.task.prepare(
                step=self.progress.step, origin=self.origin, stopped=lambda: self.stopped_by_signal
            )
            while self.progress.phase < len(self.recipe.phases):
                phase = self.recipe.phases[self.progress.phase]
                if not self._run_phase(phase, deadline, last_step):
                    self.save()
                    self.journal.console.say(f"stopped at step {self.progress.step}")
                    return False
                self.progress.phase += 1
                self.progress.phase_step, self.progress.phase_seconds = 0, 0.0
                self.save()
        return True

    def _stop(self) -> None:
        self.stopped_by_signal = True

    def _run_phase(self, phase: Phase, deadline: float, last_step: float) -> bool:
        progress, processes = self.progress, self.processes
        self.task.phase = progress.phase
        if progress.phase_step == 0:
            self.task.begin_phase(progress.phase, self.average)
        batches = self.task.batches(phase, progress.phase, progress.phase_step)
        means = Means(processes)
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
                        self._log(means.take(), speed, min(self._seconds_left(done), deadline - now))
                    logged, logged_step = now, progress.step
                    if done >= 1 or stopping:
                        return done >= 1
                    if now - saved > 60 * CHECKPOINT_MINUTES:
                        self.save()
                        saved = now
                    (due,) = processes.largest(
                        float(now - validated > 60 * self.recipe.validation.every_minutes)
                    )
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
                self.skipped.update(batch.skipped)
                means.add(self._step(phase, done, batch.data))
        finally:
            batches.close()

    def _share_done(self, phase: Phase) -> float:
        if phase.steps:
            return self.progress.phase_step / phase.steps
        return self.progress.phase_seconds / (60 * phase.minutes)

    def _step(self, phase: Phase, done: float, data: Any) -> Terms:
        progress = self.progress
        rate = learning_rate(phase, progress.phase_step, done)
        for group, share in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        terms: Terms = self._module(data, Moment(progress.phase, progress.phase_step, done))
        self.optimizer.zero_grad()
        torch.autograd.backward(terms[LOSS])
        norm = nn.utils.clip_grad_norm_(self.task.parameters(), self.recipe.optimizer.clip)
        # Before any weight changes. Gradients are those of all processes, so all of them stop here.
        if not math.isfinite(float(norm)):
            self._refuse(terms, "the loss or its gradient is not finite")
        if (fault := self.task.fault(terms)) is not None:
            self._refuse(terms, fault)
        self.optimizer.step()
        progress.step += 1
        progress.phase_step += 1
        if progress.step % self.recipe.optimizer.ema_every == 0:
            self._update_average()
        return {name: term.detach() for name, term in terms.items()} | {"gradient norm": norm}

    def _refuse(self, terms: Terms, reason: str) -> None:
        values = {name: float(term.detach()) for name, term in terms.items()}
        if self.processes.first:
            self.journal.record("stopped", reason=reason, step=self.progress.step + 1, terms=values)
        shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise TrainingError(
            f"{reason} at step {self.progress.step + 1} ({shown}); the last good checkpoint is kept, lower the "
            "learning rate"
        )

    @torch.no_grad()
    def _update_average(self) -> None:
        optimizer, step = self.recipe.optimizer, self.progress.step
        # Early on, a long memory would still hold the start.
        decay = min(optimizer.ema, (1 + step) / (10 + step)) ** optimizer.ema_every
        current = dict(self.task.named_parameters())
        torch._foreach_lerp_(list(self.average.values()), [current[name] for name in self.average], 1 - decay)

    def _log(self, terms: dict[str, float], samples_per_second: float, seconds_left: float) -> None:
        if not self.processes.first:
            return
        self.journal.record(
            "train",
            step=self.progress.step,
            phase=self.progress.phase,
            minutes=self.progress.seconds / 60,
            terms=terms,
            samples_per_second=samples_per_second,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            skipped=len(self.skipped),
        )
        self.journal.progress(self.progress.step, terms, samples_per_second, seconds_left)

    def _seconds_left(self, done: float) -> float:
        """Of the recipe, at the speed of this phase for all phases that count steps."""
        progress, phases = self.progress, self.recipe.phases
        in_phase = progress.phase_seconds * (1 - done) / done if done > 0 else math.inf
        per_unit = progress.phase_seconds / max(1, progress.phase_step) / phases[progress.phase].work
        later = [60 * p.minutes or per_unit * p.work * p.steps for p in phases[progress.phase + 1 :]]
        return float(in_phase + sum(later))

    def validate(self) -> bool:
        """Judge the averaged weights in the first process; whether there was anything to judge them by.

        A photograph that cannot be coded costs the figures, never the run.
        """
        if not self.processes.first or self.task.setting.validation is None:
            return False
        pictures = self.folder / "pictures" / f"step-{self.progress.step:07d}"
        try:
            line = self.task.validate(self.averaged(), self.progress.step, pictures)
        except RecodecError as error:
            self.journal.record("validation failed", step=self.progress.step, reason=str(error))
            self.journal.console.say(f"validation failed: {error}")
            return False
        if line is not None:
            self.journal.console.say(f"validation at step {self.progress.step}: {line}")
        return line is not None
