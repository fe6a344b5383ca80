"""The libraries that only some formats need, and that are installed as extras."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from renditions.errors import Failed

_MODULES = {
    "dicom": ("pydicom", "numpy", "pylibjpeg", "openjpeg"),
    "heic": ("pillow_heif",),
    "pdf": ("img2pdf", "pypdfium2"),
}


def import_extra(module: str) -> Any:
    """Return the module, imported only now: most pictures don't need it.

    Raises:
        Failed: it isn't installed.

    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        extra = next(extra for extra, modules in _MODULES.items() if package in modules)
        raise Failed(f"expected {module} (pip install 'renditions[{extra}]'), found none") from error


def is_installed(source_format: str) -> bool:
    """Tell whether what pictures of this format need is there."""
    return all(find_spec(module) for module in _MODULES.get(source_format, ()))
