"""The mistakes in ``[source] match`` and ``exclude`` whose patterns are valid one by one."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from renditions.errors import Problem
from renditions.model.patterns import DEFAULT_EXCLUDE, find_exclusion
from renditions.model.pipeline import Source

_NO_PATH = re.compile(r"^/|//|(^|/)\.\.?(/|$)")
"""What no path below a folder has. Keys in a bucket may have it."""

_NOTHING = "(?!)"
"""What ``fnmatch`` makes of brackets that no character is in."""


def find_source_problems(source: Source) -> Iterator[Problem]:
    """Yield patterns that can match nothing, beyond those that their form gives away."""
    is_folder = not source.store.startswith("s3://")
    for field in ("match", "exclude"):
        for number, pattern in enumerate(getattr(source, field) or ()):
            if _NOTHING in fnmatch.translate(pattern):
                expected = "a range in brackets from the lower character to the higher one"
                yield Problem(f"source.{field}[{number}]", expected, repr(pattern))
            elif is_folder and _NO_PATH.search(pattern.removeprefix("/" if field == "exclude" else "")):
                expected = "a pattern of a path below the folder: without '.', '..' and empty parts"
                yield Problem(f"source.{field}[{number}]", expected, repr(pattern))
    exclude = source.patterns.exclude
    for number, pattern in enumerate(source.match or ()):
        folder = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
        excluded = find_exclusion(exclude, f"{folder}/") if folder else None
        if excluded or pattern in exclude:
            expected = f"a pattern that source.exclude leaves something of (it has {excluded or pattern!r})"
            yield Problem(f"source.match[{number}]", expected, repr(pattern))


def find_source_warnings(source: Source) -> Iterator[str]:
    """Yield a warning where a file replaces all default exclusions."""
    if source.exclude and set(source.exclude).isdisjoint(DEFAULT_EXCLUDE):
        yield (
            "source.exclude replaces the default patterns, so hidden folders and those of systems and NAS "
            "makers (such as @eaDir and #recycle) hold pictures again. To leave them out too, add the "
            "defaults: renditions schema prints them"
        )
