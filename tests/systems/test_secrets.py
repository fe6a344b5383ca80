"""Secrets of the environment, which no log, error, page or bundle may have."""

from __future__ import annotations

import base64
import itertools
import os
import subprocess
import zipfile
from http.client import HTTPConnection
from pathlib import Path

import pytest

from commands import RENDITIONS, draw, write_pipeline
from web.browser import find_port, wait_for

CANARY = "canary7f3a"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(f"{CANARY}-webhook-secret".encode()).decode()
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}-key",
    "AWS_SESSION_TOKEN": f"{CANARY}-session",
    "DATABASE_PASSWORD": f"{CANARY}-database",
    "RENDITIONS_SIGNING_KEYS": f"2026:{CANARY}-{'x' * 32}",
}
PATHS = ("/pictures", "/login", "/status", "/openapi.json", "/pictures/bad.jpg", "/i/thumb/bad.jpg")
ON_AWS = """
[source]
store = "s3://pictures/in/"
[output]
store = "s3://pictures/out/"
[catalog]
store = "dynamodb:table"
[[notify]]
on = ["done"]
to = "sns:arn:aws:sns:eu-west-1:123456789012:topic"
[renditions.thumb]
width = 20
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment with secrets; no server listens at its AWS endpoint."""
    return {
        **os.environ,
        **SECRETS,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{find_port()}",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "PYTHONFAULTHANDLER": "1",
    }


def run_in(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Return everything that a command prints."""
    ended = subprocess.run(
        [RENDITIONS, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return ended.stdout + ended.stderr


QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/pictures"


@pytest.mark.parametrize("command", ["plan", "sync", "status", "list", f"worker --queue {QUEUE}"])
def test_errors_of_aws_contain_no_secret(tmp_path: Path, environment: dict[str, str], command: str) -> None:
    (tmp_path / "renditions.toml").write_text(ON_AWS)
    printed = run_in(tmp_path, environment, *command.split())
    assert "Could not connect to the endpoint" in printed
    assert CANARY not in printed


@pytest.mark.parametrize("command", ["check", "plan", "sync", "status", "list", "notices", "show a.jpg"])
@pytest.mark.parametrize("secret", [WEBHOOK_SECRET, CANARY])
def test_the_secret_and_the_path_of_a_webhook_are_not_printed(
    tmp_path: Path, environment: dict[str, str], command: str, secret: str
) -> None:
    write_pipeline(
        tmp_path,
        "[renditions.thumb]\nwidth = 20\n",
        f'[[notify]]\non = ["done"]\nto = "webhook:http://127.0.0.1:{find_port()}/{CANARY}/${{HOOK_PATH}}"\n'
        'secret = "${HOOK}"\n',
    )
    draw(tmp_path / "inbox/a.jpg")
    environment |= {"HOOK": secret, "HOOK_PATH": f"{CANARY}?{CANARY}"}
    printed = run_in(tmp_path, environment, "sync") + run_in(tmp_path, environment, *command.split())
    assert "not sent: 1 notice to webhook:http://127.0.0.1" in printed
    assert CANARY not in printed
    assert secret not in printed


def test_the_url_of_a_service_is_neither_printed_nor_stored(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    write_pipeline(
        tmp_path,
        "[renditions.thumb]\nwidth = 20\n",
        '[[notify]]\non = ["done"]\nto = "apprise:${TEAM}"\n',
    )
    draw(tmp_path / "inbox/a.jpg")
    environment |= {"TEAM": f"json://{CANARY}:{CANARY}@127.0.0.1:{find_port()}/{CANARY}?{CANARY}={CANARY}"}
    printed = run_in(tmp_path, environment, "sync")
    assert "not sent: 1 notice to apprise:${TEAM}" in printed
    for command in ("check", "plan --json", "status --json", "notices --json", "--log-format json sync"):
        printed += run_in(tmp_path, environment, *command.split())
    assert CANARY not in printed
    stored = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert CANARY.encode() not in b"".join(stored)


def test_a_bundle_contains_no_secret(tmp_path: Path, environment: dict[str, str]) -> None:
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 20\n")
    environment = {name: value for name, value in environment.items() if name != "AWS_ENDPOINT_URL"}
    assert CANARY not in run_in(tmp_path, environment, "package", "-o", "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        for name in bundle.namelist():
            assert CANARY.encode() not in bundle.read(name), name


def test_the_answers_and_the_log_of_a_server_contain_no_secret(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    write_pipeline(
        tmp_path,
        "[renditions.thumb]\nwidth = 20\n",
        '[[notify]]\non = ["done"]\nto = "apprise:${TEAM}"\n',
    )
    environment |= {"TEAM": f"json://{CANARY}:{CANARY}@127.0.0.1:{find_port()}/{CANARY}"}
    draw(tmp_path / "inbox/a.jpg")
    (tmp_path / "inbox/bad.jpg").write_bytes(b"\xff\xd8 broken")
    port, token = find_port(), f"{CANARY}-token"
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [RENDITIONS, "serve", "--port", str(port), "--token", token], cwd=tmp_path, env=environment,
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_for(f"http://127.0.0.1:{port}")
            for path, sent in itertools.product(PATHS, ("", f"Bearer {token}x", f"Bearer {token}")):
                assert CANARY not in ask(port, path, sent)
        finally:
            server.terminate()
            server.wait(60)
    assert CANARY not in (tmp_path / "log").read_text()


def ask(port: int, path: str, authorization: str) -> str:
    """Return the head and the body of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Authorization": authorization} if authorization else {})
        answer = connection.getresponse()
        return f"{answer.headers}\n{answer.read().decode(errors='replace')}"
    finally:
        connection.close()
