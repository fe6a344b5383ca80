"""The registry of stores, catalogs and notifiers: one entry for each kind of URL.

To add a kind, write one module with an opener and add one entry here. The checks of pipeline files, the
runtime, the bundle and the function's environment all read these tables. The runtime imports an entry's
module only when it opens a URL of that kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of URL: its pattern, its opener, and facts known without opening it."""

    prefix: str
    """The prefix of this kind's URLs; empty for paths."""
    form: str
    """The form of such a URL, as messages show it to people."""
    pattern: str
    """A regular expression for the whole URL, in the dialect that JSON Schema shares with Python."""
    opener: str
    """The function that opens such a URL, as ``"module:function"``.

    The text below each table gives the arguments.
    """
    extra: str | None = None
    """The extra of this package that this kind of URL needs."""
    modules: tuple[str, ...] = ()
    """The top-level modules of the extra that this kind of URL needs."""
    runs_on_lambda: bool = True
    libraries: tuple[str, ...] = ()
    """The libraries that a function's bundle needs for such URLs, by their names on PyPI.

    botocore isn't among them, since Lambda's runtime has it.
    """
    variable: str | None = None
    """For a notifier: the environment variable that names a target of this kind.

    Its value is the target's URL without the prefix. This target replaces the declared targets of this kind,
    or is added if there are none. None: this kind has no such variable.
    """
    is_signed: bool = False
    """For a notifier: whether it signs its notices with the secret of the ``[[notify]]`` entry."""
    has_sender: bool = False
    """For a notifier: whether its messages need the ``sender`` of the ``[[notify]]`` entry."""
    wording: tuple[str, ...] = ()
    """For a notifier: which of ``subject`` and ``text`` the ``[[notify]]`` entry may have."""
    shown: str = r".*"
    """For a notifier: a regular expression for the part of a URL that messages and logs may show.

    The rest may contain a token or a password.
    """
    checker: str | None = None
    """For a notifier: the function that finds problems of this machine, such as an unset variable.

    ``checker(place, notify, environ) -> Iterator[Problem]``. Only ``renditions check`` calls it.
    """
    bin_opener: str | None = None
    """For a store: the function that opens the bin of a source, as ``"module:function"``."""
    own_attributes: frozenset[str] = frozenset()
    """For a catalog: the attributes that its items have in addition to a record's attributes."""
    most_renditions: int | None = None
    """For a catalog: how many renditions a picture can have. None: there is no limit."""


MAIL_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+"

STORES = (
    Backend(
        "s3://",
        '"s3://bucket/prefix/"',
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\x00-\x1f\x7f]*)?",
        "renditions.aws.s3:open_store",
        extra="aws",
        modules=("botocore",),
        bin_opener="renditions.aws.bin:open_bin",
    ),
    Backend(
        "",
        "a folder",
        r"(?![A-Za-z0-9+.-]+://)[^\x00-\x1f\x7f]+",
        "renditions.local.folder:open_store",
        runs_on_lambda=False,
        bin_opener="renditions.local.bin:open_bin",
    ),
)
"""The kinds of stores: ``opener(place, declared, shared) -> Store``

``declared`` is the pipeline's ``Source`` or ``OutputPlace``.

``bin_opener(place, shared) -> Bin``
"""

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
                "kept",
                "kind",
                "notice",
                "order",
                "owner",
                "output_key",
                "rendition_count",
                "rendition_bytes",
                "processing_microseconds",
            }
        ),
        most_renditions=99,  # a transaction has at most 100 items: the record, and one for each output key
    ),
)
"""The kinds of catalogs. ``opener`` returns a context manager that opens a ``Catalog``:

``opener(declared, directory, shared, *, read_only, folding) -> AbstractContextManager[Catalog]``

If a file is missing, the opener creates it. With ``read_only``, it opens an empty catalog in memory instead.
``folding()`` returns how the output store compares keys.
"""

NOTIFIERS = (
    Backend("log:", '"log:"', r"log:", "renditions.notices.log:open_notifier", wording=("text",)),
    Backend(
        "sns:",
        '"sns:ARN"',
        r"sns:arn:[^\x00-\x1f\x7f]+",
        "renditions.notices.sns:open_notifier",
        extra="aws",
        modules=("botocore",),
        variable="SNS_TOPIC_ARN",
        wording=("subject", "text"),
    ),
    Backend(
        "events:",
        '"events:BUS"',
        r"events:[A-Za-z0-9._/:-]{1,1600}",
        "renditions.notices.eventbridge:open_notifier",
        extra="aws",
        modules=("botocore",),
    ),
    Backend(
        "webhook:",
        '"webhook:https://…"',
        r"webhook:https?://[^\x00-\x20\x7f/?#@]+([/?#][^\x00-\x20\x7f]*)?",
        "renditions.notices.webhook:open_notifier",
        is_signed=True,
        shown=r"webhook:https?://[^/?#]*",
        checker="renditions.notices.webhook:find_problems",
    ),
    Backend(
        "ses:",
        '"ses:ADDRESS"',
        rf"ses:{MAIL_ADDRESS}(,{MAIL_ADDRESS}){{0,49}}",
        "renditions.notices.ses:open_notifier",
        extra="aws",
        modules=("botocore",),
        has_sender=True,
        wording=("subject", "text"),
    ),
    Backend(
        "apprise:",
        '"apprise:${VARIABLE}"',
        r"apprise:\$\{[A-Za-z_][A-Za-z0-9_]*\}",
        "renditions.notices.apprise:open_notifier",
        extra="notify",
        modules=("apprise",),
        runs_on_lambda=False,
        wording=("subject", "text"),
        checker="renditions.notices.apprise:find_problems",
    ),
)
"""The kinds of notice targets: ``opener(notify, shared) -> Notifier``

``notify`` is the target's ``[[notify]]`` entry.
"""

QUEUE = Backend(
    "https://", "an SQS queue", "", "renditions.aws.sqs:open_queue", extra="aws", modules=("botocore",)
)
"""The queue that triggers the work: ``opener(url, shared) -> Queue``"""


EDGE = "renditions.aws.edge:open_edge"
"""``open_edge(distribution, pipeline, shared) -> Edge``

The edge knows the keys of the outputs that CloudFront must fetch again.
"""


OWNER = "renditions.local.owners:Owner"
"""The class of lease owners for a catalog in a file: ``OWNER(folder)``.

Such an owner can find out whether another owner has ended.
"""


LISTING = "renditions.local.listing:listed"
"""The function that lists a whole store: ``listed(store) -> AbstractContextManager[Look]``

``Look`` finds a key without another request. Use the function where one request lists many objects.
"""


OVERLAP = "renditions.local.overlap:find_overlaps"
"""The function that finds the parts of an output folder that lie in the source.

``find_overlaps(source, output, catalog_id) -> Iterator[str]``
"""


def find_notifier(url: str) -> Backend | None:
    """Return the kind of a notice target; None if the URL has no known form."""
    return next((each for each in NOTIFIERS if re.fullmatch(each.pattern, url)), None)


def conceal(url: str) -> str:
    """Return a notice target for people, without the parts that may be secret."""
    backend = find_notifier(url)
    found = re.match(backend.shown, url) if backend else None
    shown = found[0] if found else ""
    return shown if shown == url else f"{shown}/…"


def spell_forms(table: Sequence[Backend]) -> str:
    """Return the forms of a table's URLs, as a list for people.

    For example: ``"log:", "sns:ARN" or "events:BUS"``.
    """
    *others, last = (backend.form for backend in table)
    return f"{', '.join(others)} or {last}" if others else last


def join_patterns(table: Sequence[Backend]) -> str:
    r"""Return a regular expression that matches any URL of a table.

    It ends in ``(?!\n)$``, because Python's ``$`` alone also matches before a final ``\n``.
    """
    return rf"^({'|'.join(backend.pattern for backend in table)})(?!\n)$"
