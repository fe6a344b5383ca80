"""A bundle contains only libraries of the lock file, whichever index pip uses."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import pytest
from audit import audit

from commands import run
from deploy.test_bundle import HERE, NOT_HERE, preset
from renditions.deploy.bundle import build
from renditions.deploy.pins import LOCKED, Pins
from renditions.deploy.wheels import _find_pip, collect_libraries
from renditions.errors import UsageError
from renditions.pipeline_file.reading import read_preset

FONT = "fontpkg-open-sans"
"""A library that has neither dependencies nor compiled files."""


def make_wheel(folder: Path, name: str = FONT) -> str:
    """Write a wheel with this name in the installed version; return its SHA-256."""
    stem = f"{name.replace('-', '_')}-{version(name)}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version(name)}\n"
        )
        archive.writestr(
            f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{stem}.dist-info/RECORD", "")
        archive.writestr("evil.py", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with wheels that pip takes for its index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_wheel_that_is_not_in_the_lock_is_refused(index: Path) -> None:
    found = make_wheel(index)
    with pytest.raises(UsageError, match=rf"fontpkg_open_sans-.*\.whl can't go into the bundle.*{found}"):
        list(collect_libraries([FONT], HERE, Pins()))


def test_a_wheel_is_accepted_if_its_hash_is_in_the_lock_file_of_the_user(index: Path, tmp_path: Path) -> None:
    lock = tmp_path / "own.txt"
    lock.write_text(f"{FONT}=={version(FONT)} \\\n    --hash=sha256:{make_wheel(index)}\n")
    assert "evil.py" in [file.path for file in collect_libraries([FONT], HERE, Pins(lock))]


def test_uv_downloads_the_same_libraries_if_pip_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An environment of ``uv tool install`` has no pip.

    There, uv is a program on the PATH or an installed module.
    """
    by_pip = list(collect_libraries([FONT], HERE, Pins()))
    find_spec = importlib.util.find_spec
    missing = {"pip"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name not in missing and find_spec(name))
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    assert list(collect_libraries([FONT], HERE, Pins())) == by_pip
    missing.add("uv")
    with pytest.raises(
        UsageError, match=r"has no pip, and uv isn't on the PATH\. Install uv .*, or run: .* -m ensurepip"
    ):
        list(collect_libraries([FONT], HERE, Pins()))
    (programs / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    assert list(collect_libraries([FONT], HERE, Pins())) == by_pip


def test_the_advice_to_install_pip_quotes_the_path_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("sys.executable", "/my projects/.venv/bin/python")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match=r"or run: '/my projects/\.venv/bin/python' -m ensurepip"):
        _find_pip()


def test_a_version_that_is_not_in_the_lock_is_refused(index: Path, tmp_path: Path) -> None:
    lock = tmp_path / "own.txt"
    lock.write_text(f"{FONT}==0.1 --hash=sha256:{make_wheel(index)}\n")
    with pytest.raises(
        UsageError, match=rf"{version(FONT)} can't go .*own\.txt has only version 0\.1\. .* --lock"
    ):
        list(collect_libraries([FONT], HERE, Pins(lock)))
    lock.write_text(f"{FONT}=={version(FONT)}\npyvips==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(UsageError, match=r"can't go .*own\.txt has no hash for this version\. .* --lock"):
        list(collect_libraries([FONT], HERE, Pins(lock)))
    lock.write_text(f"pyvips-binary==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(
        UsageError, match=r"pyvips .* can't go into the bundle: .* has no version of this library"
    ):
        build(preset("thumbnail"), tmp_path / "bundle.zip", NOT_HERE, lock=lock)
    assert not (tmp_path / "bundle.zip").exists()


@pytest.mark.parametrize("text", [None, "", "pyvips==3.1\n", "\xff"])
def test_a_lock_that_can_not_be_read_or_has_no_hashes_is_refused(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "renditions.toml").write_text(read_preset("base64"))
    if text is not None:
        (tmp_path / "own.txt").write_bytes(text.encode("latin-1"))
    ended = run(tmp_path, "package", "--lock", "own.txt")
    assert ended.code == 2
    assert "own.txt" in ended.err
    assert "Choose another --lock" in " ".join(ended.err.split())


def test_each_library_in_the_lock_of_the_package_has_the_hashes_of_uv_lock(
    request: pytest.FixtureRequest,
) -> None:
    with (request.config.rootpath / "uv.lock").open("rb") as file:
        packages = {(each["name"], each["version"]): each for each in tomllib.load(file)["package"]}
    pins = Pins()
    assert {"pyvips", "pyvips-binary", "pillow-heif", "starlette"} <= {name for name, _ in pins.libraries}
    for library in pins.libraries:
        package = packages[library]
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        assert pins.insist_on(*library) == {file["hash"].removeprefix("sha256:") for file in files}
    assert not LOCKED.read_text().startswith("#")


def test_the_bill_of_materials_of_the_package_has_every_locked_library_and_hash(
    request: pytest.FixtureRequest,
) -> None:
    makefile = (request.config.rootpath / "Makefile").read_text()
    export = re.search(r"^EXPORT = (.*)$", makefile, re.MULTILINE)
    form = re.search(r"\$\(EXPORT\) (--format cyclonedx.*) >", makefile)
    assert export
    assert form
    command = [*export[1].split(), *form[1].split()]
    ended = subprocess.run(command, cwd=request.config.rootpath, capture_output=True, check=True)
    bill = json.loads(ended.stdout)
    assert bill["metadata"]["component"]["name"] == "renditions"
    pins = Pins()
    found = {
        (each["name"], each["version"]): {
            checksum["content"] for file in each["externalReferences"] for checksum in file["hashes"]
        }
        for each in bill["components"]
    }
    assert found == {library: pins.insist_on(*library) for library in pins.libraries}


@contextmanager
def serve(pages: Mapping[str, object]) -> Iterator[str]:
    """Yield the URL of an index that knows no flaws, except those on ``pages``.

    ``pages`` has an answer for a library's name. A number is the status of an error.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path.split("/")[2], {"vulnerabilities": []})
            self.send_response(page if isinstance(page, int) else 200)
            self.end_headers()
            self.wfile.write(b"" if isinstance(page, int) else json.dumps(page).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def flawed(**fields: object) -> object:
    return {"vulnerabilities": [{"id": "PYSEC-1", "fixed_in": ["9.9"], **fields}]}


def test_an_audit_names_every_library_for_which_the_index_gave_no_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serve({"pyvips": 503, "msgspec": 404, "rich": "no page", "typer": flawed()}) as index:
        assert audit(index) == 1
    shown = capsys.readouterr().out
    assert f"typer {version('typer')}: PYSEC-1, fixed in 9.9" in shown
    assert "gave no answer for 3 libraries" in shown
    for name in ("pyvips", "msgspec", "rich"):
        assert f"\n{name} {version(name)}: " in shown


def test_an_audit_fails_if_a_library_has_a_known_flaw(capsys: pytest.CaptureFixture[str]) -> None:
    with serve({"typer": flawed(withdrawn="2026-01-01T00:00:00Z")}) as index:
        assert audit(index) == 0
    assert f"0 flaws of {len(Pins().libraries)} libraries." in capsys.readouterr().out
    with serve({"typer": flawed()}) as index:
        assert audit(index) == 1
    assert "no answer" not in capsys.readouterr().out
