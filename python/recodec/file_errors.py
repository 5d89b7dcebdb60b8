"""Errors of files that are both ours and the system's: a missing image is an ImageError and a FileNotFoundError."""

from __future__ import annotations

import copyreg
from typing import Any

from recodec.errors import RecodecError

# What says of a file that it cannot be had, rather than what is wrong with its content.
_SYSTEM = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def is_of_file(error: Exception) -> bool:
    """Whether an error says that a file cannot be had at all."""
    return isinstance(error, _SYSTEM)


def of_file(
    kind: type[RecodecError], error: OSError, message: str, filename: str | None = None
) -> RecodecError:
    """An error of a ``kind`` and of the system's kind, with its numbers and words, and its ``filename`` if not told."""
    system = next((one for one in _SYSTEM if isinstance(error, one)), OSError)
    return _made(kind, system, message, error.errno, error.strerror, filename or error.filename)


def _made(kind: type[RecodecError], system: type[OSError], message: str, *said: Any) -> RecodecError:
    made = _joined(kind, system)(message)
    made.errno, made.strerror, made.filename = said  # type: ignore[attr-defined]
    return made


_joined_classes: dict[tuple[type, type], type[RecodecError]] = {}


def _joined(kind: type[RecodecError], system: type[OSError]) -> type[RecodecError]:
    """A class of both, with the name of the first: which it is besides, the system's words tell."""
    if found := _joined_classes.get((kind, system)):
        return found

    def text(self: Any) -> str:
        return str(self.args[0])

    def reduced(self: Any) -> tuple[Any, ...]:
        return _made, (kind, system, str(self), self.errno, self.strerror, self.filename)

    members = {"__str__": text, "__reduce__": reduced, "__doc__": kind.__doc__, "__module__": kind.__module__}
    bases = (kind,) if issubclass(kind, system) else (kind, system)
    return _joined_classes.setdefault((kind, system), _Joined(kind.__name__, bases, members))  # type: ignore[arg-type]


class _Joined(type):
    """Of classes that no module has by a name: torch's workers send the class of an error, not the error."""


def _reduced_class(joined: type) -> tuple[Any, ...]:
    return _joined, next(key for key, found in _joined_classes.items() if found is joined)


copyreg.pickle(_Joined, _reduced_class)
