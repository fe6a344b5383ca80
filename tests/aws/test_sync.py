"""The command line on AWS: a pipeline file for a folder works there unchanged."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aws.account import Account
from commands import draw, run
from contract.cloud import CLIENTS, name_of
from renditions.errors import UsageError
from renditions.pipeline_file.reading import load, read_preset
from renditions.runtime.parts import open_parts

pytestmark = pytest.mark.usefixtures("aws")

SOUND = ["photo.jpg", "2026/ü b+c.jpg", "2026/x.png"]


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account, after setting the variables that name its resources.

    The variables replace the folders and the catalog of the pipeline file.
    """
    made = Account(name_of(tmp_path))
    for variable, value in made.environ().items():
        monkeypatch.setenv(variable, value)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a synced folder with three pictures and the thumbnail preset."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SOURCE_BUCKET", "OUTPUT_BUCKET", "TABLE_NAME", "SNS_TOPIC_ARN"):
            patch.delenv(name, raising=False)
        text = read_preset("thumbnail").replace('on = ["rejected"', 'on = ["done", "rejected"')
        (tmp_path / "renditions.toml").write_text(text)
        draw(tmp_path / "inbox/photo.jpg", 1920, 1080)
        for number, name in enumerate(SOUND[1:]):
            draw(tmp_path / "inbox" / name, seed=number)
        assert run(tmp_path, "sync").code == 0
    return tmp_path


def read_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in (folder / "processed").rglob("*.*"):
        if ".renditions" not in path.parts:
            yield path.relative_to(folder / "processed").as_posix(), path.read_bytes()


def test_a_pipeline_file_gives_the_same_bytes_in_a_folder_and_on_aws(folder: Path, account: Account) -> None:
    for name in SOUND:
        account.upload(name, (folder / "inbox" / name).read_bytes())
    account.upload("2026/", b"")  # AWS's console creates such an object for a folder
    ended = run(folder, "sync")
    assert ended.code == 0, ended.err
    assert account.read_outputs() == dict(read_folder(folder))
    assert len(account.read_outputs()) == 3
    item = CLIENTS.dynamodb.get_item(TableName=account.table, Key={"image_name": {"S": "photo.jpg"}})["Item"]
    assert item["status"] == {"S": "done"}
    assert [item[f"original_{side}"]["N"] for side in ("width", "height")] == ["1920", "1080"]
    assert [item[f"processed_{side}"]["N"] for side in ("width", "height")] == ["200", "113"]
    assert account.read_notices() == sorted((name, "done") for name in SOUND)
    assert "nothing to do" in run(folder, "plan").out.lower()


def test_patterns_choose_the_pictures_of_a_bucket(folder: Path, account: Account) -> None:
    picture = (folder / "inbox/photo.jpg").read_bytes()
    for name in ("a.jfif", "a//b.jpg", "@eaDir/x.jpg", "a/.hidden/y.jpg", "notes.txt", "folder/"):
        account.upload(name, picture)
    ended = run(folder, "sync", "--json")
    assert ended.data["processed"] == {"done": 2}
    assert (ended.data["unmatched"], ended.data["excluded"]) == (1, 2)
    listed = {each["name"]: each["why"] for each in run(folder, "list", "--unmatched", "--json").data}
    assert listed == {
        "@eaDir/x.jpg": "it is excluded by '@eaDir/' in [source] exclude",
        "a/.hidden/y.jpg": "it is excluded by '.*/' in [source] exclude",
        "notes.txt": "it matches no pattern in [source] match",
    }


def test_on_aws_two_widths_of_a_small_picture_share_one_file(folder: Path, account: Account) -> None:
    text = (folder / "renditions.toml").read_text().partition("[renditions.thumb]")[0]
    (folder / "renditions.toml").write_text(f"{text}[renditions.photo]\nwidths = [200, 400, 800]\n")
    account.upload(SOUND[2], (folder / "inbox" / SOUND[2]).read_bytes())
    assert run(folder, "sync").code == 0
    assert list(account.read_outputs()) == [f"{SOUND[2]}/photo-{width}.jpg" for width in (200, 400)]
    item = CLIENTS.dynamodb.get_item(TableName=account.table, Key={"image_name": {"S": SOUND[2]}})["Item"]
    assert item["stand_ins"] == {"M": {"photo-800": {"S": "photo-400"}}}
    assert "nothing to do" in run(folder, "plan", "--verify").out.lower()
    assert "nothing to do" in run(folder, "sync", "--verify").out.lower()


def test_sync_on_aws_reports_rejected_pictures_and_deletes_outputs_of_deleted_pictures(
    folder: Path, account: Account
) -> None:
    picture = (folder / "inbox/photo.jpg").read_bytes()
    account.upload("a//b.jpg", picture)
    account.upload("damaged.jpg", picture[:1000])
    account.upload("archived.jpg", picture, StorageClass="GLACIER")
    assert run(folder, "sync").code == 1
    assert list(account.read_outputs()) == ["a//thumb_b.jpg"]
    rejected = {item["image_name"]: item["reason"] for item in run(folder, "list", "--json").data
                if item["status"] == "rejected"}  # fmt: skip
    assert rejected.keys() == {"damaged.jpg", "archived.jpg"}
    assert "Restore" in rejected["archived.jpg"]
    assert account.read_notices() == [
        ("a//b.jpg", "done"),
        ("archived.jpg", "rejected"),
        ("damaged.jpg", "rejected"),
    ]
    CLIENTS.s3.delete_object(Bucket=f"{account.table}-in", Key="a//b.jpg")
    CLIENTS.s3.delete_object(Bucket=f"{account.table}-in", Key="damaged.jpg")
    assert run(folder, "sync").code == 0
    assert run(folder, "sync", "--strict").code == 1, "the archived picture is still rejected"
    assert account.read_outputs() == {}
    assert [item["image_name"] for item in run(folder, "list", "--json").data] == ["archived.jpg"]


@pytest.mark.parametrize("command", ["retry", "sync"])
def test_an_archived_picture_gets_its_outputs_after_its_restoration_and_the_advised_command(
    folder: Path, account: Account, command: str
) -> None:
    name = "my archived.jpg"
    account.upload(name, (folder / "inbox/photo.jpg").read_bytes(), StorageClass="GLACIER")
    assert run(folder, "sync").code == 1
    reason = run(folder, "show", name, "--json").data["reason"]
    arguments = shlex.split(reason.rpartition("renditions ")[2])
    assert arguments == ["retry", name]
    assert run(folder, *arguments).code == 1, "it isn't restored yet"
    CLIENTS.s3.restore_object(Bucket=f"{account.table}-in", Key=name, RestoreRequest={"Days": 1})
    assert run(folder, command, name).code == 0
    assert list(account.read_outputs()) == ["thumb_my archived.jpg"]


def test_watch_refuses_a_source_in_a_bucket(folder: Path, account: Account) -> None:
    ended = run(folder, "watch")
    assert ended.code == 2
    assert "only a source in a folder can be watched" in ended.err


def test_opening_a_bucket_without_botocore_fails_and_names_the_extra_to_install(
    folder: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith("renditions.aws.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    loaded = load(folder / "renditions.toml", {"SOURCE_BUCKET": "photos-in"})
    with (
        pytest.raises(UsageError, match=r"pip install 'renditions\[aws\]'"),
        open_parts(loaded.pipeline, loaded.directory),
    ):
        pass
