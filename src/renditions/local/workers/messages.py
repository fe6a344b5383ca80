"""The jobs that the pool sends to a worker, and the worker's answers.

A worker parses pictures, so the pool assumes that an attacker controls it. The pool believes only that an
answer came: it checks the names, formats, numbers and lengths in it.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from renditions.errors import Failed
from renditions.local.workers.confine import LayerState
from renditions.local.workers.strict import MOST_CHARACTERS, read
from renditions.local.workers.wire import MalformedError
from renditions.model.families import widths_of
from renditions.model.formats import AUTO, SOURCE_FORMATS
from renditions.model.hidden import reveal
from renditions.model.original import Original
from renditions.model.pipeline import Accept, Analyze, Limits
from renditions.model.plain import from_plain, to_plain
from renditions.model.reason import REJECTIONS, Reason
from renditions.model.recipe import Rendition
from renditions.model.rendering import Measured, Rendered, Rendering
from renditions.model.warning import MOST_TEXT, MOST_WARNINGS, WARNINGS, PictureWarning

_MOST_FORMAT = 40
"""The longest name of a format, in characters."""
_MOST_SECONDS = 86_400
"""The longest time that a worker may report for one rendition."""
_Said = TypeVar("_Said", Reason, PictureWarning)


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to render, and how."""

    accept: Accept
    recipes: Mapping[str, Rendition]
    analyze: Analyze
    limits: Limits

    def encode(self) -> tuple[Any, list[bytes]]:
        """Return the message's content, and the contents of the attachments, each once."""
        places: dict[bytes, int] = {}

        def keep(content: bytes) -> int:
            return places.setdefault(content, len(places))

        return {
            spec.name: to_plain(getattr(self, spec.name), keep) for spec in dataclasses.fields(self)
        }, list(places)

    @classmethod
    def decode(cls, content: Any, attachments: list[bytes]) -> Job:
        """Return the job from what :meth:`encode` returns.

        The worker checks nothing, because it trusts the pool.
        """
        job: Job = from_plain(cls, content, attachments.__getitem__)
        return job


class JobSender:
    """A sender of the jobs for one worker.

    The sender leaves attachments out if the worker's last job had the same ones. A font for Chinese, Japanese
    and Korean can have 30 MB.
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def encode(self, job: Job, picture: bytes) -> tuple[Any, list[bytes]]:
        """Return the content and the parts of the message for the next job."""
        content, attachments = job.encode()
        are_new = attachments != self._held
        self._held = attachments
        parts = [*attachments, picture] if are_new else [picture]
        return {"job": content, "has_attachments": are_new}, parts


class JobReceiver:
    """A reader of the jobs in a worker."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def decode(self, content: Any, parts: list[bytes]) -> tuple[Job, bytes]:
        """Return the job and the picture from a message of :meth:`JobSender.encode`.

        Decode all messages in order: a message without attachments uses those of an earlier one.
        """
        if content["has_attachments"]:
            self._held = parts[:-1]
        return Job.decode(content["job"], self._held), parts[-1]


@dataclass(frozen=True, slots=True)
class _File:
    """A finished rendition without its bytes, which are a part of the message."""

    format: str
    width: int | None
    height: int | None
    seconds: float | None
    measured: Measured | None


@dataclass(frozen=True, slots=True)
class _Made:
    """A rendering without the bytes of its renditions."""

    original: Original
    made: Mapping[str, _File]
    errors: Mapping[str, Reason]
    stand_ins: Mapping[str, str]
    rejected: Reason | None
    warnings: tuple[PictureWarning, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """An exception that a worker raised instead of returning a rendering.

    The rejection of a picture is a rendering, not an exception.
    """

    text: str
    trace: str = field(default="", repr=False)
    is_expected: bool = False
    """Whether the renderer raised ``Failed``. Any other exception is a bug."""


def encode_rendering(rendering: Rendering) -> tuple[Any, list[bytes]]:
    """Return an answer's content and parts: the files of the renditions."""
    made = rendering.made.items()
    answer = _Made(
        rendering.original,
        {
            name: _File(each.format, each.width, each.height, each.seconds, each.measured)
            for name, each in made
        },
        {name: _shorten(why) for name, why in rendering.errors.items()},
        rendering.stand_ins,
        rendering.rejected and _shorten(rendering.rejected),
        rendering.warnings,
    )
    return {"made": dataclasses.asdict(answer)}, [each.content for _, each in made]


def _shorten(why: Reason) -> Reason:
    return replace(why, text=why.text[:MOST_CHARACTERS])


def encode_error(error: Exception) -> Any:
    """Return an answer's content for an exception."""
    is_expected = isinstance(error, Failed)
    text = str(error) if is_expected else f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    broken = Broken(text[:MOST_CHARACTERS], trace[-MOST_CHARACTERS:], is_expected)
    return {"broken": dataclasses.asdict(broken)}


def encode_ready(states: tuple[LayerState, ...]) -> Any:
    """Return the content of a worker's first answer: how the worker is confined."""
    return {"ready": [dataclasses.asdict(state) for state in states]}


def decode_ready(content: Any) -> tuple[LayerState, ...] | Broken:
    """Return how a worker that has started is confined, or why it can't start.

    Raises:
        MalformedError: The answer is invalid.

    """
    if not (isinstance(content, dict) and content.keys() == {"ready"}):
        return _decode_broken(content)
    states: tuple[LayerState, ...] = read(tuple[LayerState, ...], content["ready"])
    return states


def decode_answer(content: Any, parts: list[bytes], picture: bytes, job: Job) -> Rendering | Broken:
    """Return a worker's answer to a job.

    Raises:
        MalformedError: The answer doesn't fit the job, so the worker is faulty or attacked.

    """
    if not (isinstance(content, dict) and "made" in content):
        return _decode_broken(content)
    answer: _Made = read(_Made, content["made"])
    _check_original(answer, picture)
    _check(len(parts) == len(answer.made), "a file for each rendition")
    reasons = [*answer.errors.values(), *([answer.rejected] if answer.rejected else [])]
    _check(all(why.code in REJECTIONS for why in reasons), "reasons of a renderer")
    _check(len(answer.warnings) <= MOST_WARNINGS, "few warnings")
    _check(all(_is_warning(warning, job.recipes) for warning in answer.warnings), "known warnings")
    _check_renditions(answer, job.recipes)
    times = [made.seconds for made in answer.made.values() if made.seconds is not None]
    _check(all(0 <= seconds <= _MOST_SECONDS for seconds in times), "plausible times")
    made = {
        name: Rendered(part, each.format, each.width, each.height, each.seconds, each.measured)
        for (name, each), part in zip(answer.made.items(), parts, strict=True)
    }
    return Rendering(
        answer.original,
        made,
        {name: _clean(why) for name, why in answer.errors.items()},
        answer.stand_ins,
        answer.rejected and _clean(answer.rejected),
        tuple(map(_clean, answer.warnings)),
    )


def _decode_broken(content: Any) -> Broken:
    _check(isinstance(content, dict) and content.keys() == {"broken"}, "a known kind of answer")
    broken: Broken = read(Broken, content["broken"])
    return replace(broken, text=reveal(broken.text), trace=reveal(broken.trace, keep_lines=True))


def _clean(said: _Said) -> _Said:
    return replace(said, text=reveal(said.text))


def _check_original(answer: _Made, picture: bytes) -> None:
    original = answer.original
    found = original.format
    _check(original.size_bytes == len(picture), "the picture's size")
    # A rejected picture may have a format that isn't supported. Its name is only shown.
    is_named = answer.rejected and found and found.isprintable() and len(found) <= _MOST_FORMAT
    _check(found is None or found in SOURCE_FORMATS or bool(is_named), "a known format")
    _check(original.analysis is None or not original.analysis.unknown, "known results of an analysis")


def _check_renditions(answer: _Made, recipes: Mapping[str, Rendition]) -> None:
    """Check that an answer covers each rendition that was asked for.

    A rendition is made, has an error, or has a stand-in. The answer may also have stand-ins for other widths
    of the same family.
    """
    if answer.rejected:
        _check(not (answer.made or answer.errors or answer.stand_ins), "no rendition of a rejected picture")
        return
    _check(answer.made.keys() | answer.errors.keys() <= recipes.keys(), "only renditions that were asked for")
    members = {member for name, recipe in recipes.items() for member in widths_of(name, recipe)}
    _check(answer.stand_ins.keys() | set(answer.stand_ins.values()) <= members, "stand-ins of the family")
    served = {name for name, other in answer.stand_ins.items() if name != other}
    _check(recipes.keys() <= answer.made.keys() | answer.errors.keys() | served, "all renditions")
    source = SOURCE_FORMATS.get(answer.original.format or "")
    for name, made in answer.made.items():
        declared = recipes[name].format
        _check(made.format == (source.auto if declared == AUTO and source else declared), "declared formats")


def _is_warning(warning: PictureWarning, recipes: Mapping[str, Rendition]) -> bool:
    is_about_these = recipes.keys() >= set(warning.renditions)
    return is_about_these and warning.code in WARNINGS and len(warning.text) <= MOST_TEXT


def _check(is_plausible: bool, expected: str) -> None:
    if not is_plausible:
        raise MalformedError(f"expected {expected}")
