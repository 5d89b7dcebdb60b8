"""Where training photographs lie: an index of folders, tar shards and single files."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import warnings
from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.ContainerIO import ContainerIO

from recodec.errors import ImageError, LimitError
from recodec.io.picture_kinds import image_suffixes
from recodec.io.pillow_images import open_image
from recodec.limits import check_pixels

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_WHOLE_FILE = -1


class Photographs:
    """Photographs in folders, tar shards and single files; indexed at once, decoded when asked for.

    Folders are searched recursively and in sorted order, shards in the order of their members; hidden
    files are skipped. Only names and places are held, no file stays open, so that an index can be sent to
    other processes. ``names`` are paths, for members of shards "shard:member".

    Raises :class:`ImageError` if a source is missing or a shard is damaged or compressed, or if there is
    no photograph at all.
    """

    def __init__(self, sources: Sequence[Path]):
        names: list[str] = []
        # Arrays, not objects: millions of photographs are copied into each worker process.
        self._files: list[str] = []
        self._offsets = array("q")
        self._sizes = array("q")
        self._areas: NDArray[np.int64] | None = None
        for source in sources:
            for name, file, offset, size in _index(Path(source)):
                names.append(name)
                self._files.append(file)
                self._offsets.append(offset)
                self._sizes.append(size)
        self.names = tuple(names)
        if not names:
            raise ImageError(
                f"found no photograph in {', '.join(map(str, sources)) or 'an empty list of sources'}; give "
                "folders, tar shards or image files that Pillow can read"
            )

    def __len__(self) -> int:
        return len(self.names)

    def fingerprint(self) -> str:
        """Number and hash of names and sizes, in order: the same wherever the sources lie."""
        digest = hashlib.sha256()
        for name, file, size in zip(self.names, self._files, self._sizes, strict=True):
            text = f"{os.path.basename(file)}{name[len(file) :]}\0{size}\0"
            digest.update(text.encode(errors="surrogateescape"))
        return f"{len(self)} photographs {digest.hexdigest()[:16]}"

    def areas(self) -> NDArray[np.int64]:
        """Pixels of each photograph as its header has them; reads all headers, once.

        A photograph without a sound header counts as one of average size, so that who draws by area meets
        it, and can name it, as well.
        """
        if self._areas is None:
            areas = np.fromiter(map(self._area, range(len(self))), np.int64, len(self))
            known = areas[areas > 0]
            areas[areas == 0] = round(known.mean()) if len(known) else 1
            self._areas = areas
        return self._areas

    def _area(self, index: int) -> int:
        try:
            with open(self._files[index], "rb") as file, warnings.catch_warnings(action="ignore"):
                size = self._sizes[index]
                member = file if size == _WHOLE_FILE else ContainerIO(file, self._offsets[index], size)
                with Image.open(member) as image:
                    return image.width * image.height
        except MemoryError:
            raise
        # As in read, which then says what is wrong.
        except Exception:  # noqa: BLE001
            return 0

    def read(self, index: int) -> Image.Image:
        """The photograph as RGB, upright; transparency is dropped.

        Raises :class:`ImageError`, which names the photograph, if it cannot be read, has more than 8 bits
        per sample or several frames, or more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.
        """
        try:
            with open(self._files[index], "rb") as file:
                file.seek(self._offsets[index])
                content = io.BytesIO(file.read(self._sizes[index]))
            # Pillow only warns up to twice its limit.
            limit = Image.MAX_IMAGE_PIXELS or 2**63
            image = open_image(content, partial(check_pixels, max_pixels=limit))
            return _upright_rgb(image)
        except LimitError as error:
            raise ImageError(
                f"{self.names[index]} has more pixels than PIL.Image.MAX_IMAGE_PIXELS, "
                f"{Image.MAX_IMAGE_PIXELS}; shrink it or raise that"
            ) from error
        except MemoryError:
            raise
        # Pillow's readers raise almost anything on broken files.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ImageError(f"{self.names[index]}: {reason}") from error


def _upright_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise ImageError(f"mode {image.mode} has more than 8 bits per sample; save it with 8 bits first")
    upright = ImageOps.exif_transpose(image)
    # Pillow warns of transparent palettes that become RGB without the step between.
    rgb = (upright.convert("RGBA") if "transparency" in upright.info else upright).convert("RGB")
    # Profiles and thumbnails would only take memory.
    rgb.info.clear()
    return rgb


def _index(source: Path) -> Iterator[tuple[str, str, int, int]]:
    """Name, file, offset and size of each photograph in a source."""
    if source.is_dir():
        for path in sorted(_files_below(source)):
            if _is_photograph(path.relative_to(source)):
                yield str(path), str(path), 0, _WHOLE_FILE
    elif not source.exists():
        raise ImageError(f"{source} does not exist; give folders, tar shards or files of photographs")
    elif source.suffix.lower() in image_suffixes():
        yield str(source), str(source), 0, _WHOLE_FILE
    else:
        yield from _index_shard(source)


def _files_below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ImageError(f"{folder} cannot be searched for photographs: {error}") from error

    for parent, _, files in os.walk(folder, onerror=refuse):
        paths = (Path(parent, file) for file in files)
        # To read from a pipe may take for ever; a broken link is skipped and counted like a broken file.
        yield from (path for path in paths if path.is_file() or path.is_symlink())


def _is_photograph(path: PurePath) -> bool:
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    return path.suffix.lower() in image_suffixes() and not hidden


def _index_shard(shard: Path) -> Iterator[tuple[str, str, int, int]]:
    file = str(shard)
    try:
        with open(shard, "rb") as stream:
            if stream.read(8).startswith(_COMPRESSED):
                raise ImageError(
                    f"{shard} is compressed, so photographs cannot be read from its middle; unpack it or give "
                    "a plain tar file"
                )
            stream.seek(0)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                while (member := archive.next()) is not None:
                    # The archive would keep every member it has seen.
                    archive.members.clear()  # type: ignore[attr-defined]
                    if member.isfile() and _is_photograph(PurePath(member.name)):
                        yield f"{shard}:{member.name}", file, member.offset_data, member.size
                # A header that is not one also ends the reading, without a word.
                stream.seek(archive.offset)
                if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise ImageError(
                        f"{shard} is damaged or incomplete at byte {archive.offset}; copy it again"
                    )
    except (tarfile.TarError, OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(
            f"{shard} cannot be read as a tar file: {error}; give folders, plain tar files or files of "
            "photographs"
        ) from error
