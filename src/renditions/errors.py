"""The tree of errors, and what each means for whoever meets it.

    RenditionsError
    ├── UsageError            a wrong call: an unknown name, a missing argument
    ├── PipelineError         the pipeline file is wrong; carries every problem found in it
    ├── Rejected              this picture can't be: trying again can't help
    │   ├── NotAccepted         it breaks a rule of [accept]
    │   ├── Undecodable         it is damaged, or no picture
    │   ├── Archived            it can't be read before it is restored
    │   ├── Unrenderable        it is sound, but can't become what is declared
    │   ├── KeyRefused          its key can't exist in the store
    │   └── KeyTaken            its output's key belongs to another picture
    ├── Failed                something around the picture broke
    │   ├── RenderTimedOut      a picture took longer than its time limit
    │   ├── WorkerDied          a worker process ended while it held a picture
    │   ├── StoreFailed         a store didn't do what it was asked
    │   │   └── StoreRefused      and won't until somebody changes something
    │   ├── CatalogFailed       the catalog didn't do what it was asked
    │   │   ├── CatalogTooNew     a newer version wrote it
    │   │   └── CatalogRefused    it won't until somebody changes something
    │   ├── QueueFailed         a queue didn't do what it was asked
    │   │   └── QueueRefused      and won't until somebody changes something
    │   └── NotifyFailed        a notice couldn't be delivered
    │       └── NotifyRefused     and can't be until somebody changes something
    └── Conflict              somebody else changed the thing meanwhile: look again

Each class carries three facts: ``exit_code`` for a terminal, ``http_status`` for an API, and
``retryable``: whether the same call can succeed later with nothing changed by a person.
"""

from __future__ import annotations

from dataclasses import dataclass


class RenditionsError(Exception):
    """Whatever this package raises on purpose."""

    exit_code = 1
    http_status = 500
    retryable = False


class UsageError(RenditionsError):
    """The call itself is wrong."""

    exit_code = 2
    http_status = 400


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a pipeline file."""

    place: str
    """Where: a dotted path such as ``renditions.thumb.width``; empty for the file as a whole."""
    expected: str
    found: str

    def __str__(self) -> str:
        """Return ``place: expected …, found …``."""
        return f"{self.place}: expected {self.expected}, found {self.found}".removeprefix(": ")


class PipelineError(RenditionsError):
    """The pipeline file can't be used; ``problems`` has all of its faults, in the file's order."""

    exit_code = 2
    http_status = 422

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))
        self.file = file
        self.problems = problems


class Rejected(RenditionsError):
    """The picture can't become what is declared, now or later; the message is the reason."""

    http_status = 422


class NotAccepted(Rejected):
    """The picture breaks a rule of ``[accept]``."""


class Undecodable(Rejected):
    """The bytes are damaged or no picture that is known here."""


class Archived(Rejected):
    """The picture's object is in an archive: its bytes can't be had before somebody restores it."""


class Unrenderable(Rejected):
    """A sound picture that can't become the declared rendition (a format's own limit, say)."""


class KeyRefused(Rejected):
    """The store can't hold an object of this key."""


class KeyTaken(Rejected):
    """Another picture already has an output of this key."""

    http_status = 409

    def __init__(self, key: str, owner: str) -> None:
        super().__init__(f"the output {key!r} belongs to {owner!r}")
        self.key = key
        self.owner = owner


class Failed(RenditionsError):
    """Something around the picture broke."""

    http_status = 503
    retryable = True


class RenderTimedOut(Failed):
    """Rendering one picture took longer than its time limit."""


class WorkerDied(Failed):
    """A worker process ended while it held a picture."""


class StoreFailed(Failed):
    """A store didn't do what it was asked."""


class StoreRefused(StoreFailed):
    """The store won't do it until somebody changes something: no permission, no such bucket."""

    retryable = False


class CatalogFailed(Failed):
    """The catalog didn't do what it was asked."""


class CatalogTooNew(CatalogFailed):
    """A newer version of Renditions wrote this catalog."""

    exit_code = 2
    retryable = False


class CatalogRefused(CatalogFailed):
    """The catalog won't do it until somebody changes something: no permission, no such table."""

    retryable = False


class QueueFailed(Failed):
    """A queue didn't do what it was asked."""


class QueueRefused(QueueFailed):
    """The queue won't do it until somebody changes something: no permission, no such queue."""

    retryable = False


class NotifyFailed(Failed):
    """A notice couldn't be delivered."""


class NotifyRefused(NotifyFailed):
    """A notice can't be delivered until somebody changes something: no permission, no such topic."""

    retryable = False


class Conflict(RenditionsError):
    """Somebody else changed the record or object since it was looked at."""

    http_status = 409
    retryable = True
