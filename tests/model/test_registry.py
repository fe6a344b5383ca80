"""The references to code in the registries."""

from __future__ import annotations

import sys

import pytest

from renditions.model.registry import is_installed, resolve


def test_a_reference_resolves_to_the_function_it_names() -> None:
    assert resolve("json:loads")("[1]") == [1]


def test_resolving_a_reference_raises_an_error_if_its_library_is_missing() -> None:
    with pytest.raises(ModuleNotFoundError):
        resolve("no_such_library:open")


def test_checking_that_a_module_exists_does_not_import_it() -> None:
    sys.modules.pop("antigravity", None)
    assert is_installed("antigravity")
    assert "antigravity" not in sys.modules
    assert not is_installed("no_such_library")
