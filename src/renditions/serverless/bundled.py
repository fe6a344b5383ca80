"""Open a bundle's pipeline and its parts.

Every function on Lambda starts with this.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from renditions.aws.clients import Clients
from renditions.aws.counting import KeptTotals
from renditions.aws.sqs import Received
from renditions.core.ask import PLAIN, Ask
from renditions.core.binding import Standing, Start
from renditions.core.guard import Guard
from renditions.core.outcome import Outcome
from renditions.core.process import Processor
from renditions.errors import BindingRefused, PipelineError, RenditionsError, Superseded, UsageError
from renditions.model.binding import Held
from renditions.model.places import S3Place, parse_store
from renditions.model.totals import Counted
from renditions.pipeline_file.backend_checks import find_lambda_problems
from renditions.pipeline_file.checks import find_pipeline_problems
from renditions.pipeline_file.environment import override
from renditions.pipeline_file.plain import from_plain
from renditions.runtime.edge import Invalidate, watch_outputs
from renditions.runtime.parts import Parts, now, open_parts, open_queue
from renditions.serverless.allowance import Context, Current
from renditions.serverless.redelivery import Redelivery
from renditions.serverless.room import Room, read_memory, return_freed_memory
from renditions.serverless.telemetry import metrics

log = logging.getLogger(__name__)

POSTPONED_SECONDS = 300
"""How long the queue delays messages that a superseded function puts back."""

MOST_COUNTED = 50_000
"""The most records that the API itself counts for a request.

This many take about 13 requests to the table. For a larger table, the API shows the totals of the last tick.
"""

NOTICE_SECONDS = 3.0
"""How long the end of a run may send due notices, so that the call ends within its time limit."""

NOT_IN_FORCE = (Superseded, BindingRefused)
"""The errors that the catalog raises if this function must not write to it."""

_kept_open = ExitStack()
"""The open parts. Nothing closes them: Lambda kills the process without warning."""


@dataclass(frozen=True)
class Bundled:
    """The parts of a function on Lambda. Many threads may use them."""

    parts: Parts
    room: Room
    """The memory and the cores that the pictures of a call share."""
    start: Start
    send: Callable[[Sequence[str]], None] | None
    """Puts messages into the queue of the function for pictures; None without a queue."""
    postpone: Callable[[Sequence[str]], None] | None
    """Puts messages back into that queue with a delay; None without a queue."""
    redelivery: Redelivery | None
    """Puts messages that aren't done back into that queue; None without a queue."""
    refetch: Invalidate
    """Invalidates CloudFront's copies of changed outputs; a failure is logged with the given fields."""
    current: Current = field(default_factory=Current)
    """The call in progress. The leases that it takes depend on the time that it has left."""

    def process(self, name: str, ask: Ask = PLAIN) -> Outcome:
        """Process one picture.

        See :meth:`Processor.process <renditions.core.process.Processor.process>`. If the catalog refuses this
        function, this raises the errors of :meth:`Parts.bind <renditions.runtime.parts.Parts.bind>`.
        """
        return self._processor.process(name, ask)

    def find_refusal(self) -> RenditionsError | None:
        """Return why this function must not write to the catalog; None if it may.

        It is the error that :meth:`process` would raise. This method asks the catalog each time, because a
        newer deployment may replace the pipeline while the function runs.
        """
        try:
            self.parts.check_binding(self.start)
        except NOT_IN_FORCE as error:
            return error
        return None

    def open_guard(self) -> Guard:
        """Return the guard for a schedule's tick.

        It may hold back removals and restorations. If the catalog refuses this function, this raises the
        errors of :meth:`Parts.bind <renditions.runtime.parts.Parts.bind>`.
        """
        return self.parts.make_guard(self._standing, is_attended=False)

    @contextmanager
    def call(self, context: Context) -> Iterator[None]:
        """Do the work of one call in this block.

        At its end, invalidate CloudFront's copies of the outputs that the call replaced or deleted.
        """
        self.current.context = context
        try:
            yield
        finally:
            function = {"FunctionName": context.function_name}
            self.refetch(
                {"request_id": context.aws_request_id} | metrics(function, {"InvalidationsFailed": 1})
            )

    def renew_totals(self, has_time: Callable[[], bool]) -> None:
        """Count the records and store the totals for the API, if there is time.

        This method only logs a failure, because the tick itself is done.
        """
        try:
            if self._totals.renew(has_time, now()):
                return
            why = "there was too little time"
        except RenditionsError as error:
            why = str(error)
        log.warning("Can't count the records: %s. The API shows the previous totals.", why)

    def read_kept_totals(self) -> Counted | None:
        """Return the totals that a tick counted last.

        Return None if no tick has counted, or if the table has so few records that the API can count them
        itself.
        """
        kept = self._totals.read()
        is_large = kept and sum(totals.pictures for totals in kept.by_status.values()) > MOST_COUNTED
        return kept if is_large else None

    @cached_property
    def _totals(self) -> KeptTotals:
        place = self.parts.declared.catalog
        client = self.parts.shared.get(Clients).dynamodb
        return KeptTotals(client, place.store.removeprefix("dynamodb:"), place.key)

    def end_run(self, held: Sequence[Held]) -> None:
        """Store the held removals and outputs of a whole run, and send notices."""
        self.parts.end_run(held, seconds=NOTICE_SECONDS)

    @cached_property
    def _standing(self) -> Standing:
        """The right to write to the catalog.

        The function gets this right at the first call, not at the start: if the catalog refuses, the function
        must still run to answer with the reason. It then tries again at each call.
        """
        return self.parts.bind(self.start)

    @cached_property
    def _processor(self) -> Processor:
        render = self.room.make_renderer(self.parts.pipeline.limits)
        processor = self.parts.make_processor(render, f"lambda-{uuid.uuid4().hex}", self._standing)
        return replace(processor, left_seconds=self.current.left_seconds)


def open_bundled(file: Path, environ: Mapping[str, str]) -> Bundled:
    """Open the parts that a bundle's pipeline names.

    Args:
        file: The checked pipeline in its bundle, see ``renditions.pipeline_file.plain``.
        environ: The environment's variables. Some override the pipeline's own stores, see
            ``renditions.pipeline_file.environment``. ``QUEUE_URL`` is the queue that triggers the function
            for pictures, if there is one. ``DISTRIBUTION_ID`` is the CloudFront distribution that
            serves the outputs, if there is one. ``DEPLOYED_AT`` is the time of the deployment. Lambda sets
            ``AWS_LAMBDA_FUNCTION_MEMORY_SIZE``.

    Raises:
        PipelineError: A variable is invalid or doesn't fit the pipeline, or a function can't use something
            that the pipeline declares, such as a store or a notice target.
        UsageError: A library that a part needs isn't installed, no AWS region is configured, or the AWS
            settings are invalid.

    """
    pipeline, problems = override(from_plain(json.loads(file.read_text("utf-8"))), environ)
    problems += find_pipeline_problems(pipeline, file.parent)
    problems += find_lambda_problems(pipeline, is_built=True)
    if problems:
        raise PipelineError(file.name, tuple(problems))
    parts = _kept_open.enter_context(open_parts(pipeline, file.parent))
    parts, refetch = watch_outputs(parts, environ)
    url = environ.get("QUEUE_URL")
    memory_mb = read_memory(environ)
    if memory_mb is not None:
        return_freed_memory()
    return Bundled(
        parts,
        room=Room(memory_mb, os.cpu_count() or 1),
        start=Start(deployed_at=environ.get("DEPLOYED_AT", "")),
        send=partial(_send, parts, url, 0) if url else None,
        postpone=partial(_send, parts, url, POSTPONED_SECONDS) if url else None,
        redelivery=_make_redelivery(parts, url) if url else None,
        refetch=refetch,
    )


def find_bucket(url: str) -> S3Place:
    """Return the place of a store that a function uses.

    Raises:
        UsageError: The store isn't a bucket.

    """
    place = parse_store(url, Path())
    if not isinstance(place, S3Place):
        raise UsageError(
            f"the function needs its stores in buckets: expected s3://bucket/prefix/, found {url!r}"
        )
    return place


def _make_redelivery(parts: Parts, url: str) -> Redelivery:
    """Return the object that puts unfinished messages back into the queue.

    The client is created on first use, because most calls don't need it.
    """
    return Redelivery(
        url.rpartition("/")[2],
        send=lambda bodies: open_queue(url, parts.shared).send(bodies),
        hide=lambda messages, seconds: open_queue(url, parts.shared).hide(messages, seconds),
        read=Received.of_record,
    )


def _send(parts: Parts, url: str, delay_seconds: int, bodies: Sequence[str]) -> None:
    """Put messages into the queue.

    The client is created on first use, because most calls don't need it.
    """
    open_queue(url, parts.shared).send(bodies, delay_seconds)
