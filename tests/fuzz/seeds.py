"""Pictures of every format that Renditions reads.

The fuzzer damages them. Most are valid.
"""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pydicom
from PIL import Image, ImageCms
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from fuzz.unusual import unusual
from imaging.dicoms import dicom, items, ramp
from imaging.pictures import encoded, heic, interlaced_png, photo, rgb_png

_CREATED = time.gmtime(0)
"""The creation time in PDF files. It is constant, so that the files are the same each time."""
_DATED = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
_SRGB = _DATED[:24] + bytes(12) + _DATED[36:]
"""A colour profile without its creation time (ICC.1:2022, section 7.2.8), so it is the same each time."""
_XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    b"<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/' dc:rights='ours'/></rdf:RDF></x:xmpmeta>"
)
_TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")


@cache
def seeds() -> dict[str, bytes]:
    """Return the pictures by name. Each name begins with the format's name."""
    usual = (*_jpegs(), *_pngs(), *_others(), *_tiffs(), *_animations(), *_drawings(), *_dicoms())
    return dict([*usual, *unusual()])


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = 6
    exif[0x13B] = "an artist"
    exif[0x8298] = "an owner's rights"
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def _jpegs() -> Iterator[tuple[str, bytes]]:
    picture = photo(96, 64)
    yield "jpeg baseline", encoded(picture, "jpeg", quality=85)
    yield "jpeg progressive", encoded(picture, "jpeg", quality=85, progressive=True)
    yield "jpeg cmyk", encoded(picture.convert("CMYK"), "jpeg")
    yield "jpeg grey", encoded(picture.convert("L"), "jpeg")
    yield "jpeg restarts", encoded(picture, "jpeg", quality=85, restart_marker_blocks=4)
    yield "jpeg metadata", encoded(picture, "jpeg", exif=_exif(), icc_profile=_SRGB, xmp=_XMP, comment=b"x")


def _pngs() -> Iterator[tuple[str, bytes]]:
    picture = photo(96, 64)
    alpha = picture.copy()
    alpha.putalpha(photo(96, 64).convert("L"))
    rows = np.asarray(photo(48, 32)).astype(">u2") * 257
    yield "png colour", encoded(picture, "png")
    yield "png palette", encoded(picture.quantize(16), "png", transparency=3)
    yield "png one bit", encoded(picture.convert("1"), "png")
    yield "png alpha", encoded(alpha, "png", exif=_exif(), icc_profile=_SRGB)
    yield "png 16 bits", rgb_png(48, 32, b"".join(b"\0" + row.tobytes() for row in rows), bits=16)
    yield "png interlaced", interlaced_png(photo(48, 32))


def _others() -> Iterator[tuple[str, bytes]]:
    picture = photo(96, 64)
    alpha = picture.copy()
    alpha.putalpha(photo(96, 64).convert("L"))
    yield "webp lossy", encoded(picture, "webp", quality=80)
    yield "webp lossless", encoded(photo(48, 32), "webp", lossless=True)
    yield "webp alpha", encoded(alpha, "webp", quality=80, exif=_exif(), icc_profile=_SRGB, xmp=_XMP)
    yield "avif", encoded(picture, "avif", quality=60, speed=10)
    yield "avif alpha", encoded(alpha, "avif", quality=60, speed=10, exif=_exif(), icc_profile=_SRGB)
    yield "heic", heic(picture, quality=60)
    yield "heic alpha", heic(alpha, quality=60, exif=_exif().tobytes(), icc_profile=_SRGB)
    yield "gif", encoded(picture, "gif")
    yield "gif interlaced", encoded(picture.convert("L"), "gif", interlace=1)


def _tiffs() -> Iterator[tuple[str, bytes]]:
    picture = photo(48, 32)
    for compression in _TIFF_COMPRESSIONS:
        yield f"tiff {compression}", encoded(picture, "tiff", compression=compression)
    yield "tiff fax", encoded(picture.convert("1"), "tiff", compression="group4")
    yield "tiff palette", encoded(picture.quantize(64), "tiff", compression="tiff_lzw")
    yield (
        "tiff pages",
        encoded(picture, "tiff", save_all=True, append_images=[photo(32, 48), photo(20, 20)]),
    )


def _drawings() -> Iterator[tuple[str, bytes]]:
    embedded = base64.b64encode(encoded(photo(16, 16), "png"))
    yield (
        "svg",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='96' height='64' viewBox='0 0 48 32'>"
        b"<defs><linearGradient id='fade'><stop offset='0' stop-color='red'/><stop offset='1'/>"
        b"</linearGradient>"
        b"<g id='dot'><circle cx='3' cy='3' r='2'/></g></defs><style>rect { stroke: #0f0 }</style>"
        b"<rect width='40' height='20' fill='url(#fade)' transform='rotate(9)'/>"
        b"<use href='#dot' x='9' y='9'/><path d='M1 2C3 4 5 6 7 8zL9 30'/><text x='5' y='30'>words</text>"
        b"<image width='9' height='9' href='data:image/png;base64," + embedded + b"'/></svg>",
    )
    dates = {"creationDate": _CREATED, "modDate": _CREATED}
    yield "pdf", encoded(photo(96, 64), "pdf", **dates)
    yield "pdf pages", encoded(photo(48, 32), "pdf", save_all=True, append_images=[photo(32, 48)], **dates)


def _animations() -> Iterator[tuple[str, bytes]]:
    frames = [photo(48, 32).rotate(angle) for angle in (0, 90, 180)]
    for animated in ("gif", "webp", "avif"):
        options = {"save_all": True, "append_images": frames[1:], "duration": [40, 80, 120]}
        moving = _undated(encoded(frames[0], animated, **options))
        yield f"{animated} animated", moving
        if b"colrnclx" in moving:
            # The bitstream declares the colours too.
            yield f"{animated} animated without nclx", moving.replace(b"colrnclx", b"skipnclx")


def _undated(content: bytes) -> bytes:
    """Return an AVIF sequence without its creation times.

    The times are in boxes (ISO 14496-12, section 8).
    """
    return re.sub(
        rb"((?:mvhd|tkhd|mdhd)\x01.{3}).{16}", lambda box: box[1] + bytes(16), content, flags=re.DOTALL
    )


def _dicoms() -> Iterator[tuple[str, bytes]]:
    picture, colours = photo(48, 32), np.asarray(photo(48, 32))
    palette: dict[str, Any] = {
        f"{name}PaletteColorLookupTable{part}": value
        for name in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [64, 0, 16]), ("Data", ramp(0, 63, "u2")[0].tobytes()))
    }
    groups: dict[str, Any] = {
        "SharedFunctionalGroupsSequence": items(
            PixelValueTransformationSequence=items(RescaleSlope=2, RescaleIntercept=-100),
            PixelMeasuresSequence=items(PixelSpacing=[2, 1]),
        )
    }
    yield "dicom grey", dicom(ramp(0, 47, "u1"), PhotometricInterpretation="MONOCHROME1")
    yield (
        "dicom window",
        dicom(ramp(-24, 24, "i2"), WindowCenter=[0, 1], WindowWidth=[20, 30], RescaleSlope=2),
    )
    yield "dicom colours", dicom(colours)
    yield "dicom palette", dicom(ramp(0, 63, "u1"), PhotometricInterpretation="PALETTE COLOR", **palette)
    yield "dicom frames", dicom(np.stack([ramp(0, 47, "u2")] * 3), BitsStored=12, **groups)
    yield "dicom jpeg", dicom(colours, syntax=JPEGBaseline8Bit, encoded=[encoded(picture, "jpeg")])
    wavelets = encoded(picture, "jpeg2000", no_jp2=True)
    yield "dicom jpeg 2000", dicom(colours, syntax=JPEG2000Lossless, encoded=[wavelets])
    runs = pydicom.dcmread(io.BytesIO(dicom(colours)))
    runs.compress(RLELossless, generate_instance_uid=False)
    target = io.BytesIO()
    runs.save_as(target)
    yield "dicom rle", target.getvalue()
