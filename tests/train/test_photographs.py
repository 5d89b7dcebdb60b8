"""Training photographs: folders, shards, kinds of samples."""

from __future__ import annotations

import gc
import io
import pickle
import tarfile
import tracemalloc
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from recodec.errors import ImageError
from recodec.train.data.photographs import Photographs
from tests.train.pictures import TRUNCATED, encoded, noise


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
