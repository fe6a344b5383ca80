"""How the errors of a folder's file system are reported."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from renditions.errors import KeyRefused
from renditions.local.failures import reported


def test_a_name_that_the_file_system_refuses_is_reported_without_the_stores_path(tmp_path: Path) -> None:
    refused = pytest.raises(KeyRefused, match=r"^2024/a\.jpg: the file system refuses this name")
    with refused, reported(tmp_path, "2024/a.jpg"):
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ))
