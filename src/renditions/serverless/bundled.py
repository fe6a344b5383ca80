"""A pipeline in its bundle with its parts on AWS, opened: what every function on Lambda begins with."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from renditions.aws.cloud import Cloud
from renditions.aws.s3 import S3Store
from renditions.aws.signing import Signer
from renditions.core import reconcile
from renditions.core.difference import Difference
from renditions.core.ports import Renderer
from renditions.core.process import Processor
from renditions.errors import PipelineError, UsageError
from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Analyze, Pipeline, S3Place, parse_store
from renditions.model.recipe import Rendition
from renditions.model.rendering import Rendering
from renditions.notices.log import LogNotifier
from renditions.pipeline_file.attachments import attach
from renditions.pipeline_file.checks import find_pipeline_problems
from renditions.pipeline_file.environment import override
from renditions.pipeline_file.plain import from_plain


@dataclass(frozen=True)
class BundledPipeline:
    """One pipeline's parts, open. Its functions may be called from many threads."""

    place: S3Place
    """Where the pictures land."""
    output_place: S3Place
    source: S3Store
    processor: Processor
    cores: int
    """How many pictures are rendered at once, in this process."""
    open_signer: Callable[[S3Place], Signer]
    """Opens what signs addresses of a bucket."""
    send: Callable[[Sequence[str]], None] | None
    """Puts up to ten messages into the queue that starts the function, if one does."""

    def plan(self, after: str = "") -> Iterator[Difference]:
        """Yield what is to be done for each picture above a name."""
        processor = self.processor
        return reconcile.plan(processor.pipeline, self.source, processor.catalog, clock=_now, after=after)


def open_bundled(file: Path, environ: Mapping[str, str]) -> BundledPipeline:
    """Open the parts that a bundle's pipeline names.

    Args:
        file: The checked pipeline in its bundle, see ``pipeline_file.plain``.
        environ: What it says in place of the pipeline's own stores, see ``pipeline_file.environment``; and in
            ``QUEUE_URL`` the queue that starts the function, if one does.

    Raises:
        PipelineError: What the environment says is wrong, or doesn't fit the pipeline.
        UsageError: A store, the catalog or a notice isn't one that a function can use, or a picture of the
            source that the pipeline names isn't there.

    """
    pipeline, problems = override(from_plain(json.loads(file.read_text("utf-8"))), environ)
    problems += find_pipeline_problems(pipeline, file.parent)
    if problems:
        raise PipelineError(file.name, tuple(problems))
    cloud = Cloud()
    place = _find_bucket("source.store", "SOURCE_BUCKET", pipeline.source.store)
    output = _find_bucket("output.store", "OUTPUT_BUCKET", pipeline.output.store)
    source = cloud.open_store(place)
    pipeline = attach(pipeline, source)
    cores = os.cpu_count() or 1
    processor = Processor(
        pipeline=pipeline,
        source=source,
        output=cloud.open_store(output, pipeline.output.cache_control),
        catalog=cloud.open_catalog(_find_table(pipeline), pipeline.catalog.key),
        render=limit_to(cores, partial(render, limits=pipeline.limits)),
        notifiers={
            notify.target: LogNotifier() if notify.to == "log:" else cloud.open_notifier(notify.to)
            for notify in pipeline.notify
        },
        owner=f"lambda-{uuid.uuid4().hex}",
        clock=_now,
    )
    url = environ.get("QUEUE_URL")
    send = partial(_send, cloud, url) if url else None
    return BundledPipeline(place, output, source, processor, cores, cloud.open_signer, send)


def _send(cloud: Cloud, url: str, bodies: Sequence[str]) -> None:
    """Put messages into the queue. Its client is made when it is first needed: most calls need none."""
    cloud.open_queue(url).send(bodies)


def _find_bucket(place: str, variable: str, url: str) -> S3Place:
    found = parse_store(url, Path())
    if not isinstance(found, S3Place):
        raise UsageError(f"{place}: expected s3://bucket/prefix/ (or {variable}), found {url!r}")
    return found


def _find_table(pipeline: Pipeline) -> str:
    kind, _, table = pipeline.catalog.store.partition(":")
    if kind != "dynamodb":
        raise UsageError(
            f"catalog.store: expected dynamodb:TABLE (or TABLE_NAME), found {pipeline.catalog.store!r}"
        )
    return table


def limit_to(cores: int, render: Renderer) -> Renderer:
    """Return a renderer that works on so many pictures at once; the other threads read and write."""
    free = threading.BoundedSemaphore(cores)

    def render_one(
        content: bytes, accept: Accept, recipes: Mapping[str, Rendition], analyze: Analyze
    ) -> Rendering:
        with free:
            return render(content, accept, recipes, analyze)

    return render_one


def _now() -> datetime:
    return datetime.now(UTC)
