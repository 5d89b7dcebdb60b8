"""Configurations of networks as the two canonical JSON texts that weights files hold."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from recodec.errors import WeightsError


def side_texts(data: Mapping[str, Any], encoder: Collection[str]) -> dict[str, str]:
    """``"decoder"``, all that decoding depends on, and ``"encoder"``, the fields of that name."""
    sides = {
        "decoder": {name: value for name, value in data.items() if name not in encoder},
        "encoder": {name: value for name, value in data.items() if name in encoder},
    }
    return {side: json.dumps(part, sort_keys=True, separators=(",", ":")) for side, part in sides.items()}


def joined(texts: Mapping[str, str]) -> dict[str, Any]:
    """What :func:`side_texts` was given. Raises :class:`WeightsError` on anything else."""
    try:
        return {**json.loads(texts["decoder"]), **json.loads(texts["encoder"])}
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise WeightsError(f"the network configuration cannot be read: {error!r}") from error
