"""Several things that are no list: iterators, Datasets of torch, columns and batches."""

from __future__ import annotations

import io
import mmap
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset

import recodec
from recodec.errors import BatchError, FormatError, ImageError, OptionError, SourceError
from recodec.several import Items, is_several


@pytest.fixture
def pictures(picture: Image.Image) -> list[Image.Image]:
    return [picture, picture.convert("L"), picture.crop((0, 0, 20, 30))]


@pytest.fixture
def files(tiny_model: str, pictures: list[Image.Image]) -> list[bytes]:
    return [recodec.encode(one, model=tiny_model, iterations=2) for one in pictures]


class Stored(Dataset[Any]):
    """Map-style; raises for what is an error. Of torch's own it has no ``__iter__``."""

    def __init__(self, items: Sequence[Any]):
        self.items = list(items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        item = self.items[index % len(self.items)]
        if isinstance(item, Exception):
            raise item
        return item


class Streamed(IterableDataset[Any]):
    """Iterable-style, with a length that is only about right, as torch allows."""

    def __init__(self, items: Sequence[Any]):
        self.items = list(items)

    def __len__(self) -> int:
        return len(self.items) + 1

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


class Lazy(Sequence[Any]):
    """A sequence that reads what it is asked for; its iterator is the one that all sequences have."""

    def __init__(self, items: Sequence[Any]):
        self.stored = Stored(items)

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, index: Any) -> Any:
        if index >= len(self.stored):
            raise IndexError
        return self.stored[index]


def column(items: Sequence[Any]) -> Any:
    made = np.empty(len(items), object)
    made[:] = items
    return made


KINDS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "generator": lambda items: (item for item in items),
    "map": lambda items: map(lambda item: item, items),  # noqa: C417
    "values": lambda items: dict(enumerate(items)).values(),
    "deque": deque,
    "sequence": Lazy,
    "map-style": Stored,
    "subset": lambda items: Subset(Stored([*items, *items]), range(len(items))),
    "iterable-style": Streamed,
    "column": column,
}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_gives_items_is_a_list(
    kind: str, tiny_model: str, pictures: list[Image.Image], files: list[bytes], tmp_path: Path
) -> None:
    several, codec = KINDS[kind], recodec.load(tiny_model)
    assert recodec.encode(several(pictures), model=tiny_model, iterations=2) == files
    assert codec.encode(several(pictures), iterations=2) == files
    expected = [recodec.decode(data) for data in files]
    assert recodec.decode(several(files)) == codec.decode(several(files)) == expected
    infos = [recodec.info(data) for data in files]
    assert recodec.info(several(files)) == recodec.verify(several(files)) == infos
    small = [recodec.truncate(data, iterations=1) for data in files]
    assert recodec.truncate(several(files), iterations=1) == small
    outs: list[Any] = [tmp_path / "a.rcd", io.BytesIO(), tmp_path / "c.rcd"]
    recodec.encode(several(pictures), model=tiny_model, iterations=2, out=outs)
    assert [outs[0].read_bytes(), outs[1].getvalue(), outs[2].read_bytes()] == files
    shown = [io.BytesIO() for _ in files]
    recodec.decode(several(files), out=shown)
    assert [np.asarray(Image.open(file)).tolist() for file in shown] == [
        np.asarray(one).tolist() for one in expected
    ]
    cut = [io.BytesIO() for _ in files]
    recodec.truncate(several(files), iterations=1, out=cut)
    assert [file.getvalue() for file in cut] == small
    for use in (recodec.encode, recodec.decode):
        with pytest.raises(OptionError, match="for a list of 3 give a list of as many"):
            use(several(pictures), out=[io.BytesIO()])  # type: ignore[operator]
        assert use(several([])) == []  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["sequence", "map-style", "subset"])
def test_an_item_that_cannot_be_had_costs_itself_alone(
    kind: str, tiny_model: str, pictures: list[Image.Image], files: list[bytes]
) -> None:
    several, lost = KINDS[kind], KeyError("lost")
    with pytest.raises(BatchError, match=r"1 of 4 items failed \(item 1: KeyError: 'lost'\)") as caught:
        recodec.encode(several([pictures[0], lost, *pictures[1:]]), model=tiny_model, iterations=2)
    assert caught.value.results == [files[0], None, *files[1:]]
    assert caught.value.errors == {1: lost}
    uses: list[Callable[[Any], Any]] = [
        recodec.decode,
        recodec.load(tiny_model).decode,
        recodec.info,
        recodec.verify,
        lambda data: recodec.truncate(data, iterations=1),
    ]
    for use in uses:
        with pytest.raises(BatchError) as caught:
            use(several([files[0], lost, files[1], b"no file"]))
        assert caught.value.errors[1] is lost
        assert isinstance(caught.value.errors[3], FormatError)
        assert caught.value.results == [use(files[0]), None, use(files[1]), None]


def test_an_iterator_that_fails_has_no_more(
    tiny_model: str, pictures: list[Image.Image], files: list[bytes]
) -> None:
    def reading() -> Iterator[Image.Image]:
        yield from pictures
        raise OSError("the disk is gone")

    with pytest.raises(BatchError, match="1 of 4 items failed") as caught:
        recodec.encode(reading(), model=tiny_model, iterations=2)
    assert caught.value.results == [*files, None]
    assert str(caught.value.errors[3]) == "the disk is gone"


def test_items_are_taken_one_by_one(
    tiny_model: str, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = recodec.load(tiny_model)
    encoder, taken, waiting = codec.engine.encoder, 0, []

    def counted(*arguments: Any, **options: Any) -> Any:
        waiting.append(taken)
        return encoder(*arguments, **options)

    def reading() -> Iterator[Image.Image]:
        nonlocal taken
        for one in pictures:
            taken += 1
            yield one

    monkeypatch.setattr(codec.engine, "encoder", counted)
    assert len(codec.encode(reading(), iterations=1)) == 3
    assert waiting == [1, 2, 3]


def test_batches_of_pixels(tiny_model: str, picture: Image.Image) -> None:
    pixels = np.stack([np.asarray(picture), np.asarray(picture)[::-1]])
    expected = [recodec.encode(one, model=tiny_model, iterations=1) for one in pixels]
    codec = recodec.load(tiny_model)
    for batch in (pixels, torch.from_numpy(pixels).permute(0, 3, 1, 2)):
        assert codec.encode(batch, iterations=1) == expected
        assert recodec.encode(batch, model=tiny_model, iterations=1) == expected
    assert codec.encode(pixels[:0]) == []
    with pytest.raises(BatchError, match="2 of 2"):
        codec.encode(pixels.astype(np.int64))
    with pytest.raises(ImageError, match="shape"):
        codec.encode(pixels[None])


def test_paths_in_an_array(tiny_model: str, picture: Image.Image, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture.save(tmp_path / name)
    paths = np.array([str(tmp_path / "a.png"), str(tmp_path / "b.png")])
    assert paths.dtype.kind == "U"
    assert len(recodec.encode(paths, model=tiny_model, iterations=1)) == 2


def test_one_thing_stays_one(files: list[bytes], tmp_path: Path, picture: Image.Image) -> None:
    path = tmp_path / "a.rcd"
    path.write_bytes(files[0])
    released = memoryview(b"gone")
    released.release()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        single: list[Any] = [
            *(path, str(path), files[0], bytearray(files[0]), memoryview(files[0]), released, file, mapped),
            *(np.zeros(3, np.uint8), np.zeros((2, 3)), np.zeros((2, 2), object), np.float32(1)),
            *(torch.zeros(3), torch.zeros(2, 3, 4, 4), picture, io.BytesIO(files[0])),
            *(None, 3, {}, {"a": 1}, {1, 2}, frozenset(), list, Dataset(), object()),
        ]
        assert [type(one) for one in single if is_several(one)] == []
        assert recodec.info(file) == recodec.info(mapped)
    for bad in ({"a": picture}, {picture.tobytes()}, Dataset()):
        with pytest.raises(ImageError, match="is not an image"):
            recodec.encode(bad)  # type: ignore[call-overload]
        with pytest.raises(SourceError, match="holds no encoded file"):
            recodec.decode(bad)  # type: ignore[call-overload]


def test_to_ask_an_image_does_not_load_it(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert not is_several(image)
        assert image.tile, "it is loaded"


def test_how_many_is_asked_only_of_what_knows() -> None:
    assert [Items(one).count for one in ([1], (1, 2), range(3), Stored([1]), Lazy([1, 2]))] == [1, 2, 3, 1, 2]
    assert [Items(one).count for one in (Streamed([1]), iter([1]))] == [None, None]
    error = ValueError("one")
    items = Items(iter([1, 2])).counted()
    assert (items.count, [*items], [*items]) == (2, [1, 2], [1, 2])
    assert [*Items(Stored([1, error, 3]))] == [1, error, 3]
