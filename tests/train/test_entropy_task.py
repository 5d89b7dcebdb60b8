"""Training an entropy network: it learns, it resumes exactly, its report counts real bytes, its model codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import recodec
from recodec import _core
from recodec.cli import main
from recodec.codec import Codec
from recodec.errors import ImageError, TrainingError, WeightsError
from recodec.families.recurrent.planes import PlaneEncoder
from recodec.families.registry import engine_of
from recodec.networks.pixel.recurrent import RecurrentCodec
from recodec.train.data.photographs import Photographs
from recodec.train.tasks.entropy.codes import Border, Coded, code_picture, draw_windows, training_pictures
from recodec.train.tasks.entropy.network import EntropyNetwork, code_groups
from recodec.train.tasks.entropy.recipe import EntropyKind, EntropyPhase, EntropyRecipe
from recodec.train.tasks.entropy.report import measure, write_model
from recodec.train.trainer import Trainer
from recodec.weights import Model, load_model, save_model
from tests.train import running
from tests.train.running import logged, train_with_and_without_a_stop
from tests.zoned import ZONED

CPU = torch.device("cpu")
KINDS: list[EntropyKind] = ["context", "binary-rnn", "progressive"]


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs, one of them smaller than a window, and a file that only looks like one."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("entropy-photos")
    for index, size in enumerate([(220, 170), (300, 90), (130, 200), (60, 40)]):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photograph")
    return folder


@pytest.fixture(scope="session")
def photographs(photos: Path) -> Photographs:
    return Photographs([photos])


@pytest.fixture(scope="session")
def codec_folder(tmp_path_factory: pytest.TempPathFactory, photographs: Photographs) -> Path:
    """A folder with "zoned", an untrained codec whose dead zones are fitted, so that its codes say something."""
    torch.manual_seed(3)
    network = RecurrentCodec(ZONED)
    pixels = (
        torch.from_numpy(np.array(photographs.read(0).resize((160, 160)))).permute(2, 0, 1)[None] / 255 - 0.5
    )
    network.calibrate(pixels)
    network.fit_dead_zones(pixels, (0.1, 0.2))
    folder = tmp_path_factory.mktemp("zoned")
    save_model(folder / "zoned.safetensors", network, {"made": "for tests"})
    return folder


@pytest.fixture
def zoned(codec_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("RECODEC_WEIGHTS", str(codec_folder))
    return load_model("zoned")


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
    straight, again = train_with_and_without_a_stop(lasting(200), photographs, tmp_path, 100)
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


def command(photos: Path, out: Path, *more: str) -> list[str]:
    short = ["--steps", "6", "--images", "4", "--width", "8", "--threads", "1"]
    return [
        *("train-entropy", "zoned", "--data", str(photos), "--valid", str(photos / "0.png")),
        *("--out", str(out), *short, *more),
    ]


def test_the_command_writes_a_model_that_codes(
    tmp_path: Path, zoned: Model, photos: Path, codec_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = CliRunner().invoke(main, command(photos, tmp_path / "run", "--name", "zoned-net"))
    assert done.exit_code == 0, done.output
    assert "after   4 chunks" in done.output
    model = load_model(tmp_path / "run" / "zoned-net.safetensors")
    for name, value in zoned.network.state_dict().items():
        assert torch.equal(value, model.network.state_dict()[name]), name
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert model.notes == {"made": "for tests", "entropy": report}
    assert report["training"]["steps"] == 6
    assert len(report["validation"]["network_bpp"]) == 4
    assert str(tmp_path) not in json.dumps(report)
    assert str(photos) not in json.dumps(report)
    assert logged(tmp_path / "run", "validation")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"checkpoint.pt", "log.jsonl", "report.json", "zoned-net.safetensors"}

    monkeypatch.setenv("RECODEC_WEIGHTS", os.pathsep.join([str(tmp_path / "run"), str(codec_folder)]))
    with Image.open(photos / "1.png") as image:
        data = recodec.encode(image, model="zoned-net", iterations=3, entropy="network")
        assert recodec.info(data).details.entropy == "network-1"
        plain = recodec.encode(image, model="zoned", iterations=3)
    assert np.array_equal(np.asarray(recodec.decode(data)), np.asarray(recodec.decode(plain)))


def test_the_papers_networks_give_a_report_and_no_model(tmp_path: Path, zoned: Model, photos: Path) -> None:
    done = CliRunner().invoke(main, command(photos, tmp_path / "run", "--network", "progressive", "-q"))
    assert (done.exit_code, done.output) == (0, "")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["validation"]["network_bpp"] is None
    assert len(report["validation"]["float_bpp"]) == 4
    assert not list((tmp_path / "run").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("more", "words", "code"),
    [
        (["--name", "No Such"], "'No Such' is no model id", 4),
        (["--data", "nothing-here"], "nothing-here", 3),
        (["--valid", "nothing-here"], "nothing-here", 3),
        (["--width", "12"], "width is 12", 3),
        (["--out", "/dev/null/run"], "'/dev/null/run' cannot be made", 1),
        (["--minutes", "nan"], "not a number", 2),
    ],
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path, zoned: Model, photos: Path, more: list[str], words: str, code: int
) -> None:
    result = CliRunner().invoke(main, command(photos, tmp_path / "run", *more))
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1 or code == 2
    assert not list(tmp_path.glob("run/*.safetensors"))


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["no-such-model", "--data", "x", "--valid", "x"], "no-such-model", 4),
        (["zoned", "--valid", "x"], "Missing option '--data'", 2),
    ],
)
def test_the_command_names_what_is_missing(
    tmp_path: Path, zoned: Model, arguments: list[str], words: str, code: int
) -> None:
    result = CliRunner().invoke(main, ["train-entropy", *arguments, "--out", str(tmp_path / "run")])
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


def test_the_model_itself_is_not_overwritten(zoned: Model, photos: Path, codec_folder: Path) -> None:
    before = (codec_folder / "zoned.safetensors").read_bytes()
    result = CliRunner().invoke(main, command(photos, codec_folder, "--name", "zoned"))
    assert result.exit_code == 1
    assert "is the model itself" in result.stderr
    assert (codec_folder / "zoned.safetensors").read_bytes() == before


def test_sigterm_stops_with_a_checkpoint_and_the_command_goes_on(
    tmp_path: Path, codec_folder: Path, photos: Path
) -> None:
    arguments = command(photos, tmp_path / "run")
    arguments[arguments.index("6")] = "1000000"
    environment = os.environ | {"RECODEC_WEIGHTS": str(codec_folder), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "recodec", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    log = tmp_path / "run" / "log.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and '"train"' in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped at step" in output
    assert "run the same command again" in output
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["training"]["finished"] is False
    assert "validation" not in report
