"""HEIC input: the pictures of phones, decoded by libheif.

The format is ISO/IEC 23008-12, with HEVC inside. The container declares rotation and mirroring, and libheif
applies them. EXIF's orientation only repeats them, so it is ignored. libheif rejects files that are cut off.
HEVC itself has no checksums, so other damage inside the picture can stay undetected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.declared import declare
from renditions.imaging.extras import import_extra
from renditions.imaging.formats.iso_media import count_frames, read_code
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header
from renditions.imaging.vips import GValue, Image, explain

_BLOBS = {"icc_profile": "icc-profile-data", "exif": "exif-data", "xmp": "xmp-data"}
"""libheif's and libvips' names for the same blocks."""
_INTERPRETATIONS = {
    (True, "uchar"): "b-w",
    (True, "ushort"): "grey16",
    (False, "uchar"): "srgb",
    (False, "ushort"): "rgb16",
}


def read_header(content: bytes, _: int) -> Header:
    """Return the header of the container's primary picture.

    Raises:
        Undecodable: The header is damaged.
        Failed: pillow-heif isn't installed.

    """
    with _translated("the heic header is damaged"):
        picture = _open(content)
        if not all(picture.size):
            raise Undecodable("the heic header lacks the picture's size")
        bands = 1 if picture.mode.startswith("L") else 3
        frames = count_frames(content)
        code = read_code(content)
        return Header(
            format="heic",
            stored=Size(*picture.size),
            orientation=1,
            frames=frames,
            bands=bands,
            has_code=code is not None and code.can_be_kept,
        )


def is_animated(_: bytes, header: Header) -> bool:
    """Return whether the file holds a sequence of several frames."""
    return header.frames > 1


def decode(content: bytes, header: Header, **_: Any) -> Any:
    """Return the primary picture, upright, as a libvips image in memory.

    Its samples have 8 bits, or 16 in HDR of more than 8 bits.

    Raises:
        Undecodable: The picture is damaged, or has another size than its header says.
        Failed: pillow-heif isn't installed.

    """
    code = read_code(content)
    with _translated("the picture is damaged"):
        # Eight bits are too few for the values of HDR.
        picture = _open(content, has_8_bits=code is None or not code.is_hdr)
        data, kind = picture.data, "ushort" if picture.mode.endswith("16") else "uchar"
        mode = picture.mode.partition(";")[0]
        is_grey, has_alpha = mode.startswith(("L", "I")), mode.endswith(("A", "a"))
        is_weighted = picture.premultiplied_alpha
    if Size(*picture.size) != header.stored:
        found = f"{picture.size[0]} by {picture.size[1]}"
        expected = f"{header.stored.width} by {header.stored.height}"
        raise Undecodable(f"the picture is {found} pixels, but its header says {expected}")
    bands = (1 if is_grey else 3) + has_alpha
    image = Image.new_from_memory(data, header.stored.width, header.stored.height, bands, kind)
    image = image.copy(interpretation=_INTERPRETATIONS[is_grey, kind])
    if is_weighted:
        image = image.unpremultiply().rint().cast(kind)
    for theirs, ours in _BLOBS.items():
        if block := picture.info.get(theirs):
            image.set_type(GValue.blob_type, ours, block)
    if image.get_typeof("orientation"):
        # libvips reads it from the EXIF block, and would rotate the picture again.
        image.remove("orientation")
    return declare(image, code, lambda: image)


def _open(content: bytes, *, has_8_bits: bool = True) -> Any:
    pillow_heif = import_extra("pillow_heif", "heic")
    # One thread, as in libvips, because whole pictures run in parallel.
    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.options.THUMBNAILS = pillow_heif.options.DEPTH_IMAGES = False
    file = pillow_heif.open_heif(content, convert_hdr_to_8bit=has_8_bits)
    return file[file.primary_index]


@contextmanager
def _translated(failure: str) -> Iterator[None]:
    """Raise pillow-heif's errors, which have the types below, as ``Undecodable``."""
    try:
        yield
    except (ValueError, EOFError, SyntaxError, IndexError, RuntimeError, OSError) as error:
        raise Undecodable(explain(failure, str(error).strip())) from error
