"""The command ``dlq``, which lists, redrives and drops messages."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aws.account import Account, count_messages
from commands import RENDITIONS, Ended, draw
from contract.cloud import CLIENTS, name_of
from renditions.aws.sqs import Queue
from renditions.messages.events import encode_change

pytestmark = pytest.mark.usefixtures("aws")

PIPELINE = """
[source]
store = "./inbox"
[output]
store = "./processed"
[renditions.text]
format = "base64"
"""
FAILED_CALL = {
    "version": "1.0",
    "requestContext": {
        "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
        "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:pictures:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"source": "renditions", "detail-type": "Reconcile"},
    "responsePayload": {"errorMessage": "Task timed out after 120.00 seconds"},
}


@pytest.fixture
def account(tmp_path: Path) -> Account:
    (tmp_path / "renditions.toml").write_text(PIPELINE)
    return Account(name_of(tmp_path))


@pytest.fixture
def dead(account: Account) -> Queue:
    """Return the dead-letter queue with four messages."""
    bucket = f"{account.table}-in"
    queue = Queue(CLIENTS.sqs, account.dead)
    queue.send([encode_change(bucket, "gone.jpg"), json.dumps(FAILED_CALL), "not ours"])
    event = {"source": "aws.s3", "detail-type": "Object Created"}
    event["detail"] = {"bucket": {"name": bucket}, "object": {"key": "photo.jpg"}}  # type: ignore[assignment]
    texts = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "no permission to send"}
    CLIENTS.sqs.send_message(
        QueueUrl=account.dead,
        MessageBody=json.dumps(event),
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in texts.items()},
    )
    return queue


def dlq(folder: Path, account: Account, *arguments: str) -> Ended:
    """Run a command of ``dlq`` with the URL of the queue; return the result."""
    ended = subprocess.run(
        [RENDITIONS, "dlq", *arguments],
        cwd=folder,
        env=os.environ | account.environ() | {"QUEUE_URL": account.pictures},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def listed(folder: Path, account: Account) -> dict[str, dict[str, Any]]:
    """Return the listed messages, by their subjects."""
    ended = dlq(folder, account, "list", "--json")
    assert ended.code == 0, ended.err
    return {item["about"]: item for item in ended.data}


def test_the_list_has_the_pictures_and_the_reason_of_each_message(
    account: Account, dead: Queue, tmp_path: Path
) -> None:
    found = listed(tmp_path, account)
    assert {about: (item["pictures"], item["understood"]) for about, item in found.items()} == {
        "gone.jpg": (["gone.jpg"], True),
        "a check of all pictures": ([], True),
        "nothing of this pipeline": ([], False),
        "photo.jpg": (["photo.jpg"], True),
    }
    assert found["gone.jpg"]["reason"] == "the picture has no record"
    assert found["a check of all pictures"]["reason"] == (
        "the call failed every time (RetriesExhausted): Task timed out after 120.00 seconds"
    )
    assert found["nothing of this pipeline"]["reason"] == "the message isn't understood: not ours"
    assert found["photo.jpg"]["reason"].startswith(
        "EventBridge couldn't deliver it (NO_PERMISSIONS: no permission to send)"
    )
    assert listed(tmp_path, account) == found, "a list must not hide messages"
    table = dlq(tmp_path, account, "list")
    assert "why it is here" in table.out
    assert count_messages(account.dead) == 4


def test_redrive_sends_back_known_messages_and_leaves_the_unknown_message(
    account: Account, dead: Queue, tmp_path: Path
) -> None:
    """From Lambda's record of a failed call, the queue gets only the call's event."""
    ended = dlq(tmp_path, account, "redrive", "--all")
    assert ended.code == 0, ended.err
    assert "sent back to the queue: 3" in ended.err
    assert "doesn't understand are left alone: 1" in " ".join(ended.err.split())
    assert listed(tmp_path, account).keys() == {"nothing of this pipeline"}
    bodies = [json.loads(message.body) for message in Queue(CLIENTS.sqs, account.pictures).receive(10)]
    assert FAILED_CALL["requestPayload"] in bodies
    assert len(bodies) == 4, "three, and S3's test event"


def test_redrive_resets_the_attempts_of_a_picture_that_was_given_up(account: Account, tmp_path: Path) -> None:
    """The worker processes a given-up picture only after its attempts are reset.

    Without this reset, the message would return to the dead-letter queue.
    """
    draw(tmp_path / "photo.jpg")
    account.upload("photo.jpg", (tmp_path / "photo.jpg").read_bytes())
    queue = Queue(CLIENTS.sqs, account.pictures)
    queue.delete(queue.receive(10, wait_seconds=2))
    environ = os.environ | account.environ() | {"QUEUE_URL": account.pictures}
    subprocess.run([RENDITIONS, "sync"], cwd=tmp_path, env=environ, check=True, capture_output=True)
    key = {"image_name": {"S": "photo.jpg"}}
    CLIENTS.dynamodb.update_item(
        TableName=account.table,
        Key=key,
        UpdateExpression="SET #s = :failed, attempts = :most, reason = :why, goal = :none",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={
            ":failed": {"S": "failed"},
            ":most": {"N": "3"},
            ":why": {"S": "no space left"},
            ":none": {"S": ""},
        },
    )
    Queue(CLIENTS.sqs, account.dead).send([encode_change(f"{account.table}-in", "photo.jpg")])
    (letter,) = listed(tmp_path, account).values()
    assert letter["reason"] == "failed: no space left"
    ended = dlq(tmp_path, account, "redrive", letter["id"])
    assert ended.code == 0, ended.err
    assert count_messages(account.dead) == 0
    item = CLIENTS.dynamodb.get_item(TableName=account.table, Key=key)["Item"]
    assert "attempts" not in item or item["attempts"] == {"N": "0"}


def test_redrive_sends_back_the_message_of_a_picture_with_an_unreadable_record(
    account: Account, tmp_path: Path
) -> None:
    """The list names the unreadable record as the reason."""
    attributes = {"image_name": "photo.jpg", "status": "of a newer version", "timestamp": "2026"}
    item = {name: {"S": value} for name, value in attributes.items()}
    CLIENTS.dynamodb.put_item(TableName=account.table, Item=item)
    Queue(CLIENTS.sqs, account.dead).send([encode_change(f"{account.table}-in", "photo.jpg")])
    (letter,) = listed(tmp_path, account).values()
    assert letter["reason"].startswith("the record of 'photo.jpg' in ")
    assert "can't be read" in letter["reason"]
    ended = dlq(tmp_path, account, "redrive", letter["id"])
    assert ended.code == 0, ended.err
    assert count_messages(account.dead) == 0


def test_drop_deletes_only_the_named_message(account: Account, dead: Queue, tmp_path: Path) -> None:
    found = listed(tmp_path, account)
    unknown = found["nothing of this pipeline"]["id"]
    assert dlq(tmp_path, account, "drop", unknown).code == 1, "without a yes nothing is deleted"
    assert count_messages(account.dead) == 4
    ended = dlq(tmp_path, account, "drop", unknown, "--yes")
    assert ended.code == 0, ended.err
    assert listed(tmp_path, account).keys() == found.keys() - {"nothing of this pipeline"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("redrive",), "name messages or pass --all, but not both"),
        (("drop", "no-such-id"), "'no-such-id' is none of the"),
    ],
)
def test_redrive_without_message_ids_and_drop_with_an_unknown_message_id_are_refused(
    account: Account, dead: Queue, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    ended = dlq(tmp_path, account, *arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert count_messages(account.dead) == 4


def test_a_queue_without_a_dead_letter_queue_is_reported(account: Account, tmp_path: Path) -> None:
    plain = CLIENTS.sqs.create_queue(QueueName=f"{account.table}-plain")["QueueUrl"]
    ended = dlq(tmp_path, account, "list", "--queue", plain)
    assert ended.code == 2
    assert "dlq: no dead-letter queue" in ended.err
