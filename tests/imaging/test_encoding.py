"""The parts of a file beside its pixels: metadata and the options of its format."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from imaging.pictures import encoded, opened, photo, rendered, why_not
from renditions.imaging.render import render
from renditions.model.pipeline import Accept
from renditions.model.recipe import Rendition

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="52,30N">
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">all reserved</rdf:li></rdf:Alt></dc:rights>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
GPS, EXIF_FORMATS = 0x8825, ("jpeg", "png", "webp", "avif")


def told() -> bytes:
    """Return a JPEG with an orientation, EXIF and XMP."""
    exif = Image.Exif()
    exif[0x8298], exif[0x013B], exif[0x010F], exif[0x0112] = "me (c) 2020", "Ann", "Camera", 6
    exif.get_ifd(GPS)[1] = "N"
    return encoded(photo(), "jpeg", exif=exif, xmp=XMP, quality=90)


def xmp_of(picture: Image.Image) -> str:
    return str(picture.info.get("xmp", "")) + str(picture.info.get("XML:com.adobe.xmp", ""))


@pytest.mark.parametrize("output_format", [*EXIF_FORMATS, "tiff"])
def test_metadata_is_removed_by_default(output_format: Any) -> None:
    picture = opened(rendered(told(), Rendition(format=output_format, width=60)).content)
    assert not {0x8298, 0x013B, 0x010F, GPS} & set(picture.getexif())
    assert "reserved" not in xmp_of(picture)


@pytest.mark.parametrize("output_format", EXIF_FORMATS)
def test_the_metadata_policy_copyright_keeps_the_rights_but_not_the_position(output_format: Any) -> None:
    picture = opened(rendered(told(), Rendition(format=output_format, metadata="copyright")).content)
    exif = picture.getexif()
    assert (exif[0x8298], exif[0x013B]) == ("me (c) 2020", "Ann")
    assert 0x010F not in exif
    assert not exif.get_ifd(GPS)
    assert exif.get(0x0112, 1) == 1
    assert "all reserved" in xmp_of(picture)
    assert "GPS" not in xmp_of(picture)


@pytest.mark.parametrize("output_format", EXIF_FORMATS)
def test_the_metadata_policy_all_keeps_exif_and_xmp_but_not_the_orientation(output_format: Any) -> None:
    picture = opened(rendered(told(), Rendition(format=output_format, metadata="all")).content)
    exif = picture.getexif()
    assert (exif[0x8298], exif[0x010F], exif.get(0x0112, 1)) == ("me (c) 2020", "Camera", 1)
    assert exif.get_ifd(GPS)[1] == "N"
    assert "GPS" in xmp_of(picture)
    assert picture.size == (240, 320)


@pytest.mark.parametrize("output_format", ["jpeg", "png"])
def test_a_progressive_rendition_is_stored_as_progressive(output_format: Any) -> None:
    content = rendered(told(), Rendition(format=output_format, progressive=True)).content
    info = Image.open(io.BytesIO(content)).info
    assert info.get("progressive") or info.get("interlace")


@pytest.mark.parametrize(("chroma", "factor"), [("420", 2), ("444", 1)])
def test_the_chroma_subsampling_of_a_rendition_is_stored_as_declared(chroma: Any, factor: int) -> None:
    picture: Any = Image.open(io.BytesIO(rendered(told(), Rendition(quality=95, chroma=chroma)).content))
    assert picture.layer[0][1:3] == (factor, factor)


def test_an_avif_can_be_stored_with_the_chroma_subsampling_4_4_4() -> None:
    small, large = (
        rendered(encoded(photo(), "png"), Rendition(format="avif", quality=60, chroma=chroma)).content
        for chroma in ("420", "444")
    )
    # av1C (AV1-ISOBMFF, 2.3.3): its third byte holds the subsampling flags.
    flags = [content[content.index(b"av1C") + 6] >> 2 & 3 for content in (small, large)]
    assert flags == [3, 0]


@pytest.mark.parametrize(("colours", "most"), [(2, 2), (15, 4), (16, 16), (200, 16), (256, 256)])
def test_a_palette_has_no_more_colours_than_declared(colours: int, most: int) -> None:
    picture = opened(rendered(told(), Rendition(format="png", palette=colours)).content)
    assert picture.mode == "P"
    assert len(picture.getcolors(256) or []) <= most <= colours


def test_a_base64_rendition_with_data_uri_contains_the_file() -> None:
    made = rendered(told(), Rendition(format="base64", data_uri=True)).content
    assert made == b"data:image/jpeg;base64," + base64.b64encode(told())


@pytest.mark.parametrize("output_format", ["jpeg", "webp", "avif", "pdf"])
@pytest.mark.parametrize("limit", [300, 2_000, 5_000])
def test_a_file_does_not_exceed_its_declared_max_bytes(output_format: Any, limit: int) -> None:
    recipe = Rendition(format=output_format, width=160, max_bytes=limit)
    result = render(told(), Accept(), {"it": recipe})
    if result.errors:
        assert "that max_bytes allows" in str(result.errors["it"])
    else:
        assert len(result.made["it"].content) <= limit


def test_the_reason_for_a_file_above_max_bytes_names_a_quality_only_if_the_format_has_one() -> None:
    recipe = Rendition(format="auto", max_bytes=300)
    assert "bytes at the lowest quality, more than the 300 " in why_not(encoded(photo(), "jpeg"), recipe)
    assert "bytes, more than the 300 that max_bytes allows" in why_not(encoded(photo(), "png"), recipe)
