"""The types of a pipeline file's fields: their limits and words, as annotations.

``pipeline_file`` checks files against them, and ``pipeline_file.schema`` makes the JSON Schema from them.
This module needs only the standard library, so a deployed function doesn't need msgspec.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from renditions.model.backends import CATALOGS, MAIL_ADDRESS, NOTIFIERS, STORES, join_patterns, spell_forms


@dataclass(frozen=True, slots=True)
class Range:
    """An annotation: a number's smallest and largest value, both allowed."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RangeOr:
    """An annotation: a whole number within limits, or a word."""

    low: int
    high: int
    word: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """An annotation: one of these words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """An annotation: a regular expression for a text, and its description for people."""

    regex: str
    """To refuse a final line break, end it in ``(?!\\n)$``: Python's ``$`` also matches before one."""
    expected: str


@dataclass(frozen=True, slots=True)
class Template:
    """An annotation: a key template of these fields and text that keys may contain."""

    fields: tuple[str, ...]

    @property
    def regex(self) -> str:
        """A regular expression for the whole template.

        The expression uses only syntax that JSON Schema and Python share.
        """
        return (
            r"^(?!/)(?!.*(//|/$|\{dir\}(/|$)))(?!(.*(/|\{dir\}))?\.\.?(/|$))"
            rf"([^{{}}\x00-\x1f\x7f]|\{{\{{|\}}\}}|\{{({'|'.join(self.fields)})\}})+(?!\n)$"
        )

    @property
    def expected(self) -> str:
        """The description of a valid template for people."""
        return (
            "a key without empty parts, '.', '..' or control characters ({dir} is empty or already ends with "
            "a slash)"
        )


@dataclass(frozen=True, slots=True)
class Quantity:
    """An annotation: a whole number that may have a unit in a file: ``"50 MB"``."""

    unit: str
    """``B`` or ``P``; ``k``, ``M`` and ``G`` before it are powers of 1,000.

    Bytes may also have ``Ki``, ``Mi`` and ``Gi``, powers of 1,024.
    """


@dataclass(frozen=True, slots=True)
class Duration:
    """An annotation: a number of seconds that a file writes with a unit: ``"7 d"``."""

    may_be_zero: bool = False
    units: ClassVar[Mapping[str, int]] = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Proportion:
    """An annotation: a number that a file may also write as ``"16:9"``."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NotEmpty:
    """An annotation: at least one element."""


@dataclass(frozen=True, slots=True)
class Default:
    """An annotation: the default as a file writes it.

    The dataclass's field has the same default in another form.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class Glob:
    """An annotation: a shell pattern for keys. Likely mistakes are invalid."""

    never: tuple[tuple[str, str], ...]
    """Regular expressions for the starts of forbidden patterns, each with a description of a valid one."""

    @property
    def regex(self) -> str:
        """A regular expression for the whole pattern.

        The expression uses only syntax that JSON Schema and Python share.
        """
        return rf"^{''.join(f'(?!{form})' for form, _ in self.never)}[^\x00-\x1f\x7f]+(?!\n)$"

    @property
    def expected(self) -> str:
        """The description of a valid pattern for people."""
        return "a shell pattern for keys"

    def explain(self, text: str) -> str:
        """Return what a file must have in place of this invalid pattern, for people."""
        return next((expected for form, expected in self.never if re.match(form, text)), self.expected)


@dataclass(frozen=True, slots=True)
class MostBytes:
    """An annotation: how many bytes the file of an attachment may have at most."""

    size: int


@dataclass(frozen=True)
class Attachment:
    """A file that a recipe names, and its content.

    Outputs depend on its content, not on its name.
    """

    name: str
    """The attachment's name in the pipeline file: a path, or ``source:KEY``."""
    content: bytes | None = field(default=None, repr=False)
    """The file's bytes; None for an object of the source that hasn't been read yet."""
    whole: str = ""
    """The digest of the whole file, if ``content`` is only the part that the outputs need; else empty."""

    @property
    def source_key(self) -> str | None:
        """The object's key if the attachment is in the source store; None for a file."""
        return self.name.removeprefix(_IN_SOURCE) if self.name.startswith(_IN_SOURCE) else None

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the file, in hexadecimal.

        Raises:
            ValueError: The content hasn't been read yet.

        """
        if self.content is None:
            raise ValueError(f"{self.name} hasn't been read yet")
        return self.whole or hashlib.sha256(self.content).hexdigest()


_IN_SOURCE = "source:"
StoreUrl = Annotated[str, Pattern(join_patterns(STORES), spell_forms(STORES))]
CatalogUrl = Annotated[str, Pattern(join_patterns(CATALOGS), spell_forms(CATALOGS))]
CatalogKey = Annotated[
    str, Pattern(r"^[A-Za-z_][A-Za-z0-9_]*(?!\n)$", "a name of letters, digits and _, with no digit first")
]
NotifyUrl = Annotated[str, Pattern(join_patterns(NOTIFIERS), spell_forms(NOTIFIERS))]
Reference = Annotated[
    str, Pattern(r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}(?!\n)$", 'a reference to an environment variable: "${NAME}"')
]
"""A reference to an environment variable, for a value that must not be in the file."""
BaseUrl = Annotated[
    str,
    Pattern(
        r"^(https?://[A-Za-z0-9.:\[\]-]+(/[^\s?#\"'<>]*)?|/[^\s?#\"'<>]*)(?!\n)$",
        'a URL without a query, such as "https://images.example.com/", or a path such as "/images/"',
    ),
]
Origin = Annotated[
    str,
    Pattern(
        r"^(\*|(?!https:.*:443$|http:.*:80$)https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?)(?!\n)$",
        'an origin as browsers send it, such as "https://shop.example" or "http://localhost:3000", or "*"',
    ),
]
"""Browsers send an origin in lower case, without a path or its scheme's default port (RFC 6454, 6.2)."""
Colour = Annotated[
    str,
    Pattern(
        r"^(#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|white|black|transparent)(?!\n)$",
        'a colour: "#rgb", "#rrggbb", "#rrggbbaa", "white", "black" or "transparent"',
    ),
]
PageChoice = Annotated[
    str,
    Pattern(
        r"^(first|all|[1-9][0-9]{0,5}(-[1-9][0-9]{0,5})?(,[1-9][0-9]{0,5}(-[1-9][0-9]{0,5})?)*)(?!\n)$",
        '"first", "all", or numbers and ranges of pages such as "1-3,5"',
    ),
]
SEVERAL_PAGES = r"^all$|[-,]"
"""A regular expression that matches a choice of pages if it can select more than one."""
PictureFile = Annotated[
    Attachment,
    MostBytes(10_000_000),
    Pattern(r"^(?!source:$)[^\x00-\x1f\x7f]+(?!\n)$", 'a picture file or "source:KEY"'),
]
FontFile = Annotated[
    Attachment,
    MostBytes(50_000_000),
    Pattern(r"^(?!source:)[^\x00-\x1f\x7f]+(?!\n)$", 'a font file ("source:KEY" is only for pictures)'),
]
"""A font file. Its limit leaves room for Chinese, Japanese and Korean fonts, which are large."""
_INVISIBLE = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
"""Blanks and other characters that show nothing, for a character set in a regular expression."""
Line = Annotated[
    str,
    Pattern(
        rf"^(?=.*[^{_INVISIBLE}])[^\x00-\x1f\x7f]{{1,200}}(?!\n)$",
        "a line of 1 to 200 characters that isn't blank",
    ),
]
OpaqueColour = Annotated[
    str,
    Pattern(
        r"^(#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})|white|black)(?!\n)$",
        'a colour: "#rgb", "#rrggbb", "white" or "black"',
    ),
]
_NEVER = (
    (r".*\\", "a pattern with / between folders (for a backslash in a name, write ?)"),
    (r"[A-Za-z]:/|\w+://", "a pattern for keys below source.store"),
    (r"\s|.*\s$", "a pattern without blanks at its ends (for such a blank in a name, write ?)"),
    (
        r".*\{[^}]*,[^}]*\}|.*\([^)|]*\|[^)]*\)",
        "a separate pattern for each choice, since braces and parentheses have no special meaning",
    ),
    (r".*\*\.\w+\s*[,;|\s]\s*\*\.", 'one pattern in each text, such as ["*.jpg", "*.png"]'),
)
"""Forms that people write by mistake. They are invalid in ``match`` and in ``exclude``.

They are Windows paths, URLs, blanks at an end, choices in braces or parentheses, and several patterns.
"""

MatchPattern = Annotated[
    str,
    Glob(
        (
            (
                r"!",
                "a pattern without ! at its start (patterns of files to leave out belong in source.exclude)",
            ),
            (r".*/$", "a pattern of files, such as 'folder/*'"),
            (r"(.*/)?\.[^/]*$", "a pattern of names that don't start with a dot, such as '*.jpg'"),
            *_NEVER,
        )
    ),
]
ExcludePattern = Annotated[
    str,
    Glob(
        (
            (
                r"!",
                (
                    "a pattern without ! at its start (an excluded file can't be included again; write "
                    "narrower patterns)"
                ),
            ),
            (r"/*$", "a pattern of a file or a folder"),
            *_NEVER,
        )
    ),
]
NAME = Pattern(r"^[a-z0-9][a-z0-9_-]*(?!\n)$", "a name of a-z, 0-9, - and _, with no - or _ first")
RenditionName = Annotated[str, NAME]
NamePrefix = Annotated[
    str,
    Pattern(
        r"^(?!/)[^\x00-\x1f\x7f]{1,1024}(?!\n)$", "the beginning of pictures' names, without / at its start"
    ),
]
WORDING_FIELDS = (
    "event", "title", "name", "reason", "code", "time", "count", "summary", "message", "details",
)  # fmt: skip
"""The fields of a notice's subject and text. The module ``wording`` has their values."""
_WORDING = rf"\{{\{{|\}}\}}|\{{({'|'.join(WORDING_FIELDS)})\}}"
_SPELLED = ", ".join(f"{{{name}}}" for name in WORDING_FIELDS)
MailAddress = Annotated[str, Pattern(rf"^{MAIL_ADDRESS}(?!\n)$", "an e-mail address such as ann@example.org")]
NoticeSubject = Annotated[
    str,
    Pattern(
        rf"^(?=.*[^ ])([^{{}}\x00-\x1f\x7f]|{_WORDING}){{1,500}}(?!\n)$",
        f"a line of at most 500 characters that isn't blank and has no fields except {_SPELLED}",
    ),
]
NoticeText = Annotated[
    str,
    Pattern(
        rf"^([^{{}}\x00-\x08\x0b-\x1f\x7f]|{_WORDING}){{1,5000}}$",
        f"a text of at most 5,000 characters with no fields except {_SPELLED} ({{{{ and }}}} are braces)",
    ),
]
TEMPLATE_FIELDS = (
    "key", "dir", "name", "stem", "ext", "rendition", "format", "width", "height", "etag", "hash",
    "version",
)  # fmt: skip
KeyTemplate = Annotated[str, Template(TEMPLATE_FIELDS)]
Side = Annotated[int, Range(1, 65_535)]
Percent = Annotated[float, Range(0, 100)]
ByteCount = Annotated[int, Quantity("B")]
PixelCount = Annotated[int, Quantity("P")]
Seconds = Annotated[float, Duration()]
SecondsOrNone = Annotated[float, Duration(may_be_zero=True)]
AspectRatio = Annotated[float, Proportion(0.001, 1000)]


def unwrap(hint: Any) -> tuple[Any, list[Any]]:
    """Return the type inside ``Annotated`` and ``| None``, and its annotations."""
    marks: list[Any] = []
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            marks += more
        elif get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
            (hint,) = (choice for choice in get_args(hint) if choice is not NoneType)
        else:
            return hint, marks


def matches(pattern: Pattern, text: str) -> bool:
    """Return whether the text matches the pattern."""
    return re.search(pattern.regex, text) is not None


def parse_template(template: str) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of a key template: a literal text, and a field's name or None.

    Raises:
        ValueError: A brace has no partner, or a field has a conversion, a format specification or no name.

    """
    for literal, name, spec, conversion in string.Formatter().parse(template):
        if spec or conversion or name == "":
            raise ValueError(f"{{{name}…}} is not a plain field")
        yield literal, name


def declared_in(thing: Any) -> dict[str, Any]:
    """Return the dataclass's values that differ from their defaults, by field name.

    A field without a default, or with a ``default_factory``, is always included.
    """
    return {
        spec.name: getattr(thing, spec.name)
        for spec in fields(thing)
        if getattr(thing, spec.name) != spec.default
    }


def hash_of(value: Any) -> str:
    """Return a short stable hash over JSON-like data, dataclasses and attachments."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_spell)
    # surrogatepass: a key may have ``UNKNOWN``, which has no UTF-8 form.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:24]


def _spell(value: Any) -> Any:
    return value.digest if isinstance(value, Attachment) else declared_in(value)
