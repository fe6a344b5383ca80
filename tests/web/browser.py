"""Helpers that start a real browser and the real server."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.types import ASGIApp

from commands import RENDITIONS

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
"""The path of the browser: the environment's, or an installed one. The tests download none."""

PORTS = range(20_000, 32_000)
"""The ports of the tests' servers. Systems choose ports above this range: Linux begins at 32768."""

OPENSSL = shutil.which("openssl")

LAN_HOST = "lan.test"
"""A name of this machine that the browser treats like one of the local network.

Without HTTPS, its pages have no clipboard, for example.
"""

expect.set_options(timeout=30_000)  # the default, 5 s, is short for a busy machine

_FLAGS = (
    f"--host-resolver-rules=MAP {LAN_HOST} 127.0.0.1",
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yield a browser with a fresh profile; skip the test if Chromium is missing."""
    if CHROMIUM is None:
        pytest.skip("NOT TESTED: there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS), env=_environment())
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_browser_without_site_data(profile: Path) -> Iterator[BrowserContext]:
    """Yield a browser that blocks all cookies and all storage.

    Its profile is in this folder, which must be empty. Skip the test if Chromium is missing.
    """
    if CHROMIUM is None:
        pytest.skip("NOT TESTED: there is no chromium")
    (profile / "Default").mkdir()
    blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (profile / "Default" / "Preferences").write_text(json.dumps(blocked))
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=CHROMIUM, args=list(_FLAGS), env=_environment()
        )
        try:
            yield context
        finally:
            context.close()


def _environment() -> dict[str, str | float | bool]:
    """Return the browser's environment.

    Renditions' engine sets FONTCONFIG_FILE to its own fonts. Without other fonts the browser crashes.
    """
    return {name: value for name, value in os.environ.items() if name != "FONTCONFIG_FILE"}


@contextmanager
def open_page(browser: Browser, width: int = 1200, height: int = 900) -> Iterator[Page]:
    """Yield a page of a new browser context; fail on any error of its scripts."""
    page = browser.new_page(viewport={"width": width, "height": height})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def await_any(page: Page, received: list[Any]) -> None:
    """Wait until a handler of the page has put something into the list."""
    for _ in range(600):
        if received:
            return
        page.wait_for_timeout(50)  # handlers run meanwhile
    raise AssertionError("nothing came within half a minute")


@contextmanager
def answered(app: ASGIApp) -> Iterator[str]:
    """Serve the application; yield its URL."""
    port = find_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def served(directory: Path, *arguments: str) -> Iterator[str]:
    """Run ``renditions serve`` in a folder; yield its URL."""
    port = find_port()
    address = f"http://127.0.0.1:{port}"
    process = start_server(directory, port, *arguments)
    try:
        wait_for(address)
        yield address
    finally:
        process.terminate()
        assert process.wait(60) in (0, 130), "the server should end cleanly"


def start_server(
    directory: Path, port: int, *arguments: str, enter: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Return a started ``renditions serve``; ``enter`` stands before the command."""
    command = [*enter, str(RENDITIONS), "serve", "--port", str(port), "--workers", "2", *arguments]
    return subprocess.Popen(command, cwd=directory)


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine and its key; return their files.

    Skip the test if there is no program that makes them.
    """
    if OPENSSL is None:
        pytest.skip("NOT TESTED: openssl isn't installed")
    certificate, key = directory / "tls.crt", directory / "tls.key"
    subprocess.run(
        [
            *(OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def trust(certificate: Path) -> ssl.SSLContext:
    """Return the settings of a client that trusts this certificate alone."""
    return ssl.create_default_context(cafile=certificate)


def find_port() -> int:
    """Return a free port that no other test gets.

    Systems choose the ports of clients, and of servers that name no port, above ``PORTS``. To keep other
    tests from this port, the process holds the UDP port of the same number until the process ends.
    """
    for port in secrets.SystemRandom().sample(PORTS, 100):
        lock = socket.socket(type=socket.SOCK_DGRAM)
        try:
            lock.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            lock.close()
            continue
        lock.detach()  # so that it stays open until the process ends
        return port
    raise AssertionError("there is no free port")


def wait_for(address: str, tls: ssl.SSLContext | None = None) -> None:
    """Wait until the server answers requests."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5, context=tls):  # noqa: S310 - our own
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {address}")


def read(url: str) -> Any:
    """Return the JSON at a URL."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own
        return json.load(answer)


def find_violations(page: Page, selector: str | None = None) -> list[tuple[str, list[str]]]:
    """Return what the accessibility checker finds, as ``(rule, elements)``.

    Minor findings are left out.
    """
    found = Axe().run(page, context=selector).response["violations"]
    return [
        (each["id"], [node["html"] for node in each["nodes"]]) for each in found if each["impact"] != "minor"
    ]
