"""The wishes of clients for one picture."""

from __future__ import annotations

from dataclasses import dataclass

from renditions.model.recipe import Focus


@dataclass(frozen=True, slots=True)
class Wishes:
    """The wishes of clients for one picture.

    They add to the pipeline's declarations for all pictures.
    """

    focus: Focus | None = None
    """The point to keep in the middle of renditions with ``gravity = "focus"``."""
    demanded: tuple[str, ...] = ()
    """The names of the renditions with ``on_demand`` that clients requested."""


NO_WISHES = Wishes()
