"""Find the mistakes in the patterns of ``[source] match`` and ``exclude``.

A pattern of valid form can still match nothing, or exclude every picture.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from renditions.errors import Problem
from renditions.model.patterns import DEFAULT_EXCLUDE, Patterns, find_exclusion
from renditions.model.source import Source
from renditions.pipeline_file.warnings import PipelineWarning

_NO_PATH = re.compile(r"^/|//|(^|/)\.\.?(/|$)")
"""Matches text that no path below a folder can have. Keys in a bucket may have it."""

_NOTHING = "(?!)"
"""The regular expression that ``fnmatch`` makes from brackets that match no character."""

_TOKEN = re.compile(r"\*+|\?|\[!?\]?[^]]*\]")
"""Matches the parts of a shell pattern that stand for other text."""

_FILLERS = ("photo", "7", "é", "~ (1)", "2024/summer holidays of a very long name/img_0001")
"""Texts to put in place of ``*``. They differ so much that a pattern rarely matches all of them."""


def find_source_problems(source: Source) -> Iterator[Problem]:
    """Yield the mistakes in patterns, such as one that matches nothing."""
    is_folder = not source.store.startswith("s3://")
    for field in ("match", "exclude"):
        for number, pattern in enumerate(getattr(source, field) or ()):
            if _NOTHING in fnmatch.translate(pattern):
                expected = "a range in brackets from the lower character to the higher one"
                yield Problem(f"source.{field}[{number}]", expected, repr(pattern))
            elif is_folder and _is_outside(pattern, source.store, field):
                expected = "a pattern for paths below the folder, without '.', '..' or empty parts"
                yield Problem(f"source.{field}[{number}]", expected, repr(pattern))
            elif field == "match" and not make_examples(pattern):
                expected = "a pattern that also matches names without a leading dot"
                yield Problem(f"source.{field}[{number}]", expected, repr(pattern))
    yield from _find_excluded(source)


def _is_outside(pattern: str, store: str, field: str) -> bool:
    """Return whether a pattern can't match any path below a folder."""
    if PurePosixPath(pattern).is_absolute() and PurePosixPath(pattern).is_relative_to(store):
        return True  # it repeats the path of the source
    return bool(_NO_PATH.search(pattern.removeprefix("/" if field == "exclude" else "")))


def _find_excluded(source: Source) -> Iterator[Problem]:
    """Yield a problem for each ``match`` pattern whose pictures are all excluded.

    If ``exclude`` leaves no picture of any pattern, yield one problem for a pattern of ``exclude`` instead.
    """
    match, exclude = source.patterns.match, source.patterns.exclude
    excluded: dict[str, str] = {}
    for pattern in match:
        found = [find_exclusion(exclude, name) for name in make_examples(pattern)]
        if found and found[0] and all(found):
            excluded[pattern] = found[0]
    if source.exclude and len(excluded) == len(set(match)):
        by = excluded[match[0]]
        expected = "a pattern that leaves some of the pictures that source.match takes"
        yield Problem(f"source.exclude[{source.exclude.index(by)}]", expected, repr(by))
        return
    for number, pattern in enumerate(source.match or ()):
        if pattern in excluded:
            expected = f"a pattern that {excluded[pattern]!r} in source.exclude doesn't cover"
            yield Problem(f"source.match[{number}]", expected, repr(pattern))


def make_examples(pattern: str) -> list[str]:
    """Return example picture names that a ``match`` pattern takes; there may be none."""
    names = []
    for filler in _FILLERS:

        def fill(token: re.Match[str], filler: str = filler) -> str:
            if token[0].startswith("*"):
                return filler
            fitting = (each for each in f"{filler}{token[0]}aZ0_é" if fnmatch.fnmatchcase(each, token[0]))
            return next(fitting, "")

        names.append(_TOKEN.sub(fill, pattern))
    return [name for name in dict.fromkeys(names) if Patterns((pattern,), ()).why_not(name) is None]


def find_source_warnings(source: Source) -> Iterator[PipelineWarning]:
    """Yield warnings about patterns that may not do what a person expects.

    The warnings are about replaced default exclusions, the source's own name, and ``**``.
    """
    if source.exclude and set(source.exclude).isdisjoint(DEFAULT_EXCLUDE):
        yield PipelineWarning(
            "source.exclude",
            "this replaces the default patterns. So hidden folders, and those of operating systems and NAS "
            "devices (such as @eaDir and #recycle), are searched for pictures. To exclude them too, add the "
            "default patterns: renditions schema prints them",
        )
    folder = source.store.rstrip("/").rpartition("/")[2]
    for field in ("match", "exclude"):
        patterns = getattr(source, field) or ()
        for number, pattern in enumerate(patterns):
            place = f"source.{field}[{number}]"
            below = pattern.removeprefix("/").removeprefix(f"{folder}/")
            if below and below != pattern.removeprefix("/"):
                yield PipelineWarning(
                    place,
                    f"{pattern!r} begins with the name of the source, but patterns are for paths below it. "
                    f"If there is no folder {folder} in the source, write {below!r}",
                )
            other = pattern.replace("**/", "")
            if other != pattern and other not in patterns:
                yield PipelineWarning(
                    place,
                    f"{pattern!r} matches no key without a folder in the place of **, because ** means the "
                    f"same as *. To match such keys too, add {other!r}",
                )
