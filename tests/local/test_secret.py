"""The server's secret, which survives a restart."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from renditions.errors import Failed
from renditions.local.secret import SECRET_BYTES, keep_secret


def test_a_secret_is_kept_and_readable_only_by_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    secret = keep_secret(file)
    assert len(secret) == SECRET_BYTES
    assert keep_secret(file) == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keep_secret(tmp_path / "another") != secret


def test_simultaneous_callers_get_the_same_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for number in range(50):
            assert len(set(threads.map(keep_secret, [tmp_path / str(number)] * 8))) == 1


def test_an_incomplete_secret_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"half")
    secret = keep_secret(file)
    assert len(secret) == SECRET_BYTES
    assert keep_secret(file) == secret == file.read_bytes()


def test_an_unreadable_secret_file_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="Is a directory"):
        keep_secret(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failed, match="link"):
        keep_secret(link)
