"""The input and output formats: the facts about each, and the names of its code.

A format is one entry here and one file in ``renditions.imaging.formats``; all code that compares formats
reads these tables. Code is named ``"module:function"``, of that package, and only imported where pixels
are: nothing here needs an imaging library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from renditions.model.fields import OneOf

AUTO = "auto"
"""In place of an output format: the picture's own, or what ``SourceFormat.auto`` says."""

ShrinkOnLoad = Literal["none", "halves", "any", "drawn"]
"""What a decoder can make smaller while it decodes.

    none      nothing
    halves    to a half, a quarter or an eighth
    any       to any size
    drawn     it has no pixels of its own, and is drawn at any size
"""


@dataclass(frozen=True, slots=True)
class Library:
    """A library of single formats, installed by an extra."""

    distribution: str
    """Its name on PyPI."""
    module: str
    """Its name in an import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFormat:
    """An input format."""

    name: str
    suffixes: tuple[str, ...]
    """Of file names, the usual one first."""
    media_type: str
    signature: bytes
    """A regular expression of the start of its files; if several formats match, the longest match counts."""
    confirm: str | None = None
    """Returns whether (content) with this signature is of the format; None: always."""
    header: str
    """Returns the ``Header`` of (content, page), and decodes no pixel."""
    decoder: str
    """Returns libvips' image of (content, header, **its options); if it is drawn: (content, header, size)."""
    loader: str | None = None
    """libvips' loader for it; None where another library decodes."""
    check_end: str | None = None
    """Raises ``Undecodable`` if (content) has no end mark; None: there is none, or the decoder checks it."""
    check_data: str | None = None
    """Raises ``Undecodable`` if (content, header, frames) has damage that the decoder misses."""
    find_animation: str | None = None
    """Returns whether (content, header) is animated; None: by ``has_animation`` and its frames."""
    tidy: str | None = None
    """Returns (content) with a header that follows the standard, for a second try; None: there is none."""
    shrink_on_load: ShrinkOnLoad = "none"
    has_pages: bool = False
    """Whether it has pages to choose."""
    has_animation: bool = False
    """Whether every frame of an animation can be decoded."""
    is_private: bool = False
    """Whether its files identify a person: no rendition may hold such a file unchanged."""
    is_scriptable: bool = False
    """Whether a browser may run what is in a file: originals are then only served as downloads."""
    is_exif: bool = False
    """Whether the file itself has EXIF's structure."""
    is_warning_damage: bool = False
    """Whether each warning of its decoder means lost pixels."""
    held_bytes_per_pixel: int = 0
    """The bytes per pixel of the whole picture that its decoder holds, if it can't decode parts."""
    auto: str
    """Its output format with ``auto``."""
    is_default: bool = True
    """Whether it is accepted by default."""
    extra: str | None = None
    """The extra of this package that installs its libraries."""
    libraries: tuple[Library, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """A whole number that an encoder takes: its limits, both allowed, and its default."""

    low: int
    high: int
    default: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """An output format."""

    name: str
    extension: str
    content_type: str
    encoder: str
    """Returns the file of (image, recipe, quality); if it ``holds_file``: (content, media type, recipe)."""
    binder: str | None = None
    """Makes one file of the pages that the encoder made; None: the encoder takes them as one tall image."""
    copier: str | None = None
    """Returns (content) without metadata, in place of a larger rendition; None: nothing is copied."""
    max_side: int = 65_535
    """The longest side that the format, or its encoder here, can hold, in pixels."""
    holds_file: bool = False
    """Whether it holds the picture's file unchanged: nothing is decoded for it."""
    has_transparency: bool = False
    has_animation: bool = False
    has_pages: bool = False
    quality: Scale | None = None
    """None if the format has none."""
    searched: str | None = None
    """The format whose quality ``quality = "auto"`` searches: the one that the encoder writes."""
    effort: Scale | None = None
    """None if the encoder has no such option."""
    has_lossless_choice: bool = False
    choices: tuple[str, ...] = ()
    """The fields of a recipe that apply to this format but not to all."""
    browser_rank: int | None = None
    """Its place among the formats that browsers show, the smallest files first; None: they don't show it."""
    extra: str | None = None
    """The extra of this package that installs its libraries."""
    libraries: tuple[Library, ...] = ()

    def effort_of(self, declared: int | None) -> int:
        """Return the encoder's effort: the declared one, or the default."""
        if self.effort is None:
            raise ValueError(f"{self.name} has no effort")
        return self.effort.default if declared is None else min(declared, self.effort.high)


SOURCE_FORMATS: Mapping[str, SourceFormat] = {
    each.name: each
    for each in (
        SourceFormat(
            name="jpeg",
            suffixes=("jpg", "jpeg"),
            media_type="image/jpeg",
            signature=rb"\xff\xd8\xff",
            header="jpeg:read_header",
            decoder="loaded:load_pixels",
            loader="jpegload_buffer",
            tidy="jpeg:tidied",
            shrink_on_load="halves",
            is_warning_damage=True,
            auto="jpeg",
        ),
        SourceFormat(
            name="png",
            suffixes=("png",),
            media_type="image/png",
            signature=rb"\x89PNG\r\n\x1a\n",
            header="png:read_header",
            decoder="loaded:load_pixels",
            loader="pngload_buffer",
            check_end="png:check_end",
            find_animation="png:is_animated",
            auto="png",
        ),
        SourceFormat(
            name="webp",
            suffixes=("webp",),
            media_type="image/webp",
            signature=rb"RIFF.{4}WEBP",
            header="webp:read_header",
            decoder="loaded:load_pixels",
            loader="webpload_buffer",
            shrink_on_load="any",
            has_animation=True,
            auto="webp",
        ),
        SourceFormat(
            name="avif",
            suffixes=("avif",),
            media_type="image/avif",
            signature=rb".{4}ftyp",
            confirm="iso_media:is_avif",
            header="avif:read_header",
            decoder="loaded:load_pixels",
            loader="heifload_buffer",
            find_animation="avif:is_animated",
            held_bytes_per_pixel=3,
            auto="avif",
        ),
        SourceFormat(
            name="gif",
            suffixes=("gif",),
            media_type="image/gif",
            signature=rb"GIF8[79]a",
            header="gif:read_header",
            decoder="loaded:load_pixels",
            loader="gifload_buffer",
            check_end="gif:check_end",
            check_data="gif:check_data",
            has_animation=True,
            held_bytes_per_pixel=4,
            auto="gif",
        ),
        SourceFormat(
            name="tiff",
            suffixes=("tif", "tiff"),
            media_type="image/tiff",
            signature=rb"II[*+]\0|MM\0[*+]",
            header="tiff:read_header",
            decoder="tiff:decode",
            loader="tiffload_buffer",
            check_data="tiff:check_data",
            has_pages=True,
            is_exif=True,
            auto="tiff",
        ),
        SourceFormat(
            name="heic",
            suffixes=("heic", "heif"),
            media_type="image/heic",
            signature=rb".{4}ftyp",
            confirm="iso_media:is_heic",
            header="heic:read_header",
            decoder="heic:decode",
            held_bytes_per_pixel=3,
            auto="jpeg",
            extra="heic",
            libraries=(Library("pillow-heif", "pillow_heif"),),
        ),
        SourceFormat(
            name="svg",
            suffixes=("svg",),
            media_type="image/svg+xml",
            signature=rb"(?:\xef\xbb\xbf)?\s*(?:<svg|(?:<\?xml|<!)(?=.*<svg))",
            header="svg:read_header",
            decoder="svg:draw",
            loader="svgload_buffer",
            shrink_on_load="drawn",
            is_scriptable=True,
            auto="png",
            is_default=False,
        ),
        SourceFormat(
            name="pdf",
            suffixes=("pdf",),
            media_type="application/pdf",
            signature=rb"%PDF-",
            header="pdf:read_header",
            decoder="pdf:draw",
            check_end="pdf:check_end",
            shrink_on_load="drawn",
            has_pages=True,
            is_scriptable=True,
            auto="jpeg",
            is_default=False,
            extra="pdf",
            libraries=(Library("pypdfium2", "pypdfium2"),),
        ),
        SourceFormat(
            name="dicom",
            suffixes=("dcm",),
            media_type="application/dicom",
            # The bytes before its mark may look like another format.
            signature=rb".{128}DICM",
            header="dicom:read_header",
            decoder="dicom_pixels:decode",
            has_pages=True,
            is_private=True,
            held_bytes_per_pixel=1,
            auto="png",
            is_default=False,
            extra="dicom",
            libraries=(
                Library("pydicom", "pydicom"),
                Library("pylibjpeg", "pylibjpeg"),
                Library("pylibjpeg-openjpeg", "openjpeg"),
            ),
        ),
    )
}
"""The input formats, in the order of lists for people."""

OUTPUT_FORMATS: Mapping[str, OutputFormat] = {
    each.name: each
    for each in (
        OutputFormat(
            name="jpeg",
            extension="jpg",
            content_type="image/jpeg",
            encoder="jpeg:encode",
            copier="jpeg:copy_without_metadata",
            quality=Scale(1, 100, default=82),
            searched="jpeg",
            choices=("profile", "skip_if_larger", "progressive", "chroma", "max_bytes"),
            browser_rank=5,
        ),
        OutputFormat(
            name="png",
            extension="png",
            content_type="image/png",
            encoder="png:encode",
            copier="png:copy_without_metadata",
            has_transparency=True,
            choices=("profile", "skip_if_larger", "progressive", "palette"),
            browser_rank=3,
        ),
        OutputFormat(
            name="webp",
            extension="webp",
            content_type="image/webp",
            encoder="webp:encode",
            copier="webp:copy_without_metadata",
            max_side=16_383,
            has_transparency=True,
            has_animation=True,
            quality=Scale(1, 100, default=80),
            searched="webp",
            effort=Scale(0, 6, default=4),
            has_lossless_choice=True,
            choices=("profile", "skip_if_larger", "max_bytes"),
            browser_rank=2,
        ),
        OutputFormat(
            name="avif",
            extension="avif",
            content_type="image/avif",
            encoder="avif:encode",
            max_side=16_384,
            has_transparency=True,
            quality=Scale(1, 100, default=60),
            searched="avif",
            effort=Scale(0, 9, default=1),
            has_lossless_choice=True,
            choices=("profile", "chroma", "max_bytes"),
            browser_rank=1,
        ),
        OutputFormat(
            name="gif",
            extension="gif",
            content_type="image/gif",
            encoder="gif:encode",
            has_transparency=True,
            has_animation=True,
            browser_rank=4,
        ),
        OutputFormat(
            name="tiff",
            extension="tif",
            content_type="image/tiff",
            encoder="tiff:encode",
            has_transparency=True,
            has_pages=True,
            choices=("profile",),
        ),
        OutputFormat(
            name="pdf",
            extension="pdf",
            content_type="application/pdf",
            encoder="jpeg:encode",
            binder="pdf:bind",
            max_side=14_400,
            has_pages=True,
            quality=Scale(1, 100, default=82),
            searched="jpeg",
            choices=("max_bytes",),
            extra="pdf",
            libraries=(Library("img2pdf", "img2pdf"),),
        ),
        OutputFormat(
            name="base64",
            extension="txt",
            content_type="text/plain; charset=us-ascii",
            encoder="base64:encode",
            holds_file=True,
            choices=("data_uri",),
        ),
    )
}
"""The output formats, in the order of lists for people."""

DEFAULT_SOURCES = tuple(each.name for each in SOURCE_FORMATS.values() if each.is_default)
DEFAULT_PATTERNS = tuple(
    f"*.{suffix}" for name in DEFAULT_SOURCES for suffix in SOURCE_FORMATS[name].suffixes
)

SourceName = Annotated[str, OneOf(tuple(SOURCE_FORMATS))]
OutputName = Annotated[str, OneOf((*OUTPUT_FORMATS, AUTO))]
