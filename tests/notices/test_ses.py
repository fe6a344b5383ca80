"""Notices by e-mail through SES."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from commands import run, write_pipeline
from contract.cloud import CLIENTS
from notices.receiving import DONE, HELD, REJECTED
from renditions.aws.clients import Clients
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notify import Notify
from renditions.model.registry import Shared
from renditions.notices.ses import SesNotifier, open_notifier
from web.browser import find_port

pytestmark = pytest.mark.usefixtures("aws")

THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'
ENTRY = Notify(
    on=("done",),
    to="ses:ann@example.org,ben@example.org",
    sender="pictures@example.org",
    subject="[Läden] {summary}",
)


def test_an_email_through_ses_has_its_recipients_its_subject_and_its_text() -> None:
    CLIENTS.ses.create_email_identity(EmailIdentity="pictures@example.org")
    client = Clients().ses
    sent: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.sesv2.SendEmail", lambda params, **_: sent.append(params)
    )
    for notice in (HELD, REJECTED):
        SesNotifier(client, ENTRY).send(notice)
    held, rejected = (params["Content"]["Simple"] for params in sent)
    assert sent[0]["FromEmailAddress"] == "pictures@example.org"
    assert sent[0]["Destination"] == {"ToAddresses": ["ann@example.org", "ben@example.org"]}
    assert held["Subject"]["Data"] == "[Läden] Renditions: removals held"
    assert held["Body"]["Text"]["Data"].startswith("The removal of 60 missing pictures is held back")
    assert rejected["Subject"]["Data"] == f"[Läden] {REJECTED.name} is rejected"


def test_a_sender_that_is_not_verified_is_refused() -> None:
    entry = Notify(on=("done",), to="ses:ann@example.org", sender="pictures@other.example")
    with pytest.raises(NotifyRefused, match="SendEmail"):
        open_notifier(entry, Shared()).send(DONE)


def test_an_unreachable_service_causes_a_retryable_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{find_port()}")
    with pytest.raises(NotifyFailed) as raised:
        open_notifier(ENTRY, Shared()).send(DONE)
    assert type(raised.value) is NotifyFailed


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ('to = "ses:ann@example.org"', "notify[0].sender: expected the address that sends e-mails"),
        ('to = "ses:ann"\nsender = "b@example.org"', "notify[0].to: expected"),
        ('to = "ses:ann@example.org"\nsender = "b"', "notify[0].sender: expected an e-mail address"),
        ('to = "log:"\nsender = "b@example.org"', 'notify[0].sender: expected no sender with "log:"'),
    ],
)
def test_check_refuses_invalid_senders_and_recipients_of_emails(
    tmp_path: Path, fields: str, problem: str
) -> None:
    write_pipeline(tmp_path, THUMB, f'[[notify]]\non = ["done"]\n{fields}\n')
    ended = run(tmp_path, "check")
    assert ended.code == 2
    assert problem in ended.err
