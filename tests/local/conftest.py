"""Folders for the tests of folder stores."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Create and return the folder of a store."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Create and return a folder with a secret, which a store must never reach."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.jpg").write_bytes(b"secret")
    return folder


@pytest.fixture
def full_temporary_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new SQLite databases grow only to ten pages, as if the disk were full."""
    connect = sqlite3.connect

    def connect_limited(*args: Any, **options: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = connect(*args, **options)
        db.execute("PRAGMA max_page_count = 10")
        return db

    monkeypatch.setattr(sqlite3, "connect", connect_limited)
