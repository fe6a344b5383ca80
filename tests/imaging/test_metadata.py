"""The metadata that renditions keep.

Names in any script are kept. Untrue values and previews of the whole picture are removed.
"""

from __future__ import annotations

import base64
import io
import struct
import time
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from imaging.pictures import encoded, opened, photo, rendered
from renditions.imaging import iptc, xmp
from renditions.imaging.exif_names import read_names, write_names
from renditions.imaging.formats.png import arranged
from renditions.model.recipe import Region, Rendition

CASES = Path(__file__).with_name("cases")
ARTIST, COPYRIGHT, MAKE, ORIENTATION = 0x013B, 0x8298, 0x010F, 0x0112
EXIF_FORMATS = ("jpeg", "png", "webp", "avif")
NAMES = {
    "UTF-8": "© 2024 山田太郎".encode(),
    "Latin-1": "© Zoë Müller".encode("latin-1"),
    "Shift JIS": "山田太郎".encode("shift-jis"),
    "one byte": b"A",
    "photographer and editor": "Жук\0Zoë".encode(),
    "long": ("山" * 500).encode(),
}
JPEG_START = b"\xff\xd8\xff"
XMP = """<?xpacket begin="\ufeff" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/"
 xmlns:odd="http://example.org/odd/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"
 xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 tiff:Orientation="6" tiff:Make="Camera" exif:PixelXDimension="4000" exif:GPSLatitude="52,30N"
 hdrgm:Version="1.0" GCamera:MotionPhoto="1" odd:small="{image}" odd:note="&lt;true&gt;">
<dc:creator><rdf:Seq><rdf:li>山田 &amp; Жук</rdf:li></rdf:Seq></dc:creator><dc:subject>forest</dc:subject>
<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource"><xmpGImg:image>{image}</xmpGImg:image></rdf:li>
</rdf:Alt></xmp:Thumbnails><odd:preview>
{image}</odd:preview><tiff:ImageWidth>4000</tiff:ImageWidth>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".replace(
    "{image}", base64.b64encode(encoded(photo(16, 16), "jpeg")).decode()
).encode()


def exif_block(order: str = "<", orientation: int = 6, **texts: bytes) -> bytes:
    """Return an EXIF block with these texts; Pillow can't write all bytes."""
    tags = {"artist": ARTIST, "copyright": COPYRIGHT, "make": MAKE}
    ascii_texts = [(tags[name], 2, text + b"\0") for name, text in texts.items()]
    entries = sorted([(ORIENTATION, 3, b""), *ascii_texts])
    values, data = b"", b""
    start = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        if kind == 3:
            raw = struct.pack(order + "HH", orientation, 0)
        elif len(value) <= 4:
            raw = value.ljust(4, b"\0")
        else:
            raw = struct.pack(order + "I", start + len(data))
            data += value + b"\0" * (len(value) % 2)
        values += struct.pack(order + "HHI", tag, kind, len(value) or 1) + raw
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    return b"Exif\0\0" + head + values + b"\0" * 4 + data


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def jpeg_with(*segments: bytes, **options: Any) -> bytes:
    content = encoded(photo(), "jpeg", **options)
    return content[:2] + b"".join(segments) + content[2:]


def exif_in(content: bytes) -> bytes:
    """Return the EXIF block of a rendition, as Pillow finds it."""
    block: bytes = opened(content).info["exif"]
    return block


def dataset(number: int, value: bytes, record: int = 2) -> bytes:
    return bytes((0x1C, record, number)) + struct.pack(">H", len(value)) + value


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


@pytest.mark.parametrize("policy", ["copyright", "all"])
@pytest.mark.parametrize("output_format", EXIF_FORMATS)
def test_names_with_letters_outside_ascii_stay_unchanged_byte_for_byte(
    output_format: Any, policy: Any
) -> None:
    source = (CASES / "cjk.jpg").read_bytes()
    made = rendered(source, Rendition(format=output_format, width=60, metadata=policy)).content
    expected = "© 2024 山田太郎".encode()
    assert read_names(exif_in(made)) == {"exif-ifd0-Artist": expected, "exif-ifd0-Copyright": expected}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("name", NAMES)
def test_names_in_several_encodings_stay_unchanged_byte_for_byte(name: str, order: str) -> None:
    block = exif_block(order, artist=NAMES[name], make="Фото".encode())
    for policy in ("copyright", "all"):
        made = rendered(jpeg_with(segment(0xE1, block)), Rendition(format="png", metadata=policy))
        assert read_names(exif_in(made.content)) == {"exif-ifd0-Artist": NAMES[name]}
        Image.open(io.BytesIO(made.content)).verify()
        assert ("Фото".encode() in made.content) == (policy == "all")


def test_the_names_in_exif_and_xmp_of_a_heic_are_kept() -> None:
    file = io.BytesIO()
    block = exif_block(artist=NAMES["UTF-8"], make=b"Camera")
    pillow_heif.from_pillow(photo()).save(file, exif=block, xmp=XMP)
    made = rendered(file.getvalue(), Rendition(metadata="copyright")).content
    assert read_names(exif_in(made)) == {"exif-ifd0-Artist": NAMES["UTF-8"]}
    assert "山田 &amp; Жук".encode() in made
    assert b"Camera" not in made


@given(st.binary(max_size=200))
def test_damaged_exif_stays_unchanged_when_names_are_written(data: bytes) -> None:
    for start in (b"", b"II*\0", b"MM\0*", b"Exif\0\0II*\0\x08\0\0\0"):
        names = read_names(start + data)
        assert write_names(start + data, {"exif-ifd0-Artist": b"long enough"}) == start + data
        assert all(names.values())


@pytest.mark.parametrize("output_format", [*EXIF_FORMATS, "tiff"])
def test_a_cropped_rendition_loses_previews_and_metadata_that_is_no_longer_true(output_format: Any) -> None:
    recipe = Rendition(format=output_format, crop=Region(width=50, height=50), metadata="all")
    made = rendered((CASES / "rich.jpg").read_bytes(), recipe).content
    assert made.count(JPEG_START) == (output_format == "jpeg")
    for statement in (b"/9j/", b"xmpGImg", b"hdrgm", b"MotionPhoto", b"Orientation", b"8BIM"):
        assert statement not in made
    assert opened(made).getexif().get(ORIENTATION, 1) == 1


def test_the_metadata_policy_all_removes_only_untrue_properties_and_previews_of_xmp() -> None:
    kept = xmp.true_part_of(XMP)
    for statement in (b'tiff:Make="Camera"', b'exif:GPSLatitude="52,30N"', b'odd:note="&lt;true&gt;"'):
        assert statement in kept
    assert "<rdf:li>山田 &amp; Жук</rdf:li>".encode() in kept
    assert b"<dc:subject>forest</dc:subject>" in kept
    for untrue in (b"Orientation", b"4000", b"hdrgm:", b"GCamera:", b"/9j/", b"Thumbnails", b"odd:small"):
        assert untrue not in kept
    assert xmp.true_part_of(kept) == kept


def test_the_metadata_policy_copyright_keeps_only_the_rights_in_xmp() -> None:
    kept = xmp.rights_of(XMP)
    assert "<rdf:li>山田 &amp; Жук</rdf:li>".encode() in kept
    for other in (b"forest", b"GPS", b'Camera"', b"/9j/"):
        assert other not in kept
    assert xmp.rights_of(XMP.decode().encode("utf-16")) == kept


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"<x", b"<rdf:RDF/>", XMP[:-60], b"<!DOCTYPE x>" + XMP.partition(b"?>")[2],
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + XMP.partition(b"?>")[2],
        b"<?xml version='1.0' encoding='no-such'?>" + XMP,
    ],
)  # fmt: skip
def test_invalid_xmp_is_left_out(packet: bytes) -> None:
    assert xmp.true_part_of(packet) == xmp.rights_of(packet) == b""


@pytest.mark.parametrize("size", [1, 3, 9_000_000])
def test_an_exif_block_that_is_too_short_is_left_out_and_one_that_is_too_long_is_shortened(size: int) -> None:
    block = exif_block(orientation=1, copyright="© Жук".encode()).ljust(size, b"\0")[6:][:size]
    source = encoded(photo(40, 30), "webp", exif=block)
    made = rendered(source, Rendition(format="webp", metadata="all")).content
    expected = {"exif-ifd0-Copyright": "© Жук".encode()} if size > 3 else {}
    assert len(made) < 20_000
    assert read_names(opened(made).info.get("exif", b"")) == expected


def test_xmp_with_thousands_of_namespaces_is_read_within_seconds() -> None:
    many = " ".join(f'xmlns:p{number}="u"' for number in range(10_000))
    inner = '<p0:x xmlns:q="v"/>' * 10_000
    packet = XMP.replace(b"<dc:subject>", f"<dc:source {many}>{inner}</dc:source><dc:subject>".encode())
    begin = time.process_time()
    assert b"forest" in xmp.true_part_of(packet)
    assert xmp.true_part_of(XMP.replace(b"forest", b"<a>" * 300 + b"</a>" * 300)) == b""
    assert time.process_time() - begin < 5


IPTC = (
    dataset(90, b"\x1b%G", record=1)
    + dataset(80, "山田太郎".encode())
    + dataset(116, b"\xa9 Zo\xeb")
    + dataset(90, b"Berlin")
    + dataset(131, b"P")
    + dataset(202, JPEG_START + b"preview")
    + dataset(20, b"4000", record=3)
    + dataset(10, JPEG_START + b"object", record=8)
)
BLOCK = (
    b"Photoshop 3.0\0"
    + resource(0x040C, b"\0" * 28 + JPEG_START)
    + resource(0x0422, exif_block())
    + resource(0x0404, IPTC)
)


def test_iptc_keeps_its_texts_but_loses_previews_and_other_resources() -> None:
    rights, everything = iptc.rights_of(BLOCK), iptc.true_part_of(BLOCK)
    for block, has_city in ((rights, False), (everything, True)):
        for text in (b"\x1b%G", "山田太郎".encode(), b"\xa9 Zo\xeb"):
            assert text in block
        assert (b"Berlin" in block) == has_city
        assert JPEG_START not in block
        assert b"4000" not in block
        assert block.count(b"8BIM") == 1
    assert iptc.rights_of(IPTC) == rights, "TIFF has the datasets without resources"


@given(st.integers(0, len(BLOCK)))
def test_truncated_iptc_keeps_only_its_complete_datasets(size: int) -> None:
    for select in (iptc.rights_of, iptc.true_part_of):
        kept = select(BLOCK[:size])
        assert kept == b"" or kept in iptc.true_part_of(kept) or kept in iptc.rights_of(kept)


@pytest.mark.parametrize("policy", ["copyright", "all"])
def test_a_jpeg_keeps_its_iptc(policy: Any) -> None:
    made = rendered(jpeg_with(segment(0xED, BLOCK)), Rendition(metadata=policy)).content
    assert "山田太郎".encode() in made
    assert b"\xa9 Zo\xeb" in made
    assert (b"Berlin" in made) == (policy == "all")


def test_exif_keeps_no_values_that_only_describe_the_source_file() -> None:
    exif = Image.Exif()
    own = exif.get_ifd(0x8769)
    own[0xA002], own[0xA003], own[0x9214], own[0x927C] = 4000, 3000, (9, 9, 9, 9), b"note " + JPEG_START
    exif[MAKE], exif[ORIENTATION], exif[0x0100] = "Camera", 6, 4000
    made = rendered(encoded(photo(), "jpeg", exif=exif), Rendition(width=60, metadata="all")).content
    found = opened(made).getexif()
    assert found[MAKE] == "Camera"
    assert 0x0100 not in found
    assert {tag: found.get_ifd(0x8769).get(tag) for tag in (0xA002, 0xA003, 0x9214, 0x927C)} == {
        0xA002: 60, 0xA003: 80, 0x9214: None, 0x927C: None
    }  # fmt: skip


def late(content: bytes, name: bytes) -> bytes:
    """Return the PNG with this chunk moved to its end."""
    at = content.index(name) - 4
    chunk = content[at : at + 12 + int.from_bytes(content[at : at + 4], "big")]
    rest = content.replace(chunk, b"")
    return rest[:-12] + chunk + rest[-12:]


def test_exif_and_xmp_at_the_end_of_a_png_are_kept() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    source = encoded(photo(), "png", exif=exif_block(artist=NAMES["UTF-8"]), pnginfo=text)
    for name in (b"eXIf", b"iTXt"):
        moved = late(source, name)
        assert moved != source
        assert arranged(moved) != moved
        both = [rendered(each, Rendition(metadata="all", width=60)).content for each in (source, moved)]
        assert both[0] == both[1]
    assert opened(both[1]).size == (60, 80)
    assert arranged(source) == source
    assert arranged(source[:-20]) == source[:-20]


def test_a_copied_jpeg_loses_segments_that_are_true_only_of_the_original_file() -> None:
    following = [
        segment(0xE2, b"MPF\0II*\0" + b"\0" * 40),
        segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0"),
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"/9j/" * 50),
    ]
    source = jpeg_with(
        segment(0xE1, exif_block(orientation=1, artist=NAMES["UTF-8"])),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        segment(0xED, BLOCK),
        *following,
        quality=30,
    ) + encoded(photo(64, 64), "jpeg")
    made = rendered(
        source, Rendition(format="jpeg", quality=100, skip_if_larger=True, metadata="all")
    ).content
    assert opened(made).size == photo().size
    for kept in (NAMES["UTF-8"], b"forest", b"Berlin"):
        assert kept in made
    for untrue in (b"MPF\0", b"21496", b"xmp/extension", b"MotionPhoto", b"hdrgm:Version", b"/9j/"):
        assert untrue not in made
    assert made.count(JPEG_START) == 1
