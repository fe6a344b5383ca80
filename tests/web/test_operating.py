"""What an operator sees of a server: its log, readiness, a full disk and its end."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from commands import RENDITIONS, draw, run, write_pipeline
from faults.test_disk import can_mount
from web.browser import find_port, wait_for

FILLER = "filler"


@contextmanager
def logging_server(
    directory: Path, before: str = "", after: str = "", command: Sequence[str] = ("sh", "-c"), first: str = ""
) -> Iterator[tuple[str, Path, int]]:
    """Serve a folder; yield the URL, the file with the log, and the process's id.

    ``before`` and ``after`` are options before and after the command's name. The shell runs ``first`` before
    the server. At the end, the log must have no traceback.
    """
    port, log = find_port(), directory.parent / f"{directory.name}.log"
    script = f"{first} cd {directory}; exec {RENDITIONS} {before} serve --workers 1 --port {port} {after}"
    with log.open("wb") as stderr:
        server = subprocess.Popen([*command, script], stderr=stderr)
        try:
            wait_for(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}", log, server.pid
        finally:
            server.terminate()
            assert server.wait(60) in (0, 130)
    assert "Traceback" not in log.read_text()


def ask(url: str, body: Any = None) -> tuple[int, Any]:
    """Return the status and the JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("it never becomes so")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [("--log-format json", "", True), ("--quiet", "", False), ("", "--no-access-log", False)],
)
def test_requests_are_logged_without_secrets_unless_an_option_turns_the_log_off(
    tmp_path: Path, before: str, after: str, expected: bool
) -> None:
    write_pipeline(tmp_path, "[renditions.a]\nwidth = 20\n")
    with logging_server(tmp_path, before, after) as (url, log, _):
        assert ask(f"{url}/i/a/b.jpg?expires=9&key=own&signature=5ec7e7")[0] == 403
        assert ask(f"{url}/stats")[0] == 200
    lines = log.read_text().splitlines()  # a line comes after the answer
    items = [json.loads(line) for line in lines if line.startswith("{")]
    requests = [item for item in items if item.get("logger") == "renditions.access"]
    assert bool(requests) == expected == ("/stats" in "".join(lines))
    assert "5ec7e7" not in "".join(lines)
    if expected:
        found = {item["path"]: item for item in requests}
        assert (found["/stats"]["status"], found["/i/a/b.jpg"]["status"]) == (200, 403)
        assert found["/stats"].keys() >= {"client", "method", "bytes", "ms", "message", "time", "level"}


def test_cancelled_uploads_and_cut_downloads_leave_no_traceback(tmp_path: Path) -> None:
    write_pipeline(tmp_path, "[renditions.a]\nwidth = 20\n")
    draw(tmp_path / "inbox" / "large.png", 2400, 2000, quality=100)
    with (tmp_path / "inbox" / "large.png").open("ab") as file:
        file.write(bytes(40_000_000))
    with logging_server(tmp_path) as (url, _, _):
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as half:
            head = b"POST /uploads/file HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 900000\r\n"
            half.sendall(head % port + b'Content-Type: multipart/form-data; boundary="="\r\n\r\n--=\r\n')
            time.sleep(0.3)
        slow = socket.create_connection(("127.0.0.1", port))
        listener = socket.create_connection(("127.0.0.1", port))
        for client, path in ((slow, b"/originals/large.png"), (listener, b"/events")):
            client.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (path, port))
            assert client.recv(15).startswith(b"HTTP/1.1 200 OK")
    slow.close()
    listener.close()


def test_a_stopped_server_renders_no_picture_for_clients_that_wait_for_a_worker(tmp_path: Path) -> None:
    write_pipeline(tmp_path, '[renditions.slow]\nformat = "avif"\non_demand = true\n')
    names = [f"{number}.jpg" for number in range(4)]
    for number, name in enumerate(names):
        draw(tmp_path / "inbox" / name, 3200, 2400, seed=number)
    port = find_port()
    command = [str(RENDITIONS), "serve", "--workers", "1", "--port", str(port)]
    with (
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server,
        ThreadPoolExecutor(len(names)) as threads,
    ):
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        wait_until(lambda: ask(f"{url}/stats")[1]["by_status"]["done"] == len(names))
        waiting = [threads.submit(ask_for_file, f"{url}/i/slow/{name}") for name in names]
        wait_until(lambda: ask(f"{url}/stats")[1]["by_status"]["processing"] >= len(names) - 1)
        server.terminate()
        answers = [each.result() for each in waiting]
        _, said = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "Traceback" not in said
    made = len(list((tmp_path / "processed").rglob("*.avif")))
    assert made < len(names)
    assert sorted(answers) == [200] * made + [503] * (len(names) - made)
    run(tmp_path, "sync")
    assert len(list((tmp_path / "processed").rglob("*.avif"))) == len(names)


def ask_for_file(url: str) -> int:
    """Return the status of the answer."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def fill(disk: Path) -> None:
    """Fill the disk, so that no byte is free."""
    with (disk / FILLER).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(100_000))
        except OSError:
            pass


def test_the_server_refuses_uploads_while_its_disk_is_full_and_processes_pictures_when_there_is_room_again(
    browser: Browser, tmp_path: Path
) -> None:
    if not can_mount():
        pytest.skip("full and read-only disks are NOT tested: this user can't mount here")
    prepared, small = tmp_path / "prepared", tmp_path / "small"
    for folder in (prepared, small):
        folder.mkdir()
    write_pipeline(prepared, "[renditions.a]\nwidth = 20\n")
    draw(prepared / "inbox" / "first.jpg", 300, 200)
    draw(tmp_path / "late.jpg", 300, 200)
    mount = f"mount -t tmpfs -o size=60m x {small}; cp -r {prepared}/. {small}; "
    with logging_server(small, command=("unshare", "-rm", "sh", "-c"), first=mount) as (url, log, pid):
        disk = Path(f"/proc/{pid}/root{small}")
        wait_until(lambda: count_done(url) == 1)
        assert ask(f"{url}/ready") == (200, {"status": "ready"})
        page = browser.new_page()
        page.goto(url)
        draw(disk / "waits.jpg", 300, 200, seed=2)
        fill(disk)
        (disk / "waits.jpg").rename(disk / "inbox" / "waits.jpg")
        wait_until(lambda: ask(f"{url}/ready")[0] == 503)
        unready = ask(f"{url}/ready")[1]
        assert unready["code"] == "not-ready"
        assert {each["part"] for each in unready["errors"]} == {"source", "output", "catalog"}
        assert ask(f"{url}/health") == (200, {"status": "ok"})
        asked = {"name": "b.jpg", "type": "image/jpeg", "size_bytes": 9}
        status, refused = ask(f"{url}/uploads", asked)
        assert (status, refused["code"]) == (507, "disk-full")
        page.set_input_files("#choose", tmp_path / "late.jpg")
        expect(page.locator("#uploads li.bad")).to_contain_text("The server's disk is full")
        expect(page.locator("#held")).to_contain_text("The disk is full: ")
        wait_until(lambda: bool(ask(f"{url}/status")[1]["reasons"]))
        (waiting,) = ask(f"{url}/status")[1]["reasons"]
        assert (waiting["state"], waiting["example"]) == ("waiting", "waits.jpg")
        assert str(small) not in json.dumps([unready, refused, waiting])
        wait_until(lambda: "The disk is full" in log.read_text())
        (disk / FILLER).unlink()
        expect(page.locator("#held")).to_be_hidden()
        wait_until(lambda: count_done(url) == 2)
        page.get_by_role("button", name="Try late.jpg again").click()
        expect(page.locator("#uploads li.good")).to_have_count(1)
        page.close()


def count_done(url: str) -> int:
    return int(ask(f"{url}/stats")[1]["by_status"]["done"])
