"""The registry of stores, catalogs and notifiers: one entry for each kind of URL.

A new kind is one module with an opener, and one entry here. The checks of pipeline files, the runtime, the
bundle and the function's environment all read these tables. Nothing that an entry names is imported before
it is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backend:
    """The facts about one kind of URL before it is opened."""

    prefix: str
    """The prefix of its URLs; empty for paths."""
    form: str
    """How a person writes it."""
    pattern: str
    """A regular expression of the whole URL, in the dialect that JSON Schema shares with Python."""
    opener: str
    """The ``"module:function"`` that opens it; the table says with what arguments."""
    extra: str | None = None
    """The extra of this package that it needs."""
    modules: tuple[str, ...] = ()
    """The top-level modules that the extra brings."""
    runs_on_lambda: bool = True
    libraries: tuple[str, ...] = ()
    """What a function's bundle must hold for it, by names on PyPI. botocore is part of Lambda's runtime."""
    variable: str | None = None
    """The environment variable that can name a target of this kind: it holds what follows the prefix."""
    own_attributes: frozenset[str] = frozenset()
    """Of a catalog: the attributes that it keeps beside those of a record."""
    most_renditions: int | None = None
    """Of a catalog: how many renditions a picture can have."""


STORES = (
    Backend(
        "s3://",
        '"s3://bucket/prefix/"',
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\x00-\x1f\x7f]*)?",
        "renditions.aws.s3:open_store",
        extra="aws",
        modules=("botocore",),
    ),
    Backend(
        "",
        "a folder",
        r"(?![A-Za-z0-9+.-]+://)[^\x00-\x1f\x7f]+",
        "renditions.local.folder:open_store",
        runs_on_lambda=False,
    ),
)
"""``opener(place, output, shared) -> Store``; ``output`` says how to write there, None for a source."""

CATALOGS = (
    Backend(
        "sqlite:",
        '"sqlite:FILE"',
        r"sqlite:[^\x00-\x1f\x7f]+",
        "renditions.local.sqlite:open_catalog",
        runs_on_lambda=False,
    ),
    Backend(
        "dynamodb:",
        '"dynamodb:TABLE"',
        r"dynamodb:[A-Za-z0-9_.-]{3,255}",
        "renditions.aws.dynamodb:open_catalog",
        extra="aws",
        modules=("botocore",),
        own_attributes=frozenset(
            {
                "kind",
                "order",
                "owner",
                "output_key",
                "rendition_count",
                "rendition_bytes",
                "processing_microseconds",
            }
        ),
        most_renditions=99,  # their keys are claimed in one transaction of 100 items, one the record's
    ),
)
"""``opener(declared, directory, shared, *, read_only, folding) -> AbstractContextManager[Catalog]``

With ``read_only``, a missing catalog isn't created: an empty one takes its place. ``folding`` returns
how the output store compares keys.
"""

NOTIFIERS = (
    Backend("log:", '"log:"', r"log:", "renditions.notices.log:open_notifier"),
    Backend(
        "sns:",
        '"sns:ARN"',
        r"sns:arn:[^\x00-\x1f\x7f]+",
        "renditions.notices.sns:open_notifier",
        extra="aws",
        modules=("botocore",),
        variable="SNS_TOPIC_ARN",
    ),
    Backend(
        "events:",
        '"events:BUS"',
        r"events:[A-Za-z0-9._/:-]{1,1600}",
        "renditions.notices.eventbridge:open_notifier",
        extra="aws",
        modules=("botocore",),
    ),
)
"""``opener(target, shared) -> Notifier``"""

QUEUE = Backend(
    "https://", "an SQS queue", "", "renditions.aws.sqs:open_queue", extra="aws", modules=("botocore",)
)
"""``opener(url, shared) -> Queue``"""


OWNER = "renditions.local.owners:Owner"
"""The owner of leases if the catalog is a file, which can check other owners: ``OWNER(folder)``"""


LISTING = "renditions.local.listing:listed"
"""Lists a store in which one request lists many objects: ``listed(store) -> AbstractContextManager[Look]``"""


def spell_forms(table: Sequence[Backend]) -> str:
    """Return how a person can write the URLs of a table: ``"log:", "sns:ARN" or "events:BUS"``."""
    *others, last = (backend.form for backend in table)
    return f"{', '.join(others)} or {last}" if others else last


def join_patterns(table: Sequence[Backend]) -> str:
    r"""Return a regular expression of every URL of a table; Python's ``$`` alone lets a ``\n`` follow."""
    return rf"^({'|'.join(backend.pattern for backend in table)})(?!\n)$"
