"""The errors of this package.

Each has an exit code, an HTTP status and a code for programs.

    RenditionsError
    ├── UsageError            the call can't work: for example, a name is unknown or a library is missing
    ├── PipelineError         the pipeline file is wrong; carries every problem found in it
    ├── Rejected              the declared renditions can't be made from the picture: don't try again
    │   ├── NotAccepted         it breaks a rule of [accept] or a limit, or isn't supported
    │   ├── Undecodable         it is damaged, or isn't a picture
    │   ├── Archived            it must be restored before it can be read
    │   ├── Unrenderable        it is valid, but a rendition can't be made from it
    │   ├── KeyRefused          a store can't hold an object with this key
    │   ├── KeyTaken            its output's key belongs to another picture
    │   └── ForeignOutput       something that Renditions didn't write holds or blocks its output's key
    ├── Failed                something other than the picture failed
    │   ├── RenderTimedOut      a picture, or a worker's start, took longer than its time limit
    │   ├── NoTimeLeft          a call of a function on Lambda had too little time left
    │   ├── WorkerDied          a worker process ended while it started or processed a picture
    │   ├── Unconfined          the system can't confine worker processes as the pipeline demands
    │   ├── StoreFailed         a call to a store failed
    │   │   ├── StoreFull         its disk has no space left
    │   │   └── StoreRefused      the call fails until a person changes something
    │   ├── CatalogFailed       a call to the catalog failed
    │   │   ├── CatalogFull       its disk has no space left
    │   │   ├── CatalogTooNew     a newer version of Renditions wrote the catalog
    │   │   └── CatalogRefused    the call fails until a person changes something
    │   │       └── RecordUnreadable  one record is damaged, or a newer version wrote it
    │   ├── QueueFailed         a call to a queue failed
    │   │   └── QueueRefused      the call fails until a person changes something
    │   └── NotifyFailed        a notice couldn't be delivered
    │       └── NotifyRefused     a target refuses the notice until a person acts
    ├── BindingRefused        the catalog belongs to another pipeline file, source or deployment
    ├── CatalogLost           the catalog has few or no records, but the outputs exist: adopt them first
    ├── Superseded            the catalog uses another version of the file: this process must not write
    └── Conflict              another process changed the record or object meanwhile: read it again

Each class has five attributes:

    code         a short name for programs, which never changes
    exit_code    the exit code of a command that ends with the error
    http_status  the status of the API's answer
    retryable    whether the same call can succeed later although no person changes anything
    is_try       whether the error counts as one of the picture's three attempts. Renditions gives a picture
                 up after the third one. Missing space or a lost connection doesn't count.

``docs/errors.md`` lists the first four, with the first line of each docstring.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any


class RenditionsError(Exception):
    """An error of this package."""

    code = "error"
    exit_code = 1
    http_status = 500
    retryable = False
    is_try = True

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the text and the attributes in copies and in other processes.

        By default, Python would call the class with the text alone, but a class may need other arguments.
        """
        return type(self).__new__, (type(self), *self.args), self.__dict__


class UsageError(RenditionsError):
    """The call can't work: for example, a name is unknown or a library is missing."""

    code = "invalid-usage"
    exit_code = 2
    http_status = 400


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a pipeline file."""

    place: str
    """The field's dotted path, such as ``renditions.thumb.width``; empty if the whole file is wrong.

    If the text isn't TOML or UTF-8, this is a line and a column. If an environment variable is wrong, this is
    its name.
    """
    expected: str
    """A description of the values that the field may have."""
    found: str
    """The value in the file, or a description of it."""
    line: int | None = field(default=None, compare=False)
    """The line of the field, or of the table that lacks it; None if there is none, or ``place`` has it."""

    def __str__(self) -> str:
        """Return ``line 3: place: expected …, found …``."""
        places = (f"line {self.line}" if self.line else "", self.place)
        return ": ".join([*filter(None, places), f"expected {self.expected}, found {self.found}"])


class PipelineError(RenditionsError):
    """The pipeline file can't be used.

    ``problems`` lists the faults, in the order of the file. If the file can't be read, the error's text says
    why, and ``problems`` is empty.
    """

    code = "invalid-pipeline"
    exit_code = 2
    http_status = 422

    def __init__(self, file: str, problems: tuple[Problem, ...], unreadable: str = "") -> None:
        super().__init__(unreadable or "\n".join(f"{file}: {problem}" for problem in problems))
        self.file = file
        self.problems = problems


class Rejected(RenditionsError):
    """The declared renditions can't be made from this picture; don't try again.

    ``why`` is the reason, and ``advice`` says what to do if the reason doesn't. The error's text has both.
    """

    code = "rejected"
    http_status = 422

    def __init__(self, why: str = "", advice: str = "") -> None:
        super().__init__(f"{why}. {advice}" if advice else why)
        self.why = why
        self.advice = advice


class NotAccepted(Rejected):
    """The picture breaks a rule of ``[accept]`` or a limit, or isn't supported."""

    code = "source-not-accepted"


class Undecodable(Rejected):
    """The file is damaged, or isn't a picture in a known format."""

    code = "source-unreadable"


class Archived(Rejected):
    """The picture is in an archive and must be restored before it can be read."""

    code = "source-archived"


class Unrenderable(Rejected):
    """A rendition of a valid picture can't be made, for example one that is too wide."""

    code = "unrenderable"


class KeyRefused(Rejected):
    """The store can't hold an object with this key."""

    code = "key-refused"


class KeyTaken(Rejected):
    """Another picture already has an output with this key."""

    code = "key-taken"
    http_status = 409

    def __init__(self, key: str, owner: str, advice: str = "Rename one of the two pictures") -> None:
        super().__init__(f"the output key {key!r} belongs to {owner!r}", advice)
        self.key = key
        self.owner = owner


class ForeignOutput(Rejected):
    """Something that Renditions didn't write has the output's key or blocks its path.

    ``obstacle`` says what blocks the path, such as ``the folder a.jpg``. If it is empty, a file has the key.
    """

    code = "foreign-output"
    http_status = 409

    def __init__(self, key: str, obstacle: str = "") -> None:
        held = f"{key} in the output store holds a file that Renditions didn't write. Move it away, or set "
        super().__init__(
            f"{key} can't be written: {obstacle} in the output store is in the way. Move it away"
            if obstacle
            else f"{held}[output] overwrite = true"
        )
        self.key = key


class Failed(RenditionsError):
    """Something other than the picture failed, such as a store or a worker."""

    code = "failed"
    http_status = 503
    retryable = True


class RenderTimedOut(Failed):
    """Rendering the picture, or a worker's start, took longer than its time limit."""

    code = "render-timed-out"


class NoTimeLeft(Failed):
    """A call of a function on Lambda had too little time left to render the picture."""

    code = "no-time-left"
    is_try = False


class WorkerDied(Failed):
    """A worker process ended while it started or processed a picture."""

    code = "worker-died"


class Unconfined(Failed):
    """The system can't confine worker processes as ``[limits] confine`` demands."""

    code = "unconfined"
    exit_code = 2
    retryable = False
    is_try = False


class StoreFailed(Failed):
    """A call to a store failed."""

    code = "store-failed"
    is_try = False


class StoreFull(StoreFailed):
    """The disk of a store has no space left."""

    code = "store-full"
    http_status = 507


class StoreRefused(StoreFailed):
    """A store refuses the call until a person acts: no permission, or no such bucket."""

    code = "store-refused"
    retryable = False


class CatalogFailed(Failed):
    """A call to the catalog failed."""

    code = "catalog-failed"
    is_try = False


class CatalogFull(CatalogFailed):
    """The disk of the catalog has no space left."""

    code = "catalog-full"
    http_status = 507


class CatalogTooNew(CatalogFailed):
    """A newer version of Renditions wrote this catalog."""

    code = "catalog-too-new"
    exit_code = 2
    retryable = False


class CatalogRefused(CatalogFailed):
    """The catalog refuses the call until a person acts, for example on a permission."""

    code = "catalog-refused"
    retryable = False


class RecordUnreadable(CatalogRefused):
    """A picture's record is damaged, or a newer version of Renditions wrote it."""

    code = "record-unreadable"

    def __init__(self, catalog: str, name: str) -> None:
        # Like model.shell.as_argument, which this module can't import.
        quoted = "-- " * name.startswith("-") + shlex.quote(name)
        super().__init__(
            f"the record of {name!r} in {catalog} can't be read: it is damaged, or a newer version of "
            f"Renditions wrote it. To process the picture again: renditions retry {quoted}; to delete the "
            f"picture, its renditions and its record: renditions forget {quoted}"
        )


class QueueFailed(Failed):
    """A call to a queue failed."""

    code = "queue-failed"
    is_try = False


class QueueRefused(QueueFailed):
    """A queue refuses the call until a person acts: no permission, or no such queue."""

    code = "queue-refused"
    retryable = False


class NotifyFailed(Failed):
    """A notice couldn't be delivered."""

    code = "notice-failed"
    is_try = False


class NotifyRefused(NotifyFailed):
    """A notice can't be sent until a person acts: no permission, or no such topic."""

    code = "notice-refused"
    retryable = False


class BindingRefused(RenditionsError):
    """The catalog belongs to another pipeline file, another source or a deployment."""

    code = "other-pipeline"
    exit_code = 2
    http_status = 409


class CatalogLost(RenditionsError):
    """The catalog has few or no records, but most checked output keys hold files."""

    code = "catalog-lost"
    exit_code = 3
    http_status = 409

    def __init__(self, records: int, foreign: int, checked: int) -> None:
        self.foreign = foreign
        """How many of the checked keys hold files that the catalog has no record of."""
        known = f"has only {records:,} {'record' if records == 1 else 'records'}" if records else "is empty"
        self.why = (
            f"the catalog {known}, but {foreign:,} of {checked:,} output keys hold files that it has no "
            "record of"
        )
        super().__init__(
            f"{self.why[0].upper()}{self.why[1:]}. Nothing was changed. If its records were lost, run "
            "renditions sync --adopt: it takes over the files that this catalog wrote. Otherwise choose "
            "another [output] store"
        )


class Superseded(RenditionsError):
    """The catalog uses another version of the pipeline file."""

    code = "superseded"
    exit_code = 2
    http_status = 503


class Conflict(RenditionsError):
    """Another process changed the record or object after this process read it."""

    code = "changed-meanwhile"
    http_status = 409
    retryable = True
