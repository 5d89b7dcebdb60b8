"""Files as a Dataset of torch, also in a DataLoader's workers and on their way back into files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Subset

import recodec
from recodec.errors import BatchError, FormatError, OptionError, SourceError, TargetError, WeightsError
from recodec.pipelines import FileDataset


@pytest.fixture
def folder(tiny_model: str, picture: Image.Image, tmp_path: Path) -> Path:
    """Two models' files in two folders, and what is none."""
    (tmp_path / "files" / "below").mkdir(parents=True)
    for name, options in (
        ("b", {"model": tiny_model}),
        ("below/a", {"lossless": True}),
        ("c", {"model": tiny_model}),
    ):
        recodec.encode(picture, out=tmp_path / "files" / f"{name}.rcd", **options)
    (tmp_path / "files" / "notes.txt").write_text("none")
    return tmp_path / "files"


def test_files_in_and_below_a_folder_by_index(folder: Path) -> None:
    names = [folder / "b.rcd", folder / "below" / "a.rcd", folder / "c.rcd"]
    for given in (folder, str(folder), names, tuple(map(str, names)), (path for path in names)):
        dataset = FileDataset(given)
        assert len(dataset) == 3
        assert [Path(str(file)) for file in dataset.files] == names
        for index, path in enumerate(names):
            assert torch.equal(dataset[index], recodec.decode(path, like="torch"))
        assert torch.equal(dataset[-1], dataset[2])
        with pytest.raises(IndexError):
            dataset[3]
    assert repr(dataset) == "FileDataset(3 files, like='torch')"


def test_pictures_are_of_the_kind_that_is_wanted(folder: Path) -> None:
    real = FileDataset(folder, like="numpy", dtype="float32", max_size=20, iterations=2)[0]
    expected = recodec.decode(folder / "b.rcd", like="numpy", dtype="float32", max_size=20, iterations=2)
    np.testing.assert_array_equal(real, expected)
    assert FileDataset(folder, like="pil", transform=lambda image: image.size)[1] == (61, 45)
    data = (folder / "c.rcd").read_bytes()
    assert torch.equal(FileDataset([data])[0], recodec.decode(data, like="torch"))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_decode(folder: Path, context: str) -> None:
    dataset = FileDataset(folder, dtype="float32")
    expected = torch.stack([dataset[index] for index in range(3)])
    loader = DataLoader(dataset, batch_size=3, num_workers=1, multiprocessing_context=context, timeout=120)
    (batch,) = loader
    torch.testing.assert_close(batch, expected, rtol=0, atol=1 / 255)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_fails_is_named(folder: Path, workers: int) -> None:
    (folder / "bad.rcd").write_bytes(b"no file")
    for files, kind in ((["gone.rcd"], FileNotFoundError), ([folder / "bad.rcd"], FormatError)):
        loader = DataLoader(FileDataset(files), batch_size=None, num_workers=workers, timeout=120 * workers)
        with pytest.raises(kind) as caught:
            list(loader)
        said = [str(caught.value), *getattr(caught.value, "__notes__", [])]
        assert f"of item 0 ({files[0]})" in "\n".join(said)


def test_a_codec_that_is_not_here_costs_its_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECODEC_WEIGHTS")
    dataset = FileDataset(folder)
    with pytest.raises(WeightsError, match="no model 'tiny'"):
        dataset[0]
    assert dataset[1].shape == (3, 45, 61)


def test_it_pickles_without_its_codecs(folder: Path) -> None:
    dataset = FileDataset(folder, dtype="uint8")
    first, size = dataset[0], len(pickle.dumps(FileDataset(folder, dtype="uint8")))
    assert len(pickle.dumps(dataset)) == size < 2000
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[0], first)


def test_a_dataset_goes_back_into_files(tiny_model: str, folder: Path) -> None:
    (folder / "bad.rcd").write_bytes(b"no file")
    dataset = FileDataset(folder)
    with pytest.raises(BatchError) as caught:
        recodec.encode(dataset, model=tiny_model, iterations=1)
    assert [type(error) for error in caught.value.errors.values()] == [FormatError]
    assert caught.value.results.index(None) == 1
    good = Subset(dataset, [0, 2])
    expected = [recodec.encode(dataset[index], model=tiny_model, iterations=1) for index in (0, 2)]
    assert recodec.encode(good, model=tiny_model, iterations=1) == expected


def test_what_is_no_dataset(folder: Path) -> None:
    with pytest.raises(SourceError, match="is no folder; give one that holds") as caught:
        FileDataset(folder / "nowhere")
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(SourceError, match="is no folder") as caught:
        FileDataset(folder / "b.rcd")
    assert isinstance(caught.value, NotADirectoryError)
    for given in (None, 3, b"bytes", {"a": 1}):
        with pytest.raises(SourceError, match="give a folder or a list of files"):
            FileDataset(given)  # type: ignore[arg-type]
    wrong: list[tuple[type[Exception], dict[str, Any]]] = [
        (TargetError, {"like": "jpeg"}),
        (TargetError, {"dtype": "float64"}),
        (TargetError, {"like": "pil", "dtype": "float32"}),
        (TargetError, {"max_size": 0}),
        (OptionError, {"maxsize": 20}),
    ]
    for kind, options in wrong:
        with pytest.raises(kind):
            FileDataset(folder, **options)
