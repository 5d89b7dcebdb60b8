"""Models: where their weights lie, how they are read, and the hash that ties a file to one.

A model is a safetensors file named after its id. Its metadata holds the network configuration, so a
file of weights is complete by itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from recodec import _core
from recodec.errors import WeightsError
from recodec.file_errors import of_file
from recodec.io import outputs
from recodec.model_search import (
    MODEL_ID,
    SUFFIX,
    find_model,
    shipped_folders,
    weights_file,
    weights_files,
)
from recodec.networks.architectures import Architecture, find_architecture
from recodec.networks.plane_network import PlaneNetwork

_FORMAT = "recodec-weights-1"
# Of an entropy network, and of what only training reads.
_ENTROPY_PART, _TRAINING_PART = "entropy.", "training."
_DEFAULT_ARCHITECTURE = "pixel"


@dataclass(frozen=True)
class Model:
    """Weights in memory. ``hash`` is what files made with this model carry (8 bytes).

    ``network`` is one of the model's architecture. ``tables`` are those of its entropy network, as integers, empty
    if it has none; ``training`` is what nothing but its further training reads.
    """

    id: str
    hash: bytes
    network: Any
    notes: dict[str, Any]
    tables: Mapping[str, Tensor] = field(default_factory=dict)
    training: Mapping[str, Tensor] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Without what the core made of it, which is made anew."""
        return {name: value for name, value in vars(self).items() if name not in ("order", "entropy_tables")}

    @property
    def architecture(self) -> str:
        """The architecture's name."""
        return str(self.network.architecture)

    @property
    def family(self) -> int:
        """Number of the family whose files are made with it."""
        return find_architecture(self.architecture).family

    @property
    def codes_pictures(self) -> bool:
        """Whether files can be made with it."""
        return find_architecture(self.architecture).codes_pictures

    def plane_network(self) -> PlaneNetwork:
        """The network, to code pictures with. Raises :class:`WeightsError` if its architecture does not yet."""
        if not self.codes_pictures:
            raise WeightsError(
                f"model {self.id} is of architecture {self.architecture!r}, which this version trains but codes no "
                "pictures with; use another model, or a newer version of recodec"
            )
        network: PlaneNetwork = self.network
        return network

    def require(self, header: _core.Header) -> None:
        """Raise :class:`WeightsError` unless a file was made with these very weights."""
        if (header.model, header.model_hash) != (self.id, self.hash):
            raise WeightsError(
                f"the file was made with model {header.model!r} ({header.model_hash.hex()}), but this codec holds "
                f"{self.id!r} ({self.hash.hex()}); get the weights that the file names"
            )
        if header.family != self.family:
            raise WeightsError(
                f"the file is of family {header.family}, but model {self.id!r} makes files of family {self.family}: "
                "the file is damaged"
            )

    @cached_property
    def order(self) -> _core.EmbeddedOrder | None:
        """The order of embedded planes as coders have it; None for networks whose planes all have one depth."""
        order = self.network.order if self.codes_pictures else None
        if order is None:
            return None
        try:
            return _core.EmbeddedOrder(order.chunk_of.to(torch.int32).numpy(), order.chunks)
        except _core.CoreError as error:
            raise WeightsError(f"model {self.id}: {error.args[1]}") from None

    @cached_property
    def entropy_tables(self) -> _core.EntropyTables | _core.EmbeddedTables | None:
        """The entropy network as the coder has it. Raises :class:`WeightsError` if its tables are no such thing."""
        if not self.tables:
            return None
        arrays = {name: tensor.to(torch.int32).numpy() for name, tensor in self.tables.items()}
        try:
            if self.order is not None:
                return _core.EmbeddedTables(arrays, self.order)
            tables = _core.EntropyTables(arrays)
        except _core.CoreError as error:
            raise WeightsError(f"model {self.id}: {error.args[1]}") from None
        network = self.plane_network()
        if (tables.depth, tables.symbols) != (network.depth, network.symbols):
            raise WeightsError(
                f"model {self.id} has {network.depth} codes of {network.symbols} symbols per position, but "
                f"its entropy network "
                f"{tables.depth} of {tables.symbols}"
            )
        return tables

    def coder_part(
        self, fields: _core.PlaneHeader
    ) -> _core.EntropyTables | _core.EmbeddedTables | _core.EmbeddedOrder | None:
        """What the entropy coder that a file names takes from the model, if the model has it."""
        return self.entropy_tables if fields.entropy == _core.NETWORK else self.order


def decoder_hash(decoder_text: str, tensors: Mapping[str, Tensor], parts: tuple[str, ...]) -> bytes:
    """First 8 bytes of the SHA-256 over everything that decoding depends on; defined in FORMAT.md.

    That is the configuration's text, the entropy network, and tensors whose names begin with one of ``parts``: the
    encoder may improve without touching old files.
    """
    digest = hashlib.sha256(decoder_text.encode())
    for name in sorted(tensors):
        if name.startswith((*parts, _ENTROPY_PART)):
            tensor = tensors[name].contiguous()
            kind = str(tensor.dtype).removeprefix("torch.")
            shape = "x".join(map(str, tensor.shape))
            digest.update(f"{name}\0{kind}\0{shape}\0".encode())
            digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.digest()[:8]


def save_model(
    path: Path,
    network: Any,
    notes: dict[str, Any],
    tables: Mapping[str, Tensor] | None = None,
    training: Mapping[str, Tensor] | None = None,
) -> None:
    """Write weights, floats as fp16, with their configuration; ``notes`` (JSON data) says where they come from.

    ``tables`` are those of an entropy network, integers that are kept as they are; ``training`` has tensors that only
    further training reads. Raises :class:`WeightsError` if a value is not finite or too large for fp16.
    """
    floats = network.state_dict() | {_TRAINING_PART + name: value for name, value in (training or {}).items()}
    tensors = {
        name: value.to("cpu", torch.float16 if value.is_floating_point() else value.dtype).contiguous()
        for name, value in floats.items()
    }
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"tensor {name} holds values that are not finite in fp16; it is not written")
    tensors |= {_ENTROPY_PART + name: value.cpu().contiguous() for name, value in (tables or {}).items()}
    metadata = {"format": _FORMAT, "notes": json.dumps(notes, sort_keys=True), **network.config.to_texts()}
    if network.architecture != _DEFAULT_ARCHITECTURE:
        metadata["architecture"] = network.architecture
    outputs.write(path, save(tensors, metadata))


def load_model(model: str | os.PathLike[str], hash_: str | None = None) -> Model:
    """Read a model by id, or a weights file by its path.

    With ``hash_``, 16 hexadecimal digits, the model that a file names, see :func:`find_weights`. Raises
    :class:`WeightsError`, and nothing else, if it is unknown, unreadable, incomplete or holds what models do not, and
    for a model of the package whose file is not the released one.
    """
    if hash_ is not None:
        return dataclasses.replace(load_model(find_weights(str(model), hash_)), id=str(model))
    path = weights_file(model)
    if not MODEL_ID.fullmatch(path.stem):
        raise WeightsError(f"{path.name} gives no model id; name the file with a-z, 0-9 and '-' only")
    try:
        if path.parent in shipped_folders():
            _check_release(path)
        return _model(path)
    except (WeightsError, MemoryError):
        raise
    # Configurations are data that anybody may have written, and torch, safetensors and json raise anything for it.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}") from error


@lru_cache(maxsize=2)
def _kept(model: str, hash_: str, files: tuple[tuple[Path, int, int], ...]) -> Model:
    return load_model(model, hash_)


def shared_model(model: str, hash_: str) -> Model:
    """The model that a file names, kept from call to call while nothing changes: many files need it one by one."""
    stats = [(path, path.stat()) for path in weights_files()]
    return _kept(model, hash_, tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats))


def _check_release(path: Path) -> None:
    """Raise :class:`WeightsError` for other bytes under the id of a released model: not every part is in its hash."""
    sums = (path.parent / "SHA256SUMS").read_text().split()
    released = dict(zip(sums[1::2], sums[::2], strict=True))
    if path.name in released and hashlib.sha256(path.read_bytes()).hexdigest() != released[path.name]:
        raise WeightsError(
            f"{path} is not the released model {path.stem}: it is damaged, or another model under its name; install "
            "recodec anew, and keep models of your own elsewhere"
        )


def _check_types(path: Path, tensors: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> None:
    """Raise :class:`WeightsError` for types of numbers that FORMAT.md, section 13, does not know of a tensor.

    ``network`` has the types that tensors are converted to; only then are values finite that were.
    """
    for name, tensor in tensors.items():
        own = network.get(name)
        if name.startswith(_ENTROPY_PART):
            known: tuple[torch.dtype, ...] = (torch.int8, torch.int32)
        elif own is None or own.is_floating_point():
            known = (torch.float16, torch.float32)
        else:
            known = (own.dtype,)
        if tensor.dtype not in known:
            what = "entropy tensor" if name.startswith(_ENTROPY_PART) else "tensor"
            kinds = " or ".join(str(kind).removeprefix("torch.") for kind in known)
            raise WeightsError(
                f"{path}: {what} {name.removeprefix(_ENTROPY_PART)} holds {tensor.dtype}; it must be {kinds}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path}: tensor {name} holds values that are not finite; get the file anew")


def _model(path: Path) -> Model:
    metadata, tensors, architecture = _read(path)
    config = architecture.config.from_texts(metadata)
    # Types and shapes first, without memory: a configuration may claim anything.
    with torch.device("meta"):
        expected: dict[str, Tensor] = architecture.network(config).state_dict()
    _check_types(path, tensors, expected)
    digest = decoder_hash(metadata["decoder"], tensors, architecture.network.decoder_tensors)
    tables, training = _taken(tensors, _ENTROPY_PART), _taken(tensors, _TRAINING_PART)
    shapes = {name: tuple(value.shape) for name, value in expected.items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != shapes:
        wrong = sorted(name for name in shapes | found if shapes.get(name) != found.get(name))
        raise WeightsError(f"{path} does not fit its own network configuration: see tensor {wrong[0]}")
    # Whatever torch's defaults are where this runs; its random numbers are the caller's.
    with torch.device("cpu"), torch.random.fork_rng(devices=()):
        network = architecture.network(config).float()
    network.load_state_dict(tensors)
    try:
        notes = json.loads(metadata.get("notes", "{}"))
    except json.JSONDecodeError as error:
        raise WeightsError(f"{path}: its notes are not JSON: {error}") from error
    if not isinstance(notes, dict):
        raise WeightsError(f"{path}: its notes are {type(notes).__name__}; they must be an object")
    network.eval().requires_grad_(False)
    loaded = Model(path.stem, digest, network, notes, tables, training)
    _ = loaded.order, loaded.entropy_tables  # refuses what does not fit
    return loaded


def find_weights(model: str, hash_: str) -> Path:
    """The weights that a file names by id and hash, wherever they lie and whatever else has that id.

    Raises :class:`WeightsError` where there are none.
    """
    first = find_model(model)
    # Under their id most of the time.
    for path in sorted(weights_files(), key=lambda path: path.stem != model):
        with suppress(WeightsError, OSError):
            if _hash_of(path).hex() == hash_:
                return path
    found = _hash_of(first).hex()
    raise WeightsError(
        f"model {model!r} is here with hash {found}, but {hash_} is wanted; get the weights that the file names"
    )


def hides_shipped(model: Model) -> bool:
    """Whether others will take what a model makes for files of one that comes with recodec."""
    paths = [folder / f"{model.id}{SUFFIX}" for folder in shipped_folders()]
    return any(path.is_file() and _hash_of(path) != model.hash for path in paths)


def look_at(path: Path) -> tuple[str, bytes]:
    """Name of the architecture and hash of a file of weights, without its network.

    Raises :class:`WeightsError`, for other bytes than the released ones under the name of a shipped model too.
    """
    if path.parent in shipped_folders():
        _check_release(path)
    state = path.stat()
    return _looked_at(path, state.st_mtime_ns, state.st_size)


def _hash_of(path: Path) -> bytes:
    state = path.stat()
    return _looked_at(path, state.st_mtime_ns, state.st_size)[1]


# A file that names weights at random is to cost no more than a look.
@lru_cache(maxsize=1024)
def _looked_at(path: Path, modified: int, size: int) -> tuple[str, bytes]:
    metadata, tensors, architecture = _read(path)
    name = metadata.get("architecture", _DEFAULT_ARCHITECTURE)
    return name, decoder_hash(metadata.get("decoder", ""), tensors, architecture.network.decoder_tensors)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor], Architecture]:
    """What is in a file of weights, as it is. Raises :class:`WeightsError`."""
    try:
        # What cannot be had says so here as the system has it.
        path.open("rb").close()
    except OSError as error:
        raise of_file(WeightsError, error, f"{path} cannot be read as weights: {error.strerror}") from error
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}") from error
    if metadata.get("format") != _FORMAT:
        raise WeightsError(
            f"{path} is not a file of recodec weights: its format is {metadata.get('format')!r}"
        )
    try:
        architecture = find_architecture(metadata.get("architecture", _DEFAULT_ARCHITECTURE))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    return metadata, tensors, architecture


def _taken(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose names begin so out of ``tensors``, without the prefix."""
    names = sorted(name for name in tensors if name.startswith(prefix))
    return {name.removeprefix(prefix): tensors.pop(name) for name in names}
