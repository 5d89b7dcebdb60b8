""".rcd files as a ``Dataset`` of torch."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from typing import Any, Unpack

from torch.utils.data import Dataset

from recodec.decode_options import DecodeOptions, check_decode_options
from recodec.errors import SourceError
from recodec.file_errors import of_file
from recodec.io import folders
from recodec.io.output_images import AnyType, check_kind
from recodec.io.picture_kinds import is_rcd_file
from recodec.io.sources import Source
from recodec.options import with_options
from recodec.pipelines.codecs import Codecs
from recodec.several import is_several


class FileDataset(Dataset[Any]):
    """Pictures of .rcd files, by index; decoded where and when they are asked for, so by a ``DataLoader``'s workers.

    Pickles without its codecs, which every process loads once. What it yields may go back into
    :func:`recodec.encode`. ``files`` are what it was made of.
    """

    @with_options(DecodeOptions)
    def __init__(
        self,
        files: str | os.PathLike[str] | Iterable[Source],
        *,
        like: str = "torch",
        dtype: AnyType = None,
        transform: Callable[[Any], Any] | None = None,
        device: str = "cpu",
        arithmetic: str = "float32",
        **options: Unpack[DecodeOptions],
    ):
        """Take all .rcd files in and below a folder, sorted by path, or a list of files: paths, or their bytes.

        ``like`` and ``dtype`` are those of :func:`recodec.decode`, and so is what getting an item raises, with a note
        that names the file: a ``DataLoader`` ends there. ``transform`` is called with every picture. Networks compute
        on ``device`` in ``arithmetic`` ("float32", "bfloat16", "float16"); with workers leave it the CPU. Raises
        :class:`SourceError` for what is no folder, :class:`OptionError` and :class:`TargetError`.
        """
        check_decode_options(options)
        check_kind(like, dtype)
        self.files: list[Source] = _files(files)
        self._transform, self._codecs = transform, Codecs(device, arithmetic)
        self._options = {"like": like, "dtype": dtype, **options}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Any:
        file = self.files[index]
        (shown,) = self._codecs.decode([file], **self._options)
        if isinstance(shown, Exception):
            name = f" ({os.fspath(file)})" if isinstance(file, str | os.PathLike) else ""
            shown.add_note(f"of item {index}{name}")
            raise shown
        return shown if self._transform is None else self._transform(shown)

    def __repr__(self) -> str:
        return f"FileDataset({len(self)} files, like={self._options['like']!r})"


def _files(given: Any) -> list[Source]:
    if is_several(given):
        return [*given]
    if not isinstance(given, str | os.PathLike):
        raise SourceError(f"a {type(given).__name__} holds no .rcd files; give a folder or a list of files")
    if not os.path.isdir(given):
        code = errno.ENOTDIR if os.path.exists(given) else errno.ENOENT
        said = f"{os.fspath(given)!r} is no folder; give one that holds .rcd files, or a list of files"
        raise of_file(SourceError, OSError(code, os.strerror(code), os.fspath(given)), said)
    # What cannot be read says so when its turn comes.
    return [path for path, *_ in folders.find(os.fspath(given), is_rcd_file, [])]
