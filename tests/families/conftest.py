"""Fixtures of the families' tests."""

from __future__ import annotations

import pytest
import torch

from recodec.networks.pixel.recurrent import RecurrentCodec
from tests.zoned import ZONED


@pytest.fixture(scope="module")
def zoned_network() -> RecurrentCodec:
    torch.manual_seed(16)
    return RecurrentCodec(ZONED)
