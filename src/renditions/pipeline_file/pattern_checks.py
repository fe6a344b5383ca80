"""Find the mistakes that ``[source] match`` and ``exclude`` can have although each pattern is valid."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from renditions.errors import Problem
from renditions.model.patterns import DEFAULT_EXCLUDE, find_exclusion
from renditions.model.source import Source

_NO_PATH = re.compile(r"^/|//|(^|/)\.\.?(/|$)")
"""Matches text that no path below a folder can have. Keys in a bucket may have it."""

_NOTHING = "(?!)"
"""The regular expression that ``fnmatch`` makes from brackets which match no character."""


def find_source_problems(source: Source) -> Iterator[Problem]:
    """Yield the patterns that can match nothing although their form is valid."""
    is_folder = not source.store.startswith("s3://")
    for field in ("match", "exclude"):
        for number, pattern in enumerate(getattr(source, field) or ()):
            if _NOTHING in fnmatch.translate(pattern):
                expected = "a range in brackets from the lower character to the higher one"
                yield Problem(f"source.{field}[{number}]", expected, repr(pattern))
            elif is_folder and _NO_PATH.search(pattern.removeprefix("/" if field == "exclude" else "")):
                expected = "a pattern for paths below the folder, without '.', '..' or empty parts"
                yield Problem(f"source.{field}[{number}]", expected, repr(pattern))
    exclude = source.patterns.exclude
    for number, pattern in enumerate(source.match or ()):
        folder = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
        excluded = find_exclusion(exclude, f"{folder}/") if folder else None
        if excluded or pattern in exclude:
            expected = f"a pattern that source.exclude doesn't exclude (it has {excluded or pattern!r})"
            yield Problem(f"source.match[{number}]", expected, repr(pattern))


def find_source_warnings(source: Source) -> Iterator[str]:
    """Yield a warning if a file replaces all default exclusions."""
    if source.exclude and set(source.exclude).isdisjoint(DEFAULT_EXCLUDE):
        yield (
            "source.exclude replaces the default patterns. So hidden folders, and those of operating systems "
            "and NAS devices (such as @eaDir and #recycle), are searched for pictures. To exclude them too, "
            "add the default patterns: renditions schema prints them"
        )
