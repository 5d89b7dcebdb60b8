"""The task that trains an autoencoder against a critic, in turns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recodec.train.task import LOSS, Moment, ParameterGroup, Setting, Terms
from recodec.train.tasks.adversarial.critic import Critic
from recodec.train.tasks.adversarial.games import (
    cross_entropy,
    slope_from_one,
    squared_slope,
    wasserstein_distance,
)
from recodec.train.tasks.adversarial.recipe import AdversarialPhase, AdversarialRecipe
from recodec.train.tasks.autoencoder.one_shot import OWN, ROUNDING, OneShotTask

# Where slopes are taken.
_BETWEEN = OWN
# Names of terms that can run away.
_ADVERSARIAL, _CRITIC, _PENALTY = "adversarial", "critic", "penalty"


class AdversarialTask(OneShotTask[AdversarialRecipe]):
    """Trains an :class:`Autoencoder` by distortion and by what a critic says.

    A step is the critic's or the autoencoder's, by its number; the other has no gradients in it, so that the
    optimiser leaves it, its moments too, as they are.
    """

    # Steps, up to the last, whose adversarial terms were too large.
    steps_astray: Tensor

    def __init__(self, recipe: AdversarialRecipe, setting: Setting):
        super().__init__(recipe, setting)
        self.critic = Critic(recipe.adversary.width)
        self.register_buffer("steps_astray", torch.zeros((), dtype=torch.int64))

    def identity(self) -> dict[str, str]:
        """The network, and the critic."""
        return {**super().identity(), "critic": str(self.recipe.adversary.width)}

    def companions(self) -> dict[str, nn.Module]:
        """The critic."""
        return {"critic": self.critic}

    def parameter_groups(self) -> list[ParameterGroup]:
        """The autoencoder, and the critic at its own rate."""
        networks = ((self.network, 1.0), (self.critic, self.recipe.adversary.rate))
        return [ParameterGroup(list(network.parameters()), rate) for network, rate in networks]

    @property
    def may_leave_unused(self) -> bool:
        """A step is of one network."""
        return True

    def turn(self, moment: Moment) -> str:
        """Whose step it is: that of the autoencoder "alone", of the "critic", or of the autoencoder "against" it."""
        if moment.done < self.recipe.phases[moment.phase].alone:
            return "alone"
        steps = self.recipe.adversary.steps
        return "against" if moment.step % (steps + 1) == steps else "critic"

    def forward(self, pixels: Tensor, moment: Moment) -> Terms:
        """The distortion and what the critic says of it, or what the critic minimises."""
        phase = self.recipe.phases[moment.phase]
        assert isinstance(phase, AdversarialPhase)
        pixels = self.patches(pixels, phase)
        turn, draw = self.turn(moment), self.uniform(ROUNDING, moment)
        if turn == "critic":
            # As a decoder shows them: statistics of a batch are those of inference, and stay what they are.
            self.network.eval()
            with torch.no_grad():
                _, shown, _ = self.through(pixels, draw)
            return self._critic_terms(pixels, shown, moment)
        self.network.train()
        _, shown, _ = self.through(pixels, draw)
        (distortion,) = self.loss([shown], pixels)
        if turn == "alone":
            return {LOSS: distortion, "distortion": distortion}
        adversarial = self._adversarial(pixels, shown)
        loss = distortion + self.recipe.adversary.weight * adversarial
        return {LOSS: loss, "distortion": distortion, _ADVERSARIAL: adversarial}

    def _adversarial(self, pixels: Tensor, shown: Tensor) -> Tensor:
        """What the autoencoder minimises beside the distortion."""
        adversary = self.recipe.adversary
        clip = adversary.clip if adversary.bound == "clip" else None
        of_shown = self.critic.frozen(shown, clip)
        if adversary.game == "dc":
            return cross_entropy(of_shown, picture=True)
        with torch.no_grad():
            of_pictures = self.critic.frozen(pixels, clip)
        return wasserstein_distance(of_pictures, of_shown)

    def _critic_terms(self, pixels: Tensor, shown: Tensor, moment: Moment) -> Terms:
        adversary = self.recipe.adversary
        if adversary.bound == "clip":
            self.critic.clip(adversary.clip)
        of_pictures, of_shown = self.critic(pixels), self.critic(shown)
        if adversary.game == "dc":
            game = cross_entropy(of_pictures, picture=True) + cross_entropy(of_shown, picture=False)
        else:
            game = -wasserstein_distance(of_pictures, of_shown)
        if adversary.bound != "penalty":
            return {LOSS: game, _CRITIC: game}
        if adversary.game == "dc":
            penalty = squared_slope(self.critic, pixels)
        else:
            between = self.uniform(_BETWEEN, moment)(torch.Size((len(pixels), 1, 1, 1)))
            penalty = slope_from_one(self.critic, pixels, shown, between)
        weighted = adversary.penalty * penalty
        return {LOSS: game + weighted, _CRITIC: game, _PENALTY: weighted}

    def fault(self, terms: Terms) -> str | None:
        """A game that has run away: its terms have been too large for too long."""
        adversary = self.recipe.adversary
        names = [name for name in (_ADVERSARIAL, _CRITIC, _PENALTY) if name in terms]
        if not names:
            return None
        largest = max(abs(float(terms[name].detach())) for name in names)
        (largest,) = self.setting.processes.largest(largest)
        if largest > adversary.limit:
            self.steps_astray += 1
        elif _CRITIC in terms:
            # The autoencoder's own term proves nothing: it is 0 too where a critic takes everything for pictures.
            self.steps_astray.zero_()
        if self.steps_astray < adversary.patience:
            return None
        return (
            f"the adversarial loss has run away: in {adversary.patience} steps, with no good one of the critic "
            f"between, a term of it was above {adversary.limit:g}"
        )

    @property
    def sound(self) -> bool:
        """Not while terms are too large."""
        return int(self.steps_astray) == 0
