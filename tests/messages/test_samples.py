"""The sample events of AWS, which can be decoded.

Their templates come from the package index: ``sam local generate-event`` of the AWS SAM CLI uses them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from messages.test_events import CALL
from renditions.messages.events import Change, Content, Incoming, Message, SyncRequest, decode

WHEEL = "aws-sam-cli==1.170.0"
KEY = "2026/red flower + (1).jpg"
CREATED = Change("a-bucket", KEY, "created", "ObjectCreated:Put")
MESSAGE = "19dd0b57-b21e-4ac1-bd88-01bbb068cb78"
TASK = "dGFza2lkZ29lc2hlcmUK"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that fills in a template of an event.

    Its arguments are the name of the template's file, and the values to set.
    """
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    ended = subprocess.run([*command, "--dest", folder, WHEEL], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"THIS TEST NEEDS THE PACKAGE INDEX (pip download): {ended.stderr}"
    (wheel,) = folder.glob("*.whl")

    def make(name: str, **values: str) -> Any:
        path = f"samcli/lib/generated_sample_events/events/{name}.json"
        text = zipfile.Path(wheel, path).read_text()
        return json.loads(
            re.sub(r"\{\{\{(\w+)\}\}\}", lambda match: json.dumps(values.get(match[1], "x"))[1:-1], text)
        )

    return make


def event(content: Content) -> Incoming:
    return Incoming("event", (Message("", (content,)),))


def test_the_sample_events_of_aws_are_decoded(samples: Callable[..., Any]) -> None:
    put = samples("s3/S3Put", bucket="a-bucket", key=quote(KEY))
    removed = Change("a-bucket", KEY, "removed", "ObjectRemoved:Delete")
    task = Change("a-bucket", KEY, "created", "batch job")
    arn = "arn:aws:s3:::a-bucket"
    assert decode(put) == event(CREATED)
    assert decode(samples("s3/S3Delete", bucket="a-bucket", key=quote(KEY))) == event(removed)
    assert decode(samples("s3/S3BatchInvocation", bucket_arn=arn, key=quote(KEY))) == Incoming(
        "batch job", (Message(TASK, (task,)),)
    )
    assert decode(samples("sqs/Sqs", body=json.dumps(put))) == Incoming(
        "queue", (Message(MESSAGE, (CREATED,)),)
    )
    assert decode(samples("sns/Sns", message=json.dumps(put))) == event(CREATED)
    assert decode(samples("cloudwatch/ScheduledEvent")) == event(SyncRequest())
    assert decode(samples("apigateway/HttpApi")) == event(CALL)
