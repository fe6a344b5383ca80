"""Strays, adoption and forgetting with versioned buckets and a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from aws.account import Account
from commands import draw, run
from contract.cloud import CLIENTS, name_of
from renditions.core.ports import IfAbsent
from renditions.pipeline_file.reading import read_preset

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Create an account with versioned buckets, and point the environment at it."""
    made = Account(name_of(tmp_path))
    for variable, value in made.environ().items():
        monkeypatch.setenv(variable, value)
    for variable in ("SOURCE_BUCKET", "OUTPUT_BUCKET"):
        CLIENTS.s3.put_bucket_versioning(
            Bucket=made.environ()[variable], VersioningConfiguration={"Status": "Enabled"}
        )
    return made


@pytest.fixture
def folder(tmp_path: Path, account: Account) -> Path:
    """Return a folder that was synced, changed and synced again.

    Two pictures were synced, and one of them was replaced.
    """
    (tmp_path / "renditions.toml").write_text(read_preset("thumbnail"))
    for seed, name in enumerate(("one.jpg", "two.jpg")):
        draw(tmp_path / name, seed=seed)
        account.upload(name, (tmp_path / name).read_bytes())
    assert run(tmp_path, "sync").code == 0
    draw(tmp_path / "one.jpg", seed=9)
    account.upload("one.jpg", (tmp_path / "one.jpg").read_bytes())
    assert run(tmp_path, "sync").code == 0
    return tmp_path


def versions(bucket: str) -> set[str]:
    """Return the keys that have a version or a delete marker in the bucket."""
    answer = CLIENTS.s3.list_object_versions(Bucket=bucket)
    return {entry["Key"] for name in ("Versions", "DeleteMarkers") for entry in answer.get(name, ())}


def test_forget_leaves_no_version_of_a_picture(folder: Path, account: Account) -> None:
    ended = run(folder, "forget", "one.jpg", "--yes", "--json")
    assert ended.code == 0, ended.err
    assert ended.data["left"] == []
    environ = account.environ()
    assert versions(environ["SOURCE_BUCKET"]) == {"two.jpg"}
    left = {key for key in versions(environ["OUTPUT_BUCKET"]) if not key.startswith(".renditions/")}
    assert left == {"thumb_two.jpg"}


def test_adopt_rebuilds_a_lost_table_from_the_marks_of_its_outputs(folder: Path, account: Account) -> None:
    account.output.put("index.html", b"<p>", IfAbsent(), "text/html")
    table = account.environ()["TABLE_NAME"]
    for page in CLIENTS.dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            CLIENTS.dynamodb.delete_item(TableName=table, Key={"image_name": item["image_name"]})
    assert run(folder, "sync").code == 3
    assert run(folder, "sync", "--adopt").code == 0
    strays = run(folder, "strays", "--json").data
    assert [(stray["key"], stray["whose"]) for stray in strays] == [("index.html", "unknown")]
    assert account.read_statuses() == {"one.jpg": "done", "two.jpg": "done"}
