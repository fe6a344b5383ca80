"""The input and output formats, with their facts and their functions' names.

A format has an entry here for input, for output, or for both, and its code in ``renditions.imaging.formats``;
``format_entries`` describes the fields of an entry. Code that must distinguish formats reads these tables. An
entry names the format's functions as ``"module:function"``, relative to that package. So this module needs no
imaging library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from renditions.model.fields import OneOf
from renditions.model.format_entries import Library, OutputFormat, Scale, SourceFormat

AUTO = "auto"
"""The ``format`` of a recipe that leaves the choice of the output format to ``SourceFormat.auto``."""

SOURCE_FORMATS: Mapping[str, SourceFormat] = {
    each.name: each
    for each in (
        SourceFormat(
            name="jpeg",
            suffixes=("jpg", "jpeg", "jpe", "jfif", "jfi", "jif"),
            media_type="image/jpeg",
            signature=rb"\xff\xd8\xff",
            header="jpeg:read_header",
            decoder="loaded:load_pixels",
            loader="jpegload_buffer",
            check_cost="jpeg:check_cost",
            tidy="jpeg:tidied",
            shrink_on_load="halves",
            decoder_that_warns="VipsJpeg",
            is_salvageable=True,
            auto="jpeg",
        ),
        SourceFormat(
            name="png",
            suffixes=("png", "apng"),
            media_type="image/png",
            signature=rb"\x89PNG\r\n\x1a\n",
            header="png:read_header",
            decoder="png:decode",
            loader="pngload_buffer",
            check_end="png:check_end",
            arrange="png:arranged",
            is_salvageable=True,
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
            suffixes=("avif", "avifs"),
            media_type="image/avif",
            signature=rb".{4}ftyp",
            confirm="iso_media:is_avif",
            header="avif:read_header",
            decoder="avif:decode",
            loader="heifload_buffer",
            find_animation="avif:is_animated",
            held_bytes_per_pixel=15,
            auto="avif",
        ),
        SourceFormat(
            name="gif",
            suffixes=("gif",),
            media_type="image/gif",
            signature=rb"GIF8[79]a",
            header="gif:read_header",
            decoder="gif:decode",
            loader="gifload_buffer",
            arrange="gif_blocks:completed",
            check_end="gif_blocks:check_end",
            check_data="gif_blocks:check_data",
            is_salvageable=True,
            has_animation=True,
            held_bytes_per_pixel=4,
            auto="gif",
        ),
        SourceFormat(
            name="tiff",
            suffixes=("tif", "tiff"),
            media_type="image/tiff",
            signature=rb"II[*+]\0|MM\0[*+]",
            confirm="tiff_file:is_rendered",
            header="tiff:read_header",
            decoder="tiff:decode",
            loader="tiffload_buffer",
            check_data="tiff:check_data",
            is_salvageable=True,
            has_pages=True,
            is_exif=True,
            auto="tiff",
        ),
        SourceFormat(
            name="heic",
            suffixes=("heic", "heif", "hif", "heics", "heifs"),
            media_type="image/heic",
            signature=rb".{4}ftyp",
            confirm="iso_media:is_heic",
            header="heic:read_header",
            decoder="heic:decode",
            find_animation="heic:is_animated",
            held_bytes_per_pixel=7,
            auto="jpeg",
            extra="heic",
            libraries=(Library("pillow-heif", "pillow_heif"),),
        ),
        SourceFormat(
            name="svg",
            suffixes=("svg", "svgz"),
            media_type="image/svg+xml",
            # XML in UTF-8 or UTF-16, or compressed by gzip.
            signature=rb"(?:\xef\xbb\xbf)?\s*<[\w?!]|(?:\xff\xfe)?<\0|(?:\xfe\xff)?\0<|\x1f\x8b",
            confirm="svg_file:is_drawing",
            header="svg:read_header",
            decoder="svg:draw",
            loader="svgload_buffer",
            shrink_on_load="drawn",
            has_text=True,
            is_scriptable=True,
            libraries=(Library("fontpkg-open-sans", "fontpkg_open_sans"),),
            auto="png",
            is_default=False,
        ),
        SourceFormat(
            name="pdf",
            suffixes=("pdf",),
            media_type="application/pdf",
            signature=rb"%PDF-",
            preamble_bytes=1024,
            header="pdf:read_header",
            decoder="pdf:draw",
            check_end="pdf:check_end",
            is_salvageable=True,
            shrink_on_load="drawn",
            has_text=True,
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
            # The 128 bytes before the mark DICM may look like another format. Old files have neither. Such a
            # file begins with an element of group 2 or 8 and its type, or of group 8 and a usual value.
            signature=rb".{128}DICM|\x02\0[\0-\x03\x10]\0(?:UL|OB|UI)|\x08\0(?:[\0\x05\x08\x16\x18]\0(?:UL|CS|UI)"
            rb"|\x05\0.\0\0\0ISO|\x08\0.\0\0\0(?:ORIGINAL|DERIVED)|\x16\0.\0\0\x001\.2\.|\0\0\x04\0\0\0.{4}\x08\0)",
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
"""The input formats, in the order in which texts for people list them."""

OUTPUT_FORMATS: Mapping[str, OutputFormat] = {
    each.name: each
    for each in (
        OutputFormat(
            name="jpeg",
            extension="jpg",
            content_type="image/jpeg",
            encoder="jpeg:encode",
            copier="jpeg:copy_without_metadata",
            max_side=65_500,
            quality=Scale(1, 100, default=82),
            searched="jpeg",
            choices=("profile", "skip_if_larger", "progressive", "chroma", "max_bytes"),
            browser_rank=3,
        ),
        OutputFormat(
            name="png",
            extension="png",
            content_type="image/png",
            encoder="png:encode",
            copier="png:copy_without_metadata",
            has_transparency=True,
            has_code=True,
            choices=("profile", "skip_if_larger", "progressive", "palette"),
            browser_rank=3,
        ),
        OutputFormat(
            name="webp",
            extension="webp",
            content_type="image/webp",
            encoder="webp:encode",
            held_bytes_per_pixel=4,
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
            held_bytes_per_pixel=20,
            max_side=16_384,
            has_transparency=True,
            has_code=True,
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
            held_bytes_per_pixel=7,
            has_transparency=True,
            has_animation=True,
            browser_rank=3,
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
            encoder="pdf:encode",
            binder="pdf:bind",
            max_side=14_400,
            has_pages=True,
            quality=Scale(1, 100, default=82),
            searched="jpeg",
            choices=("max_bytes", "dpi", "page_size"),
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
"""The output formats, in the order in which texts for people list them."""

WITH_TEXT = frozenset(each.name for each in SOURCE_FORMATS.values() if each.has_text)
"""The formats whose pictures depend on ``[accept] fonts``."""
DEFAULT_SOURCES = tuple(each.name for each in SOURCE_FORMATS.values() if each.is_default)

SourceName = Annotated[str, OneOf(tuple(SOURCE_FORMATS))]
OutputName = Annotated[str, OneOf((*OUTPUT_FORMATS, AUTO))]
