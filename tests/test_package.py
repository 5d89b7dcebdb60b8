"""What gets installed, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest


def test_wheel_holds_everything_and_nothing_else() -> None:
    distribution = metadata.distribution("recodec")
    if "editable" in (distribution.read_text("direct_url.json") or ""):
        pytest.skip("an editable install has no file list; run from a real one")
    files = {str(path) for path in distribution.files or ()}
    package = {path for path in files if path.startswith("recodec/")}
    for needed in (
        "recodec/__init__.py",
        "recodec/_core.pyi",
        "recodec/py.typed",
        "recodec/cli/__init__.py",
        "recodec/demo/photo.png",
        "recodec/kernels/__init__.py",
        "recodec/networks/cells.py",
        "recodec/eval/report.html",
        "recodec/train/recipes/dev-1.toml",
        "recodec/weights/dev-1.safetensors",
        "recodec/weights/latent-1.safetensors",
        "recodec/weights/latent-2.safetensors",
        "recodec/weights/latent-3.safetensors",
        "recodec/weights/rnn-1.safetensors",
    ):
        assert needed in package
    assert any(path.startswith("recodec/_core.") and path.endswith((".so", ".pyd")) for path in package)
    others = {path for path in files - package if ".dist-info/" not in path and not path.startswith("../")}
    assert not others
    assert not any(path.endswith((".cpp", ".hpp", ".a")) for path in files)
    assert not any("/train/starts/" in path for path in files), "weights that only training reads"


def test_torch_is_not_pinned_and_triton_is_optional() -> None:
    requires = metadata.requires("recodec") or []
    assert "torch>=2.11" in requires
    assert all("extra ==" in line for line in requires if line.startswith("triton"))


@pytest.mark.parametrize("statement", ["import recodec", "import recodec.cli", "import recodec.kernels"])
def test_importing_is_instant(statement: str) -> None:
    code = f"import sys; {statement}; print([m for m in ('torch', 'numpy', 'PIL', 'triton') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_names_are_attribute_errors() -> None:
    import recodec

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = recodec.nothing
    assert {"encode", "decode", "Codec"} <= set(dir(recodec))
