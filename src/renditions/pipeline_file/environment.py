"""Environment variables that override a pipeline's fields.

With these variables, one bundle of a function can use other buckets. This module needs only the standard
library, so a deployed function doesn't need msgspec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from renditions.errors import Problem
from renditions.model.backends import NOTIFIERS, Backend
from renditions.model.fields import CatalogKey, CatalogUrl, NotifyUrl, Pattern, StoreUrl, matches, unwrap
from renditions.model.notice_events import NOTICE_EVENTS
from renditions.model.notify import Notify
from renditions.model.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class _Override:
    """A variable, its field's type, and functions that spell and set the field."""

    variable: str
    hint: Any
    spell: Callable[[Pipeline, str], str]
    put: Callable[[Pipeline, str], Pipeline]


def override(pipeline: Pipeline, environ: Mapping[str, str]) -> tuple[Pipeline, list[Problem]]:
    """Return the pipeline with the environment's values, and these values' problems.

    An empty variable counts as unset. A variable with an invalid value changes nothing.

    Args:
        pipeline: A pipeline whose own fields are valid.
        environ: The variables. This function uses ``SOURCE_BUCKET``, ``SOURCE_PREFIX``, ``OUTPUT_BUCKET``,
            ``OUTPUT_PREFIX``, ``TABLE_NAME``, ``TABLE_KEY`` and ``SNS_TOPIC_ARN``.

    """
    problems = []
    for known in _OVERRIDES:
        if value := environ.get(known.variable):
            text = known.spell(pipeline, value)
            pattern = next(mark for mark in unwrap(known.hint)[1] if isinstance(mark, Pattern))
            if matches(pattern, text):
                pipeline = known.put(pipeline, text)
            else:
                problems.append(Problem(known.variable, pattern.expected, repr(text)))
    return pipeline, problems


def _in_bucket(bucket: str, store: str) -> str:
    """Return the store's URL with another bucket.

    For a folder, return the URL of the whole bucket.
    """
    prefix = store.removeprefix("s3://").partition("/")[2] if store.startswith("s3://") else ""
    return f"s3://{bucket}/{prefix}"


def _below(prefix: str, store: str) -> str:
    """Return the store's URL with another prefix in its bucket.

    A folder stays unchanged.
    """
    if not store.startswith("s3://"):
        return store
    bucket = store.removeprefix("s3://").partition("/")[0]
    return f"s3://{bucket}/{prefix}"


def _put_source(pipeline: Pipeline, store: str) -> Pipeline:
    return replace(pipeline, source=replace(pipeline.source, store=store))


def _put_output(pipeline: Pipeline, store: str) -> Pipeline:
    return replace(pipeline, output=replace(pipeline.output, store=store))


_FOR_ALL = tuple(name for name, event in NOTICE_EVENTS.items() if event.is_for_all)


def _override_target(backend: Backend, variable: str) -> _Override:
    def put(pipeline: Pipeline, target: str) -> Pipeline:
        """Replace each target of this kind. If there is none, add one.

        The added target gets the events that the pipeline declares for its other targets, or else only
        those that every target gets.
        """
        is_ours = [entry.to.startswith(backend.prefix) for entry in pipeline.notify]
        notify = tuple(
            replace(entry, to=target) if ours else entry
            for entry, ours in zip(pipeline.notify, is_ours, strict=True)
        )
        declared = tuple(dict.fromkeys(event for entry in pipeline.notify for event in entry.on))
        added = () if any(is_ours) else (Notify(on=declared or _FOR_ALL, to=target),)
        return replace(pipeline, notify=notify + added)

    return _Override(variable, NotifyUrl, lambda _, name: f"{backend.prefix}{name}", put)


_OVERRIDES = (
    _Override(
        "SOURCE_BUCKET",
        StoreUrl,
        lambda pipeline, bucket: _in_bucket(bucket, pipeline.source.store),
        _put_source,
    ),
    _Override(
        "SOURCE_PREFIX",
        StoreUrl,
        lambda pipeline, prefix: _below(prefix, pipeline.source.store),
        _put_source,
    ),
    _Override(
        "OUTPUT_BUCKET",
        StoreUrl,
        lambda pipeline, bucket: _in_bucket(bucket, pipeline.output.store),
        _put_output,
    ),
    _Override(
        "OUTPUT_PREFIX",
        StoreUrl,
        lambda pipeline, prefix: _below(prefix, pipeline.output.store),
        _put_output,
    ),
    _Override(
        "TABLE_NAME",
        CatalogUrl,
        lambda _, table: f"dynamodb:{table}",
        lambda pipeline, store: replace(pipeline, catalog=replace(pipeline.catalog, store=store)),
    ),
    _Override(
        "TABLE_KEY",
        CatalogKey,
        lambda _, key: key,
        lambda pipeline, key: replace(pipeline, catalog=replace(pipeline.catalog, key=key)),
    ),
    *(_override_target(backend, backend.variable) for backend in NOTIFIERS if backend.variable),
)
