"""How a registry names code: a table can list what it never imports.

A registry is a table with one entry for each format, store, catalog or notifier. Its entries name functions
as ``"module:function"``, so that checking a pipeline file imports neither libvips nor botocore.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any


def resolve(reference: str) -> Any:
    """Import and return what ``"module:name"`` refers to.

    Raises:
        ModuleNotFoundError: The module, or a library that it needs, isn't installed.

    """
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def is_installed(module: str) -> bool:
    """Tell whether a top-level module is installed, without importing it."""
    return find_spec(module) is not None
