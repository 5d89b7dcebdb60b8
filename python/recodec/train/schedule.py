"""How the learning rate goes, as a pure function: a resumed run takes the same values."""

from __future__ import annotations

import math

from recodec.train.recipe import Phase


def learning_rate(phase: Phase, step: int, progress: float) -> float:
    """Linear warm-up over the first steps times half a cosine; ``progress`` through the phase is in 0..1."""
    warm_up = min(1.0, (step + 1) / max(1, phase.warm_up_steps))
    cosine = 0.5 + 0.5 * math.cos(math.pi * progress)
    return warm_up * (phase.final_rate + (phase.learning_rate - phase.final_rate) * cosine)
