"""Uploads that become renditions through a queue, by the bundle and by workers.

The bundle runs in AWS's own runtime client. The queue, its dead-letter queue and S3's notifications are
moto's. ``poller`` stands for Lambda's event source mapping.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from aws.account import Account, count_messages
from aws.poller import Poller
from aws.proxy import Fault, Request, proxied
from commands import RENDITIONS, draw, run
from contract.cloud import CLIENTS, name_of
from deploy.test_bundle import HERE, build_from_index
from renditions.aws.sqs import Queue
from renditions.pipeline_file.reading import load
from serverless.deployed import link_runtime
from serverless.runtime_api import Ended, Lambda, start_function

pytestmark = pytest.mark.usefixtures("aws")

PIPELINE = """
[source]
store = "./inbox"
match = ["*.jpg"]
[output]
store = "./processed"
[renditions.text]
format = "base64"
[renditions.thumb]
width = 80
format = "webp"
[renditions.thumb.watermark]
image = "source:.logo.png"
[[notify]]
on = ["done", "rejected", "failed"]
to = "sns:arn:aws:sns:eu-west-1:123456789012:replaced"
"""
RENDITIONS_OF_ONE = 2
WORKED = int(os.environ.get("QUEUE_PICTURES", "30"))
"""How many pictures two workers process; with ``make test-queue`` they are 1,000."""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pipeline's bundle, and return the folder where it is unpacked."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "renditions.toml").write_text(PIPELINE)
    pipeline = load(folder / "renditions.toml").pipeline
    with zipfile.ZipFile(build_from_index(pipeline, folder / "bundle.zip", HERE).file) as archive:
        archive.extractall(folder / "task")
    return folder / "task"


@pytest.fixture(scope="module")
def lambda_runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link_runtime(tmp_path_factory.mktemp("runtime"))


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """Return an account with the logo that the test's folder has too.

    The folder also has the pipeline file.
    """
    made = Account(name_of(tmp_path))
    (tmp_path / "renditions.toml").write_text(PIPELINE)
    draw(tmp_path / "inbox/.logo.png", 40, 40, seed=9)
    made.upload(".logo.png", (tmp_path / "inbox/.logo.png").read_bytes())
    Queue(CLIENTS.sqs, made.pictures).delete(Queue(CLIENTS.sqs, made.pictures).receive(wait_seconds=5))
    return made


@contextmanager
def running(code: Path, account: Account, runtime: Path, log: Path, **more: str) -> Iterator[Lambda]:
    """Yield the bundle's handler, started on the account."""
    environ = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    environ |= {"PYTHONPATH": str(runtime), "QUEUE_URL": account.pictures, **account.environ(), **more}
    with start_function(code, "lambda_function.lambda_handler", log, environ, "-S") as function:
        yield function


def results(*functions: Lambda) -> Counter[tuple[str, str]]:
    """Return how often each picture had each outcome, from the functions' logs."""
    lines = [line for function in functions for line in function.log_lines() if "Result" in line]
    return Counter((line["key"], line["Result"]) for line in lines)


def read_local(folder: Path) -> dict[str, bytes]:
    """Return the outputs of a local run of the same pipeline."""
    text = PIPELINE.partition("[[notify]]")[0]
    (folder / "local.toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SOURCE_BUCKET", raising=False)
        assert run(folder, "sync", "-p", "local.toml").code == 0
    paths = (path for path in (folder / "processed").rglob("*.*") if path.is_file())
    return {path.relative_to(folder / "processed").as_posix(): path.read_bytes() for path in paths
            if ".renditions" not in path.parts}  # fmt: skip


def test_an_uploaded_picture_gets_the_same_outputs_as_in_a_local_run(
    code: Path, account: Account, lambda_runtime: Path, tmp_path: Path
) -> None:
    """The picture also gets a record and a notice.

    When it is deleted, its outputs are deleted too.
    """
    names = ["photo.jpg", "2026/ü b+c.jpg", "a/b.jpg"]
    for number, name in enumerate(names):
        draw(tmp_path / "inbox" / name, seed=number)
        account.upload(name, (tmp_path / "inbox" / name).read_bytes())
    with running(code, account, lambda_runtime, tmp_path / "log") as function:
        poller = Poller(account.pictures, function.call)
        poller.drain()
        assert account.read_outputs() == read_local(tmp_path)
        assert len(account.read_outputs()) == len(names) * RENDITIONS_OF_ONE
        assert account.read_statuses() == dict.fromkeys(names, "done")
        assert account.read_notices() == sorted((name, "done") for name in names)
        assert results(function) == {(name, "done"): 1 for name in names}
        CLIENTS.s3.delete_object(Bucket=f"{account.table}-in", Key="photo.jpg")
        poller.drain()
    assert account.read_statuses() == dict.fromkeys(names[1:], "done")
    assert not [key for key in account.read_outputs() if key.startswith("photo.jpg")]
    assert count_messages(account.dead) == 0


def test_each_of_ten_messages_in_a_batch_has_its_own_outcome(
    code: Path, account: Account, lambda_runtime: Path, tmp_path: Path
) -> None:
    """One picture fails at first, one is rejected, and one is already deleted.

    The other seven pictures are done.
    """
    names = [f"{number}.jpg" for number in range(10)]
    for number, name in enumerate(names):
        draw(tmp_path / name, seed=number)
        content = (tmp_path / name).read_bytes()
        account.upload(name, content[:500] if name == "8.jpg" else content)
    CLIENTS.s3.delete_object(Bucket=f"{account.table}-in", Key="9.jpg")
    refused: list[str] = []

    def refuse(request: Request) -> Fault | None:
        """Return a fault for the first four writes of 7.jpg's outputs.

        botocore makes four attempts in one call.
        """
        is_ours = request.method == "PUT" and f"{account.table}-out/7.jpg/" in request.path
        if not is_ours or len(refused) == 4:
            return None
        refused.append(request.path)
        return "slow down"

    with (
        proxied(os.environ["AWS_ENDPOINT_URL"], refuse) as endpoint,
        running(code, account, lambda_runtime, tmp_path / "log", AWS_ENDPOINT_URL=endpoint) as function,
    ):
        poller = Poller(account.pictures, function.call)
        poller.poll()
        first = poller.answers[0].value
        assert first, function.log_file.read_text()
        assert len(first["batchItemFailures"]) == 1
        poller.drain()
        ended = results(function)
    assert len(refused) == 4
    done = dict.fromkeys(names[:8], "done")
    assert account.read_statuses() == done | {"8.jpg": "rejected"}
    assert ended == Counter(
        [*((name, "done") for name in names[:8]), ("7.jpg", "failed"), ("8.jpg", "rejected")]
        + [("9.jpg", "unchanged")] * ended["9.jpg", "unchanged"]
    )
    assert account.count_writes() == dict.fromkeys(account.read_outputs(), 1)
    assert len(account.read_outputs()) == 8 * RENDITIONS_OF_ONE
    assert account.read_notices() == [*done.items(), ("8.jpg", "rejected")]
    assert poller.deliveries == 12  # ten messages, one about the deletion, one second try
    assert count_messages(account.dead) == 0


def test_functions_that_get_fifty_copies_of_an_event_process_the_picture_once(
    code: Path, account: Account, lambda_runtime: Path, tmp_path: Path
) -> None:
    """Eight threads send the copies to eight functions, as when Lambda scales."""
    draw(tmp_path / "photo.jpg")
    account.upload("photo.jpg", (tmp_path / "photo.jpg").read_bytes())
    (message,) = Queue(CLIENTS.sqs, account.pictures).receive(wait_seconds=5)
    event = {"Records": [message.to_record()]}
    numbers = iter(range(50))
    lock = threading.Lock()

    def take() -> bool:
        with lock:
            return next(numbers, None) is not None

    def deliver(function: Lambda) -> list[Ended]:
        ended = []
        while take():
            ended.append(function.call(event))
        return ended

    with ExitStack() as stack, ThreadPoolExecutor(8) as executor:
        functions = [
            stack.enter_context(running(code, account, lambda_runtime, tmp_path / f"log{number}"))
            for number in range(8)
        ]
        answers = [answer for some in executor.map(deliver, functions) for answer in some]
        assert functions[0].call(event).value == {"batchItemFailures": []}
        ended = results(*functions)
    assert len(answers) == 50
    assert all(answer.error is None for answer in answers)
    assert ended["photo.jpg", "done"] == 1
    assert {result for _, result in ended} <= {"done", "unchanged", "waiting"}
    assert account.read_statuses() == {"photo.jpg": "done"}
    assert account.count_writes() == {"photo.jpg/text.txt": 1, "photo.jpg/thumb.webp": 1}
    assert account.read_notices() == [("photo.jpg", "done")]


@contextmanager
def working(folder: Path, account: Account, number: int) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a worker that runs during the block.

    Its stdout and stderr go into two files in the folder.
    """
    with (folder / f"told{number}").open("wb") as told, (folder / f"said{number}").open("wb") as said:
        worker = subprocess.Popen(
            [RENDITIONS, "worker", "--json", "--workers", "1", "--queue", account.pictures],
            cwd=folder, env=os.environ | account.environ(), stdout=told, stderr=said,
        )  # fmt: skip
        try:
            yield worker
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(timeout=60)


def test_two_workers_process_every_picture_exactly_once(account: Account, tmp_path: Path) -> None:
    """Each of the ``QUEUE_PICTURES`` pictures is made by only one of the two workers."""
    names = [f"{number % 7}/{number:04}.jpg" for number in range(WORKED)]
    draw(tmp_path / "some.jpg", 64, 36)
    some = (tmp_path / "some.jpg").read_bytes()
    for number, name in enumerate(names):
        account.upload(name, some + b"%d" % number)
    started = time.monotonic()
    with working(tmp_path, account, 0) as first, working(tmp_path, account, 1) as second:
        while count_messages(account.pictures) and first.poll() is None and second.poll() is None:
            time.sleep(0.5)
        seconds = time.monotonic() - started
    for number, worker in enumerate((first, second)):
        assert worker.returncode == 0, (tmp_path / f"said{number}").read_text()
    told = [
        [json.loads(line) for line in (tmp_path / f"told{number}").read_text().splitlines()]
        for number in range(2)
    ]
    print(f"{WORKED} pictures in {seconds:.1f} s with two workers, {[len(lines) for lines in told]} each")
    lines = [(line["name"], line["result"]) for some_lines in told for line in some_lines]
    assert Counter(lines) == {(name, "done"): 1 for name in names}
    assert all(told)
    assert account.read_statuses() == dict.fromkeys(names, "done")
    writes = account.count_writes()
    assert len(writes) == WORKED * RENDITIONS_OF_ONE
    assert set(writes.values()) == {1}
    assert account.read_notices() == sorted((name, "done") for name in names)
    assert (count_messages(account.pictures), count_messages(account.dead)) == (0, 0)
