"""Signed webhooks, sent to a real HTTP server."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from commands import draw, run, write_pipeline
from notices.http_receiver import Receiver, receiving
from notices.receiving import DIGEST, DONE, HELD, REJECTED
from renditions.core.notify import Placed
from renditions.errors import NotifyFailed, NotifyRefused
from renditions.model.notify import Notify
from renditions.notices import webhook
from renditions.notices.signature import BadSignature, make_headers, sign, verify
from renditions.notices.webhook import WebhookNotifier
from web.browser import find_port

REFERENCE = "${HOOK}"
SECRET = "whsec_" + base64.b64encode(b"canary of thirty-two bytes here.").decode()
OTHER = "whsec_" + base64.b64encode(b"another one of at least 24 bytes").decode()
TWO_SECRETS = """to = "webhook:https://a.example/"
secret = "${HOOK}"
[[notify]]
on = ["done"]
to = "webhook:https://a.example/"
secret = "${OTHER}"
"""
THUMB = '[renditions.thumb]\nwidth = 40\nkey = "{key}"\n'


def make_notifier(url: str, secret: str = SECRET, **more: str) -> WebhookNotifier:
    notify = Notify(on=("done",), to=f"webhook:{url}", secret=REFERENCE)
    return WebhookNotifier(notify, {"HOOK": secret} | more)


def test_a_receiver_can_verify_a_notice_and_read_it() -> None:
    with receiving() as receiver:
        make_notifier(receiver.url).send(REJECTED)
    ((headers, body),) = receiver.got
    verify(headers, body, SECRET)
    verify({name.title(): value for name, value in headers.items()}, body, f"{OTHER} {SECRET}")
    assert json.loads(body) == json.loads(json.dumps(REJECTED.to_item()))
    assert headers["content-type"] == "application/json"


def test_a_notice_names_the_bucket_with_the_whole_key_of_its_picture_or_with_the_prefix_of_all() -> None:
    """A receiver of several pipelines must know which one a notice is from."""
    with receiving() as receiver:
        notifier = Placed(make_notifier(receiver.url), "s3://photos-in/uploads/")
        notifier.send(DONE)
        notifier.send(HELD)
        notifier.send(DIGEST)
    done, held, digest = (json.loads(body) for _, body in receiver.got)
    assert done["source"] == f"s3://photos-in/uploads/{DONE.name}"
    assert held["source"] == digest["source"] == "s3://photos-in/uploads/"


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example is from the documentation of Svix."""
    secret = base64.b64decode("plJ3nmyCDGBKInavdOK15jsl")
    body = b'{"event_type":"ping","data":{"success":true}}'
    signature = sign("msg_loFOjxBNrRLzqYUf", "1731705121", body, secret)
    assert signature == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_a_receiver_refuses_a_changed_body_another_secret_and_an_old_message() -> None:
    headers = make_headers("msg_1", b"{}", SECRET, now=1_000)
    verify(headers, b"{}", SECRET, now=1_300)
    verify(headers, b"{}", SECRET, now=700)
    for now in (1_301, 699):
        with pytest.raises(BadSignature, match="300 seconds"):
            verify(headers, b"{}", SECRET, now=now)
    with pytest.raises(BadSignature, match="no signature"):
        verify(headers, b"{} ", SECRET, now=1_000)
    with pytest.raises(BadSignature, match="no signature"):
        verify(headers, b"{}", OTHER, now=1_000)
    with pytest.raises(BadSignature, match="no signature"):
        verify(headers | {"webhook-id": "msg_2"}, b"{}", SECRET, now=1_000)
    for missing in headers:
        with pytest.raises(BadSignature, match="lacks one"):
            verify({name: headers[name] for name in headers if name != missing}, b"{}", SECRET, now=1_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-timestamp", "9" * 400),
        ("webhook-timestamp", "soon"),
        ("webhook-id", "\udcff"),
        ("webhook-signature", "v1,\udcff"),
    ],
)
def test_a_receiver_refuses_headers_that_no_sender_writes(name: str, value: str) -> None:
    """Some servers pass bytes that aren't UTF-8 on as lone surrogates."""
    headers = make_headers("msg_1", b"{}", SECRET, now=1_000) | {name: value}
    with pytest.raises(BadSignature, match="isn't ASCII, or webhook-timestamp isn't a time"):
        verify(headers, b"{}", SECRET, now=1_000)


def test_while_a_secret_is_replaced_receivers_with_either_secret_accept_the_notice() -> None:
    with receiving() as receiver:
        make_notifier(receiver.url, f"{SECRET} {OTHER}").send(DONE)
    ((headers, body),) = receiver.got
    for secret in (SECRET, OTHER):
        verify(headers, body, secret)


def test_a_notice_keeps_its_id_when_it_is_sent_again_and_other_notices_have_other_ids() -> None:
    with receiving() as receiver:
        for notice in (DONE, DONE, REJECTED, HELD):
            make_notifier(receiver.url).send(notice)
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [(200, None), (299, None), (301, NotifyRefused), (307, NotifyRefused), (304, NotifyRefused),
     (400, NotifyRefused), (404, NotifyRefused), (410, NotifyRefused), (408, NotifyFailed),
     (429, NotifyFailed), (500, NotifyFailed), (503, NotifyFailed)],
)  # fmt: skip
def test_the_status_of_the_answer_decides_between_success_and_a_retryable_or_permanent_error(
    status: int, error: type[NotifyFailed] | None
) -> None:
    with receiving() as receiver:
        receiver.status = status
        notifier = make_notifier(receiver.url)
        if error is None:
            notifier.send(DONE)
            return
        with pytest.raises(NotifyFailed, match=f"status {status}") as raised:
            notifier.send(DONE)
    assert type(raised.value) is error
    assert ("redirect" in str(raised.value)) == (status in (301, 307))
    assert "/hook" not in str(raised.value)


def test_a_redirect_is_not_followed() -> None:
    with receiving() as other, receiving() as receiver:
        receiver.status, receiver.location = 302, other.url
        with pytest.raises(NotifyRefused, match="Redirects aren't followed"):
            make_notifier(receiver.url).send(DONE)
    assert (len(receiver.got), other.got) == (1, [])


def test_an_unreachable_or_slow_receiver_causes_a_retryable_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NotifyFailed, match="can't reach the receiver") as raised:
        make_notifier(f"http://127.0.0.1:{find_port()}/hook").send(DONE)
    assert type(raised.value) is NotifyFailed
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.2)
    with receiving() as receiver:
        receiver.delay_seconds = 60
        began = time.monotonic()
        with pytest.raises(NotifyFailed, match="timed out") as raised:
            make_notifier(receiver.url).send(DONE)
        assert type(raised.value) is NotifyFailed
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["status line", "header"])
def test_an_answer_that_arrives_byte_by_byte_is_ended_like_one_that_does_not_come(
    begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a receiver could otherwise hold ``sync`` without end."""
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.5)
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(begin)
                while not is_over.wait(0.05):
                    connection.sendall(b"H")

        thread = threading.Thread(target=drip)
        thread.start()
        guard = threading.Timer(20, is_over.set)
        guard.start()
        with pytest.raises(NotifyFailed, match="timed out"):
            make_notifier(f"http://127.0.0.1:{server.getsockname()[1]}/").send(DONE)
        assert not is_over.is_set()
        is_over.set()
        guard.cancel()
        thread.join()


def test_a_receiver_that_does_not_answer_with_http_causes_a_retryable_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        notifier = make_notifier(f"http://127.0.0.1:{server.getsockname()[1]}/")

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotifyFailed, match="can't reach the receiver") as raised:
            notifier.send(DONE)
        thread.join()
    assert type(raised.value) is NotifyFailed


def test_environment_variables_can_be_parts_of_the_url_of_a_webhook() -> None:
    with receiving() as receiver:
        url = receiver.url.replace("/hook", "/${HOOK_PATH}")
        make_notifier(url, HOOK_PATH="hook").send(DONE)
        with pytest.raises(NotifyRefused, match="the environment variable HOOK_PATH isn't set"):
            make_notifier(url).send(DONE)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("value", ["canary 7f3a", "canary\t", "ann:canary@a.example", "a:canary", "[canary"])
def test_the_error_about_an_invalid_url_does_not_contain_the_values_of_its_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """The library's own errors contain parts of the URL."""
    with pytest.raises(NotifyRefused, match="the URL isn't valid") as raised:
        make_notifier("https://${HOOK_HOST}/hook", HOOK_HOST=value).send(DONE)
    assert "canary" not in str(raised.value)
    hook = '[[notify]]\non = ["done"]\nto = "webhook:https://${HOOK_HOST}/hook"\nsecret = "${HOOK}"\n'
    write_pipeline(tmp_path, THUMB, hook)
    monkeypatch.setenv("HOOK", SECRET)
    monkeypatch.setenv("HOOK_HOST", value)
    checked = run(tmp_path, "check")
    assert "notify[0].to: expected a valid URL with the values of its variables" in checked.err
    assert "canary" not in checked.err + checked.out


def test_spaces_around_the_url_of_a_webhook_are_ignored() -> None:
    """Many programs write a secret with a line break at its end."""
    with receiving() as receiver:
        make_notifier(receiver.url.replace("/hook", "/${HOOK_PATH}"), HOOK_PATH="hook\n").send(DONE)
    assert len(receiver.got) == 1


def test_the_error_about_an_invalid_secret_does_not_contain_the_secret() -> None:
    for secret in ("canary", "whsec_canary", "whsec_kanäri", "whsec_" + base64.b64encode(b"short").decode()):
        with pytest.raises(NotifyRefused, match="openssl rand") as raised:
            make_notifier("http://127.0.0.1:9/", secret).send(DONE)
        assert secret not in str(raised.value)


def test_the_url_of_a_webhook_is_shown_without_its_path_and_query() -> None:
    notify = Notify(on=("done",), to="webhook:https://hooks.example/T0/token?key=1", secret=REFERENCE)
    assert notify.spelled == "webhook:https://hooks.example/…"
    assert replace(notify, to="webhook:https://hooks.example").spelled == "webhook:https://hooks.example"


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    """Write a pipeline with a webhook; return its receiver, which isn't running yet."""
    receiver = Receiver(f"http://127.0.0.1:{find_port()}/hook")
    hook = f'[[notify]]\non = ["done"]\nto = "webhook:{receiver.url}"\nsecret = "${{HOOK}}"\n'
    write_pipeline(tmp_path, THUMB, hook)
    draw(tmp_path / "inbox" / "a.jpg")
    return receiver


def test_the_command_notices_resend_sends_a_notice_that_could_not_be_sent_before(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", SECRET)
    first = run(tmp_path, "sync")
    assert (first.code, first.out) == (0, "1 picture processed: 1 done.\n")
    assert "not sent: 1 notice to webhook:http://127.0.0.1" in first.err
    assert run(tmp_path, "status", "--json").data["unsent_notices"][0]["count"] == 1
    with receiving(int(receiver.url.rpartition(":")[2].partition("/")[0])) as there:
        assert run(tmp_path, "notices", "--resend").code == 0
    ((headers, body),) = there.got
    verify(headers, body, SECRET)
    notice = json.loads(body)
    assert (notice["image_name"], notice["source"]) == ("a.jpg", "./inbox/a.jpg")


def test_check_names_an_unset_variable_and_sync_works_without_it(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    checked = run(tmp_path, "check")
    assert checked.code == 2
    assert "notify[0].secret: expected a value in the environment variable HOOK, found none" in checked.err
    ended = run(tmp_path, "sync")
    assert (ended.code, ended.out) == (0, "1 picture processed: 1 done.\n")
    assert "the environment variable HOOK isn't set" in ended.err
    monkeypatch.setenv("HOOK", "canary7f3a")
    checked = run(tmp_path, "check")
    assert "notify[0].secret: expected a valid secret in ${HOOK}" in checked.err
    assert "canary7f3a" not in checked.err + checked.out
    monkeypatch.setenv("HOOK", SECRET)
    assert run(tmp_path, "check").code == 0


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('to = "webhook:https://a.example/"', "notify[0].secret: expected a variable that has the secret"),
        ('to = "webhook:https://a.example/"\nsecret = "abc"', "notify[0].secret: expected a reference to"),
        ('to = "log:"\nsecret = "${HOOK}"', 'notify[0].secret: expected no secret with "log:"'),
        ('to = "webhook:ftp://a.example/"\nsecret = "${HOOK}"', "notify[0].to: expected"),
        ('to = "webhook:https://ann:pw@a.example/"\nsecret = "${HOOK}"', "notify[0].to: expected"),
        (TWO_SECRETS, "notify[1].secret: expected one secret for each target, found '${OTHER}'"),
    ],
)
def test_check_refuses_an_invalid_entry_for_a_webhook(tmp_path: Path, entry: str, problem: str) -> None:
    write_pipeline(tmp_path, THUMB, f'[[notify]]\non = ["done"]\n{entry}\n')
    ended = run(tmp_path, "check")
    assert ended.code == 2
    assert problem in ended.err
