"""Run tests on servers more like AWS than moto: ``make test-servers``.

The program installs each server into ``build/servers`` without root. A server listens on the loopback and has
its data in a temporary folder. In AWS's emulator of Lambda, the tests also show a function at its time limit.
At the end the program names the servers that can't be installed or started on this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from servers.dynalite import start_dynalite
from servers.emulator import install_emulator
from servers.machine import UnavailableError
from servers.rgw import start_rgw

TESTS = Path(__file__).resolve().parent.parent
CACHE = TESTS.parent / "build" / "servers"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that stands for AWS, and the tests that run on it."""

    name: str
    start: Callable[[Path, Path], AbstractContextManager[str]]
    tests: tuple[str, ...]
    option: str = "--endpoint"
    """The option that passes the value of ``start`` to the tests."""


SERVERS = (
    Server("dynalite", start_dynalite, ("contract/test_catalog.py", "aws/test_dynamodb.py", "-kdynamodb")),
    Server("rgw", start_rgw, ("contract/test_store.py", "aws/test_s3.py", "docs/test_snippets.py", "-ks3")),
    Server("emulator", install_emulator, ("servers/time_limits.py",), "--emulator"),
)


def main() -> int:
    """Run the suites on all servers, or on the named ones; return 1 if one failed."""
    wanted = sys.argv[1:] or [server.name for server in SERVERS]
    results = {server.name: _run(server) for server in SERVERS if server.name in wanted}
    print()
    for name, result in results.items():
        print(f"{name}: {result}" if result in ("passed", "FAILED") else f"!! NOT TESTED: {name}: {result}")
    return int("FAILED" in results.values())


def _run(server: Server) -> str:
    print(f"\n{server.name}", flush=True)
    with tempfile.TemporaryDirectory(prefix="renditions-") as folder:
        try:
            with server.start(CACHE, Path(folder)) as address:
                command = [sys.executable, "-m", "pytest", "-q", "-rx", "-p", "servers.known"]
                command += ["--server", server.name, server.option, address, *server.tests]
                environ = os.environ | {"PYTHONPATH": str(TESTS)}
                done = subprocess.run(command, cwd=TESTS, env=environ, check=False)
        except UnavailableError as reason:
            return str(reason)
    return "FAILED" if done.returncode else "passed"


if __name__ == "__main__":
    sys.exit(main())
