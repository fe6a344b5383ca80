"""Group the problems of pictures by cause, with advice for a person."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from renditions.core.outcome import Outcome
from renditions.errors import Failed, Rejected, RenditionsError
from renditions.model.record import Record, Status
from renditions.model.warning import WARNINGS

MOST_NAMED = 20
"""How many pictures of a group one answer names."""

ADVICE: Mapping[str, str] = {
    "rejected": "Read the reason of each picture.",
    "source-not-accepted": (
        "Change the picture as its reason says, and upload it again. If the reason names [accept] or "
        "[limits], you can change that in the pipeline file instead."
    ),
    "source-unreadable": (
        "Open the file in an image editor, export it as JPEG or PNG and upload it. To render what can be "
        'decoded of damaged pictures, set [accept] damaged = "lenient".'
    ),
    "source-archived": "Restore the object in the bucket, and then try again.",
    "unrenderable": "Change the rendition in the pipeline file, or upload a picture that suits it.",
    "key-refused": "Rename the picture, or change the rendition's key in the pipeline file.",
    "key-taken": "Rename one of the two pictures, or change the rendition's key in the pipeline file.",
    "foreign-output": (
        "Move the file or folder away from the output store, and try again. To replace such files, set "
        "[output] overwrite = true."
    ),
    "failed": "Read the reason of each picture, and try again.",
    "render-timed-out": "Try again when the machine is less busy. If it fails again, raise [limits] seconds.",
    "worker-died": "Try again. If it fails again, raise [limits] memory.",
    "no-time-left": "Raise the function's timeout. Retries are automatic.",
    "unconfined": (
        "Run renditions doctor on the machine that processes the pictures: it says what the system lacks."
    ),
    "store-failed": "Check that the store is reachable and has space. Retries are automatic.",
    "store-full": "Free space on the disk. Retries are automatic.",
    "store-refused": "Check the store's permissions, and that the bucket or folder exists. Then try again.",
    "catalog-failed": "Check that the catalog is reachable and has space. Retries are automatic.",
    "catalog-full": "Free space on the disk. Retries are automatic.",
    "catalog-too-new": "Upgrade Renditions to the version that wrote the catalog, or to a newer one.",
    "catalog-refused": (
        "Check the catalog's permissions, and that its table exists. If its file was replaced, start the "
        "server again. Then try again."
    ),
    "record-unreadable": (
        "If a newer version of Renditions wrote the record, upgrade to that version. Otherwise run "
        "renditions retry with the picture's name."
    ),
    "queue-failed": "Check that the queue is reachable. Retries are automatic.",
    "queue-refused": "Check the queue's permissions, and that it exists. Then try again.",
    "notice-failed": "Check that the target is reachable. Renditions tries again several times.",
    "notice-refused": "Check the target's permissions, and that it exists. Then try again.",
    "animation-dropped": "Choose a format that keeps animations for this rendition, such as webp or gif.",
    "profile-ignored": "If the colours are wrong, export the picture in sRGB, and upload it again.",
    "damaged": "Check the renditions. If parts are missing, upload an undamaged copy.",
    "reference-dropped": "Put what the drawing refers to into the drawing itself, and upload it again.",
    "html-dropped": "Draw the content with SVG elements instead of HTML, and upload the drawing again.",
    "not-drawn": "Convert text to paths, replace CSS that only browsers draw by plain values, and upload the "
    "drawing again.",
    "glyph-missing": "Choose a font that has the characters, embed a PDF's fonts, or convert text to paths.",
}
"""What a person can do, by the code of an error or a warning."""


def describe_code(code: str) -> str:
    """Return what the code of an error or a warning means.

    Only rejections, failures and warnings have a meaning here. Return an empty text for other codes.
    """
    return _MEANINGS.get(code, "").replace("`", "")


def explain(code: str) -> str:
    """Return what an error or a warning means and what to do.

    An error's own text may have paths of the server; this text has none.
    """
    return f"{describe_code(code)} {ADVICE.get(code, '')}".strip()


def explain_unrecorded(outcome: Outcome) -> Outcome:
    """Replace the reason of a failure that no record has by an explanation.

    Such a reason is an error's own text, which may have paths of the server. Return other outcomes unchanged.
    """
    is_recorded = outcome.result != "failed" or outcome.record is not None
    return outcome if is_recorded else replace(outcome, reason=explain(outcome.code))


def _walk(kind: type[RenditionsError]) -> Iterator[type[RenditionsError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _walk(each)


_MEANINGS: Mapping[str, str] = {
    **{
        each.code: (inspect.getdoc(each) or "").partition("\n")[0]
        for kind in (Rejected, Failed)
        for each in _walk(kind)
    },
    **{str(code): meaning for code, meaning in WARNINGS.items()},
}


@dataclass(slots=True)
class Cause:
    """The pictures of one status that have the same problem."""

    status: Status
    code: str
    count: int = 0
    pictures: list[dict[str, str]] = field(default_factory=list)
    """The first ``MOST_NAMED`` pictures that were added, each with its name and its own reason."""

    def add(self, name: str, reason: str) -> None:
        """Add a picture with its reason to the group."""
        self.count += 1
        if len(self.pictures) < MOST_NAMED:
            self.pictures.append({"name": name, "reason": reason})

    def to_item(self) -> dict[str, Any]:
        """Return the JSON form of the group, for the API."""
        return {**asdict(self), "meaning": describe_code(self.code), "advice": ADVICE.get(self.code, "")}


def find_codes(record: Record) -> Iterable[tuple[str, str]]:
    """Return the codes of the record's problems, each with its text.

    The problems of a done picture are its warnings. Another picture has one problem, with the code of its
    error. If its record has no code, the status takes the code's place.
    """
    if record.status == "done":
        return {each.code: each.text for each in record.warnings}.items()
    return ((record.code or record.status, record.reason or ""),)


def group_causes(status: Status, records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return the problems of these records, the most frequent one first.

    All records have this status. A picture that is done has a problem if it has a warning.
    """
    causes: dict[str, Cause] = {}
    for record in records:
        for code, text in find_codes(record):
            causes.setdefault(code, Cause(status, code)).add(record.name, text)
    return [cause.to_item() for cause in sorted(causes.values(), key=lambda cause: -cause.count)]
