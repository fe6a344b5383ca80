"""Jumps of the clock, with the real catalogs.

No picture is lost, finished pictures stay finished, and no lease lasts for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aws.answers import Answer, answering
from contract.catalogs import CATALOGS
from faults import promise
from hashing import hash_render
from renditions.aws.clients import Clients
from renditions.aws.dynamodb import DynamoCatalog
from renditions.aws.s3 import S3Store
from renditions.aws.sqs import Queue
from renditions.core.ask import ALLOWED
from renditions.core.catalog import Catalog
from renditions.core.comparison import Comparison
from renditions.core.leases import CLOCKS_DIFFER_AT_MOST
from renditions.core.planning import plan
from renditions.core.process import Processor
from renditions.errors import (
    CatalogFailed,
    CatalogRefused,
    Failed,
    PipelineError,
    QueueFailed,
    StoreFailed,
)
from renditions.model.lease import LONGEST_LEASE
from renditions.model.pipeline import Limits
from renditions.model.places import S3Place
from renditions.model.rendering import Rendering
from renditions.pipeline_file.reading import parse, read_preset
from world import Crash, World, make_pipeline

JUMPS = {
    "an hour forward": timedelta(hours=1),
    "an hour back": timedelta(hours=-1),
    "a year back": timedelta(days=-365),
}
pytestmark = pytest.mark.usefixtures("aws")
jumps = pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
NAME = "photo.jpg"


@dataclass
class Jumping:
    """A world on a real catalog with one manual clock.

    Its workers can't see which other workers are dead.
    """

    catalog: Catalog
    world: World = field(default_factory=World)

    def processor(self, owner: str, **changes: Any) -> Processor:
        return self.world.processor(owner, catalog=self.catalog, **changes)

    def jump(self, by: timedelta) -> None:
        self.world.now += by

    def todo(self) -> list[str]:
        world = self.world
        comparison = Comparison(world.pipeline, self.catalog, world.output)
        differences = plan(comparison, world.source, clock=world.clock)
        return [difference.name for difference in differences if difference.action != "keep"]

    def settle(self) -> None:
        """Sync four times, then check that no work is left and that the promise holds.

        The time advances beyond the longest lease.
        """
        for _ in range(4):
            for name in self.todo():
                self.processor("later").process(name, ALLOWED)
            self.jump(LONGEST_LEASE / 2)
        assert self.todo() == []
        world, sent = self.world, self.world.notifier.sent
        promise.check(promise.Final(world.pipeline, world.source, world.output, self.catalog, sent))


@pytest.fixture(params=["sqlite", "dynamodb"])
def jumping(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jumping]:
    with CATALOGS[request.param](tmp_path) as catalog:
        yield Jumping(catalog)


def render_after(act: Callable[[], object]) -> Callable[..., Rendering]:
    """Return a renderer that first calls a function."""

    def render(*args: Any) -> Rendering:
        act()
        return hash_render(*args)

    return render


@jumps
def test_a_clock_jump_during_processing_loses_no_picture(jumping: Jumping, jump: timedelta) -> None:
    """After the jump, a second worker may find the first worker's lease ended.

    The second worker then processes the picture at the same time.
    """
    jumping.world.upload(NAME, b"one")

    def come_meanwhile() -> None:
        jumping.jump(jump)
        jumping.processor("second").process(NAME)

    jumping.processor("first", render=render_after(come_meanwhile)).process(NAME)
    jumping.settle()


@jumps
def test_a_clock_jump_while_a_picture_is_replaced_loses_no_picture(jumping: Jumping, jump: timedelta) -> None:
    jumping.world.upload(NAME, b"one")

    def replace_picture() -> None:
        jumping.jump(jump)
        jumping.world.upload(NAME, b"another")

    jumping.processor("first", render=render_after(replace_picture)).process(NAME)
    jumping.settle()


@jumps
def test_the_lease_of_a_worker_that_dies_after_a_clock_jump_ends(jumping: Jumping, jump: timedelta) -> None:
    """After a jump back, other workers don't accept a lease that lasts too long."""
    jumping.world.upload(NAME, b"one")

    def die() -> None:
        jumping.jump(jump)
        raise Crash

    with pytest.raises(Crash):
        jumping.processor("first", render=render_after(die)).process(NAME)
    jumping.settle()


@jumps
def test_a_clock_jump_between_syncs_loses_no_picture(jumping: Jumping, jump: timedelta) -> None:
    """Finished pictures stay finished.

    Replaced, deleted and new ones are found.
    """
    world = jumping.world
    for name in (NAME, "replaced.jpg", "deleted.jpg"):
        world.upload(name, name.encode())
    jumping.settle()
    sent = len(world.notifier.sent)
    jumping.jump(jump)
    assert jumping.todo() == []
    world.upload("replaced.jpg", b"another")
    world.upload("new.jpg", b"new")
    world.remove("deleted.jpg")
    jumping.settle()
    assert len(world.notifier.sent) == sent + 2


@jumps
def test_a_failed_picture_is_tried_again_after_a_clock_jump(jumping: Jumping, jump: timedelta) -> None:
    jumping.world.upload(NAME, b"one")
    outcome = jumping.processor("first", output=jumping.world.break_writes(1)).process(NAME)
    assert outcome.again_after is not None
    jumping.jump(jump)
    jumping.settle()


def test_no_lease_lasts_longer_than_other_workers_accept() -> None:
    world = World(replace(make_pipeline(), limits=Limits(seconds=900)))
    assert world.processor()._leases.lasts + CLOCKS_DIFFER_AT_MOST <= LONGEST_LEASE
    longer = read_preset("thumbnail") + "[limits]\nseconds = 901\n"
    with pytest.raises(PipelineError, match=r"limits\.seconds: .* to 900"):
        parse(longer, "renditions.toml", Path(), {})


def signature_error(message: str) -> Answer:
    return Answer(400, json.dumps({"__type": "InvalidSignatureException", "message": message}))


SKEWED: dict[str, tuple[Callable[[Clients], object], Answer, type[Failed]]] = {
    "S3": (
        lambda clients: S3Store(clients.s3, S3Place("bucket", "")).get("a"),
        Answer(403, "<Error><Code>RequestTimeTooSkewed</Code><Message>Too large.</Message></Error>"),
        StoreFailed,
    ),
    "SQS": (
        lambda clients: Queue(clients.sqs, "http://queue").receive(),
        signature_error("Signature not yet current: 20260102T040000Z is still later than 20260102T030500Z"),
        QueueFailed,
    ),
    "DynamoDB": (
        lambda clients: DynamoCatalog(clients.dynamodb, "table").get("a"),
        signature_error("Signature expired: 20260102T030000Z is now earlier than 20260102T035500Z"),
        CatalogFailed,
    ),
}


@pytest.mark.parametrize("service", SKEWED)
def test_a_request_that_aws_refuses_because_of_the_clock_causes_a_retryable_error(service: str) -> None:
    call, answer, error = SKEWED[service]
    with answering([answer]) as (clients, _), pytest.raises(error) as raised:
        call(clients)
    assert type(raised.value) is error


def test_a_request_with_a_wrong_signature_causes_a_permanent_error() -> None:
    answer = signature_error("The request signature we calculated does not match the signature you provided.")
    with answering([answer]) as (clients, _), pytest.raises(CatalogRefused):
        DynamoCatalog(clients.dynamodb, "table").get("a")
