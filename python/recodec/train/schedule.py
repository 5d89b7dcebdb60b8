"""What changes from step to step, as pure functions: a resumed run takes the same values."""

from __future__ import annotations

import math

import numpy as np

from recodec.train.recipe import Phase


def learning_rate(phase: Phase, step: int, progress: float) -> float:
    """Linear warm-up over the first steps times half a cosine; ``progress`` through the phase is in 0..1."""
    warm_up = min(1.0, (step + 1) / max(1, phase.warm_up_steps))
    cosine = 0.5 + 0.5 * math.cos(math.pi * progress)
    return warm_up * (phase.final_rate + (phase.learning_rate - phase.final_rate) * cosine)


def noise_amplitude(phase: Phase, progress: float) -> float:
    """Amplitude of the binarizer's noise, on the line between the two that the phase names."""
    start, end = phase.noise
    return start + (end - start) * progress


def unroll_length(phase: Phase, progress: float, rng: np.random.Generator) -> tuple[int, int]:
    """How many iterations run without gradients, and how many with, in one step."""
    # Half of the steps start at the beginning, so that late iterations do not crowd out early ones.
    lead_in = int(rng.integers(phase.lead_in + 1)) if rng.random() < 0.5 else 0
    match phase.unroll:
        case "full":
            return lead_in, phase.iterations
        case "random":
            return lead_in, int(rng.integers(1, phase.iterations + 1))
        case "growing":
            return lead_in, min(phase.iterations, 1 + int(progress * phase.iterations))
