"""AWS's emulator of Lambda, which ends a call at its time limit.

It comes in the wheel of aws-sam-cli.

https://github.com/aws/aws-lambda-runtime-interface-emulator
"""

from __future__ import annotations

import json
import os
import platform
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers.machine import UnavailableError, await_port, find_port, install_wheel, started


@contextmanager
def install_emulator(cache: Path, folder: Path) -> Iterator[str]:
    """Yield the path of the emulator's program; ``folder`` stays empty.

    Raises:
        UnavailableError: The wheel can't be installed, or has no emulator for this machine's platform.

    """
    program = install_wheel("aws-sam-cli==1.170.0", cache / "emulator") / "samcli/local/rapid"
    program /= f"aws-lambda-rie-{ {'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }"
    if sys.platform != "linux" or not program.exists():
        raise UnavailableError(f"there is no {program.name} for {sys.platform}")
    program.chmod(0o755)
    yield str(program)


@contextmanager
def start_emulated(
    program: str, code: Path, log: Path, environ: Mapping[str, str], limit_seconds: int
) -> Iterator[Callable[[Any], Any]]:
    """Run the bundle in the folder ``code`` under a time limit.

    Yield a function that calls it. If a call ends at its limit, its answer is a text that says so.

    Raises:
        UnavailableError: The emulator doesn't start.

    """
    port, api_port = find_port(), find_port()
    command = [program, "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{api_port}"]
    command += [sys.executable, "-S", "-m", "awslambdaric", "lambda_function.lambda_handler"]
    told = {
        "PATH": os.environ["PATH"],
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(limit_seconds),
        **environ,
        "PYTHONPATH": f"{environ['PYTHONPATH']}{os.pathsep}{code}",
    }

    def call(event: Any) -> Any:
        address = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        request = urllib.request.Request(address, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=limit_seconds + 60) as answer:  # noqa: S310
            text = answer.read().decode()
        try:
            return json.loads(text)
        except ValueError:
            return text

    with started(command, told, log):
        await_port(port, log)
        yield call
