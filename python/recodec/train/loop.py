"""The training loop: phases, checkpoints that resume, an exponential average of the weights."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recodec.errors import RecodecError
from recodec.networks.recurrent import RecurrentCodec
from recodec.train.data import CropStream, Photographs
from recodec.train.gemm_convolution import use_gemm_convolutions
from recodec.train.losses import reconstruction_losses
from recodec.train.recipe import Phase, Recipe

CHECKPOINT_MINUTES = 5.0
_GRADIENT_LIMIT = 1.0


class TrainingError(RecodecError):
    """Training cannot go on: the loss is not finite, or a checkpoint does not fit."""


class Trainer:
    """Trains one recipe; everything it needs to go on lies in ``folder/checkpoint.pt``."""

    def __init__(self, recipe: Recipe, photographs: Photographs, folder: Path):
        torch.manual_seed(recipe.seed)
        self.recipe, self.photographs, self.folder = recipe, photographs, folder
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = RecurrentCodec(recipe.network)
        self.network.calibrate(photographs.sample(512, 64, recipe.scale, recipe.seed))
        self.network.to(self.device)
        self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.optimizer = self._make_optimizer()
        self.step = self.phase = self.phase_step = 0
        self.phase_seconds = 0.0
        self.stop_requested = False
        if self.device.type == "cpu":
            use_gemm_convolutions(self.network)
        folder.mkdir(parents=True, exist_ok=True)

    def _make_optimizer(self) -> torch.optim.Adam:
        gains = [p for name, p in self.network.named_parameters() if name.endswith("log_gain")]
        others = [p for name, p in self.network.named_parameters() if not name.endswith("log_gain")]
        groups: list[dict[str, Any]] = [{"params": others, "rate": 1.0}]
        if gains:
            groups.append({"params": gains, "rate": self.recipe.gain_rate})
        return torch.optim.Adam(groups, lr=1e-3)

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Write the checkpoint; an interrupted write leaves the former one in place."""
        temporary = self._checkpoint.with_suffix(".tmp")
        torch.save(
            {
                "network_config": self.recipe.network.to_texts(),
                "network": self.network.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
                "progress": (self.step, self.phase, self.phase_step, self.phase_seconds),
                "random": torch.get_rng_state(),
            },
            temporary,
        )
        os.replace(temporary, self._checkpoint)

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one. Raises :class:`TrainingError` if it does not fit."""
        if not self._checkpoint.exists():
            return False
        saved = torch.load(self._checkpoint, map_location=self.device, weights_only=True)
        if saved["network_config"] != self.recipe.network.to_texts():
            raise TrainingError(
                f"{self._checkpoint} holds another network than the recipe; use another folder"
            )
        self.network.load_state_dict(saved["network"])
        self.average = saved["average"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.phase, self.phase_step, self.phase_seconds = saved["progress"]
        torch.set_rng_state(saved["random"].cpu())
        return True

    def run(self, minutes: float | None, report: Callable[[str], None]) -> bool:
        """Train until the recipe ends (True), or ``minutes`` pass or SIGTERM arrives (False)."""
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stop_requested", True))
        deadline = None if minutes is None else time.monotonic() + 60 * minutes
        while self.phase < len(self.recipe.phases):
            if not self._run_phase(self.recipe.phases[self.phase], deadline, report):
                self.save()
                return False
            self.phase, self.phase_step, self.phase_seconds = self.phase + 1, 0, 0.0
            self.save()
        return True

    def _run_phase(self, phase: Phase, deadline: float | None, report: Callable[[str], None]) -> bool:
        if self.phase_step == 0:
            self._extend_gains()
        seed = hash((self.recipe.seed, self.step)) & 0x7FFFFFFF
        crops = CropStream(self.photographs, phase.batch, phase.crop, self.recipe.scale, seed)
        history: list[Tensor] = []
        saved_at = clock = time.monotonic()
        try:
            while (progress := self._progress(phase)) < 1:
                if self.stop_requested or (deadline is not None and time.monotonic() > deadline):
                    return False
                history.append(self._train_step(phase, progress, crops.next().to(self.device)))
                now = time.monotonic()
                self.phase_seconds, clock = self.phase_seconds + now - clock, now
                if self.step % 100 == 0:
                    self._log(torch.stack(history).mean(0), report)
                    history.clear()
                if now - saved_at > 60 * CHECKPOINT_MINUTES:
                    self.save()
                    saved_at = now
        finally:
            crops.close()
        return True

    def _extend_gains(self) -> None:
        """Iterations that no former phase reached start from where the last trained one stands."""
        trained = max((p.iterations + p.lead_in for p in self.recipe.phases[: self.phase]), default=0)
        if trained:
            self.network.extend_gains(trained)
            for name, value in self.network.state_dict().items():
                if name.endswith("log_gain"):
                    self.average[name][trained:] = value[trained:]

    def _progress(self, phase: Phase) -> float:
        return self.phase_step / phase.steps if phase.steps else self.phase_seconds / (60 * phase.minutes)

    def _train_step(self, phase: Phase, progress: float, pixels: Tensor) -> Tensor:
        warm_up = min(1.0, (self.phase_step + 1) / max(1, phase.warm_up_steps))
        cosine = 0.5 + 0.5 * math.cos(math.pi * progress)
        rate = warm_up * (phase.final_rate + (phase.learning_rate - phase.final_rate) * cosine)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate"]
        # Half of the steps start at the beginning, so that late iterations do not crowd out early ones.
        lead_in = int(torch.randint(phase.lead_in + 1, ())) if torch.rand(()) < 0.5 else 0
        pictures = self.network.unroll(pixels, phase.iterations, phase.binarizer, lead_in)
        losses = reconstruction_losses(pictures, pixels, phase.ssim_weight)
        if not torch.isfinite(losses).all():
            raise TrainingError(
                f"the loss is not finite at step {self.step}; the last good checkpoint is kept, "
                "lower the learning rate"
            )
        self.optimizer.zero_grad()
        losses.mean().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_LIMIT)
        self.optimizer.step()
        self.step, self.phase_step = self.step + 1, self.phase_step + 1
        self._update_average()
        return losses.detach()

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on, a long memory would still hold the random start.
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    def _log(self, losses: Tensor, report: Callable[[str], None]) -> None:
        record = {
            "step": self.step,
            "phase": self.phase,
            "minutes": round(self.phase_seconds / 60, 2),
            "losses": [round(value, 5) for value in losses.tolist()],
        }
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
        report(f"step {self.step}  {record['minutes']} min  " + " ".join(f"{v:.4f}" for v in losses.tolist()))

    def averaged_network(self) -> RecurrentCodec:
        """A copy of the network with the averaged weights, on the CPU."""
        network = RecurrentCodec(self.recipe.network)
        network.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return network
