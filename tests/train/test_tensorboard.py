"""Figures of a run for TensorBoard: those of the log, and none twice after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recodec.cli import main
from recodec.errors import PackageError
from recodec.train import tensorboard
from recodec.train.journal import Console, Journal
from recodec.train.tensorboard import TensorBoard


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values of every curve, as TensorBoard shows them."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events: Any = module.EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_every_number_of_a_record_is_a_curve(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    board = TensorBoard(tmp_path / "tensorboard")
    journal = Journal(tmp_path / "log.jsonl", Console(None), board)
    journal.record("codes", minutes=1.0)
    journal.record("train", step=20, terms={"loss": 0.5, "gradient norm": 2}, learning_rate=0.25)
    journal.record("train", step=40, terms={"loss": float("nan")}, learning_rate=0.125)
    journal.record("validation", step=40, psnr=[20.0] * 9 + [30.0], model="a", done=True)
    journal.close()
    found = read(tmp_path / "tensorboard")
    assert found.pop("train/terms/loss") == [(20, 0.5)]
    assert found.pop("train/terms/gradient norm") == [(20, 2.0)]
    assert found.pop("train/learning_rate") == [(20, 0.25), (40, 0.125)]
    assert found.pop("validation/psnr/10") == [(40, 30.0)]
    assert list(found) == [f"validation/psnr/{chunk:02}" for chunk in range(1, 10)]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4


def test_a_resumed_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    for records in (
        [("train", 20, 1.0), ("train", 40, 2.0)],
        # The checkpoint was written at step 25, and what came after it was lost.
        [("resumed", 25, None), ("train", 45, 3.0)],
    ):
        board = TensorBoard(tmp_path)
        for event, step, loss in records:
            board.add(event, {"step": step, "terms": {"loss": loss}})
        board.close()
    assert read(tmp_path) == {"train/terms/loss": [(20, 1.0), (45, 3.0)]}


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(PackageError, match="pip install tensorboard"):
        TensorBoard(tmp_path)
    (tmp_path / "photographs").mkdir()
    arguments = ["train", "dev-1", "--data", str(tmp_path / "photographs"), "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(main, [*arguments, "--tensorboard"])
    assert done.exit_code == 2, done.output
    assert "extra tensorboard" in done.output
    assert not (tmp_path / "run").exists()
