"""Entropy models of embedded planes that begin with another's weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recodec.errors import TrainingError
from recodec.train.data.photographs import Photographs
from recodec.train.tasks.entropy.embedded import EmbeddedEntropyTask, entropy_widths
from recodec.train.tasks.entropy.recipe import EntropyPhase, EntropyRecipe
from recodec.weights import load_model
from tests.families.test_embedded_coders import embedded_planes, entropy_model, random_index
from tests.latent_models import latent_model
from tests.train import running


def test_codes_take_the_weights_of_the_same_channel_and_plane() -> None:
    planes, others = embedded_planes(0), embedded_planes(1)
    trained, network = entropy_model(others, 3), entropy_model(planes, 4)
    untouched = network.significance.detach().clone()
    network.start_from(trained)
    assert torch.equal(network.around, trained.around)
    theirs = {
        (channel, plane): trained.significance[row]
        for row, (channel, plane) in enumerate(
            pair
            for chunk in others.chunks
            for pair in zip(chunk.channels.tolist(), chunk.planes.tolist(), strict=True)
        )
    }
    row = taken = 0
    for chunk in planes.chunks:
        for pair in zip(chunk.channels.tolist(), chunk.planes.tolist(), strict=True):
            assert torch.equal(network.significance[row], theirs.get(pair, untouched[row]))
            taken += pair in theirs
            row += 1
    assert 0 < taken < row


def test_the_same_order_gives_the_same_network() -> None:
    planes = embedded_planes()
    trained, network = entropy_model(planes, 3), entropy_model(planes, 4)
    index = random_index(planes, 5, 6)
    assert not torch.equal(network.bits(index, 2), trained.bits(index, 2))
    network.start_from(trained)
    assert torch.equal(network.bits(index, 2), trained.bits(index, 2))


def test_runs_begin_with_a_model_or_say_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photographs: Photographs
) -> None:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(tmp_path))
    model = latent_model(tmp_path)
    bare = latent_model(tmp_path, "bare-latent", entropy=False)
    recipe = EntropyRecipe(
        model="new", codes_of=model.id, phases=(EntropyPhase(steps=1),), images=1, width=8, embedding_width=16
    )
    trainer = running.make_trainer(recipe, photographs, tmp_path / "run")
    assert isinstance(trainer.task, EmbeddedEntropyTask)
    with pytest.raises(TrainingError, match=r"of width 16 and embedding width 8.*of 8 and 16"):
        trainer.start_from(model)
    for without in (bare, load_model("dev-1")):
        with pytest.raises(TrainingError, match="no entropy network of embedded planes"):
            trainer.start_from(without)
        with pytest.raises(TrainingError, match="no entropy network of embedded planes"):
            entropy_widths(without)
    assert entropy_widths(model) == {"width": 16, "embedding_width": 8}
    fitting = replace(recipe, **entropy_widths(model))
    trainer = running.make_trainer(fitting, photographs, tmp_path / "other")
    trainer.start_from(model)
    assert trainer.origin.startswith("tiny-latent")
    tables = trainer.task.averaged_network(trainer.averaged()).tables()
    assert all(torch.equal(tables[name], value) for name, value in model.tables.items())
