"""Folders on Ray Data, with two workers on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recodec
from tests.conftest import GOLDEN

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    from recodec import bulk

# Ray's own, which nothing here can change.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def _ray() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECODEC_WEIGHTS", str(GOLDEN))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()


@pytest.fixture
def photos(picture: Image.Image, tmp_path: Path) -> Path:
    """Ten pictures in two folders, a broken one, and a file of another kind."""
    (tmp_path / "photos" / "below").mkdir(parents=True)
    for number in range(10):
        folder = tmp_path / "photos" / ("below" if number % 2 else "")
        picture.crop((number, 0, 61, 45)).save(folder / f"photo{number}.png")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photograph")
    (tmp_path / "photos" / "notes.txt").write_text("not an image")
    return tmp_path / "photos"


@pytest.mark.usefixtures("_ray")
@pytest.mark.parametrize("batch_size", [1, 4])
def test_folder_there_and_back(tiny_model: str, photos: Path, tmp_path: Path, batch_size: int) -> None:
    coded, summary = tmp_path / "coded", tmp_path / "summary.jsonl"

    def encode() -> dict[str, bulk.Record]:
        records = bulk.encode_folder(
            photos, coded, workers=2, model=tiny_model, iterations=3, summary=summary, batch_size=batch_size
        )
        lines = [json.loads(line) for line in summary.read_text().splitlines()]
        assert lines == records
        return {str(Path(record["file"]).relative_to(photos)): record for record in records}

    first = encode()
    assert len(first) == 12
    assert first.pop("notes.txt")["left_out"] == ".txt"
    assert first["broken.jpg"]["error"] == "ImageError"
    assert "\n" not in first["broken.jpg"]["message"]
    made = sorted(coded.rglob("*"))
    assert [path for path in made if path.is_file()] == sorted(
        coded / f"{'below/' if number % 2 else ''}photo{number}.rcd" for number in range(10)
    )
    record = first["below/photo1.png"]
    data = Path(record["output"]).read_bytes()
    assert data == recodec.encode(photos / "below" / "photo1.png", model=tiny_model, iterations=3)
    assert record["bytes"] == len(data)
    assert record["iterations"] == 3

    # One is gone, one is damaged, one is cut: those are made anew and no others.
    (coded / "photo0.rcd").unlink()
    (coded / "photo2.rcd").write_bytes(data[:-10] + bytes(10))
    (coded / "photo4.rcd").write_bytes((coded / "photo4.rcd").read_bytes()[:-2])
    untouched = (coded / "photo6.rcd").stat().st_mtime_ns
    again = encode()
    assert {name for name, record in again.items() if "bytes" in record} == {
        "photo0.png",
        "photo2.png",
        "photo4.png",
    }
    assert sum(record.get("skipped", False) for record in again.values()) == 7
    assert (coded / "photo6.rcd").stat().st_mtime_ns == untouched

    (coded / "photo0.rcd").write_bytes(b"\x8eRCD")
    pictures = tmp_path / "pictures"
    decoded = bulk.decode_folder(coded, pictures, workers=2, iterations=2, batch_size=batch_size)
    assert sum("error" in record for record in decoded) == 1
    with Image.open(pictures / "below" / "photo1.png") as image:
        expected = recodec.decode(data, iterations=2)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))


@pytest.mark.usefixtures("_ray")
def test_two_images_for_one_output(tiny_model: str, photos: Path, tmp_path: Path) -> None:
    (photos / "photo0.jpg").write_bytes(b"")
    records = bulk.encode_folder(photos, tmp_path / "coded", workers=2, model=tiny_model, iterations=1)
    failed = {Path(record["file"]).name: record["message"] for record in records if "error" in record}
    assert set(failed) == {"photo0.jpg", "photo0.png", "broken.jpg"}
    assert "would both become" in failed["photo0.jpg"] == failed["photo0.png"]
    assert len(list((tmp_path / "coded").rglob("*.rcd"))) == 9


def test_nothing_to_do_and_no_model(tiny_model: str, tmp_path: Path) -> None:
    assert bulk.encode_folder(tmp_path, tmp_path / "coded", model=tiny_model) == []
    with pytest.raises(recodec.WeightsError):
        bulk.encode_folder(tmp_path, tmp_path / "coded", model="none")


def test_what_no_worker_could_do_with(tiny_model: str, photos: Path, tmp_path: Path) -> None:
    for use in (bulk.encode_folder, bulk.decode_folder):
        for batch_size in (0, -1, True):
            with pytest.raises(recodec.TargetError, match="batch_size is"):
                use(photos, tmp_path / "coded", batch_size=batch_size)
    with pytest.raises(recodec.DeviceError, match="dtype is int8"):
        bulk.encode_folder(photos, tmp_path / "coded", model=tiny_model, dtype="int8")


def test_without_ray_the_extra_is_named() -> None:
    code = "import sys; sys.modules['ray'] = None; import recodec.bulk"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("pip install '.[bulk]' in a checkout")
