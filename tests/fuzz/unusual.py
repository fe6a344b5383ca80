"""Pictures of unusual kinds, which the fuzzer damages too.

They have other colours, samples and structures, or break a rule.
"""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

import imaging
from imaging.dicoms import as_runs, dicom, ramp
from imaging.pictures import encoded, photo, png_chunk
from imaging.test_colour import WIDE_GAMUT
from imaging.test_declared_colours import avif, cicp, coded, gamma, heic, png
from imaging.test_slips import pdf
from imaging.test_whole_pictures import gif, lossless_jpeg
from imaging.tiffs import tiff

_FOLDER = Path(imaging.__path__[0])
_FILES = {
    "jpeg names": "cases/cjk.jpg",
    "jpeg previews": "cases/rich.jpg",
    "jpeg without a version": "cases/jfif_0_00.jpg",
    "jpeg 13 scans": "others/cjpeg_13_scans.jpg",
    "jpeg 97 scans": "others/cjpeg_97_scans.jpg",
    "jpeg lossless": "others/liblj92_lossless.jpg",
    "png animated": "cases/animated.png",
    "png linear": "others/ffmpeg_linear.png",
    "png line": "cases/line.png",
    "avif pq limited": "others/ffmpeg_pq.avif",
    "avif p3": "cases/p3.avif",
    "avif tiles": "others/avifenc_grid.avif",
    "gif moved": "others/gifsicle_offset.gif",
    "gif without a trailer": "cases/no_trailer.gif",
    "tiff half": "others/tifffile_half.tif",
    "tiff signed": "others/tifffile_signed.tif",
    "tiff 32 bits": "others/tifffile_32_bits.tif",
    "tiff inks": "others/tifffile_inks.tif",
    "tiff preview first": "others/tifffile_preview_first.tif",
    "tiff pyramid": "others/tifffile_pyramid.tif",
    "tiff wide pixels": "others/tifffile_wide_pixels.tif",
    "svg entities": "cases/illustrator.svg",
    "svg import": "cases/css_import.svg",
    "svg html": "cases/mermaid.svg",
    "svg sides": "cases/percent_no_viewbox.svg",
    "svg program": "others/graphviz.svg",
}
_XMP = b"""<?xpacket begin='' id='x'?><!-- ours --><x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description
 xmlns:tiff='http://ns.adobe.com/tiff/1.0/' xmlns:dc='http://purl.org/dc/elements/1.1/'
 xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/' tiff:Orientation='6' hdrgm:Version='1.0'>
<dc:creator><rdf:Seq><rdf:li>an artist &amp; others</rdf:li></rdf:Seq></dc:creator>
<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>ours</rdf:li></rdf:Alt></dc:rights>
<tiff:ImageWidth>96</tiff:ImageWidth></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""
_BEFORE = "<?xml-stylesheet href='far.css'?><!DOCTYPE svg [<!ENTITY word '\u5c71 and words'>]>"
_STYLES = """ style='width: 80px; height: 100%'>
<style>@import url(far.css); .a > rect, #b:hover, [x] { fill: url(#c); mask: url('far.svg#d') }</style>
<linearGradient id='c'><stop stop-color='red'/></linearGradient><g class='a'><rect width='9' height='9'/></g>
<filter id='f'><feImage xlink:href='#g'/></filter><circle id='g' r='3'/>
<rect id='b' width='5' height='5' filter='url(#f)'/>
<use href='#b'/><use xlink:href='far.svg#e'/><image href='far.png'/><text y='30'>&word;</text>
<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>some words</p></foreignObject>
<include href='far.svg' xmlns='urn:other'/>"""


def unusual() -> Iterator[tuple[str, bytes]]:
    """Yield the pictures with their names, which begin with the format's name."""
    for name, path in _FILES.items():
        yield name, (_FOLDER / path).read_bytes()
    yield from _slips()
    yield from _metadata()
    yield from _colours()
    yield from _tiffs()
    yield from _frames()
    yield from _drawings()
    yield from _dicoms()
    yield from _refused()


def _slips() -> Iterator[tuple[str, bytes]]:
    progressive = encoded(photo(96, 64), "jpeg", quality=85, progressive=True)
    last = progressive.rindex(b"\xff\xda")
    yield "jpeg stray bytes", progressive[:last] + b"stray" + progressive[last:]
    yield "jpeg without an end", progressive[:-2]
    yield "pdf after bytes", b"\xef\xbb\xbf" + pdf(b"1 0 0 rg 0 0 100 100 re f")


def _metadata() -> Iterator[tuple[str, bytes]]:
    exif = Image.Exif()
    exif[0x13B], exif[0x8298] = "an artist", "\u00fc's rights"
    exif.get_ifd(0x8769).update(
        {0x9003: "2024:02:03 04:05:06", 0x9011: "+01:00", 0x829A: 0.01, 0xA434: "a lens"}
    )
    exif.get_ifd(0x8825).update(
        {1: "N", 2: (52.0, 30.0, 1.5), 3: "W", 4: (13.0, 20.0, 0.0), 5: b"\1", 6: 34.5}
    )
    picture = encoded(photo(96, 64), "jpeg", quality=60, exif=exif, xmp=_XMP)
    names = b"\x1c\x01\x5a\0\x03\x1b%G\x1c\x02\x50\0\x09an artist\x1c\x02\x0a\0\x018"
    resource = b"8BIM\x04\x04\0\0" + len(names).to_bytes(4, "big") + names + bytes(len(names) % 2)
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x0c\0\0\0\0\0\x02xx" + resource
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    exif[0x110] = b"caf\xe9"
    exif.get_ifd(0x8769)[0x829D] = (1, 0)
    yield "jpeg foreign names", encoded(photo(48, 32), "jpeg", exif=exif)
    yield "jpeg statements", picture[:2] + segment + picture[2:]
    yield "jpeg wide gamut", encoded(photo(48, 32), "jpeg", icc_profile=WIDE_GAMUT)
    yield (
        "tiff names",
        encoded(photo(48, 32), "tiff", tiffinfo={315: "an artist", 33432: "rights", 33723: names}),
    )


def _colours() -> Iterator[tuple[str, bytes]]:
    small = coded("pq")[::4]
    yield "png pq", png(small, cicp(9, 16))
    yield "png pq bright", png(np.linspace(0, 1, 96).reshape(1, -1, 1).repeat(4, 0).repeat(3, 2), cicp(9, 16))
    yield "png gamma", png(small, gamma(100_000), bits=8)
    info = PngInfo()
    info.add(b"cICP", bytes([12, 4, 0, 1]))
    primaries = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    yield "png primaries", png(small, gamma(50_000), (b"cHRM", primaries))
    broad = np.dstack([small, small[..., :1]])
    yield "png possible nowhere", png(small, gamma(50_000), (b"cHRM", bytes(32)), bits=8)
    yield "png television", png(small, cicp(9, 1))
    yield "png alpha gamma", encoded(Image.fromarray(np.rint(255 * broad).astype("u1")), "png", pnginfo=info)
    yield "png profile and code", encoded(photo(48, 32), "png", icc_profile=WIDE_GAMUT, pnginfo=info)
    yield "png grey gamma", png(small[..., 0], gamma(100_000), bits=8)
    yield "png broken profile", png(small, (b"iCCP", b"x\0\0broken"), bits=8)
    late = encoded(photo(48, 32), "png")
    exif = png_chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
    yield "png late metadata", late[:-12] + exif + late[-12:]
    limited = (_FOLDER / "others/ffmpeg_pq.avif").read_bytes()
    # The bitstream declares the colours too.
    yield "avif pq without nclx", limited.replace(b"colrnclx", b"skipnclx")
    tiles = (_FOLDER / "others/avifenc_grid.avif").read_bytes()
    yield "avif tiles without nclx", tiles.replace(b"colrnclx", b"skipnclx")
    at = limited.index(b"mdat") + 4
    header = _sequence_header()
    timed = limited[:at] + header + limited[at + len(header) :]
    yield "avif timed without nclx", timed.replace(b"colrnclx", b"skipnclx")
    yield "avif hlg", avif(coded("hlg"), 9, 18, 10)
    yield "heic pq", heic(coded("pq"), 9, 16)


def _sequence_header() -> bytes:
    """Return an AV1 sequence header that has most optional parts (AV1, 5.5).

    The picture after it can't be decoded, but the header declares its colours.
    """
    fields = (
        (0, 3), (1, 1), (0, 1),  # profile, still picture, whole header
        (1, 1), (1, 32), (25, 32), (1, 1), (0b00101, 5),  # timing, with a number of variable length
        (1, 1), (9, 5), (1, 32), (9, 5), (9, 5),  # the decoder's model
        (1, 1), (0, 5), (0, 12), (8, 5), (0, 1), (1, 1), (0, 21), (1, 1), (9, 4),  # one operating point
        (5, 4), (5, 4), (63, 6), (47, 6), (1, 1), (0, 7), (0, 3),  # size, frame numbers
        (0, 4), (1, 1), (0, 2), (0, 1), (1, 1), (0, 1), (0, 1), (0, 3),  # tools
        (0, 3), (1, 1), (0, 1), (1, 1), (9, 8), (16, 8), (9, 8),  # 10 bits, and the colours
    )  # fmt: skip
    bits = "".join(f"{value:0{count}b}" for value, count in fields)
    bits += "0" * (-len(bits) % 8)
    content = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return bytes([1 << 3 | 2, len(content)]) + content


def _tiffs() -> Iterator[tuple[str, bytes]]:
    tones = np.asarray(photo(24, 16)).astype(float) / 255
    alpha = np.dstack([tones, tones[..., 0]])
    yield "tiff double", tiff(tones)
    yield "tiff double alpha", tiff(alpha.astype("f8"), order=">", tags={338: (3, [1])})
    yield "tiff measured", tiff((tones[..., 0] * 700 - 90).astype("f4"))
    yield "tiff white is zero", tiff((tones[..., 0] * 127).astype("i1"), tags={262: (3, [0])})
    yield "tiff no alpha", tiff((alpha * 65_535).astype("u2"), tags={338: (3, [0])}, deflated=True)


def _frames() -> Iterator[tuple[str, bytes]]:
    yield "gif disposals", gif((2, 1, 4, 3, 2, 0), (0, 0, 8, 1, 3, 3), (0, 0, 8, 6, 1, 2), (7, 5, 1, 1, 3, 0))
    yield "jpeg lossless colour", lossless_jpeg(photo(32, 24))
    yield "png thread", png(np.tile(np.linspace(0, 1, 17_000), (1, 1)), bits=8)


def _drawings() -> Iterator[tuple[str, bytes]]:
    start = "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'"
    pictures = "".join(
        f"<image id='{kind}' width='9' height='9' href='data:image/{kind};base64,"
        f"{base64.b64encode(encoded(Image.new('P', (8, 8), 1), kind)).decode()}'/>"
        for kind in ("gif", "webp")
    )
    yield "svg embedded", f"{start} width='40px' height='2em'>{pictures}</svg>".encode()
    yield "svg styles", f"{_BEFORE}{start} height='3in'{_STYLES}</svg>".encode()
    plain = f"{start} viewBox='0 0 8 6'><rect width='4' height='6' fill='blue'/></svg>"
    yield "svg utf-16", plain.encode("utf-16")
    yield "svg compressed", gzip.compress(plain.encode(), mtime=0)
    yield (
        "svg long comment",
        b"\xef\xbb\xbf" + f"<?xml version='1.0'?><!--{'-- '.replace('-', '') * 400}-->{plain}".encode(),
    )


def _dicoms() -> Iterator[tuple[str, bytes]]:
    measured = ramp(-24, 24, "i2")
    windows: dict[str, Any] = {"WindowCenter": 0, "WindowWidth": 30}
    yield "dicom sigmoid", dicom(measured, VOILUTFunction="SIGMOID", **windows)
    yield "dicom exact window", dicom(measured, VOILUTFunction="LINEAR_EXACT", **windows)
    yield "dicom two tones", dicom(measured, WindowCenter=0, WindowWidth=1)
    yield (
        "dicom padding",
        dicom(measured, PixelPaddingValue=-24, PixelPaddingRangeLimit=-20, PixelAspectRatio=[2, 1]),
    )
    colours = np.asarray(photo(48, 32))
    yield "dicom ybr runs", as_runs(dicom(colours, PhotometricInterpretation="YBR_FULL"))
    halves = dicom(colours, PhotometricInterpretation="YBR_FULL_422")
    yield "dicom ybr halves", halves
    palette: dict[str, Any] = {
        f"{name}PaletteColorLookupTable{part}": value
        for name in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [64, 0, 16]), ("Data", ramp(0, 63, ">u2")[0].tobytes()))
    }
    yield (
        "dicom big end first",
        dicom(
            ramp(0, 63, "u1"),
            syntax=ExplicitVRBigEndian,
            PhotometricInterpretation="PALETTE COLOR",
            **palette,
        ),
    )


def _refused() -> Iterator[tuple[str, bytes]]:
    """Yield undamaged pictures. Most of them are rejected.

    Damage can remove the part that is the reason for the rejection.
    """
    yield "dicom annotated", dicom(ramp(0, 47, "u1"), BurnedInAnnotation="YES")
    yield "dicom deflated", dicom(ramp(0, 47, "u1"), syntax=DeflatedExplicitVRLittleEndian)
    yield "tiff complex", (_FOLDER / "others/tifffile_complex.tif").read_bytes()
    yield "svg program with a script", (_FOLDER / "others/gnuplot_mouse.svg").read_bytes()
    yield "pdf without an area", (_FOLDER / "cases/zero_area_page.pdf").read_bytes()
    start = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'"
    yield "svg event", f"{start} onload='go()'><rect width='4' height='4'/></svg>".encode()
    yield "svg circle", f"{start}><g id='a'><use href='#b'/></g><g id='b'><use href='#a'/></g></svg>".encode()
    yield "svg far size", f"{start.replace('9', '99999999')}><rect width='4' height='4'/></svg>".encode()
    outside = "<!DOCTYPE svg [<!ENTITY far SYSTEM 'far.xml'>]>"
    yield "svg outside entity", f"{outside}{start}><text y='9'>&far;</text></svg>".encode()
    undeclared = "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'svg11.dtd'>"
    yield "svg undeclared entity", f"{undeclared}{start}><text y='9'>&far;</text></svg>".encode()
    inner = base64.b64encode(encoded(photo(8, 8), "tiff")).decode()
    yield "svg embedded tiff", f"{start}><image href='data:image/tiff;base64,{inner}'/></svg>".encode()
