"""Nothing public is there for tests alone."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Called by name from outside.
CALLED_BY_OTHERS = {
    "load_seek",  # Pillow, of its plugins
    *("do_GET", "do_HEAD", "log_message"),  # http.server, of its handlers
}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_every_public_name_has_a_user_beside_the_tests() -> None:
    if not (ROOT / "kernels").is_dir():
        pytest.skip("the kernels are not beside the tests; run from a checkout")
    package, users = sources("python", "kernels"), sources("bench")
    pages = [ROOT / "README.md", ROOT / "docs" / "cookbook.md"]
    words: Counter[str] = Counter()
    for path in (*package, *users, *pages):
        words.update(re.findall(r"\b[A-Za-z]\w*\b", path.read_text(encoding="utf-8")))
    alone = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in package
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and words[node.name] == 1
        and node.name not in CALLED_BY_OTHERS
    ]
    assert not alone, "remove it, or make it private"
