"""Entropy networks by the name that a recipe gives them."""

from __future__ import annotations

from typing import TypeAlias

from recodec.errors import TrainingError
from recodec.networks.entropy.model import EntropyModel, EntropyModelConfig
from recodec.networks.entropy.paper import BinaryRNN, PaperEntropyConfig, ProgressiveCoder
from recodec.networks.plane_network import PlaneNetwork
from recodec.train.tasks.entropy.recipe import EntropyRecipe

EntropyNetwork: TypeAlias = EntropyModel | BinaryRNN

# Codes of a position that are coded together, at best, and what their bits must come in for the C++ core.
_GROUP, _BITS_AT_ONCE = 16, 8


def make_network(recipe: EntropyRecipe, codec: PlaneNetwork) -> EntropyNetwork:
    """An untrained network for a codec's codes. Raises :class:`TrainingError` if the core has none such."""
    if recipe.kind == "context":
        groups = code_groups(codec.depth, codec.symbols)
        sizes = (recipe.width, recipe.inner_embedding_width, groups)
        return EntropyModel(EntropyModelConfig(codec.depth, codec.symbols, codec.iterations, *sizes))
    network = {"binary-rnn": BinaryRNN, "progressive": ProgressiveCoder}[recipe.kind]
    return network(PaperEntropyConfig(codec.depth, codec.symbols, codec.iterations, recipe.width))


def code_groups(depth: int, symbols: int) -> int:
    """Groups of about 16 codes whose bits come in eights. Raises :class:`TrainingError` if there are none."""
    fitting = [
        size
        for size in range(1, depth + 1)
        if depth % size == 0 and size * (symbols - 1) % _BITS_AT_ONCE == 0
    ]
    if not fitting:
        raise TrainingError(
            f"the model has {depth} codes per position; an entropy model needs a multiple of "
            f"{_BITS_AT_ONCE // (symbols - 1)}"
        )
    return depth // min(fitting, key=lambda size: (abs(size - _GROUP), size))
