"""Strays, adoption and forgetting with versioned buckets and a table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aws.account import Account
from commands import draw, run
from contract.cloud import CLIENTS, name_of
from renditions.core.binding import FOLLOWS
from renditions.core.ports import IfAbsent
from renditions.messages.events import SyncRequest
from renditions.messages.tick import Tick, Ticked
from renditions.model.places import S3Place
from renditions.pipeline_file.reading import load, read_preset
from renditions.runtime.machine import open_workers
from renditions.runtime.parts import Parts, now, open_parts

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with versioned buckets, after pointing the environment at it."""
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


def lose_table(account: Account) -> None:
    """Delete all items of the table."""
    for page in CLIENTS.dynamodb.get_paginator("scan").paginate(TableName=account.table):
        for item in page["Items"]:
            CLIENTS.dynamodb.delete_item(TableName=account.table, Key={"image_name": item["image_name"]})


def test_adopt_rebuilds_a_lost_table_from_the_marks_of_its_outputs(folder: Path, account: Account) -> None:
    account.output.put("index.html", b"<p>", IfAbsent(), "text/html")
    lose_table(account)
    assert run(folder, "sync").code == 3
    assert run(folder, "sync", "--adopt").code == 0
    strays = run(folder, "strays", "--json").data
    assert [(stray["key"], stray["whose"]) for stray in strays] == [("index.html", "unknown")]
    assert account.read_statuses() == {"one.jpg": "done", "two.jpg": "done"}


def tick(parts: Parts, account: Account) -> tuple[Ticked, list[str]]:
    """Run a schedule's tick; return its result, and the messages that it sent."""
    sent: list[str] = []
    guard = parts.make_guard(parts.bind(FOLLOWS), is_attended=False)
    place = S3Place(f"{account.table}-in", "")
    return Tick(parts.plan_tick, guard, place, sent.extend, parts.end_run, now).run(
        SyncRequest(), lambda: True
    ), sent


def test_a_tick_that_finds_its_table_lost_sends_no_message_and_reports_the_loss_once(
    folder: Path, account: Account
) -> None:
    """Events meanwhile overwrite nothing, and make renditions of new pictures."""
    account.take_notices()
    outputs = account.read_outputs()
    lose_table(account)
    loaded = load(folder / "renditions.toml", os.environ)
    with open_parts(loaded.pipeline, loaded.directory, loaded.file) as parts:
        standing = parts.bind(FOLLOWS)
        with open_workers(parts, 1, standing) as workers:
            process = workers.processing(None)
            for _ in range(2):
                ticked, sent = tick(parts, account)
                assert sent == []
                assert [(held.what, held.count) for held in ticked.held] == [("catalog", 2)]
            assert account.read_statuses() == {}
            assert [notice["event"] for notice in account.take_notices()] == ["output_held"]
            assert process("one.jpg").code == "foreign-output"
            account.upload("new.jpg", (folder / "one.jpg").read_bytes())
            assert process("new.jpg").result == "done"
            account.upload("three.jpg", (folder / "two.jpg").read_bytes())
            account.output.put("thumb_three.jpg", b"theirs", IfAbsent(), "image/jpeg")
    ended = run(folder, "status")
    assert "held back" in ended.out
    assert "renditions sync --adopt" in ended.out
    assert {key: account.read_outputs()[key] for key in outputs} == outputs
    assert run(folder, "sync", "--adopt").code == 1
    assert account.read_statuses() == {
        "new.jpg": "done", "one.jpg": "done", "three.jpg": "rejected", "two.jpg": "done",
    }  # fmt: skip
    assert run(folder, "status", "--json").data["held"] == []
    with open_parts(loaded.pipeline, loaded.directory, loaded.file) as parts:
        assert tick(parts, account) == (Ticked(0), [])
