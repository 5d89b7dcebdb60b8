from __future__ import annotations

import gc
import io
import itertools
import multiprocessing
import pickle
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image

from recodec.errors import ImageError
from recodec.train.data.batches import CropBatch, crop_batches, to_pixels
from recodec.train.data.crops import Crops
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
from recodec.train.data.tiles import high_entropy_tiles, random_crop

TRUNCATED = "truncated.jpg"


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    # From 64 up, so that nothing but a missing photograph is black.
    return Image.fromarray(np.random.default_rng(seed).integers(64, 256, (height, width, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six photographs, one of them truncated, and files that are none."""
    folder = tmp_path / "photographs"
    (folder / "below").mkdir(parents=True)
    for index in range(5):
        coarse = noise(9, 12, index).resize((90 + index, 120), Image.Resampling.BICUBIC)
        coarse.save(folder / ("below" if index % 2 else "") / f"{index}.png")
    content = encoded(noise(80, 80))
    (folder / TRUNCATED).write_bytes(content[: len(content) // 2])
    (folder / "._0.png").write_bytes(b"resource fork")
    (folder / "notes.txt").write_text("none")
    return folder


@pytest.fixture
def photographs(folder: Path) -> Photographs:
    return Photographs([folder])


def taken(batches: Generator[CropBatch], count: int) -> list[CropBatch]:
    with closing(batches):
        return list(itertools.islice(batches, count))


def pixels(batches: Generator[CropBatch], count: int) -> torch.Tensor:
    return torch.cat([batch.pixels for batch in taken(batches, count)])


def write_shard(path: Path, members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


# Photographs


def test_folders_are_searched_in_sorted_order(folder: Path, photographs: Photographs) -> None:
    names = [str(Path(name).relative_to(folder)) for name in photographs.names]
    assert names == ["0.png", "2.png", "4.png", "below/1.png", "below/3.png", TRUNCATED]
    assert len(photographs) == 6
    assert photographs.read(3).size == (91, 120)


def test_truncated_photograph_is_unreadable_by_name(photographs: Photographs) -> None:
    with pytest.raises(ImageError, match=TRUNCATED):
        photographs.read(5)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_members_of_shards_are_read_in_place(tmp_path: Path, form: int) -> None:
    images = {f"{'long' * 60}/é{index}.PNG": noise(5 + index, 7, index) for index in range(3)}
    members = {name: encoded(image, "PNG") for name, image in images.items()}
    shard = write_shard(tmp_path / "a.tar", {"x.txt": b"none", "d/._x.png": b"fork", **members}, form)
    photographs = Photographs([shard])
    assert photographs.names == tuple(f"{shard}:{name}" for name in images)
    for index, image in enumerate(images.values()):
        assert photographs.read(index).tobytes() == image.tobytes()


def test_sources_of_all_kinds_keep_their_order(tmp_path: Path, folder: Path) -> None:
    shard = write_shard(tmp_path / "a.tar", {"m.png": encoded(noise(4, 4), "PNG")})
    single = folder / "0.png"
    names = Photographs([single, shard, folder / "below"]).names
    below = [str(folder / "below" / f"{index}.png") for index in (1, 3)]
    assert names == (str(single), f"{shard}:m.png", *below)


def test_no_photograph_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=f"found no photograph in {tmp_path}"):
        Photographs([tmp_path])
    with pytest.raises(ImageError, match="found no photograph in an empty list"):
        Photographs([])
    with pytest.raises(ImageError, match="found no photograph"):
        Photographs([write_shard(tmp_path / "empty.tar", {})])


def test_missing_source_is_an_error(folder: Path) -> None:
    with pytest.raises(ImageError, match="nowhere does not exist"):
        Photographs([folder, folder / "nowhere"])


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_shards_are_refused(tmp_path: Path, folder: Path, mode: str) -> None:
    with tarfile.open(tmp_path / "a.tar", mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, "photographs")
    with pytest.raises(ImageError, match=r"a\.tar is compressed.*unpack"):
        Photographs([tmp_path / "a.tar"])


@pytest.mark.parametrize(
    "cut", [200, 512, 700, 1024, 1200], ids=["header", "no-data", "data", "no-second", "second-header"]
)
def test_cut_shards_are_refused(tmp_path: Path, cut: int) -> None:
    shard = write_shard(tmp_path / "a.tar", {f"{index}.jpg": bytes(300) for index in range(3)})
    shard.write_bytes(shard.read_bytes()[:cut])
    with pytest.raises(ImageError, match=r"a\.tar"):
        Photographs([shard])


@pytest.mark.parametrize("position", [0, 1024])
def test_damaged_shards_are_refused(tmp_path: Path, position: int) -> None:
    shard = write_shard(tmp_path / "a.tar", {f"{index}.jpg": bytes(300) for index in range(3)})
    content = bytearray(shard.read_bytes())
    content[position : position + 200] = b"\xff" * 200
    shard.write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.tar"):
        Photographs([shard])


def test_shard_that_shrank_later_has_unreadable_photographs(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.tar", {"a.png": encoded(noise(9, 9), "PNG")})
    photographs = Photographs([shard])
    shard.write_bytes(b"")
    with pytest.raises(ImageError, match=r"a\.tar:a\.png"):
        photographs.read(0)
    shard.unlink()
    with pytest.raises(ImageError, match=r"a\.tar:a\.png"):
        photographs.read(0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_photographs_are_upright(tmp_path: Path, kind: str) -> None:
    image = Image.new("RGB", (16, 8), (250, 250, 250))
    image.paste((10, 10, 10), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"turned.{'jpg' if kind == 'JPEG' else kind.lower()}"
    path.write_bytes(encoded(image, kind, exif=exif))
    upright = np.asarray(Photographs([path]).read(0))
    assert upright.shape == (16, 8, 3)
    assert upright[:6].mean() < 60
    assert upright[10:].mean() > 200


RGBA = np.dstack([np.asarray(noise(12, 10)), np.tile(np.arange(12, dtype=np.uint8) * 20, (10, 1))])
DEEP = np.random.default_rng(0).integers(0, 65536, (10, 12), dtype=np.uint16)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("jpg", encoded(noise(12, 10).convert("L"))),
        ("jpg", encoded(noise(12, 10).convert("CMYK"))),
        ("png", encoded(noise(12, 10).convert("1"), "PNG")),
        ("png", encoded(noise(12, 10).convert("LA"), "PNG")),
        ("png", encoded(noise(12, 10).quantize(16), "PNG")),
        ("png", encoded(noise(12, 10).quantize(16), "PNG", transparency=bytes(range(16)))),
        ("png", encoded(noise(12, 10).convert("L"), "PNG", transparency=70)),
        ("png", encoded(noise(12, 10), "PNG", transparency=(70, 80, 90))),
        ("png", encoded(Image.fromarray(RGBA), "PNG")),
        ("webp", encoded(Image.fromarray(RGBA), "WEBP")),
        ("tif", encoded(noise(12, 10).convert("CMYK"), "TIFF")),
        ("tiff", encoded(noise(12, 10).convert("YCbCr"), "TIFF")),
        ("bmp", encoded(noise(12, 10), "BMP")),
        ("ppm", encoded(noise(12, 10), "PPM")),
    ],
)
def test_all_kinds_of_samples_become_rgb(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    image = Photographs([path]).read(0)
    assert (image.mode, image.size, image.info) == ("RGB", (12, 10), {})


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("png", encoded(Image.fromarray(DEEP), "PNG")),
        ("tif", encoded(Image.fromarray(DEEP), "TIFF")),
        ("tif", encoded(Image.fromarray(DEEP.astype(np.float32)), "TIFF")),
        ("tif", encoded(Image.fromarray(DEEP.astype(np.int32)), "TIFF")),
        ("ppm", b"P5 12 10 65535\n" + DEEP.tobytes()),
        ("webp", encoded(noise(12, 10), "WEBP", save_all=True, append_images=[noise(12, 10, 1)])),
        ("jpg", b""),
        ("jpg", b"no photograph"),
    ],
)
def test_other_kinds_are_unreadable(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=path.name):
        Photographs([path]).read(0)


@pytest.mark.parametrize("limit", [30, 100], ids=["error", "warning"])
@pytest.mark.parametrize("action", ["ignore", "error"])
def test_enormous_photographs_are_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, action: Literal["ignore", "error"]
) -> None:
    noise(12, 10).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings(action=action), pytest.raises(ImageError, match=r"a\.png.*(pixels|bomb)"):
        Photographs([tmp_path]).read(0)


def test_index_is_small_and_can_be_sent_to_other_processes(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.tar", {f"{index:05}.jpg": b"" for index in range(3000)})
    tracemalloc.start()
    photographs = Photographs([shard])
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 3000 * (len(photographs.names[0]) + 200)
    again = pickle.loads(pickle.dumps(photographs))
    assert again.names == photographs.names


# Crops


@pytest.mark.parametrize("size", [(40, 200), (200, 40), (64, 64), (65, 300), (3, 3), (1, 1), (2, 50)])
@pytest.mark.parametrize("side", [1, 49, 64])
def test_crops_fit_pictures_of_any_shape(size: tuple[int, int], side: int) -> None:
    rng = np.random.default_rng(1)
    image = Image.new("RGB", size, (10, 20, 30))
    for scale in (0.4, 0.9), (1, 4):
        for _ in range(10):
            crop = random_crop(image, side, scale, rng)
            assert crop.shape == (side, side, 3)
            assert (crop == (10, 20, 30)).all()


@pytest.mark.parametrize("selection", ["random", "high-entropy"])
def test_tiny_photographs_are_enlarged(tmp_path: Path, selection: str) -> None:
    Image.new("RGB", (3, 3), (10, 20, 30)).save(tmp_path / "a.png")
    crops = Crops(Photographs([tmp_path]), 32, CropOptions(selection=selection), 0)  # type: ignore[arg-type]
    assert (crops[0].pixels == torch.tensor([10, 20, 30])[:, None, None]).all()


@pytest.mark.parametrize("selection", ["random", "high-entropy"])
def test_crops_depend_on_seed_and_index_only(photographs: Photographs, selection: str) -> None:
    options = CropOptions(selection=selection)  # type: ignore[arg-type]
    one = Crops(photographs, 16, options, (3, 4))
    other = Crops(photographs, 16, options, (3, 4), cache_bytes=0)
    for index in (7, 0, 10**12, 3, 7):
        assert torch.equal(one[index].pixels, other[index].pixels)
        assert one[index].skipped == other[index].skipped
    assert one[0].pixels.shape == (3, 16, 16)
    assert one[0].pixels.dtype == torch.uint8
    assert not torch.equal(one[0].pixels, one[1].pixels)
    assert not torch.equal(one[0].pixels, Crops(photographs, 16, options, (3, 5))[0].pixels)


def test_crops_are_pictures_of_their_photographs(tmp_path: Path) -> None:
    gradient = np.mgrid[0:200, 0:200].transpose(1, 2, 0).astype(np.uint8)
    Image.fromarray(np.dstack([gradient, gradient[:, :, :1]])).save(tmp_path / "a.png")
    photographs = Photographs([tmp_path])
    rightwards = {True: 0, False: 0}
    for index in range(60):
        crop = Crops(photographs, 32, CropOptions(), 0)[index].pixels.float()
        assert crop[0, -1].mean() > crop[0, 0].mean() + 30
        rightwards[bool(crop[1, :, -1].mean() > crop[1, :, 0].mean())] += 1
        straight = Crops(photographs, 32, CropOptions(mirror=False), 0)[index].pixels.float()
        assert straight[1, :, -1].mean() > straight[1, :, 0].mean()
    assert min(rightwards.values()) > 15


@pytest.mark.parametrize(
    ("options", "checksum"),
    [
        ({}, 1945539688),
        ({"scale": (0.5, 1), "mirror": False}, 1134585442),
        ({"scale": (1, 1)}, 1297851686),
        ({"selection": "high-entropy"}, 1078448828),
    ],
)
def test_recipes_draw_the_pixels_they_always_drew(
    tmp_path: Path, options: dict[str, Any], checksum: int
) -> None:
    for index in range(4):
        noise(120 - 7 * index, 70 + 9 * index, index).save(tmp_path / f"{index}.png")
    crops = Crops(Photographs([tmp_path]), 48, CropOptions(**options), (5, 6))
    drawn = np.stack([crops[index].pixels.numpy() for index in range(8)])
    assert zlib.crc32(drawn.tobytes()) == checksum


def test_unreadable_photographs_are_named_and_never_black(photographs: Photographs) -> None:
    crops = [Crops(photographs, 16, CropOptions(), 1)[index] for index in range(60)]
    named = {name for crop in crops for name in crop.skipped}
    assert [Path(name).name for name in named] == [TRUNCATED]
    assert 2 < sum(bool(crop.skipped) for crop in crops) < 30
    assert all(crop.pixels.float().mean() > 64 for crop in crops)


def test_unreadable_photographs_alone_are_an_error(folder: Path) -> None:
    with pytest.raises(ImageError, match=f"100 photographs drawn in a row.*{TRUNCATED}"):
        Crops(Photographs([folder / TRUNCATED]), 16, CropOptions(), 1)[0]


def test_high_entropy_keeps_the_noise() -> None:
    picture = Image.new("RGB", (128, 64), (90, 90, 90))
    picture.paste(noise(64, 64), (64, 0))
    assert len(high_entropy_tiles(picture, 16, 1.0)) == 32
    assert len(high_entropy_tiles(picture, 16, 0.01)) == 1
    kept = high_entropy_tiles(picture, 16, 0.5)
    assert len(kept) == 16
    assert all(np.asarray(tile).std() > 30 for tile in kept)


def test_high_entropy_crops_are_kept_tiles(tmp_path: Path) -> None:
    picture = Image.new("RGB", (256, 128), (90, 90, 90))
    picture.paste(noise(128, 128), (128, 0))
    picture.save(tmp_path / "a.png")
    options = CropOptions(scale=(1, 1), selection="high-entropy", keep=0.11, mirror=False)
    crops = Crops(Photographs([tmp_path]), 16, options, 0)
    drawn = {crops[index].pixels.numpy().tobytes() for index in range(200)}
    kept = high_entropy_tiles(picture, 16, 0.11)
    assert len(kept) == 14
    assert drawn == {np.asarray(tile).transpose(2, 0, 1).tobytes() for tile in kept}


def test_cache_stays_within_its_bound_and_saves_work(
    photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    decode = Photographs.read

    def counted(self: Photographs, index: int) -> Image.Image:
        read.append(index)
        return decode(self, index)

    monkeypatch.setattr(Photographs, "read", counted)
    counts = []
    for limit in (0, 100_000, 1 << 30):
        read.clear()
        crops = Crops(photographs, 16, CropOptions(), 1, cache_bytes=limit)
        for index in range(50):
            before = crops[index].pixels
            assert crops._cache.held <= limit
            assert torch.equal(before, crops[index].pixels)
        counts.append(sum(index != 5 for index in read))
        assert (crops._cache.held > 0) == (limit > 0)
    assert counts[0] == 100 > counts[1] > counts[2] == 5


def test_cache_is_not_sent_to_other_processes(photographs: Photographs) -> None:
    crops = Crops(photographs, 16, CropOptions(), 1)
    first = crops[0].pixels
    again = pickle.loads(pickle.dumps(crops))
    assert again._cache.held == 0 < crops._cache.held
    assert torch.equal(again[0].pixels, first)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": (0, 0.5)}, "scale is 0 to 0.5"),
        ({"scale": (0.9, 0.4)}, "scale is 0.9 to 0.4"),
        ({"scale": (0.5, 5)}, "scale is 0.5 to 5"),
        ({"scale": (0.5, float("nan"))}, "scale is 0.5 to nan"),
        ({"keep": 0}, "keep is 0"),
        ({"keep": 1.1}, "keep is 1.1"),
        ({"selection": "best"}, "selection is 'best'"),
    ],
)
def test_crop_options_are_checked(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CropOptions(**changes)  # type: ignore[arg-type]


def test_crops_check_their_numbers(photographs: Photographs) -> None:
    with pytest.raises(ValueError, match="size is 0"):
        Crops(photographs, 0, CropOptions(), 1)
    with pytest.raises(ValueError, match="seed is -1"):
        Crops(photographs, 16, CropOptions(), (1, -1))
    with pytest.raises(ValueError, match="cache_bytes is -1"):
        Crops(photographs, 16, CropOptions(), 1, cache_bytes=-1)


def test_pixels_are_centred_on_zero() -> None:
    batch = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    assert to_pixels(batch).flatten().tolist() == pytest.approx([-0.5, -0.3, 0.5])
    assert to_pixels(batch).dtype == torch.float32


# Batches


@pytest.fixture
def crops(photographs: Photographs) -> Crops:
    return Crops(photographs, 16, CropOptions(), (1, 2))


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - threads
    assert "crops" not in {thread.name for thread in left}
    # Those that feed the queues of processes have been told to end, but are not waited for.
    for thread in left:
        thread.join(5)
        assert not thread.is_alive()
    assert not multiprocessing.active_children()


def test_batches_are_the_crops_in_order(crops: Crops) -> None:
    batches = taken(crop_batches(crops, 6), 3)
    assert torch.equal(
        torch.cat([batch.pixels for batch in batches]), torch.stack([crops[i].pixels for i in range(18)])
    )
    for number, batch in enumerate(batches):
        assert batch.skipped == {name for i in range(6) for name in crops[6 * number + i].skipped}


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_processes_make_the_same_batches_and_leave_the_random_numbers_alone(crops: Crops) -> None:
    state = torch.get_rng_state()
    batches = taken(crop_batches(crops, 6, start=2, workers=2), 5)
    expected = taken(crop_batches(crops, 6, start=2), 5)
    assert torch.equal(torch.get_rng_state(), state)
    for batch, other in zip(batches, expected, strict=True):
        assert torch.equal(batch.pixels, other.pixels)
        assert batch.skipped == other.skipped
    assert any(batch.skipped for batch in batches)


def test_ranks_share_a_batch(crops: Crops) -> None:
    whole = pixels(crop_batches(crops, 6), 1)
    parts = [pixels(crop_batches(crops, 6, rank=rank, processes=3), 1) for rank in range(3)]
    assert torch.equal(whole, torch.cat(parts))


def test_starting_late_is_skipping(crops: Crops) -> None:
    assert torch.equal(pixels(crop_batches(crops, 4, start=3), 2), pixels(crop_batches(crops, 4), 5)[12:])


def test_memory_is_pinned_only_for_an_accelerator(crops: Crops) -> None:
    (batch,) = taken(crop_batches(crops, 2, pin_memory=True), 1)
    assert batch.pixels.is_pinned() == torch.accelerator.is_available()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"start": -1}, "start is -1"),
        ({"workers": -1}, "workers is -1"),
        ({"rank": -1}, "rank is -1"),
        ({"processes": 0}, "processes is 0"),
        ({"rank": 2, "processes": 2}, "rank is 2"),
        ({"processes": 3}, "batch is 4; it must be a multiple of the number of processes, 3"),
    ],
)
def test_batches_check_their_numbers_at_once(crops: Crops, numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crop_batches(crops, **{"batch": 4, **numbers})


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_arrive_as_they_are(folder: Path, workers: int) -> None:
    crops = Crops(Photographs([folder / TRUNCATED]), 16, CropOptions(), 1)
    batches = crop_batches(crops, 2, workers=workers)
    with pytest.raises(ImageError) as caught:
        next(batches)
    assert str(caught.value).startswith("100 photographs drawn in a row cannot be used")
    assert "Traceback" not in str(caught.value)


def test_other_errors_in_the_thread_arrive_too(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Photographs, index: int) -> Image.Image:
        raise MemoryError("not enough")

    monkeypatch.setattr(Photographs, "read", fail)
    with pytest.raises(MemoryError, match="not enough"):
        next(crop_batches(crops, 2))


def test_closing_ends_processes(crops: Crops) -> None:
    batches = crop_batches(crops, 2, workers=1)
    next(batches)
    assert len(multiprocessing.active_children()) == 1
    batches.close()
    assert not multiprocessing.active_children()
    batches.close()


def test_closing_waits_for_one_crop_at_most(
    photographs: Photographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()
    slow = threading.Event()

    def read(self: Photographs, index: int) -> Image.Image:
        if next(calls) >= 100:
            slow.set()
            time.sleep(0.1)
        return noise(20, 20)

    monkeypatch.setattr(Photographs, "read", read)
    batches = crop_batches(Crops(photographs, 16, CropOptions(), 1, cache_bytes=0), 100)
    next(batches)
    assert slow.wait(10)
    begin = time.monotonic()
    batches.close()
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("workers", [0, 1])
def test_abandoned_batches_end_too(crops: Crops, workers: int) -> None:
    def consume() -> None:
        for _ in crop_batches(crops, 2, workers=workers):
            raise KeyError("of the consumer")

    with pytest.raises(KeyError):
        consume()
    gc.collect()


def test_unused_batches_start_nothing(crops: Crops) -> None:
    threads = threading.active_count()
    batches = crop_batches(crops, 2)
    assert threading.active_count() == threads
    batches.close()


def test_program_ends_with_batches_open(folder: Path) -> None:
    program = f"""
from pathlib import Path
from recodec.train.data.batches import crop_batches
from recodec.train.data.crops import Crops
from recodec.train.data.options import CropOptions
from recodec.train.data.photographs import Photographs
if __name__ == "__main__":
    crops = Crops(Photographs([Path({str(folder)!r})]), 16, CropOptions(), 1, cache_bytes=0)
    batches = [crop_batches(crops, 100, workers=workers) for workers in (0, 1)]
    for each in batches:
        next(each)
    print("one batch each")
    raise SystemExit(3)
"""
    script = folder / "program.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "one batch each\n", "")
