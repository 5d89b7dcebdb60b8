"""What gets installed, and what importing it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from recodec.model_search import DEFAULT_MODEL, SHIPPED

# On Linux; a pip that has installed them lists them outside the package's folder.
DESKTOP = {"share/thumbnailers/recodec.thumbnailer", "share/mime/packages/recodec.xml"}


def check_wheel(files: set[str]) -> None:
    """What a wheel holds, but for the scripts that an installer adds."""
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
        "recodec/web/static/index.html",
        "recodec/web/static/recodec.wasm",
        "recodec/weights/README.md",
        *(f"recodec/weights/{name}" for name in (SHIPPED / "SHA256SUMS").read_text().split()[1::2]),
    ):
        assert needed in package
    assert any(path.startswith("recodec/_core.") and path.endswith((".so", ".pyd")) for path in package)
    others = {path for path in files - package if ".dist-info/" not in path}
    assert {path.partition(".data/data/")[2] for path in others} <= DESKTOP
    assert not any(path.endswith((".cpp", ".hpp", ".a")) for path in files)
    assert not any("/train/starts/" in path for path in files), "weights that only training reads"


def test_installed_package_holds_everything_and_nothing_else() -> None:
    distribution = metadata.distribution("recodec")
    if "editable" in (distribution.read_text("direct_url.json") or ""):
        pytest.skip("an editable install has no file list; run from a real one")
    files = {str(path) for path in distribution.files or ()}
    check_wheel({path for path in files if not path.startswith("../")})


@pytest.mark.skipif(
    "RECODEC_DIST" not in os.environ, reason="there are no distributions; nox -s wheel makes them"
)
def test_distributions_hold_everything_and_nothing_else() -> None:
    folder = Path(os.environ["RECODEC_DIST"])
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    check_wheel(names)
    assert {name.partition(".data/data/")[2] for name in names} >= (
        DESKTOP if sys.platform == "linux" else set()
    )
    with tarfile.open(source) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {"PKG-INFO", "LICENSE", "README.md", "FORMAT.md", "CITATION.cff", "SECURITY.md"} <= files
    assert {"CMakeLists.txt", "csrc/module.cpp", "kernels/__init__.py", "docs/conf.py"} <= files
    assert {f"python/recodec/weights/{DEFAULT_MODEL}.safetensors", "tests/golden/expected.json"} <= files
    folders = {name.partition("/")[0] for name in files if "/" in name}
    assert folders == {"bench", "csrc", "docs", "kernels", "python", "share", "tests"}
    assert not any(name.startswith(("bench/results/", "python/recodec/train/starts/")) for name in files)
    assert not any(name.endswith((".so", ".pyc", ".rcd")) and not name.startswith("tests/") for name in files)
    assert max(path.stat().st_size for path in (wheel, source)) < 100e6, "the most that PyPI takes"


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
