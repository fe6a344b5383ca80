"""The texts that ``[analyze] alt_text`` finds in a picture."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Analyze

_HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:core="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/">'
)
_TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"


def alternatives(name: str, *texts: tuple[str, str]) -> str:
    items = "".join(f'<rdf:li xml:lang="{language}">{text}</rdf:li>' for language, text in texts)
    return f"<{name}><rdf:Alt>{items}</rdf:Alt></{name}>"


ALT = alternatives("core:AltTextAccessibility", ("de", "Ein Boot"), ("x-default", "A boat"))
CAPTION = alternatives("dc:description", ("x-default", "The harbour in May"))


def picture(xmp: str = "", iptc: bytes = b"", kind: str = "jpeg") -> bytes:
    target = io.BytesIO()
    packet = f"{_HEAD}{xmp}{_TAIL}"
    options: dict[str, Any] = {"xmp": packet.encode()} if xmp else {}
    if kind == "png":
        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", packet if xmp else "")
    Image.new("RGB", (40, 30), "navy").save(target, kind, **options)
    content = target.getvalue()
    if not iptc:
        return content
    resource = b"8BIM\x04\x04\0\0" + len(iptc).to_bytes(4, "big") + iptc + b"\0" * (len(iptc) % 2)
    block = b"Photoshop 3.0\0" + resource
    return content[:2] + b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block + content[2:]


def dataset(number: int, value: bytes, record: int = 2) -> bytes:
    return bytes((0x1C, record, number)) + len(value).to_bytes(2, "big") + value


def find(content: bytes) -> str | None:
    rendering = render(content, Accept(), {}, Analyze(alt_text=True))
    assert rendering.rejected is None
    analysis = rendering.original.analysis
    return analysis.alt_text if analysis else None


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_an_alternative_text_is_preferred_to_the_caption(kind: str) -> None:
    assert find(picture(CAPTION + ALT, kind=kind)) == "A boat"
    assert find(picture(CAPTION, kind=kind)) == "The harbour in May"
    assert find(picture(kind=kind)) is None


def test_the_text_in_the_first_language_is_used_if_no_text_is_the_default() -> None:
    xmp = alternatives("core:AltTextAccessibility", ("de", "Ein Boot"), ("fr", "Un bateau"))
    assert find(picture(xmp)) == "Ein Boot"


def test_an_empty_alternative_text_is_ignored() -> None:
    empty = alternatives("core:AltTextAccessibility", ("x-default", "  "))
    assert find(picture(empty + CAPTION)) == "The harbour in May"


def test_a_caption_in_iptc_is_read_as_utf_8_or_latin_1_if_xmp_has_none() -> None:
    assert (
        find(picture(iptc=dataset(90, b"\x1b%G", 1) + dataset(120, "山田 am Hafen".encode())))
        == "山田 am Hafen"
    )
    assert find(picture(iptc=dataset(120, "Müller".encode("latin-1")))) == "Müller"
    assert find(picture(CAPTION, dataset(120, b"older"))) == "The harbour in May"


def test_an_alternative_text_becomes_one_line_of_at_most_500_characters() -> None:
    xmp = alternatives("dc:description", ("x-default", "two\nlines \u202eand\u200b 👩\u200d🚀"))
    assert find(picture(xmp)) == "two lines and 👩\u200d🚀"
    assert find(picture(alternatives("dc:description", ("x-default", "x" * 900)))) == "x" * 500


@pytest.mark.parametrize(
    "xmp",
    ["<broken>", "<a>" * 500, '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'],
    ids=["open", "deep", "entity"],
)
def test_invalid_xmp_gives_no_alternative_text(xmp: str) -> None:
    assert find(picture(xmp)) is None


def test_the_alternative_text_is_read_only_if_declared() -> None:
    rendering = render(picture(ALT), Accept(), {}, Analyze(transparency=True))
    assert rendering.original.analysis is not None
    assert rendering.original.analysis.alt_text is None
