"""dynalite: DynamoDB's requests over LevelDB, in Node.js.

https://github.com/architect/dynalite
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.machine import await_port, find_port, install_npm, started, with_path


@contextmanager
def start_dynalite(cache: Path, folder: Path) -> Iterator[str]:
    """Start dynalite with its data in the folder; yield its URL.

    Raises:
        UnavailableError: dynalite can't be installed here, or doesn't start.

    """
    programs = install_npm("dynalite@4.0.0", cache / "dynalite")
    port = find_port()
    command = [str(programs / "dynalite"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--path", str(folder / "data"), "--createTableMs", "0", "--deleteTableMs", "0"]
    log = folder / "dynalite.log"
    with started(command, with_path(programs), log):
        await_port(port, log)
        yield f"http://127.0.0.1:{port}"
