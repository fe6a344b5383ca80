"""The parts on AWS behind a bad network.

After the network works again, failed pictures are retried, and one sync restores the promise.

S3, DynamoDB, SQS and SNS are moto's. The proxy before them refuses, resets, cuts and delays requests. The
worker, the stores, the catalog and the notices are the real ones; the renderer only hashes. A seed decides
how the proxy answers the first, second and each later request. The order in which the threads send their
requests isn't fixed. ``make test-network`` runs many seeds with thirty pictures each.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zlib import crc32

import pytest

from aws.account import Account
from aws.answers import Answer, answering
from aws.proxy import BAD_GATEWAY, FAULTS, Fault, Request, proxied
from contract.cloud import CLIENTS, name_of
from faults import promise
from hashing import hash_render
from renditions.aws.clients import Clients
from renditions.aws.dynamodb import DynamoCatalog
from renditions.aws.s3 import S3Store
from renditions.aws.sqs import Queue
from renditions.core.binding import Standing, Start, hold
from renditions.core.comparison import Comparison
from renditions.core.difference import Difference
from renditions.core.leases import reopen
from renditions.core.outbox import Outbox, send_again
from renditions.core.outcome import Outcome
from renditions.core.planning import plan
from renditions.core.ports import IfMatch
from renditions.core.reconcile import sync
from renditions.errors import CatalogFailed, Failed, QueueFailed, StoreFailed
from renditions.messages.events import SyncRequest, encode_sync
from renditions.messages.tick import Tick
from renditions.messages.worker import Times, Worker
from renditions.model.catalog_place import CatalogPlace
from renditions.model.notify import Notify
from renditions.model.output_place import OutputPlace
from renditions.model.pipeline import Pipeline
from renditions.model.places import S3Place
from renditions.model.recipe import Rendition
from renditions.model.source import Source
from renditions.runtime.parts import Parts, open_parts, open_queue
from world import World

pytestmark = pytest.mark.usefixtures("aws")

SEEDS = range(int(os.environ.get("NETWORK_SEEDS", "3")))
PICTURES = int(os.environ.get("NETWORK_PICTURES", "10"))
THREADS = 6
TIMES = Times(poll=1, hold=2, beat=0.5, first_pause=0, longest_silence=0)
LEASES_ARE_OVER = timedelta(hours=1)


@dataclass
class Weather:
    """A source of faults: by a seed, it decides how each request ends.

    There are periods with and without faults. Once ``is_over`` is set, there are no faults.
    """

    chance: random.Random
    is_over: bool = False
    seen: Counter[tuple[str, Fault | None]] = field(default_factory=Counter)
    _left: int = 0
    """How many more requests the period lasts."""
    _share: float = 0.0
    """The share of the period's requests that meet a fault."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(self, request: Request) -> Fault | None:
        """Return the fault that the next request meets, or None."""
        with self._lock:
            if self.is_over:
                return None
            if not self._left:
                self._left = self.chance.randint(5, 50)
                self._share = self.chance.choice((0.0, 0.1, 0.4, 0.9))
            self._left -= 1
            fault = self.chance.choice(FAULTS) if self.chance.random() < self._share else None
            self.seen[request.operation or request.method, fault] += 1
            return fault


@dataclass
class Place:
    """An account, and a pipeline's parts, whose calls go through the proxy."""

    account: Account
    parts: Parts
    ahead: timedelta = timedelta()
    """How far the workers' clock is ahead. With it, leases end without a wait."""

    def __post_init__(self) -> None:
        standing = self._bind()
        self.processor = replace(self.parts.make_processor(hash_render, "worker", standing), clock=self.clock)

    def _bind(self) -> Standing:
        """Bind the catalog in at most 20 attempts; return the standing.

        A restarted worker also tries again.
        """
        for _ in range(20):
            with suppress(Failed):
                return self.parts.bind(Start(sets_generation=True))
        raise AssertionError("20 starts failed")

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def plan(self, after: str = "") -> Iterator[Difference]:
        parts = self.processor
        comparison = Comparison(parts.pipeline, parts.catalog, parts.output)
        return plan(comparison, parts.source, clock=self.clock, after=after)

    @contextmanager
    def working(self) -> Iterator[list[Outcome]]:
        """Run a worker during the block; yield the growing list of its outcomes."""
        told: list[Outcome] = []
        stop = threading.Event()
        queue = open_queue(self.account.pictures, self.parts.shared)
        place = S3Place(f"{self.account.table}-in", "")
        guard = self.parts.preview_guard()
        tick = Tick(self.plan, guard, place, queue.send, partial(hold, self.parts.catalog), self.clock)
        worker = Worker(queue, place, self.processor.process, tick, THREADS, told.append, TIMES)
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        try:
            yield told
            assert thread.is_alive(), "the worker continues despite the network"
        finally:
            stop.set()
            thread.join()

    def check(self) -> None:
        """Check the objects, records, claims and notices without the proxy."""
        account = self.account
        pipeline = replace(self.parts.pipeline, notify=())
        promise.check(promise.Final(pipeline, account.source, account.output, account.catalog, ()))
        told = {(item["image_name"], item["event"], item["etag"]) for item in account.take_notices()}
        records = list(account.catalog.list())
        assert {(record.name, record.status, record.etag) for record in records} <= told
        items = CLIENTS.dynamodb.get_paginator("scan").paginate(TableName=account.table)
        claims = {item["output_key"]["S"] for page in items for item in page["Items"] if "output_key" in item}
        assert claims == {made.key for record in records for made in record.outputs}


@pytest.fixture
def weather(request: pytest.FixtureRequest) -> Weather:
    return Weather(random.Random(request.param))  # noqa: S311 - repeatable, not secret


@pytest.fixture
def place(tmp_path: Path, weather: Weather) -> Iterator[Place]:
    account = Account(name_of(tmp_path))
    pipeline = Pipeline(
        source=Source(store=f"s3://{account.table}-in"),
        output=OutputPlace(store=f"s3://{account.table}-out"),
        catalog=CatalogPlace(store=f"dynamodb:{account.table}"),
        renditions={"thumb": Rendition(width=200), "large": Rendition(width=1200)},
        notify=(Notify(on=("done", "rejected", "failed"), to=f"sns:{account.topic}"),),
    )
    with (
        proxied(os.environ["AWS_ENDPOINT_URL"], weather.choose) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("AWS_ENDPOINT_URL", url)
        with open_parts(pipeline, tmp_path) as parts:
            yield Place(account, parts)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def count_visible(url: str) -> int:
    found = CLIENTS.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def change_pictures(account: Account, chance: random.Random, names: list[str]) -> None:
    """Replace some pictures, delete some, and send a tick to the queue."""
    for number, name in enumerate(chance.sample(names, len(names) // 2)):
        if number % 3:
            account.upload(name, chance.choice((b"", b"bad", b"half")) + b"new " + name.encode())
        else:
            CLIENTS.s3.delete_object(Bucket=f"{account.table}-in", Key=name)
    CLIENTS.sqs.send_message(QueueUrl=account.pictures, MessageBody=encode_sync(SyncRequest()))


@pytest.mark.parametrize("weather", SEEDS, indirect=True)
def test_one_sync_after_network_failures_brings_all_outputs_and_records_up_to_date(
    place: Place, weather: Weather, caplog: pytest.LogCaptureFixture
) -> None:
    """The test adds pictures, and replaces or deletes half of them.

    A worker processes the pictures at the same time.
    """
    account, chance = place.account, random.Random(weather.chance.random())  # noqa: S311 - as above
    names = [f"{number % 3}/ü {number:02}.jpg" for number in range(PICTURES)]
    for name in names:
        account.upload(name, chance.choice((b"", b"", b"bad", b"half")) + name.encode())
    with place.working() as told:
        wait_until(lambda: len(told) > PICTURES // 2 or count_visible(account.pictures) == 0)
        change_pictures(account, chance, names)
        wait_until(lambda: count_visible(account.pictures) == 0)
    weather.is_over = True
    assert {fault for _, fault in weather.seen} == {None, *FAULTS}
    unforeseen = [line for line in caplog.messages if "unexpectedly" in line or "changed since" in line]
    assert unforeseen == [], "each error is one that a caller expects"
    place.ahead = LEASES_ARE_OVER
    for record in account.catalog.list():
        if record.status == "failed":
            reopen(account.catalog, record)
    run = World(place.processor.pipeline).run(
        place.processor.process, differences=lambda _: place.plan(), threads=THREADS, clock=place.clock
    )
    sync(run)
    send_again(account.catalog, account.catalog.unsent_notices(), place.clock())
    Outbox(account.catalog, place.processor.notifiers, place.clock).send_due()
    place.check()
    faults = sum(count for (_, fault), count in weather.seen.items() if fault)
    print(f"{weather.seen.total():,} requests, {faults:,} faults, {len(told)} outcomes")


CALLS: dict[str, tuple[Callable[[Clients], object], str, type[Failed]]] = {
    "receiving": (
        lambda clients: Queue(clients.sqs, "http://queue").receive(),
        '{"Messages": [{"MessageId": "1", "ReceiptHandle": "r", "Body": "b"}]}',
        QueueFailed,
    ),
    "sending": (
        lambda clients: Queue(clients.sqs, "http://queue").send(["one"]),
        '{"Successful": [], "Failed": [{"Id": "0", "SenderFault": false, "Code": "InternalError"}]}',
        QueueFailed,
    ),
    "a listing of objects": (
        lambda clients: list(S3Store(clients.s3, S3Place("bucket", "")).list()),
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        StoreFailed,
    ),
    "a record": (
        lambda clients: DynamoCatalog(clients.dynamodb, "table").get("a"),
        '{"Item": {"image_name": {"S": "a"}}}',
        CatalogFailed,
    ),
    "a listing of records": (
        lambda clients: list(DynamoCatalog(clients.dynamodb, "table").list()),
        '{"Count": 1, "Items": [{"image_name": {"S": "a"}}]}',
        CatalogFailed,
    ),
}


@pytest.mark.parametrize("what", CALLS)
def test_an_incomplete_answer_causes_a_retryable_error(what: str) -> None:
    """The client must not read it as an empty answer.

    An empty answer would mean that there is no such record, no message or no error.
    """
    call, body, error = CALLS[what]
    checksum = {"x-amz-crc32": str(crc32(body.encode()))}  # DynamoDB's
    half = Answer(200, body[: len(body) // 2], checksum, announced_bytes=len(body))
    with answering([half]) as (clients, _), pytest.raises(error) as raised:
        call(clients)
    assert type(raised.value) is error


def test_a_listing_fails_if_a_proxy_answers_with_an_error_page() -> None:
    call, _, error = CALLS["a listing of objects"]
    with answering([Answer(200, BAD_GATEWAY.decode())]) as (clients, _), pytest.raises(error) as raised:
        call(clients)
    assert type(raised.value) is error


LOGIN_PAGE = "\n<!DOCTYPE html><html><title>Log in</title></html>"


@pytest.mark.parametrize("body", [LOGIN_PAGE, LOGIN_PAGE[16:]])
@pytest.mark.parametrize("what", CALLS)
def test_a_web_page_with_status_200_in_place_of_an_answer_causes_a_retryable_error(
    what: str, body: str
) -> None:
    """A proxy that asks for a login sends such a page.

    The client must not read it as an empty answer.
    """
    call, _, error = CALLS[what]
    with (
        answering([Answer(200, body)]) as (clients, _),
        pytest.raises(error, match="another server answered") as raised,
    ):
        call(clients)
    assert type(raised.value) is error


OBJECT_CALLS: dict[str, Callable[[S3Store], object]] = {
    "head": lambda store: store.head("a"),
    "get": lambda store: store.get("a"),
    "stream": lambda store: list(store.stream("a", IfMatch("e1"))),
    "put": lambda store: store.put("a", b"content", IfMatch("e1"), "image/jpeg"),
}


@pytest.mark.parametrize(
    "body", ["<html><center>404 Not Found</center><hr></html>", "404 page not found", ""]
)
@pytest.mark.parametrize("call", OBJECT_CALLS.values(), ids=OBJECT_CALLS)
def test_an_object_does_not_count_as_missing_if_a_proxy_answers_with_status_404(
    call: Callable[[S3Store], object], body: str
) -> None:
    """S3's answer has an error in XML."""
    with (
        answering([Answer(404, body)]) as (clients, _),
        pytest.raises(StoreFailed, match="s3://bucket/a: another server answered") as raised,
    ):
        call(S3Store(clients.s3, S3Place("bucket", "")))
    assert type(raised.value) is StoreFailed


@pytest.mark.parametrize("call", OBJECT_CALLS.values(), ids=OBJECT_CALLS)
def test_an_answer_about_an_object_without_an_etag_causes_a_retryable_error(
    call: Callable[[S3Store], object],
) -> None:
    with (
        answering([Answer(200, "")]) as (clients, _),
        pytest.raises(StoreFailed, match="s3://bucket/a: another server answered") as raised,
    ):
        call(S3Store(clients.s3, S3Place("bucket", "")))
    assert type(raised.value) is StoreFailed


@pytest.mark.parametrize("what", [what for what in CALLS if "objects" not in what])
def test_an_empty_answer_of_dynamodb_or_sqs_raises_an_error(what: str) -> None:
    call, _, error = CALLS[what]
    with (
        answering([Answer(200, "")]) as (clients, _),
        pytest.raises(error, match="another server answered"),
    ):
        call(clients)


def test_a_listing_fails_if_the_answer_contains_no_listing() -> None:
    with (
        answering([Answer(200, "")]) as (clients, _),
        pytest.raises(StoreFailed, match="isn't an S3 listing"),
    ):
        list(S3Store(clients.s3, S3Place("bucket", "")).list())
