"""Write the CloudFront function that chooses formats by the header ``Accept``.

A family of renditions with several formats has a key for each format. From the requested key, CloudFront
can compute the other keys. It can't if they have a ``{version}``, which depends on the recipe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from renditions.errors import UsageError
from renditions.model.families import formats_of
from renditions.model.fields import parse_template
from renditions.model.formats import OUTPUT_FORMATS
from renditions.model.keys import DIGITS
from renditions.model.pipeline import Pipeline
from renditions.model.recipe import Rendition

FUNCTION = Path(__file__).with_name("accept.js")

MOST_BYTES = 10_240
"""The largest function that CloudFront accepts.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html"""

FORMS: Mapping[str, str] = {
    "dir": "(?:[^/]+/)*",
    "name": "[^/]+",
    "stem": "[^/]+",
    "etag": "[^/]+",
    "hash": rf"[0-9a-f]{{{DIGITS}}}",
}
"""The fields of a key that are the same for all formats of a picture, each with its pattern in a URL."""


def write_function(pipeline: Pipeline, file: Path) -> None:
    """Write the JavaScript of a pipeline's function to the file.

    Raises:
        UsageError: No rendition has several formats to choose from, the function is too large for
            CloudFront, or the file can't be written.
    """
    families = list(_find_families(pipeline))
    if not families:
        raise UsageError(
            "there is no format to choose: no rendition has several formats that browsers show, and a key "
            "without {version}. Declare several formats for a rendition, or change its key"
        )
    rules = ",\n".join(f"  {{ path: /{path}/, better: {json.dumps(better)} }}" for path, better in families)
    code = FUNCTION.read_text("utf-8").replace("FAMILIES = []", f"FAMILIES = [\n{rules},\n]")
    if (size_bytes := len(code.encode())) > MOST_BYTES:
        raise UsageError(
            f"the function that chooses formats has {size_bytes:,} bytes, and CloudFront accepts at most "
            f"{MOST_BYTES:,}. Declare fewer widths or formats"
        )
    try:
        file.write_text(code, "utf-8")
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}. Choose another file.") from error


def _find_families(pipeline: Pipeline) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the pattern of a requested path, and the better formats with their paths.

    The pattern is a regular expression. It matches the keys in the format that comes last in the order of
    ``browser_rank``, because a page requests this format with the ``src`` of an ``<img>``.
    """
    for name, recipe in pipeline.renditions.items():
        *better, last = _templates_of(name, recipe) or [(recipe.format, recipe.key_template(name))]
        fields = [field for _, field in parse_template(last[1]) if field]
        if better and recipe.format == last[0] and FORMS.keys() >= set(fields):
            yield (
                _spell_pattern(last[1]),
                [
                    {"type": OUTPUT_FORMATS[one].content_type, "path": _spell_path(key, fields)}
                    for one, key in better
                ],
            )


def _templates_of(name: str, recipe: Rendition) -> list[tuple[str, str]]:
    """Return the formats that browsers show, with their key templates.

    They come in the order of their ``browser_rank``. Of several formats with the same rank, only the one that
    is declared first is returned.
    """
    of_rank: dict[int, tuple[str, str]] = {}
    for other, member in formats_of(name, recipe).items():
        if (rank := OUTPUT_FORMATS[member.format].browser_rank) is not None:
            of_rank.setdefault(rank, (member.format, member.key_template(other)))
    return [of_rank[rank] for rank in sorted(of_rank)]


def _spell_pattern(template: str) -> str:
    """Return the regular expression of a key's path, with a group for each field."""
    text = r"^\/"
    known: list[str] = []
    for literal, field in parse_template(template):
        text += re.sub(r"([.*+?^${}()|\[\]\\/])", r"\\\1", quote(literal))
        if field in known:
            text += rf"\{known.index(field) + 1}"
        elif field:
            known.append(field)
            text += f"({FORMS[field]})".replace("/", r"\/")
    return f"{text}$"


def _spell_path(template: str, fields: list[str]) -> str:
    """Return the better format's path. ``$1`` and so on are the pattern's groups."""
    groups = list(dict.fromkeys(fields))
    return "/" + "".join(
        quote(literal).replace("$", "$$") + (f"${groups.index(field) + 1}" if field else "")
        for literal, field in parse_template(template)
    )
