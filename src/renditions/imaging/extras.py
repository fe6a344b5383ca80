"""Libraries that only some formats need. Extras of this package install them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from renditions.errors import Failed
from renditions.model.formats import SOURCE_FORMATS


def import_extra(module: str, extra: str) -> Any:
    """Import a module when a picture needs it, and return the module.

    Raises:
        Failed: The module, or a library that it needs, can't be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise Failed(
            f"{module} can't be imported ({error}). Run: pip install 'renditions[{extra}]'"
        ) from error


def is_installed(source_format: str) -> bool:
    """Return whether all libraries for this format are installed."""
    return all(find_spec(library.module) for library in SOURCE_FORMATS[source_format].libraries)
