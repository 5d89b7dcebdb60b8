"""Training of entropy models: runs, codes, windows."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec import _core
from recodec.codec import Codec
from recodec.errors import ImageError, TrainingError, WeightsError
from recodec.families.recurrent.planes import PlaneEncoder
from recodec.families.registry import engine_of
from recodec.train.data.photographs import Photographs
from recodec.train.tasks.entropy.codes import Border, Coded, code_picture, draw_windows, training_pictures
from recodec.train.tasks.entropy.network import EntropyNetwork, code_groups
from recodec.train.tasks.entropy.recipe import EntropyKind, EntropyPhase, EntropyRecipe
from recodec.train.tasks.entropy.report import measure, write_model
from recodec.train.trainer import Trainer
from recodec.weights import Model, load_model
from tests.train import running
from tests.train.entropy.recipes import command
from tests.train.running import assert_a_stop_changes_nothing, logged

CPU = torch.device("cpu")


KINDS: list[EntropyKind] = ["context", "binary-rnn", "progressive"]


PHASE = EntropyPhase(steps=30, batch=4, learning_rate=0.02)


SHORT = EntropyRecipe(model="trained", codes_of="zoned", phases=(PHASE,), images=4, width=8)


def lasting(steps: int, **change: Any) -> EntropyRecipe:
    return replace(SHORT, phases=(replace(PHASE, steps=steps),), **change)


def make_trainer(photographs: Photographs, folder: Path, recipe: EntropyRecipe = SHORT) -> Trainer:
    return running.make_trainer(recipe, photographs, folder)


def network_of(trainer: Trainer) -> EntropyNetwork:
    network: EntropyNetwork = trainer.task.averaged_network(trainer.averaged())
    return network


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_code_length(
    tmp_path: Path, zoned: Model, photographs: Photographs, kind: EntropyKind
) -> None:
    trainer = make_trainer(photographs, tmp_path, lasting(40, kind=kind))
    before = measure(zoned, network_of(trainer), photographs, 16, CPU)
    assert trainer.run()
    after = measure(zoned, network_of(trainer), photographs, 16, CPU)
    assert sum(after.float_bpp) < 0.9 * sum(before.float_bpp)
    assert (after.network_bpp is None) == (kind != "context")
    assert after.adaptive_bpp == before.adaptive_bpp
    assert logged(tmp_path, "train")[-1]["step"] == 40
    assert logged(tmp_path, "codes")[0]["photographs"] + logged(tmp_path, "codes")[0]["unreadable"] == 4


def test_resumed_training_equals_training_straight(
    tmp_path: Path, zoned: Model, photographs: Photographs
) -> None:
    straight, again = assert_a_stop_changes_nothing(lasting(200), photographs, tmp_path, 100)
    assert straight.progress.step == again.progress.step == 200


def test_two_processes_equal_one(tmp_path: Path, codec_folder: Path, photos: Path) -> None:
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    environment = os.environ | {"RECODEC_WEIGHTS": str(codec_folder), "OMP_NUM_THREADS": "1"}
    for name, launcher in (("one", ()), ("two", torchrun)):
        arguments = [*command(photos, tmp_path / name), "--quiet"]
        done = subprocess.run(
            [sys.executable, *launcher, "-m", "recodec", *arguments],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["task"] for name in ("one", "two")
    ]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-3, atol=1e-5)
    one, two = (logged(tmp_path / name, "train")[0]["terms"]["bpp"] for name in ("one", "two"))
    assert two == pytest.approx(one, rel=1e-4)
    collected = [logged(tmp_path / name, "codes")[0]["photographs"] for name in ("one", "two")]
    assert collected[0] == collected[1] > 1


@pytest.mark.parametrize("kind", KINDS)
def test_codes_of_two_symbols_can_be_trained_on(
    tmp_path: Path, tiny_model: str, photographs: Photographs, kind: EntropyKind
) -> None:
    model = load_model(tiny_model)
    trainer = make_trainer(photographs, tmp_path, lasting(2, kind=kind, codes_of="tiny"))
    assert trainer.run()
    report = measure(model, network_of(trainer), photographs, 16, CPU)
    assert len(report.float_bpp) == len(report.adaptive_bpp) == 8
    # After two steps a code costs about a bit.
    assert sum(report.float_bpp) == pytest.approx(8 * 16 / 256, rel=0.2)


def test_minutes_end_a_run(tmp_path: Path, zoned: Model, photographs: Photographs) -> None:
    trainer = make_trainer(
        photographs, tmp_path, replace(SHORT, phases=(replace(PHASE, steps=0, minutes=0.01),))
    )
    assert trainer.run()
    assert 0.6 <= trainer.progress.seconds < 6
    assert trainer.progress.step > 0
    assert trainer.run()  # has nothing left to do


def test_the_report_counts_the_bytes_of_real_files(
    tmp_path: Path, zoned: Model, photos: Path, photographs: Photographs
) -> None:
    trainer = make_trainer(photographs, tmp_path)
    assert trainer.run()
    network = network_of(trainer)
    report = measure(zoned, network, photographs, 16, CPU)
    write_model(tmp_path / "with.safetensors", zoned, network.tables(), {})  # type: ignore[union-attr,operator]
    codec = recodec.load(tmp_path / "with.safetensors")
    images = [photographs.read(index) for index in range(4)]
    pixels = [image.width * image.height for image in images]
    coded = {}
    for entropy, reported in (("network", report.network_bpp), ("adaptive", report.adaptive_bpp)):
        files = [codec.encode(image, iterations=4, entropy=entropy) for image in images]  # type: ignore[call-overload]
        infos = [codec.info(data) for data in files]
        assert all(info.details.entropy.startswith(entropy) for info in infos)
        sizes = np.array([info.chunk_bytes for info in infos])
        assert reported == pytest.approx((8 * sizes / np.array(pixels)[:, None]).mean(0).tolist())
        coded[entropy] = files
    # Integers and rounding cost little beside the float network; sizes and checksums are bytes of their own.
    assert report.network_bpp is not None
    overhead = 4 * 8 * 8 * np.mean(1 / np.array(pixels))
    assert sum(report.network_bpp) < 1.05 * sum(report.float_bpp) + overhead
    for one, two in zip(coded["network"], coded["adaptive"], strict=True):
        assert np.array_equal(np.asarray(codec.decode(one)), np.asarray(codec.decode(two)))


def test_codes_are_those_of_files(zoned: Model, photographs: Photographs) -> None:
    codec = Codec(engine_of(zoned))
    image = photographs.read(1)
    coded = code_picture(zoned.network, image, CPU)
    assert coded.codes.shape == (4, 8, 6, 19)
    sizes = codec.info(codec.encode(image, iterations=4)).chunk_bytes
    coder = PlaneEncoder(8, 6, 19, 3)
    assert tuple(len(_core.write_chunk(1, coder.encode(plane))) for plane in coded.codes) == sizes


def test_pictures_follow_from_the_seed_and_fit_the_limit(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    Image.fromarray(noise[:20, :30]).save(tmp_path / "small.png")
    source = Photographs([tmp_path])
    found = [picture for picture in training_pictures(source, 8, 1) if picture is not None]
    again = [picture for picture in training_pictures(source, 8, 1) if picture is not None]
    other = [picture for picture in training_pictures(source, 8, 2) if picture is not None]
    assert [picture.tobytes() for picture in found] == [picture.tobytes() for picture in again]
    assert [picture.tobytes() for picture in found] != [picture.tobytes() for picture in other]
    assert {picture.size for picture in found} >= {(30, 20), (640, 640)}
    assert all(max(picture.size) <= 640 for picture in found)
    large = {picture.tobytes() for picture in found if picture.size == (640, 640)}
    assert len(large) > 1


def test_windows_count_only_what_the_network_has_the_surroundings_of() -> None:
    codes = np.zeros((1, 1, 12, 20), np.int8)
    codes[0, 0] = np.arange(12 * 20).reshape(12, 20) % 127
    rng = np.random.default_rng(0)
    tops = set()
    for _ in range(60):
        windows, counts = draw_windows([Coded(320, 192, codes)], 1, 8, Border(2, 2, 1), rng)
        assert windows.shape == (1, 1, 1, 8, 8)
        top, left = next(
            (y, x)
            for y in range(5)
            for x in range(13)
            if np.array_equal(codes[0, 0, y : y + 8, x : x + 8], windows[0, 0, 0].numpy())
        )
        expected = np.ones((8, 8))
        expected[: 2 * (top > 0)] = 0
        expected[:, : 2 * (left > 0)] = 0
        expected[8 - (top < 4) :] = 0
        expected[:, 8 - 2 * (left < 12) :] = 0
        assert np.array_equal(counts[0].numpy(), expected)
        tops.add(top)
    assert tops == set(range(5))
    small = Coded(60, 40, codes[:, :, :3, :4])
    windows, counts = draw_windows([small], 2, 8, Border(2, 2, 1), rng)
    assert windows.shape == (2, 1, 1, 3, 4)
    assert bool((counts == 1).all())


@pytest.mark.parametrize(
    ("depth", "symbols", "groups"), [(96, 3, 6), (32, 2, 2), (8, 3, 1), (8, 2, 1), (20, 3, 1), (48, 2, 3)]
)
def test_groups_are_what_the_core_takes(depth: int, symbols: int, groups: int) -> None:
    assert code_groups(depth, symbols) == groups
    with pytest.raises(TrainingError, match="codes per position"):
        code_groups(6, symbols)


def test_what_cannot_be_is_refused(
    tmp_path: Path, zoned: Model, photographs: Photographs, photos: Path
) -> None:
    for change in (
        {"kind": "other"},
        {"images": 0},
        {"width": 12},
        {"embedding_width": 300},
        {"codes_of": ""},
    ):
        with pytest.raises(ValueError, match=next(iter(change))):
            replace(SHORT, **change)  # type: ignore[arg-type]
    for change in ({"minutes": float("nan")}, {"steps": 0}, {"learning_rate": 0.0}):
        with pytest.raises(ValueError, match=next(iter(change))):
            replace(PHASE, **change)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="no model 'nobody'"):
        make_trainer(photographs, tmp_path, replace(SHORT, codes_of="nobody"))
    with pytest.raises(ImageError, match="none of 4 photographs"):
        make_trainer(Photographs([photos / "broken.jpg"]), tmp_path).run()


def test_checkpoints_of_other_runs_and_damaged_ones_are_refused(
    tmp_path: Path, zoned: Model, photographs: Photographs
) -> None:
    trainer = make_trainer(photographs, tmp_path)
    trainer.save()
    for change in ({"kind": "progressive"}, {"seed": 1}, {"images": 5}, {"width": 16}):
        with pytest.raises(TrainingError, match="is of another"):
            make_trainer(photographs, tmp_path, replace(SHORT, **change)).resume()  # type: ignore[arg-type]
    longer = make_trainer(photographs, tmp_path, lasting(99))
    assert longer.resume()
    path = trainer.checkpoint_path
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not a checkpoint"):
        path.write_bytes(damaged)
        with pytest.raises(TrainingError, match="cannot be read as a checkpoint"):
            make_trainer(photographs, tmp_path).resume()


def test_a_code_length_that_is_not_finite_stops_and_keeps_the_checkpoint(
    tmp_path: Path, zoned: Model, photographs: Photographs
) -> None:
    trainer = make_trainer(photographs, tmp_path)
    trainer.run(steps=2)
    before = trainer.checkpoint_path.read_bytes()
    with torch.no_grad():
        next(trainer.task.network.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingError, match="not finite at step 3"):
        trainer.run()
    assert trainer.checkpoint_path.read_bytes() == before
