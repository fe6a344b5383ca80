"""The world of most tests of the core."""

from __future__ import annotations

import pytest

from world import NAME, World


@pytest.fixture
def world() -> World:
    """Return a bound world with one picture and all of its outputs.

    A test file that needs another world defines its own fixture of this name.
    """
    world = World()
    world.bind()
    world.upload(NAME, b"one")
    world.processor().process(NAME)
    return world
