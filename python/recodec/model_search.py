"""Where files of weights lie: in folders that the user names, and in the package."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from recodec.errors import SettingError, WeightsError

DEFAULT_MODEL = "latent-4"
SEARCH_PATH_VARIABLE = "RECODEC_WEIGHTS"

MODEL_ID = re.compile(r"[a-z0-9-]{1,32}")
SUFFIX = ".safetensors"
SHIPPED = Path(__file__).parent / "weights"
# Models of the zoo.
_ZOO = "zoo"


def check_name(model: object) -> None:
    """Raise :class:`WeightsError` for what names no model."""
    if not isinstance(model, str | os.PathLike):
        raise WeightsError(f"the model is {model!r}; give its id or the path of its file")


def is_path(model: str) -> bool:
    """Whether a text names a file of weights, since it cannot be an id."""
    return model.endswith(SUFFIX) or any(separator in model for separator in (os.sep, os.altsep) if separator)


def weights_file(model: str | os.PathLike[str]) -> Path:
    """The file of weights that an id or a path names. Raises :class:`WeightsError` for an unknown id."""
    return find_model(model) if isinstance(model, str) and not is_path(model) else Path(model)


def shipped_folders() -> tuple[Path, ...]:
    """Folders of the package that have models, each with their digests."""
    return SHIPPED, SHIPPED / _ZOO


def _search_path() -> list[Path]:
    folders = [Path(part) for part in os.environ.get(SEARCH_PATH_VARIABLE, "").split(os.pathsep) if part]
    for folder in folders:
        if not folder.is_dir():
            raise SettingError(
                f"{SEARCH_PATH_VARIABLE} names {str(folder)!r}, which is no folder; correct it or unset the variable"
            )
    return [*folders, *shipped_folders()]


def weights_files() -> Iterator[Path]:
    """All files with the name of a model, in the order in which they are looked at. Raises :class:`SettingError`."""
    for folder in _search_path():
        paths = sorted(folder.glob(f"*{SUFFIX}"))
        yield from (path for path in paths if MODEL_ID.fullmatch(path.stem) and path.is_file())


def available_models() -> tuple[str, ...]:
    """Ids of all models that can be loaded: those in ``$RECODEC_WEIGHTS`` and those in the package."""
    return tuple(sorted({path.stem for path in weights_files()}))


def find_model(model: str) -> Path:
    """The first weights file of a model id. Raises :class:`WeightsError` if there is none.

    Ids come from untrusted files: anything but ``[a-z0-9-]{1,32}`` is refused before any look-up.
    """
    if MODEL_ID.fullmatch(model):
        for folder in _search_path():
            path = folder / f"{model}{SUFFIX}"
            if path.is_file():
                return path
    raise WeightsError(
        f"there is no model {model!r}; available are {', '.join(available_models()) or 'none'}, and "
        f"{SEARCH_PATH_VARIABLE} may name folders with more"
    )
