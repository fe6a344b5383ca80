"""Writing a new pipeline file beside other processes."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from renditions.pipeline_file.writing import write_new

LONG = "# a long comment\n" * 2_000_000


def test_another_process_never_finds_a_part_of_a_new_pipeline_file(tmp_path: Path) -> None:
    file = tmp_path / "renditions.toml"
    writer = threading.Thread(target=write_new, args=(file, LONG))
    writer.start()
    while not file.exists():
        assert writer.is_alive() or file.exists()
    assert file.stat().st_size == len(LONG)
    writer.join()
    assert list(tmp_path.iterdir()) == [file]


def test_a_pipeline_file_is_written_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "renditions.toml"
    write_new(file, "text")
    with pytest.raises(FileExistsError):
        write_new(file, "other")
    assert file.read_text() == "text"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_new_pipeline_file_replaces_nothing(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "renditions.toml"
    if kind == "link":
        file.symlink_to("missing.toml")
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_text("mine")
    with pytest.raises(FileExistsError):
        write_new(file, "text")
    assert list(tmp_path.iterdir()) == [file]
    assert file.is_symlink() or file.is_dir() or file.read_text() == "mine"
