"""Many uploads at once, while the server is killed and started again.

Each upload gets an answer and its renditions. This test sends a few uploads; ``make test-load`` sends 1,000
from 32 clients.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from commands import RENDITIONS, write_pipeline
from web.browser import find_port, start_server, wait_for

COUNT, CLIENTS = (int(os.environ.get(name, default)) for name, default in (("UPLOADS", 32), ("CLIENTS", 8)))
ATTEMPTS = 600
MOST_PEAK_BYTES = 300_000_000
"""The most memory that the server may use while ``CLIENTS`` clients send files of about 1.3 MB."""


def make_pictures(folder: Path) -> list[bytes]:
    """Return four JPEG files of noise.

    No format can compress noise well.
    """
    contents = []
    for seed in range(4):
        grain = np.random.default_rng(seed).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
        Image.fromarray(grain).save(folder / "noise.jpg", quality=95)
        contents.append((folder / "noise.jpg").read_bytes())
    return contents


def post(
    port: int, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def encode_form(fields: Mapping[str, str], content: bytes) -> tuple[dict[str, str], bytes]:
    parts = [f'--=\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields.items()]  # fmt: skip
    head = "".join(parts) + '--=\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    body = head.encode() + content + b"\r\n--=--\r\n"
    return {"Content-Type": 'multipart/form-data; boundary="="'}, body


def upload(port: int, name: str, content: bytes) -> None:
    """Send a picture until it is accepted.

    Try again after a lost connection, and after an answer of 429 or 503, at most ``ATTEMPTS`` times.
    """
    asked = {"name": name, "type": "image/jpeg", "size_bytes": len(content), "replace": True}
    for _ in range(ATTEMPTS):
        try:
            status, headers, body = post(
                port, "/uploads", {"Content-Type": "application/json"}, json.dumps(asked).encode()
            )
            if status == 201:
                form = json.loads(body)
                status, headers, body = post(port, form["url"], *encode_form(form["fields"], content))
        except (OSError, HTTPException):
            time.sleep(0.2)  # it was killed
            continue
        if status == 204:
            return
        assert status in (429, 503), (status, body)
        time.sleep(float(headers.get("Retry-After", "0")))
    raise AssertionError(f"{name} is never taken")


def ask(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return json.load(answer)


def wait_until_processed(port: int, count: int) -> None:
    for _ in range(ATTEMPTS):
        if ask(port, "/stats")["by_status"]["done"] >= count:
            return
        time.sleep(1)
    raise AssertionError(ask(port, "/stats"))


def check_all(port: int, folder: Path, names: list[str]) -> None:
    assert ask(port, "/plan") == {"counts": {"keep": len(names)}, "differences": []}
    root = folder / "processed"
    made = {path.relative_to(root).as_posix() for path in root.rglob("?.jpg") if path.is_file()}
    assert made == {f"{name}/{rendition}.jpg" for name in names for rendition in ("a", "b")}


def read_peak_bytes(pid: int) -> int:
    """Return the most memory that a process had (Linux)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


@contextmanager
def running(folder: Path, port: int) -> Iterator[None]:
    """Run the server during the block, and kill it at the end."""
    server = start_server(folder, port)
    try:
        wait_for(f"http://127.0.0.1:{port}")
        yield
    finally:
        server.kill()
        server.wait()


def test_an_upload_form_stays_valid_after_a_restart(tmp_path: Path) -> None:
    """The server can end before the client gets its answer.

    Then the client sends the file again, and the server stores it only once.
    """
    write_pipeline(tmp_path, "[renditions.a]\nwidth = 200\n")
    content, port = make_pictures(tmp_path)[0], find_port()
    asked = {"name": "a.jpg", "type": "image/jpeg", "size_bytes": len(content)}
    with running(tmp_path, port):
        body = json.dumps(asked).encode()
        form = json.loads(post(port, "/uploads", {"Content-Type": "application/json"}, body)[2])
    for expected in (204, 409):
        with running(tmp_path, port):
            assert post(port, form["url"], *encode_form(form["fields"], content))[0] == expected


@pytest.mark.parametrize("is_killed", [True] if COUNT < 100 else [False, True])
def test_many_simultaneous_uploads_all_become_pictures_with_renditions(
    tmp_path: Path, is_killed: bool
) -> None:
    write_pipeline(tmp_path, "[renditions.a]\nwidth = 200\n[renditions.b]\nwidth = 100\n")
    contents, names = make_pictures(tmp_path), [f"{number % 7}/{number}.jpg" for number in range(COUNT)]
    port = find_port()
    server = start_server(tmp_path, port)
    try:
        wait_for(f"http://127.0.0.1:{port}")
        with ThreadPoolExecutor(CLIENTS) as clients:
            sent = [
                clients.submit(upload, port, name, contents[number % len(contents)])
                for number, name in enumerate(names)
            ]
            if is_killed:
                while sum(each.done() for each in sent) < COUNT // 4:
                    time.sleep(0.01)
                assert not all(each.done() for each in sent), "it comes in the middle"
                server.kill()
                server.wait()
                server = start_server(tmp_path, port)
            for each in sent:
                each.result()
        wait_for(f"http://127.0.0.1:{port}")
        wait_until_processed(port, COUNT)
        check_all(port, tmp_path, names)
        if Path("/proc/self/status").exists():
            peak_bytes = read_peak_bytes(server.pid)
            print(f"{COUNT} uploads, peak {peak_bytes:,} bytes")
            assert peak_bytes < MOST_PEAK_BYTES
    finally:
        server.terminate()
        server.wait(60)


def test_the_server_ends_with_a_reason_when_its_source_folder_is_moved_away(tmp_path: Path) -> None:
    """A server without its source would accept pictures that it never processes."""
    write_pipeline(tmp_path, "[renditions.a]\nwidth = 200\n")
    port = find_port()
    with (tmp_path / "said").open("wb") as said:
        server = subprocess.Popen([RENDITIONS, "serve", "--port", str(port)], cwd=tmp_path, stderr=said)
        wait_for(f"http://127.0.0.1:{port}")
        (tmp_path / "inbox").rename(tmp_path / "elsewhere")
        assert server.wait(60) == 1
    said_text = (tmp_path / "said").read_text()
    assert "inbox is missing: create it, or mount its disk" in said_text
