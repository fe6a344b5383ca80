"""moto's server, which stands for AWS in the tests, and clients that reach it.

The server handles one request at a time (see ``serve_moto``), because moto's handlers conflict with each
other. AWS's handlers don't. So the races of the contract suites show that our requests contain the right
conditions. The races don't show that a server keeps these conditions.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from renditions.aws.clients import Clients
from renditions.aws.table import table_schema

REGION = "eu-west-1"
ACCESS_KEY = SECRET_KEY = "testing"  # noqa: S105 - for moto
CLIENTS = Clients()
"""The clients. They are created on first use, when the server runs and the environment has its URL."""


@contextmanager
def run_moto(way_seconds: float = 0.0, keys_of_page: int = 20) -> Iterator[dict[str, str]]:
    """Run the server, and yield the environment that points at it.

    The server delays each request by ``way_seconds``. A page of S3's listings has up to ``keys_of_page``
    keys.
    """
    script = Path(__file__).with_name("serve_moto.py")
    command = [sys.executable, "-W", "ignore", str(script), str(way_seconds)]
    pages = os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(keys_of_page)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=pages) as server:
        try:
            assert server.stdout
            yield environment_of(f"http://127.0.0.1:{int(server.stdout.readline())}")
        finally:
            server.terminate()


def environment_of(endpoint: str) -> dict[str, str]:
    """Return the environment that points AWS programs at this server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def make_table(name: str, key_name: str) -> str:
    """Create a catalog's table unless it exists, and return its name.

    The function waits until a new table can be used.
    """
    with suppress(CLIENTS.dynamodb.exceptions.ResourceInUseException):
        CLIENTS.dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **table_schema(key_name))
        waiter = CLIENTS.dynamodb.get_waiter("table_exists")
        waiter.wait(TableName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 100})
    return name


def scaled(which: str, count: int) -> int:
    """Return a sixth of the count for a backend over HTTP, else the count."""
    return count // 6 if which in ("s3", "dynamodb") else count


def name_of(folder: Path) -> str:
    """Return a name for a bucket or a table.

    It is unique to this folder.
    """
    return f"t-{hashlib.sha256(str(folder).encode()).hexdigest()[:32]}"
