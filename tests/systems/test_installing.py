"""The services, the container and the release, as the documents describe them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import RENDITIONS, draw, run, write_pipeline

PROJECT = Path(__file__).parents[2]
UNITS = PROJECT / "examples" / "systemd"
DOCKERFILE = PROJECT / "examples" / "container" / "Dockerfile"
WORKFLOW = PROJECT / ".github" / "workflows" / "release.yml"
SERVICES = ("watch", "serve", "worker")


def read_instructions() -> list[tuple[str, str]]:
    text = DOCKERFILE.read_text("utf-8").replace("\\\n", "")
    return re.findall(r"^([A-Z]+) +(.+)$", text, re.MULTILINE)


def test_systemd_accepts_and_enables_each_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT TESTED: there is no systemd-analyze")
    shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    shutil.copytree("/usr/lib/systemd", tmp_path / "usr/lib/systemd", symlinks=True)
    command = tmp_path / "opt/renditions/bin/renditions"
    command.parent.mkdir(parents=True)
    command.touch(0o755)
    units = [f"renditions-{name}.service" for name in SERVICES]
    root = f"--root={tmp_path}"
    verified = subprocess.run(
        ["systemd-analyze", root, "verify", *units], capture_output=True, text=True, check=True
    )
    assert verified.stderr == ""
    subprocess.run(["systemctl", root, "enable", *units], capture_output=True, check=True)
    wanted = tmp_path / "etc/systemd/system/multi-user.target.wants"
    assert sorted(path.name for path in wanted.iterdir()) == sorted(units)


@pytest.mark.parametrize("name", SERVICES)
def test_the_command_of_each_unit_exists_with_its_options(tmp_path: Path, name: str) -> None:
    text = (UNITS / f"renditions-{name}.service").read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=/opt/renditions/bin/renditions (.+)$", text, re.MULTILINE)
    assert run(tmp_path, *shlex.split(command), "--help").code == 0


def test_the_dockerfile_declares_the_command_serve_an_ordinary_user_and_a_health_check(
    tmp_path: Path,
) -> None:
    instructions = read_instructions()
    last = dict(instructions)
    assert last["USER"] == "10001"
    assert json.loads(last["ENTRYPOINT"]) == ["renditions"]
    assert run(tmp_path, *json.loads(last["CMD"]), "--help").code == 0
    assert "/health" in last["HEALTHCHECK"]
    own = [text for name, text in instructions if name == "COPY" and "--from" not in text]
    sources = [source for text in own for source in text.split()[:-1]]
    assert len(sources) == 5
    assert all((PROJECT / source).exists() for source in sources)


def test_the_server_needs_no_rights_and_writes_only_into_its_folder(tmp_path: Path) -> None:
    """The server runs as in the container: on a read-only root, without capabilities."""
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "x", "/mnt"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("NOT TESTED: this user can't mount here")
    write_pipeline(tmp_path, "[renditions.thumb]\nwidth = 100")
    draw(tmp_path / "inbox" / "a.jpg")
    check = json.loads(dict(read_instructions())["HEALTHCHECK"].partition("CMD ")[2])
    port = "18093"
    script = f"""
        mount --bind {tmp_path} {tmp_path}
        awk '{{print $2}}' /proc/mounts | grep -v -e ^/proc -e ^/sys -e ^/dev -e '^{tmp_path}$' |
            while read -r mounted; do mount -o remount,bind,ro "$mounted" || true; done 2> /dev/null
        touch /root-is-writable 2> /dev/null && exit 9
        cd {tmp_path}
        HOME=/nonexistent setpriv --inh-caps=-all --bounding-set=-all --no-new-privs \
            {RENDITIONS} serve --unattended --host 0.0.0.0 --port {port} &
        for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            sleep 1
            {sys.executable} -c "{check[2].replace("8080", port)}" 2> /dev/null && break
        done
        until [ -e processed/a.jpg/thumb.jpg ]; do sleep 0.2; done
        kill $!
        wait $!
    """
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-euc", script], capture_output=True, text=True, timeout=90, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_each_job_of_the_release_has_only_the_permissions_that_it_needs() -> None:
    workflow: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    jobs = workflow["jobs"]
    assert workflow[True] == {"push": {"tags": ["v[0-9]*"]}}, "YAML 1.1 reads the key on as true"
    assert workflow["permissions"] == {}
    assert {name: set(job["permissions"]) for name, job in jobs.items()} == {
        "build": {"contents", "id-token", "attestations"},
        "test": set(),
        "publish": {"id-token"},
    }
    assert jobs["publish"]["needs"] == "test"
    assert jobs["test"]["needs"] == "build"
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@([0-9a-f]{40}|v\d+|release/v1)", each) for each in used)
    pythons = re.findall(
        r"Programming Language :: Python :: (3\.\d+)", (PROJECT / "pyproject.toml").read_text()
    )
    assert jobs["test"]["strategy"]["matrix"]["python"] == pythons
