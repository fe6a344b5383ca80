"""What may be skipped where tests decide whether a change is taken in: with ``CI=true`` in the environment.

On a machine of one's own, a test whose program isn't installed is skipped with a reason. Among a thousand
others that goes unseen, so any other skip fails there.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

ALLOWED = (
    ("tests/infra/*", "neither terraform nor tofu is installed"),  # Debian has no package of either
    ("tests/faults/test_disk.py::*", "this user can't mount here"),  # many containers forbid it, to root too
)
"""Patterns of tests' names, and what the reason of an allowed skip has in it."""


def is_allowed(name: str, reason: str) -> bool:
    """Tell whether a test of this name may be skipped for this reason."""
    return any(fnmatchcase(name, pattern) and part in reason for pattern, part in ALLOWED)


def are_enforced() -> bool:
    """Tell whether any other skip is a failure."""
    return os.environ.get("CI") == "true"
