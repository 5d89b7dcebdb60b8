"""Lists of pictures, a few at once as on a GPU: results are those of one by one, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import recodec
from recodec.codec import Codec
from recodec.errors import BatchError, FormatError, MetadataDroppedWarning, TargetError
from recodec.families.recurrent.engine import RecurrentEngine
from recodec.runtime.batches import batched, prepared
from recodec.runtime.graphs import GraphCache

from .test_graphs import Recorded


def test_results_come_in_order_and_are_prepared_ahead() -> None:
    started: list[int] = []

    def prepare(item: int) -> int:
        started.append(item)
        time.sleep(0.001 * (item % 3))
        return item * item

    results = prepared(range(40), prepare, 3)
    assert next(results) == 0
    assert 3 <= len(started) <= 14
    assert list(results) == [item * item for item in range(1, 40)]


def test_an_error_is_raised_in_its_turn_and_stops_the_rest() -> None:
    seen = threading.Event()

    def prepare(item: int) -> int:
        if item == 2:
            seen.set()
            raise ValueError("two")
        return item

    results = prepared(range(1000), prepare, 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
    assert seen.is_set()
    assert list(results) == []


@pytest.mark.parametrize("size", [1, 3, 8])
def test_items_of_one_kind_are_processed_together(size: int) -> None:
    groups: list[Sequence[int]] = []
    waiting = 0

    def process(items: Sequence[int]) -> list[int]:
        groups.append(items)
        return [-item for item in items]

    def items() -> list[int]:
        return list(range(60))

    found = []
    for result in batched(items(), lambda item: item % 7 == 0, process, size):
        found.append(result)
        waiting = max(waiting, sum(map(len, groups)) - len(found))
    assert found == [-item for item in range(60)]
    assert all(len(group) <= size and len({item % 7 == 0 for item in group}) == 1 for group in groups)
    assert max(map(len, groups)) == size
    # Multiples of 7 wait for each other, but not for ever.
    assert waiting <= 5 * size


@pytest.fixture
def together(tiny_model: str) -> Codec:
    """A codec that takes pictures together and replays graphs, as on a GPU."""
    codec = recodec.load("tiny")
    assert isinstance(codec.engine, RecurrentEngine)
    codec.engine.at_once = 3
    codec.engine.graphs = GraphCache(capture=Recorded)
    return codec


@pytest.fixture
def pictures(picture: Image.Image) -> list[Image.Image]:
    sizes = [(40, 32), (33, 20), (40, 32), (61, 45), (40, 32), (38, 30), (40, 32), (1, 1)]
    return [picture.resize(size) for size in sizes]


def test_lists_give_the_files_and_pictures_of_single_calls(
    together: Codec, pictures: list[Image.Image]
) -> None:
    single = recodec.load("tiny")
    for options in ({"iterations": 2}, {"max_bytes": 90}, {"psnr": 14.0}):
        files = together.encode(list(pictures), **options)  # type: ignore[call-overload]
        assert files == [single.encode(picture, **options) for picture in pictures]  # type: ignore[call-overload]
    for found, data in zip(together.decode(list(files), like="numpy"), files, strict=True):
        np.testing.assert_allclose(found.astype(int), single.decode(data, like="numpy").astype(int), atol=1)
    shown = together.decode(list(files), like="torch", iterations=1)
    assert [tuple(tensor.shape[1:]) for tensor in shown] == [picture.size[::-1] for picture in pictures]
    assert all(tensor.dtype == torch.uint8 and not tensor.is_inference() for tensor in shown)


@pytest.mark.parametrize("size", [None, 1, 2, 5])
def test_no_more_are_computed_together_than_a_batch_has(
    together: Codec, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    groups: list[int] = []

    def counted(use: Callable[..., None]) -> Callable[..., None]:
        def count(members: Sequence[object], *rest: object) -> None:
            groups.append(len(members))
            use(members, *rest)

        return count

    for name in ("encode_together", "decode_together"):
        monkeypatch.setattr(together.engine, name, counted(getattr(together.engine, name)))
    files = together.encode(pictures, iterations=2, batch_size=size)
    assert max(groups) == min(size or 3, 5)  # of these pictures five have one grid
    assert files == [recodec.encode(picture, model="tiny", iterations=2) for picture in pictures]
    groups.clear()
    shown = together.decode(files, like="numpy", batch_size=size)
    assert max(groups, default=1) == min(size or 3, 5)
    for found, data in zip(shown, files, strict=True):
        np.testing.assert_allclose(found.astype(int), recodec.decode(data, like="numpy").astype(int), atol=1)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_on_a_cpu_batches_change_nothing(tiny_model: str, pictures: list[Image.Image], size: int) -> None:
    codec = recodec.load(tiny_model)
    alone = [codec.encode(picture, iterations=2) for picture in pictures]
    shown = [codec.decode(data) for data in alone]
    for use in (codec, recodec):
        model: Any = {} if use is codec else {"model": tiny_model}
        assert use.encode(pictures, iterations=2, batch_size=size, **model) == alone
        assert use.encode(pictures[0], iterations=2, batch_size=size, **model) == alone[0]
        assert use.decode(alone, batch_size=size) == shown
        assert use.decode(alone[0], batch_size=size) == shown[0]


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "4", float("nan"), [2]])
def test_what_is_no_batch_size(together: Codec, pictures: list[Image.Image], size: Any) -> None:
    data = together.encode(pictures[0], iterations=1)
    uses: list[Any] = [
        *(together.encode, lambda images, **options: recodec.encode(images, model="tiny", **options)),
        *(together.decode, recodec.decode),
    ]
    for use, one in zip(uses, [pictures[0]] * 2 + [data] * 2, strict=True):
        for given in (one, [one, one], []):
            with pytest.raises(TargetError, match=r"batch_size is .*; it must be a"):
                use(given, batch_size=size)


def test_tiled_pictures_join_lists(
    together: Codec, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recodec.families.recurrent.encoder.TILE_SIDE", 2)
    files = together.encode(list(pictures), iterations=2)
    assert len({recodec.info(data).details.tile_columns for data in files}) > 1
    for found, data in zip(together.decode(list(files), like="numpy"), files, strict=True):
        expected = recodec.decode(data, like="numpy").astype(int)
        np.testing.assert_allclose(found.astype(int), expected, atol=1)


def test_a_bad_member_is_an_error_of_its_own(together: Codec, pictures: list[Image.Image]) -> None:
    files = together.encode(list(pictures), iterations=1)
    with pytest.raises(BatchError, match="1 of 9 items failed") as caught:
        together.decode([*files[:4], b"no file of ours", *files[4:]], like="numpy")
    assert caught.value.results.pop(4) is None
    assert [type(error) for error in caught.value.errors.values()] == [FormatError]
    expected = together.decode(files, like="numpy")
    for found, whole in zip(caught.value.results, expected, strict=True):
        np.testing.assert_allclose(found.astype(int), whole.astype(int), atol=1)
    with pytest.raises(BatchError, match="item 0: TargetError: the size limit is 20 bytes"):
        together.encode(list(pictures), max_bytes=20)


def test_metadata_that_finds_no_room_is_told(together: Codec, pictures: list[Image.Image]) -> None:
    for picture in pictures:
        picture.info["xmp"] = b"<x/>" * 800
    with pytest.warns(MetadataDroppedWarning, match="xmp"):
        files = together.encode(list(pictures), max_bytes=400)
    assert all(len(data) <= 400 for data in files)
