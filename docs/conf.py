"""The site: ``nox -s docs`` makes build/docs/site of README.md, FORMAT.md, docs/ and the docstrings, without a network.

The source folder is the repository itself, so that pages link to each other as they do on a git host.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import recodec

project = "recodec"
author = "recodec maintainers"
version = release = recodec.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**"]
exclude_patterns = ["build", ".*", "venv*"]
html_theme = "furo"
html_title = f"recodec {version}"
html_extra_path = ["front"]  # leads from the folder to docs/index.html
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 3
# The tour and the gallery are run when the site is made; an error in a cell is an error of the site.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True
nb_merge_streams = True

autodoc_mock_imports = ["ray"]
autodoc_typehints = "none"  # ten overloads in front of a docstring help nobody
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": True, "show-inheritance": True}
napoleon_custom_sections = [("Options", "params_style")]


def setup(app: Sphinx) -> None:
    """Two things that Sphinx leaves undone."""
    app.connect("missing-reference", find_in_package)
    app.connect("env-check-consistency", check_public_names)


def find_in_package(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Docstrings say :class:`FormatError`, as users do, in all modules."""
    if node.get("refdomain") != "py" or node["reftarget"].startswith("recodec."):
        return None
    domain, target = env.domains.python_domain, f"recodec.{node['reftarget']}"
    return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], target, node, content)


def check_public_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names without an entry: of the modules that the reference has, and of their classes."""
    domain = env.domains.python_domain
    for module in domain.modules:
        for name in public_names(import_module(module)):
            if name not in domain.objects:
                logging.getLogger(__name__).warning("%s has no entry in the API reference", name)


def public_names(module: ModuleType) -> Iterator[str]:
    """What a module exports, or defines without an underscore, and the methods and properties of its classes."""
    own = [
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
    ]
    for name in getattr(module, "__all__", [name for name in own if not name.startswith("_")]):
        yield f"{module.__name__}.{name}"
        value = getattr(module, name)
        if inspect.isclass(value):
            for member, function in vars(value).items():
                if not member.startswith("_") and (
                    inspect.isroutine(function) or isinstance(function, property)
                ):
                    yield f"{module.__name__}.{name}.{member}"
