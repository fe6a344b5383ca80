"""Libraries of single formats, which are installed as extras."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from renditions.errors import Failed
from renditions.model.formats import SOURCE_FORMATS


def import_extra(module: str, extra: str) -> Any:
    """Return the module, imported only now: most pictures don't need it.

    Raises:
        Failed: it isn't installed.

    """
    try:
        return import_module(module)
    except ImportError as error:
        raise Failed(f"expected {module} (pip install 'renditions[{extra}]'), found none") from error


def is_installed(source_format: str) -> bool:
    """Return whether the library for this format is installed."""
    return all(find_spec(library.module) for library in SOURCE_FORMATS[source_format].libraries)
