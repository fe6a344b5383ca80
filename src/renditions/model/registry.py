"""Helpers for registries.

A registry is a table with one entry for each format, store, catalog or notifier. Its entries name functions
as ``"module:function"``. So reading a registry doesn't import the functions, and checking a pipeline file
imports neither libvips nor botocore.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

T = TypeVar("T")


def resolve(reference: str) -> Any:
    """Import and return the object that ``"module:name"`` names.

    Raises:
        ModuleNotFoundError: The module, or a library that it needs, isn't installed.

    """
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def is_installed(module: str) -> bool:
    """Return whether a top-level module is installed, without importing it."""
    return find_spec(module) is not None


class Shared:
    """Objects that the parts of one pipeline share: one instance of each class.

    In this way, the stores, the catalog and the notifiers on AWS share one session, and the runtime needs no
    code for that.
    """

    def __init__(self) -> None:
        self._instances: dict[type, Any] = {}

    def get(self, kind: type[T]) -> T:
        """Return the instance of this class. The first call creates the instance.

        Call this method in one thread only.
        """
        if kind not in self._instances:
            self._instances[kind] = kind()
        instance: T = self._instances[kind]
        return instance
