"""Every architecture by the name that weights files give it; imported when one is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from recodec.errors import WeightsError


class Architecture(NamedTuple):
    """Where configuration and network are defined, whose files are made with it, and whether they can be yet."""

    config_module: str
    config_name: str
    network_module: str
    network_name: str
    codes_pictures: bool
    family: int = 1

    @property
    def config(self) -> Any:
        """The class of configurations, with ``to_texts``, ``from_texts`` and ``from_dict``."""
        return getattr(import_module(self.config_module), self.config_name)

    @property
    def network(self) -> Any:
        """The class of networks, made from a configuration."""
        return getattr(import_module(self.network_module), self.network_name)


_PIXEL, _LATENT = "recodec.networks.pixel", "recodec.networks.latent"
_AUTOENCODER = "recodec.networks.autoencoder"

ARCHITECTURES = {
    "pixel": Architecture(f"{_PIXEL}.config", "NetworkConfig", f"{_PIXEL}.recurrent", "RecurrentCodec", True),
    "latent-transform": Architecture(
        f"{_LATENT}.config", "TransformConfig", f"{_LATENT}.levels", "TransformNetwork", False
    ),
    "autoencoder": Architecture(
        f"{_AUTOENCODER}.config", "AutoencoderConfig", f"{_AUTOENCODER}.network", "Autoencoder", True, 3
    ),
    "latent": Architecture(f"{_LATENT}.config", "LatentConfig", f"{_LATENT}.network", "LatentNetwork", True),
}


def find_architecture(name: str) -> Architecture:
    """Raises :class:`WeightsError` for one that this version does not know."""
    if name not in ARCHITECTURES:
        raise WeightsError(
            f"the architecture is {name!r}; this version of recodec knows {', '.join(ARCHITECTURES)}, a newer one "
            "may know more"
        )
    return ARCHITECTURES[name]
