"""The server's secret, which survives a restart."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from renditions.errors import Failed
from renditions.local.secret import SECRET_BYTES, keep_secret


def test_the_secret_stays_the_same_and_only_its_owner_can_read_its_file(tmp_path: Path) -> None:
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


def test_a_secret_file_that_is_incomplete_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"half")
    secret = keep_secret(file)
    assert len(secret) == SECRET_BYTES
    assert keep_secret(file) == secret == file.read_bytes()


def test_reading_the_secret_fails_if_its_file_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="Is a directory"):
        keep_secret(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failed, match="link"):
        keep_secret(link)
