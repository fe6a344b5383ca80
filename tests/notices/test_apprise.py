"""Notices through apprise, to a real SMTP server and a real HTTP server."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands import run, write_pipeline
from notices.http_receiver import receiving
from notices.mail_server import receiving_mail
from notices.receiving import DONE, HELD, REJECTED
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notify import Notify
from renditions.notices.apprise import AppriseNotifier
from web.browser import find_port

CANARY = "canary7f3a"
REFERENCE = "${TEAM_URL}"
THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'


def make_notifier(url: str, **wording: str) -> AppriseNotifier:
    entry = Notify(
        on=("done",),
        to=f"apprise:{REFERENCE}",
        subject=wording.get("subject"),
        text=wording.get("text"),
    )
    return AppriseNotifier(entry, {"TEAM_URL": url} if url else {})


def test_an_apprise_target_sends_an_email_through_smtp() -> None:
    with receiving_mail() as mailbox:
        make_notifier(mailbox.url).send(HELD)
        make_notifier(mailbox.url, subject="[Läden] {summary}", text="<b>{name}</b>: ü").send(REJECTED)
    held, rejected = mailbox.got
    assert held["Subject"] == "Renditions: removals held"
    assert "renditions@example.org" in held["From"]
    assert "team@example.org" in held["To"]
    assert "The removal of 60 missing pictures is held back" in held.get_content()
    assert rejected["Subject"] == f"[Läden] {REJECTED.name} is rejected"
    body = rejected.get_body(("plain", "html"))
    assert body
    assert "&lt;b&gt;" in body.get_content() or "<b>" in body.get_content()


def test_each_of_several_urls_in_one_variable_gets_the_notice() -> None:
    with receiving_mail() as mailbox, receiving() as receiver:
        receiver.status = 200
        make_notifier(f"{mailbox.url} {receiver.url.replace('http', 'json')}").send(DONE)
    assert len(mailbox.got) == 1
    ((_, body),) = receiver.got
    assert json.loads(body)["title"] == f"{DONE.name} is done"


@pytest.mark.parametrize("status", [500, 404])
def test_a_refused_notice_causes_a_retryable_error_and_no_error_or_log_has_the_url(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving() as receiver:
        receiver.status = status
        url = receiver.url.replace("http://", f"json://{CANARY}:{CANARY}@").replace("hook", CANARY)
        with pytest.raises(NotifyFailed, match="refused the notice") as raised:
            make_notifier(f"{url}?{CANARY}={CANARY}").send(REJECTED)
    ((headers, _),) = receiver.got
    assert raised.value.retryable
    assert headers["authorization"] == f"Basic {base64.b64encode(f'{CANARY}:{CANARY}'.encode()).decode()}"
    assert CANARY not in f"{raised.value!r} {caplog.text}"
    assert "apprise -vvv" in str(raised.value)
    assert '"$TEAM_URL"' in str(raised.value)


def test_an_unreachable_mail_server_and_a_refusing_mail_server_cause_a_retryable_error() -> None:
    with receiving_mail() as mailbox:
        mailbox.answer = "451 try again later"
        with pytest.raises(NotifyFailed) as refused:
            make_notifier(mailbox.url).send(DONE)
    with pytest.raises(NotifyFailed, match="can't be reached") as unreached:
        make_notifier(mailbox.url).send(DONE)
    assert refused.value.retryable
    assert unreached.value.retryable


@pytest.mark.parametrize("url", [f"nonsense://{CANARY}", CANARY, f"json://127.0.0.1 nonsense://{CANARY}"])
def test_a_url_that_apprise_does_not_know_is_refused(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(NotifyRefused, match="apprise doesn't know") as raised:
        make_notifier(url).send(DONE)
    assert CANARY not in f"{raised.value!r} {caplog.text}"
    with pytest.raises(NotifyRefused, match="TEAM_URL isn't set"):
        make_notifier("").send(DONE)


def test_check_finds_a_missing_variable_and_an_unknown_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pipeline(tmp_path, THUMB, f'[[notify]]\non = ["done"]\nto = "apprise:{REFERENCE}"\n')
    monkeypatch.delenv("TEAM_URL", raising=False)
    assert "notify[0].to: expected a value in the environment variable TEAM_URL" in run(tmp_path, "check").err
    monkeypatch.setenv("TEAM_URL", f"nonsense://{CANARY}")
    checked = run(tmp_path, "check")
    assert (
        "notify[0].to: expected only URLs that apprise supports in the environment variable TEAM_URL, "
        "found another URL" in checked.err
    )
    assert CANARY not in checked.out + checked.err
    monkeypatch.setenv("TEAM_URL", f"json://127.0.0.1:{find_port()}/{CANARY}")
    assert run(tmp_path, "check").code == 0


@pytest.mark.parametrize(
    "to", ["mailto://ann:pw@example.org", "apprise:mailto://ann:pw@example.org", "apprise:"]
)
def test_check_refuses_an_apprise_url_in_the_pipeline_file(tmp_path: Path, to: str) -> None:
    write_pipeline(tmp_path, THUMB, f'[[notify]]\non = ["done"]\nto = "{to}"\n')
    assert 'notify[0].to: expected "log:"' in run(tmp_path, "check").err


@pytest.mark.parametrize("command", ["check", "sync"])
def test_a_command_without_apprise_names_the_missing_extra_once(tmp_path: Path, command: str) -> None:
    write_pipeline(tmp_path, THUMB, f'[[notify]]\non = ["done"]\nto = "apprise:{REFERENCE}"\n')
    code = (
        "import sys; sys.modules['apprise'] = None\n"
        f"from renditions.cli import main; sys.argv = ['renditions', '{command}']; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "notify[0].to" in ended.stderr
    assert ended.stderr.count("pip install 'renditions[notify]'") == 1


def test_a_digest_of_a_thousand_rejected_pictures_is_one_email_with_five_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pipeline(
        tmp_path,
        THUMB,
        f'[[notify]]\non = ["rejected"]\nto = "apprise:{REFERENCE}"\ndigest = "1 h"\n',
    )
    for number in range(1_000):
        broken = tmp_path / "inbox" / f"{number:03}.jpg"
        broken.write_bytes(b"\xff\xd8 broken")
        os.utime(broken, (0, 0))  # a fresh file might still be being copied
    with receiving_mail() as mailbox:
        monkeypatch.setenv("TEAM_URL", mailbox.url)
        ended = run(tmp_path, "sync")
        assert "1,000 pictures processed: 1,000 rejected" in ended.out
        assert run(tmp_path, "notices").out == ""
    (mail,) = mailbox.got
    assert mail["Subject"] == "Renditions: 1,000 pictures: 1,000 rejected"
    text = mail.get_content()
    assert "1,000 rejected: " in text
    assert text.count(".jpg") == 5
