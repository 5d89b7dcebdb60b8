"""Files that no way of reading takes."""

from __future__ import annotations

import pytest

import recodec


def assert_refused(data: bytes, error: type[recodec.RecodecError], words: str | None = None) -> None:
    """Every way of reading a whole file raises ``error``, which says ``words``, a pattern, if any is given."""
    for function in (
        recodec.info,
        recodec.verify,
        recodec.decode,
        lambda part: list(recodec.progressive(part)),
    ):
        with pytest.raises(error, match=words):
            function(data)
