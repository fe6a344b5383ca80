"""The skips that are allowed in CI (with ``CI=true`` in the environment).

On other machines a test is skipped with a reason if a program isn't installed. In CI, nothing would draw
attention to one skip among a thousand tests. So a skip that isn't listed here fails.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

ALLOWED = (
    ("tests/serverless/limited.py::*", "can't limit memory by a control group"),
    ("tests/sites/*", "needs npm"),
    ("tests/infra/*", "neither terraform nor tofu is installed"),  # Debian has no package of either
    ("tests/local/test_folding.py::*", "can't be mounted here"),
    ("tests/local/test_mounts.py::*", "this user can't mount here"),
    ("tests/local/test_vanishing.py::*", "this user can't mount here"),
    ("tests/local/test_marker.py::*", "this user can't mount here"),
    ("tests/local/test_overlap.py::*", "are NOT tested"),  # bindfs needs /dev/fuse
    ("tests/local/workers/test_confinement.py::*", "this user isn't root"),
    ("tests/local/workers/test_confinement.py::*", "most layers are Linux's"),
    ("tests/local/workers/test_confinement.py::*", "the table is that of another kernel"),
    ("tests/local/workers/test_confinement.py::*", "headers aren't installed"),
    # Many containers forbid mounting and network namespaces, even to root.
    ("tests/web/test_vanished.py::*", "NOT TESTED: this user can't make network namespaces"),
    ("tests/web/test_lan.py::*", "NOT TESTED: this user can't make network namespaces"),
    ("tests/web/test_operating.py::*", "this user can't mount here"),
    ("tests/faults/test_disk.py::*", "this user can't mount here"),
    ("tests/imaging/test_machine_fonts.py::*", "this user can't mount here"),
    ("tests/systems/test_installing.py::*", "this user can't mount here"),
)
"""The allowed skips: a pattern of test names, and a part of the reason."""


def is_allowed(name: str, reason: str) -> bool:
    """Return whether a test of this name may be skipped for this reason."""
    return any(fnmatchcase(name, pattern) and part in reason for pattern, part in ALLOWED)


def are_enforced() -> bool:
    """Return whether skips that aren't allowed fail."""
    return os.environ.get("CI") == "true"
