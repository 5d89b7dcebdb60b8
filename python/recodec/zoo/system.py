"""What there is in the zoo, and encoding with it. Loads no torch until asked to encode."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recodec.errors import WeightsError
from recodec.model_search import find_model
from recodec.notices import warn
from recodec.options import check_options

if TYPE_CHECKING:
    from recodec.encoding import EncodeOptions
    from recodec.families.protocol import Engine, Family
    from recodec.io.pictures import ImageLike, Picture


@dataclass(frozen=True, slots=True)
class System:
    """A system of the zoo.

    ``id`` stands in its files as the model id, ``source`` says who describes it, ``mended`` what is not as described,
    ``rate`` how large its files are and ``data`` what it learned from. ``module`` has its ``Settings``, a frozen
    dataclass; its submodule ``engine`` has a function ``engine(family, id, settings)``.
    """

    id: str
    title: str
    source: str
    mended: str
    rate: str
    data: str
    module: str

    @property
    def settings(self) -> type[Any]:
        """The dataclass of what can be chosen in encoding."""
        found: type[Any] = import_module(self.module).Settings
        return found

    @property
    def weights(self) -> Path | None:
        """Its file of weights; None for the system that has none. Raises :class:`WeightsError` if it is not there."""
        return None if self.module == _MLP else find_model(self.id)

    def engine(self, family: Family, **settings: Any) -> Engine:
        """A codec with some settings. Raises :class:`OptionError` and :class:`TargetError`."""
        check_options(self.id, settings, [field.name for field in dataclasses.fields(self.settings)])
        chosen = self.settings(**settings)
        made: Engine = import_module(f"{self.module}.engine").engine(family, self.id, chosen)
        return made


_MLP, _LEARNED = "recodec.zoo.mlp", "recodec.zoo.learned"
_PHOTOGRAPHS = "408 photographs with free licences, some of them CC-BY-SA-4.0"

_SYSTEMS = (
    System(
        "mlp",
        "lossless: a small network predicts each sample from 60 before it, trained for each picture",
        "student report, section 3",
        "differences from (W + N) / 2 instead of raw pixels; integers; G, R given G, B given both",
        "lossless",
        "none",
        _MLP,
    ),
    System(
        "cnn-ae",
        "convolutional autoencoder, 6 bits for each of 4 latents of 4x4 pixels",
        "student report, section 4",
        "the quantiser is in the loop of training; fewer weights; latents are entropy-coded",
        "1.5 bpp raw",
        _PHOTOGRAPHS,
        _LEARNED,
    ),
    System(
        "cnn-rnn-ae",
        "the same in three stages of 2 bits, each of which codes what those before left",
        "student report, section 4",
        "as cnn-ae; 2 bits a stage, so that three are 16:1",
        "1.5 bpp raw, 0.5 a stage",
        _PHOTOGRAPHS,
        _LEARNED,
    ),
    System(
        "cae",
        "small compressive autoencoder for 4x4 pixels, at three levels",
        "Theis, Shi, Cunningham and Huszár 2017, arXiv 1703.00395",
        "one model for its rates, by scales of its channels; fewer weights; contexts of neighbours",
        "1.1 to 1.6 bpp on pictures of 32x32",
        _PHOTOGRAPHS,
        _LEARNED,
    ),
    System(
        "gdn-4",
        "small transform codec for 4x4 pixels with divisive normalisation, at three levels",
        "Ballé, Laparra and Simoncelli 2017, arXiv 1611.01704",
        "one model for its rates, by scales of its channels; fewer weights; contexts of neighbours",
        "1.1 to 1.8 bpp on pictures of 32x32",
        _PHOTOGRAPHS,
        _LEARNED,
    ),
    System(
        "gdn-16",
        "transform codec for photographs with divisive normalisation, at three levels",
        "Ballé, Laparra and Simoncelli 2017, arXiv 1611.01704",
        "one model for its rates, by scales of its channels; fewer weights; contexts of neighbours that learn",
        "0.3 to 0.6 bpp",
        _PHOTOGRAPHS,
        _LEARNED,
    ),
)


def systems() -> tuple[System, ...]:
    """All of them."""
    return _SYSTEMS


def find_system(name: str) -> System:
    """By its id. Raises :class:`WeightsError`."""
    for system in _SYSTEMS:
        if system.id == name:
            return system
    known = ", ".join(system.id for system in _SYSTEMS)
    raise WeightsError(f"the zoo has no system {name!r}; it has {known}")


def encode(
    system: str, image: ImageLike | Picture, *, options: EncodeOptions | None = None, **settings: Any
) -> bytes:
    """Encode one image with a system of the zoo; :func:`recodec.decode` reads the file.

    ``settings`` are the system's own, ``options`` those of :meth:`recodec.Codec.encode` that are not about entropy;
    without a target a file has all stages.
    Raises :class:`WeightsError` for an unknown system, :class:`OptionError` and :class:`TargetError` for settings,
    and what :meth:`recodec.Codec.encode` raises.
    """
    from recodec.container.targets import Targets
    from recodec.encoding import encode_all
    from recodec.several import single
    from recodec.zoo.family import ZOO

    engine = find_system(system).engine(ZOO, **settings)
    chosen: EncodeOptions = {**options} if options else {}
    if not engine.exact and not Targets.__optional_keys__ & chosen.keys():
        chosen["iterations"] = engine.iterations
    writer = single([*encode_all(engine, [image], chosen, alone=True)])
    for warning in writer.warnings:
        warn(warning)
    return writer.assembly.to_bytes()
