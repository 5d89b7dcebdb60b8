"""Results in files: whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from recodec.errors import OutputError


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write all of ``data`` or leave nothing behind. Raises :class:`OSError`."""
    if os.path.exists(path) and not os.path.isfile(path):
        # Devices and pipes must be written to; a rename would replace them by a file.
        Path(path).write_bytes(data)
        return
    # A link keeps pointing where it did: what it points to is replaced.
    replace(Path(path).resolve(), lambda temporary: temporary.write_bytes(data))


def replace(target: Path, make: Callable[[Path], object]) -> None:
    """Let ``make`` write a file under another name, then give it that of ``target``; or leave nothing behind.

    Raises what ``make`` raises, and :class:`OSError`.
    """
    # Not derived from the name, which may be as long as the file system allows.
    temporary = target.with_name(f".recodec-{secrets.token_hex(4)}.tmp")
    try:
        # Before there is anything in it that others are not to read.
        _begin(temporary, target)
        make(temporary)
        _keep_access(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _keep_access(target: Path, temporary: Path) -> None:
    """Give a new file mode and, where that is allowed, owner of the one that it replaces."""
    try:
        former = target.stat()
    except OSError:
        return
    with suppress(OSError):
        os.chown(temporary, former.st_uid, former.st_gid)
    os.chmod(temporary, stat.S_IMODE(former.st_mode))


def _begin(path: Path, target: Path) -> None:
    """Make an empty file that no one else can read if one is replaced, or as the umask has it."""
    # Not tempfile: its files are private, and an output follows the umask like any other.
    mode = 0o600 if target.exists() else 0o666
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))


def make_folder(folder: Path) -> None:
    """Make a folder that can be written to, before anything slow. Raises :class:`OutputError` naming the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {str(folder)!r} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise OutputError(f"the folder {str(folder)!r} cannot be written to")
