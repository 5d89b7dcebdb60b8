"""What is fuzzed: each surface takes bytes and draws the rest of its arguments.

A surface returns, or raises what its documentation says it may: :class:`RecodecError`, or for Pillow's
own functions ``ALLOWED_BY_PILLOW``. Anything else, a failed assertion included, is a finding.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageFile

import recodec
import recodec.pillow
from recodec.container.reader import Reader
from recodec.errors import RecodecError
from recodec.io.pictures import read_picture
from recodec.io.pillow_images import open_image
from recodec.limits import check_pixels
from recodec.pillow import RecodecImageFile
from recodec.weights import load_model

from . import inputs
from .inputs import draw

# Pictures that the tiny network decodes within milliseconds.
MAX_PIXELS = 1 << 12

# UnidentifiedImageError is an OSError.
ALLOWED_BY_PILLOW = (OSError, SyntaxError, Image.DecompressionBombError)

_ODD_NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    2.5,
    3,
    255,
    10**30,
    float("nan"),
    float("inf"),
    True,
    "1",
    np.int64(2),
)
_DTYPES = ("u1", "u1", "u1", "i1", "u2", "f2", "f4", "f8", "?", "i8", "c8", ">u2")


def _number(rng: Generator, sound: float) -> Any:
    return draw(rng, _ODD_NUMBERS) if rng.random() < 0.3 else sound


def _memory(rng: Generator) -> dict[str, Any]:
    """Seldom a limit on memory, and then any."""
    return {"max_memory": _number(rng, 1 << 32)} if rng.random() < 0.1 else {}


def _shown_as(rng: Generator) -> dict[str, Any]:
    """Mostly whole and of the file's own type."""
    options: dict[str, Any] = {}
    if rng.random() < 0.3:
        sides = [_number(rng, int(rng.integers(1, 70))) for _ in range(draw(rng, (1, 2, 2, 2, 3)))]
        options["max_size"] = sides[0] if len(sides) == 1 else draw(rng, (tuple, list))(sides)
    if rng.random() < 0.2:
        options["dtype"] = draw(
            rng, ("uint8", "uint16", "float32", "float64", np.uint16, torch.float32, torch.half, 3, "")
        )
    return options


def _check_size_shown(picture: Any, like: str, found: recodec.Info, options: dict[str, Any]) -> None:
    size = (
        picture.size if like == "pil" else picture.shape[1::-1] if like == "numpy" else picture.shape[:0:-1]
    )
    most = options.get("max_size")
    if most is None:
        assert tuple(size) == (found.width, found.height)
    else:
        across, down = most if isinstance(most, tuple | list) else (most, most)
        assert 1 <= size[0] <= min(across, found.width)
        assert 1 <= size[1] <= min(down, found.height)


def info(data: bytes, rng: Generator) -> None:
    found = recodec.info(draw(rng, (bytes, bytearray, memoryview, io.BytesIO))(data))
    assert found.file_bytes <= len(data)
    assert found.to_dict()["iterations"] == len(found.chunk_bytes) >= 1
    assert (
        found.header_bytes + sum(found.chunk_bytes)
        <= found.prefix_bytes(found.iterations)
        <= found.file_bytes - sum(found.strip_bytes)
    )
    assert found.strips <= 255


def verify(data: bytes, rng: Generator) -> None:
    found = recodec.verify(data, max_pixels=MAX_PIXELS, **_memory(rng))
    assert found == recodec.info(data)
    assert not found.truncated
    assert found.pixels <= MAX_PIXELS


def blocks(data: bytes, rng: Generator) -> None:
    """A reader that is fed piece by piece says what one that has it all says."""
    whole, fed = Reader(data), Reader()
    expected = _chunks_of(whole)
    found: list[Any] = []
    size = int(rng.integers(1, 200))
    for start in range(0, len(data), size):
        fed.feed(data[start : start + size])
        found = [item for item in found if not isinstance(item, type)] + _chunks_of(fed)
        if fed.ended or (found and isinstance(found[-1], type) and found[-1] is not recodec.TruncatedError):
            break
    if not data:
        found = _chunks_of(fed)
    assert found == expected
    assert (whole.ended, whole.iterations, whole.position) == (fed.ended, fed.iterations, fed.position)


def _chunks_of(reader: Reader) -> list[Any]:
    """All whole chunks, and the kind of error that came after them."""
    found: list[Any] = []
    try:
        found.extend((chunk.type, chunk.payload, chunk.end) for chunk in reader.chunks())
    except RecodecError as error:
        found.append(type(error))
    return found


def truncate(data: bytes, rng: Generator) -> None:
    name = draw(rng, ("iterations", "bpp", "max_bytes"))
    sound = {
        "iterations": int(rng.integers(1, 9)),
        "bpp": rng.random() * 4,
        "max_bytes": int(rng.integers(20, 900)),
    }
    targets: Any = {name: _number(rng, sound[name])}
    if rng.random() < 0.05:
        targets["iterations"] = 1
    shorter = recodec.truncate(data, **targets)
    found = recodec.info(shorter)
    assert not found.truncated
    assert found.iterations <= recodec.info(data).iterations
    if "max_bytes" in targets:
        assert len(shorter) <= targets["max_bytes"]
    assert recodec.truncate(shorter, **targets) == shorter


def decode(data: bytes, rng: Generator) -> None:
    like = draw(rng, ("pil", "numpy", "torch"))
    options: Any = {
        "iterations": None if rng.random() < 0.5 else _number(rng, 2),
        "strict": rng.random() < 0.3,
        **_memory(rng),
        **_shown_as(rng),
        "draft": rng.random() < 0.2,
    }
    picture = recodec.decode(data, like=like, max_pixels=MAX_PIXELS, **options)
    _check_size_shown(picture, like, recodec.info(data), options)


def progressive(data: bytes, rng: Generator) -> None:
    like = draw(rng, ("pil", "numpy", "torch"))
    source = _Trickle(data, int(rng.integers(1, 300)))
    options = _memory(rng) | _shown_as(rng)
    pictures = list(islice(recodec.progressive(source, like=like, max_pixels=MAX_PIXELS, **options), 8))
    found = recodec.info(data)
    assert 1 <= len(pictures) <= found.iterations + len(found.strip_bytes)
    for picture in pictures:
        _check_size_shown(picture, like, found, options)


class _Trickle(io.BytesIO):
    """A pipe that never has more than some bytes at once."""

    def __init__(self, data: bytes, size: int):
        super().__init__(data)
        self._most = size

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(self._most)


def pillow_open(data: bytes, rng: Generator) -> None:
    image = RecodecImageFile(io.BytesIO(data))
    assert image.mode in ("L", "I;16", "LA", "RGB", "RGBA")
    assert image.n_iterations >= 0
    found = Image.open(io.BytesIO(data))
    assert (found.size, found.info) == (image.size, image.info)


def pillow_verify(data: bytes, rng: Generator) -> None:
    with _pillow_limit(), Image.open(io.BytesIO(data), formats=["RECODEC"]) as image:
        image.verify()


def pillow_load(data: bytes, rng: Generator) -> None:
    ImageFile.LOAD_TRUNCATED_IMAGES = bool(rng.integers(2))
    try:
        with _pillow_limit():
            if rng.random() < 0.3:
                _parse(data)
                return
            # What other plugins make of damage in their files is not ours to judge.
            with Image.open(io.BytesIO(data), formats=["RECODEC"]) as image:
                image.draft(None, (int(rng.integers(1, 50)), int(rng.integers(1, 50))))
                image.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _parse(data: bytes) -> None:
    parser = ImageFile.Parser()
    for start in range(0, len(data), 100):
        parser.feed(data[start : start + 100])
    try:
        parser.close()
    except ValueError as error:
        # Pillow loads an image whose file it has closed itself if only the beginning could be opened.
        if "closed file" not in str(error):
            raise


@contextmanager
def _pillow_limit() -> Iterator[None]:
    before, recodec.pillow.MAX_PIXELS = recodec.pillow.MAX_PIXELS, MAX_PIXELS
    try:
        yield
    finally:
        recodec.pillow.MAX_PIXELS = before


def _check_size(width: int, height: int) -> None:
    check_pixels(width, height, MAX_PIXELS)


def picture(data: bytes, rng: Generator) -> None:
    """A file of another format on its way to the encoder."""
    options: Any = {"convert": rng.random() < 0.6, "strip": rng.random() < 0.2}
    _check_picture(read_picture(io.BytesIO(data), _check_size, **options))


def arrays(data: bytes, rng: Generator) -> None:
    """Arrays and tensors of any shape and type, numbers of any kind."""
    array = np.frombuffer(data, np.uint8)
    dtype = np.dtype(draw(rng, _DTYPES))
    with np.errstate(all="ignore"):
        array = array[: len(array) // dtype.itemsize * dtype.itemsize].view(dtype)
        if dtype.kind == "f" and rng.random() < 0.7:
            array = np.nan_to_num(array).clip(0, 1)
    sides = [int(side) for side in rng.integers(0, 6, rng.integers(1, 5))]
    array = np.resize(array, sides)
    convert = rng.random() < 0.6
    image: Any = array if rng.random() < 0.7 else array[:, ::-1] if array.ndim > 1 else array
    if rng.random() < 0.4:
        with suppress(TypeError, ValueError):  # types that torch does not have
            image = torch.from_numpy(array.copy())
    _check_picture(read_picture(image, _check_size, convert=convert))


def _check_picture(read: Any) -> None:
    assert read.channels in (1, 3)
    assert 1 <= read.width * read.height <= MAX_PIXELS
    assert read.alpha is None or (
        read.alpha.shape == (read.height, read.width) and read.alpha.dtype == np.uint8
    )
    assert all(isinstance(content, bytes) for content in read.metadata.values())


def encode(data: bytes, rng: Generator) -> None:
    """A damaged picture through the network and back."""
    image = open_image(io.BytesIO(data), _check_size, convert=True)
    name, sound = draw(
        rng, (("iterations", 2), ("bpp", 20.0), ("max_bytes", 900), ("quality", 40), ("psnr", 20.0))
    )
    options: Any = {name: _number(rng, sound)}
    if rng.random() < 0.3:
        name, options = "lossless", {"lossless": True, "preview": draw(rng, (None, _number(rng, 2.0)))}
    coded = _tiny().encode(image, convert=True, max_pixels=MAX_PIXELS, **options)
    if name == "max_bytes":
        assert len(coded) <= options[name]
    assert recodec.verify(coded).lossless == (name == "lossless")
    # Turned upright by its EXIF, perhaps.
    assert sorted(recodec.decode(coded).size) == sorted(image.size)


def save(data: bytes, rng: Generator) -> None:
    """A damaged picture through Pillow's own save."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                return
            image.load()
    except Exception:  # noqa: BLE001  Pillow raises almost anything for damage in its own formats
        return
    image.save(io.BytesIO(), "RECODEC", model="tiny", iterations=1)


def weights(data: bytes, rng: Generator) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.safetensors"
        path.write_bytes(data)
        load_model(path)


@cache
def _tiny() -> recodec.Codec:
    return recodec.load("tiny")


@dataclass(frozen=True)
class Surface:
    """``share`` is its part of all executions, in thousandths."""

    run: Callable[[bytes, Generator], None]
    make: Callable[[Generator, inputs.Seeds], bytes]
    share: int
    allowed: tuple[type[Exception], ...] = (RecodecError,)

    @property
    def name(self) -> str:
        return (
            self.run.__name__ if self.make is not inputs.a_file_with_alpha else f"{self.run.__name__}_alpha"
        )

    def __call__(self, data: bytes, rng: Generator) -> Exception | None:
        """The error that was raised and may be; others escape."""
        try:
            self.run(data, rng)
        except self.allowed as error:
            return error
        return None


SURFACES = (
    Surface(info, inputs.a_file, 160),
    Surface(verify, inputs.a_file, 160),
    Surface(verify, inputs.a_file_with_alpha, 80),
    Surface(blocks, inputs.a_file, 100),
    Surface(truncate, inputs.a_file, 150),
    Surface(pillow_open, inputs.a_file, 80, ALLOWED_BY_PILLOW),
    Surface(pillow_verify, inputs.a_file, 40, ALLOWED_BY_PILLOW),
    Surface(picture, inputs.a_picture, 110),
    Surface(arrays, inputs.some_bytes, 60),
    Surface(decode, inputs.a_file, 15),
    Surface(progressive, inputs.a_file, 6),
    Surface(pillow_load, inputs.a_file, 6, ALLOWED_BY_PILLOW),
    Surface(encode, inputs.a_picture, 3),
    Surface(save, inputs.a_picture, 2, ALLOWED_BY_PILLOW),
    Surface(weights, inputs.some_weights, 1),
)
