"""The entries in the tables of formats: see :mod:`renditions.model.formats`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ShrinkOnLoad = Literal["none", "halves", "any", "drawn"]
"""How a decoder can make a picture smaller while it decodes it.

    none      not at all
    halves    to a half, a quarter or an eighth
    any       to any size
    drawn     the file has no pixels, and is drawn at any size
"""


@dataclass(frozen=True, slots=True)
class Library:
    """A library that only some formats need."""

    distribution: str
    """Its name on PyPI."""
    module: str
    """Its name in an import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFormat:
    """An input format.

    If the description of a field starts with ``f(…)``, the field names a function with these arguments.
    """

    name: str
    suffixes: tuple[str, ...]
    """The suffixes of its file names, the usual one first."""
    media_type: str
    signature: bytes
    """A regular expression for the start of its files; if several formats match, the longest match counts."""
    confirm: str | None = None
    """f(content): returns whether a file with this signature has this format. None: it always has."""
    header: str
    """f(content, page): returns the ``Header``, and decodes no pixel."""
    decoder: str
    """f(content, header, **loader's options): returns libvips' image.

    The decoder of a drawn format takes (content, header, size, part): ``size`` is the size of the whole
    drawing, and ``part`` is the part to draw.
    """
    loader: str | None = None
    """The name of libvips' loader; None if another library decodes the format."""
    check_end: str | None = None
    """f(content): raises ``Undecodable`` if the end mark is missing.

    None: the format has no end mark, or the decoder checks it.
    """
    check_cost: str | None = None
    """f(content): raises ``NotAccepted`` if decoding takes far longer than the number of pixels suggests."""
    check_data: str | None = None
    """f(content, header, frames): raises ``Undecodable`` if it finds damage that the decoder misses."""
    find_animation: str | None = None
    """f(content, header): returns whether the file is animated.

    None: it is animated if the format ``has_animation`` and the file has several frames.
    """
    arrange: str | None = None
    """f(content): returns the file for libvips' loader: its parts in order, or a missing end added."""
    tidy: str | None = None
    """f(content): returns the file without small faults, for a second attempt to decode it."""
    shrink_on_load: ShrinkOnLoad = "none"
    has_text: bool = False
    """Whether its files have text that is drawn in the fonts that ``[accept] fonts`` names."""
    has_pages: bool = False
    """Whether its files have pages that a recipe can choose from."""
    has_animation: bool = False
    """Whether the decoder can decode every frame of an animation."""
    is_private: bool = False
    """Whether its files may identify a person. No rendition may then hold such a file unchanged."""
    is_scriptable: bool = False
    """Whether its files may contain code that a browser runs.

    The API serves such originals only as downloads.
    """
    is_exif: bool = False
    """Whether the whole file has the structure of EXIF data."""
    decoder_that_warns: str | None = None
    """The decoder's name in libvips' messages, if each warning of this decoder means lost pixels."""
    is_salvageable: bool = False
    """Whether its decoder returns the readable pixels of a damaged file."""
    preamble_bytes: int = 0
    """How many other bytes may come before its signature.

    This counts only if no format matches at the start of the file.
    """
    held_bytes_per_pixel: int = 0
    """How many bytes its decoder holds for each pixel of the whole picture.

    A picture's ``Header`` can have another number. For AVIF and HEIC, this one is the growth of a process's
    memory, measured with pictures of 3 and 24 megapixels.
    """
    auto: str
    """The output format for pictures of this format if the recipe's format is ``auto``."""
    is_default: bool = True
    """Whether a pipeline file accepts this format by default."""
    extra: str | None = None
    """The extra of this package that installs its libraries."""
    libraries: tuple[Library, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """A whole number that an encoder takes: its limits, inclusive, and its default."""

    low: int
    high: int
    default: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """An output format.

    If the description of a field starts with ``f(…)``, the field names a function with these arguments.
    """

    name: str
    extension: str
    content_type: str
    encoder: str
    """f(image, recipe, quality): returns the file.

    If the format ``holds_file``, it takes (content, media type, recipe).
    """
    binder: str | None = None
    """f(files, recipe, resolutions): joins the encoded pages in one file.

    None: the encoder takes all pages as one tall image.
    """
    copier: str | None = None
    """f(content, *, keeps_metadata, keeps_profile): returns a copy of the source file without other metadata.

    The copy can replace a larger rendition. The function returns None if it can't make one. None: the format
    has no ``skip_if_larger``.
    """
    held_bytes_per_pixel: int = 0
    """How many bytes its encoder holds for each pixel of a rendition; 0 if it takes them row by row.

    It is the growth of a process's memory, measured with renditions of 4 to 64 megapixels.
    """
    max_side: int = 65_535
    """The longest side that the format, or its encoder here, can hold, in pixels."""
    holds_file: bool = False
    """Whether an output contains the source file unchanged. The renderer then decodes nothing."""
    has_transparency: bool = False
    has_animation: bool = False
    has_pages: bool = False
    has_code: bool = False
    """Whether its files can declare colours by CICP (ITU-T H.273)."""
    quality: Scale | None = None
    """The range of ``quality``; None if the format has no quality."""
    searched: str | None = None
    """The format whose quality ``quality = "auto"`` searches; for PDF, the format of its pages.

    None: the format doesn't support ``auto``.
    """
    effort: Scale | None = None
    """The range of ``effort``; None if the encoder has no such option."""
    has_lossless_choice: bool = False
    choices: tuple[str, ...] = ()
    """Which fields of ``pipeline_file.checks.ENCODER_CHOICES`` a recipe for this format may have."""
    browser_rank: int | None = None
    """Its place in the order in which pages offer formats to browsers; 1 comes first.

    A browser takes the first format that it can show. Every browser shows the formats of the last place, so a
    page offers only one of them: the one that is declared first. None: browsers don't show this format.
    """
    extra: str | None = None
    """The extra of this package that installs its libraries."""
    libraries: tuple[Library, ...] = ()

    def effort_of(self, declared: int | None) -> int:
        """Return the encoder's effort: the declared one, or the default.

        A declared effort above the highest counts as the highest.

        Raises:
            ValueError: The format has no effort.

        """
        if self.effort is None:
            raise ValueError(f"{self.name} has no effort")
        return self.effort.default if declared is None else min(declared, self.effort.high)
