"""What the user declares: the pipeline file as frozen dataclasses, and what follows from it.

The classes are the file's one description. Their annotations carry each value's range and each
field's sentence; ``pipeline_file`` reads files by them and makes the JSON Schema from them. This
module itself needs nothing beyond the standard library, so that a deployed function can do without
the validator.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

ENGINE_REVISION = 1
"""Raised by hand when output changes on purpose: every rendition is then stale.

Upgrading a library doesn't raise it, so that it doesn't remake ten million pictures by surprise.
"""


@dataclass(frozen=True, slots=True)
class Range:
    """An annotation: a number's smallest and largest value, both allowed."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pattern:
    """An annotation: a text's regular expression, and in words what it means."""

    regex: str
    """It ends in ``(?!\\n)$``, since Python's ``$`` alone lets a line break follow."""
    expected: str


@dataclass(frozen=True, slots=True)
class Template:
    """An annotation: a key template of these fields, with no part that a key can't have."""

    fields: tuple[str, ...]

    @property
    def regex(self) -> str:
        """A regular expression of the whole template, in the dialect that JSON Schema shares with Python."""
        return (
            r"^(?!/)(?!.*(//|/$|\{dir\}(/|$)))(?!(.*(/|\{dir\}))?\.\.?(/|$))"
            rf"([^{{}}\x00-\x1f\x7f]|\{{\{{|\}}\}}|\{{({'|'.join(self.fields)})\}})+(?!\n)$"
        )

    @property
    def expected(self) -> str:
        """What such a template is, in words."""
        return "a key without empty parts, '.' and '..' ({dir} is empty or ends with its own slash)"


@dataclass(frozen=True, slots=True)
class Quantity:
    """An annotation: a whole number that a file may also write with a unit, as ``"50 MB"``."""

    unit: str
    """``B`` or ``P``; ``k``, ``M`` and ``G`` before it are powers of 1,000.

    Bytes may also have ``Ki``, ``Mi`` and ``Gi``, powers of 1,024.
    """


@dataclass(frozen=True, slots=True)
class NotEmpty:
    """An annotation: at least one element."""


StoreUrl = Annotated[
    str,
    Pattern(
        r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\x00-\x1f\x7f]*)?"
        r"|(?![A-Za-z0-9+.-]+://)[^\x00-\x1f\x7f]+)(?!\n)$",
        'a folder or "s3://bucket/prefix/"',
    ),
]
CatalogUrl = Annotated[
    str,
    Pattern(
        r"^(sqlite:[^\x00-\x1f\x7f]+|dynamodb:[A-Za-z0-9_.-]{3,255})(?!\n)$",
        '"sqlite:FILE" or "dynamodb:TABLE"',
    ),
]
NotifyUrl = Annotated[
    str,
    Pattern(
        r"^(log:|sns:arn:[^\x00-\x1f\x7f]+|[a-z][a-z0-9+.-]*://[^\x00-\x1f\x7f]+)(?!\n)$",
        '"log:", "sns:ARN" or a URL such as "mailto://…"',
    ),
]
Colour = Annotated[
    str,
    Pattern(
        r"^(#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|white|black|transparent)(?!\n)$",
        'a colour: "#rgb", "#rrggbb", "#rrggbbaa", "white", "black" or "transparent"',
    ),
]
TEMPLATE_FIELDS = (
    "key", "dir", "name", "stem", "ext", "rendition", "format", "width", "height", "etag",
)  # fmt: skip
KeyTemplate = Annotated[str, Template(TEMPLATE_FIELDS)]
Side = Annotated[int, Range(1, 65_535)]
ByteCount = Annotated[int, Quantity("B")]
PixelCount = Annotated[int, Quantity("P")]

NoticeEvent = Literal["done", "rejected", "failed"]
InputFormat = Literal["jpeg", "png", "webp", "avif", "gif", "tiff"]
OutputFormat = Literal["jpeg", "png", "webp", "avif", "gif", "tiff", "pdf", "base64", "auto"]
Fit = Literal["inside", "cover", "contain", "fill", "outside"]
Gravity = Literal[
    "center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest",
    "attention", "entropy",
]  # fmt: skip
Rotation = Literal[0, 90, 180, 270]
Flip = Literal["none", "horizontal", "vertical", "both"]
Animation = Literal["first", "keep"]
Metadata = Literal["none", "copyright", "all"]
Chroma = Literal["420", "444"]


@dataclass(frozen=True, slots=True)
class FormatFacts:
    """What a format can hold."""

    extension: str
    content_type: str
    max_side: int = 65_535
    """The longest side that the format, or its encoder here, can hold, in pixels."""
    transparency: bool = False
    animation: bool = False
    default_quality: int | None = None
    """None where the format has no quality."""
    lossless_choice: bool = False
    max_effort: int | None = None
    default_effort: int | None = None


FORMATS: Mapping[str, FormatFacts] = {
    "jpeg": FormatFacts("jpg", "image/jpeg", default_quality=82),
    "png": FormatFacts("png", "image/png", transparency=True),
    "webp": FormatFacts(
        "webp", "image/webp", 16_383, transparency=True, animation=True,
        default_quality=80, lossless_choice=True, max_effort=6, default_effort=4,
    ),
    "avif": FormatFacts(
        "avif", "image/avif", 16_384, transparency=True,
        default_quality=60, lossless_choice=True, max_effort=9, default_effort=1,
    ),
    "gif": FormatFacts("gif", "image/gif", transparency=True, animation=True),
    "tiff": FormatFacts("tif", "image/tiff", transparency=True),
    "pdf": FormatFacts("pdf", "application/pdf", 14_400, default_quality=82),
    "base64": FormatFacts("txt", "text/plain; charset=us-ascii"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where pictures land."""

    store: Annotated[StoreUrl, 'A folder, relative to this file, or "s3://bucket/prefix/".']
    match: Annotated[
        tuple[str, ...],
        NotEmpty(),
        "Shell patterns of the keys that are pictures, without regard to case; * crosses slashes. "
        "Names that start with a dot never match.",
    ] = ("*.jpg", "*.jpeg", "*.png", "*.webp", "*.avif", "*.gif", "*.tif", "*.tiff")

    def matches(self, key: str) -> bool:
        """Tell whether an object of this key is a picture of this pipeline."""
        if key.rpartition("/")[2].startswith(".") or key.endswith("/"):
            return False
        lower = key.lower()
        return any(fnmatch.fnmatchcase(lower, pattern.lower()) for pattern in self.match)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """What is accepted; anything else is rejected, with the reason."""

    formats: Annotated[
        tuple[InputFormat, ...], NotEmpty(), "The formats that are accepted, told by content, never by name."
    ] = ("jpeg", "png", "webp", "avif", "gif", "tiff")
    max_bytes: Annotated[ByteCount, 'The largest file, in bytes or as "50 MB".'] = 50_000_000
    max_pixels: Annotated[
        PixelCount, 'The most pixels, over all frames that are decoded, as a number or as "100 MP".'
    ] = 100_000_000
    min_width: Annotated[Side | None, "The smallest width as displayed, in pixels."] = None
    min_height: Annotated[Side | None, "The smallest height as displayed, in pixels."] = None

    def fingerprint(self) -> str:
        """Return a hash over the rules: under other rules, every picture is looked at again."""
        return _hash(_declared(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one picture may cost."""

    seconds: Annotated[
        Annotated[int, Range(1, 900)], "How long decoding and rendering one picture may take, in seconds."
    ] = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlace:
    """Where renditions go."""

    store: Annotated[StoreUrl, 'A folder, relative to this file, or "s3://bucket/prefix/".']
    cache_control: Annotated[str | None, "The Cache-Control header that outputs are served with."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogPlace:
    """Where the records are."""

    store: Annotated[CatalogUrl, '"sqlite:FILE", relative to this file, or "dynamodb:TABLE".'] = (
        "sqlite:renditions.db"
    )
    key: Annotated[
        Annotated[str, Pattern(r"^[A-Za-z_][A-Za-z0-9_]*(?!\n)$", "a name of letters, digits and _")],
        "What the picture's name is called in a record: the partition key's name.",
    ] = "image_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Who hears of what."""

    on: Annotated[tuple[NoticeEvent, ...], NotEmpty(), "Which results are told."]
    to: Annotated[NotifyUrl, 'Where to: "log:", "sns:ARN", or a URL such as "mailto://…".']

    @property
    def target(self) -> str:
        """What a record calls this entry by: a hash, because a URL may hold a password."""
        return _hash(self.to)[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """One declared result, made from each picture.

    The order of operations is fixed, whatever the order in the file: orient, rotate, flip, resize, crop,
    pad, adjust (grayscale, sepia, brightness, contrast, saturation, gamma, negate), flatten, encode.
    """

    key: Annotated[
        KeyTemplate,
        "The output's key, from {key} {dir} {name} {stem} (of the picture), {rendition} {format} {ext} "
        "{width} {height} (as declared) and {etag} (of the picture's content).",
    ] = "{dir}{name}/{rendition}.{ext}"
    format: Annotated[OutputFormat, 'The format; "auto" keeps the picture\'s own.'] = "jpeg"
    width: Annotated[Side | None, "The box's width, in pixels."] = None
    height: Annotated[Side | None, "The box's height, in pixels."] = None
    fit: Annotated[
        Fit,
        "How the picture goes into the box. inside: whole, at most that large. cover: fills it, the rest is "
        "cut off. contain: whole, padded to it. fill: stretched. outside: whole, at least that large.",
    ] = "inside"
    gravity: Annotated[Gravity, "What stays when cover cuts, and where contain puts the picture."] = "center"
    background: Annotated[Colour, "What padding and, where the format has none, transparency become."] = (
        "white"
    )
    enlarge: Annotated[bool, "Whether a picture smaller than the box is enlarged."] = False
    pixel_ratio: Annotated[
        Annotated[float, Range(1, 5)], "What width and height are multiplied by, for dense screens."
    ] = 1.0
    rotate: Annotated[Rotation, "By how many degrees the picture is turned clockwise."] = 0
    flip: Annotated[
        Flip, "How the turned picture is mirrored: left to right (horizontal), top to bottom, or both."
    ] = "none"
    grayscale: Annotated[bool, "Whether colours become greys of their luminance."] = False
    sepia: Annotated[bool, "Whether colours become the browns of an old photograph."] = False
    brightness: Annotated[Annotated[float, Range(0, 10)], "What every colour is multiplied by."] = 1.0
    contrast: Annotated[
        Annotated[float, Range(0, 10)], "What every colour's distance from middle grey is multiplied by."
    ] = 1.0
    saturation: Annotated[
        Annotated[float, Range(0, 10)], "What every colour's distance from its grey is multiplied by."
    ] = 1.0
    gamma: Annotated[
        Annotated[float, Range(0.1, 10)], "Above 1 makes middle tones lighter, below 1 darker."
    ] = 1.0
    negate: Annotated[bool, "Whether every colour becomes its opposite."] = False
    quality: Annotated[
        Annotated[int, Range(1, 100)] | None,
        "1 to 100; without it 82 for JPEG and PDF, 80 for WebP, 60 for AVIF.",
    ] = None
    effort: Annotated[
        Annotated[int, Range(0, 9)] | None,
        "How hard the encoder tries: WebP 0 to 6 (4 without it), AVIF 0 to 9 (1 without it).",
    ] = None
    lossless: Annotated[bool, "Whether WebP or AVIF keep every pixel as it is."] = False
    animation: Annotated[
        Animation, 'Whether an animated picture stays one ("keep", GIF and WebP) or gives its first frame.'
    ] = "first"
    metadata: Annotated[
        Metadata,
        "What is kept of EXIF, XMP and IPTC. copyright: who made the picture and who has the rights, never "
        "where it was taken. all: everything but the orientation, since the picture is upright.",
    ] = "none"
    progressive: Annotated[bool, "Whether JPEG is progressive and PNG interlaced."] = False
    chroma: Annotated[
        Chroma, "Whether JPEG and AVIF halve the resolution of colours (420) or keep it whole (444)."
    ] = "420"
    palette: Annotated[
        Annotated[int, Range(2, 256)] | None,
        "The most colours that a PNG may have; the encoder makes 2, 4, 16 or 256, whichever still fits.",
    ] = None
    data_uri: Annotated[bool, "Whether Base64 text is a data: URI (RFC 2397)."] = False
    max_bytes: Annotated[
        ByteCount | None,
        'The largest file, in bytes or as "100 kB": the best quality up to the declared one that fits.',
    ] = None

    @property
    def needs_pixels(self) -> bool:
        """Tell whether the picture has to be decoded for it."""
        return self.format != "base64"

    def fingerprint(self) -> str:
        """Return a hash over what decides the output's bytes: the recipe and the engine's revision.

        Fields at their default don't count, so that a new field with a default changes none.
        """
        return _hash(
            [ENGINE_REVISION, {name: value for name, value in _declared(self).items() if name != "key"}]
        )

    def content_type(self, actual_format: str) -> str:
        """Return the media type of an output whose format turned out to be ``actual_format``."""
        return FORMATS[actual_format].content_type

    def key_template(self, name: str) -> str:
        """Return ``key`` with everything in it that doesn't depend on the picture."""
        constants: dict[str, str] = {"rendition": name, "key": "{dir}{name}"}
        if self.format != "auto":
            constants |= {"format": self.format, "ext": FORMATS[self.format].extension}
        if self.width:
            constants["width"] = str(self.width)
        if self.height:
            constants["height"] = str(self.height)
        return "".join(
            literal.replace("{", "{{").replace("}", "}}")
            + (constants.get(name, f"{{{name}}}") if name else "")
            for literal, name in parse_template(self.key)
        )


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A whole pipeline file."""

    source: Source
    output: OutputPlace
    renditions: Annotated[Mapping[str, Rendition], NotEmpty()]
    accept: Accept = field(default_factory=Accept)
    limits: Limits = field(default_factory=Limits)
    catalog: CatalogPlace = field(default_factory=CatalogPlace)
    notify: tuple[Notify, ...] = ()

    @cached_property
    def _wanted(self) -> tuple[tuple[str, str, str], ...]:
        """(name, key template, fingerprint) of each rendition: what doesn't depend on the picture."""
        return tuple(
            (name, rendition.key_template(name), rendition.fingerprint())
            for name, rendition in self.renditions.items()
        )

    @cached_property
    def rules(self) -> str:
        """The fingerprint of the rules in ``[accept]``."""
        return self.accept.fingerprint()

    def fingerprints(self) -> dict[str, str]:
        """Return each rendition's recipe fingerprint."""
        return {name: fingerprint for name, _, fingerprint in self._wanted}

    def output_keys(self, name: str, etag: str) -> dict[str, str]:
        """Return each rendition's output key for the picture of this name and ETag."""
        values = template_values(name, etag)
        return {rendition: template.format_map(values) for rendition, template, _ in self._wanted}

    def goal_of(self, name: str, etag: str) -> str:
        """Return a fingerprint over everything that is wanted of this picture as it is now.

        A record that was decided for this goal needs no work, and any other does.
        """
        keys = self.output_keys(name, etag)
        wanted = [(rendition, keys[rendition], fingerprint) for rendition, _, fingerprint in self._wanted]
        return _hash([etag, self.rules, wanted])


def template_values(name: str, etag: str) -> dict[str, str]:
    """Return what the template fields that depend on the picture stand for."""
    base = name.rpartition("/")[2]
    stem, _, _ = base.rpartition(".")
    return {"dir": name[: len(name) - len(base)], "name": base, "stem": stem or base, "etag": etag}


def parse_template(template: str) -> Iterator[tuple[str, str | None]]:
    """Yield a key template's (literal text, field name or None) pairs.

    Raises:
        ValueError: a brace is alone, or a field has a format or a conversion.

    """
    for literal, name, spec, conversion in string.Formatter().parse(template):
        if spec or conversion or name == "":
            raise ValueError(f"{{{name}…}} is not a plain field")
        yield literal, name


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """A store in a folder."""

    path: Path

    def spell(self) -> str:
        """Return what tells two places apart, ending in a slash."""
        return f"{self.path.resolve().as_posix().rstrip('/')}/"


@dataclass(frozen=True, slots=True)
class S3Place:
    """A store in a bucket, below a prefix."""

    bucket: str
    prefix: str

    def spell(self) -> str:
        """Return what tells two places apart."""
        return f"s3://{self.bucket}/{self.prefix}"


def parse_store(url: str, directory: Path) -> FolderPlace | S3Place:
    """Return the place that a store's URL names; folders are relative to ``directory``."""
    if match := re.fullmatch(r"s3://([^/]+)/?(.*)", url):
        prefix = match[2]
        return S3Place(match[1], f"{prefix}/" if prefix and not prefix.endswith("/") else prefix)
    return FolderPlace(directory / Path(url).expanduser())


def _declared(thing: Any) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    return {
        spec.name: getattr(thing, spec.name)
        for spec in fields(thing)
        if getattr(thing, spec.name) != spec.default
    }


def _hash(value: Any) -> str:
    """Return a short stable hash over JSON-like data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]
