"""JPEG input and output (ITU-T T.81).

Some cameras write files that don't quite follow the standard. Strict decoding stops at any of libjpeg's
warnings, because most of them mean damaged pixels. Some only mean a small fault of the container: a few stray
bytes after a scan or between two segments, spectral parameters that a sequential scan doesn't use, an unknown
version of JFIF, an unknown code in Adobe's marker, or a missing end mark although every scan is there.
:func:`tidied` repairs these faults, and the file is then decoded strictly again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from renditions.errors import NotAccepted, Undecodable
from renditions.imaging import iptc, xmp
from renditions.imaging.formats.loaded import load_header
from renditions.imaging.metadata import kept
from renditions.imaging.probe import Header
from renditions.imaging.vips import load, raise_if_warned, translated
from renditions.model.recipe import Rendition

_EOI, _SOS, _COM = 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_XMP, _MORE_XMP = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_IPTC = b"Photoshop 3.0\0"
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The first marker that isn't part of a scan's own data."""
_SCAN = re.compile(rb"\xff\xda")
_STANDALONE = frozenset(range(0xD0, 0xD8)) | {0x01}
"""Restart markers and TEM. These markers have no length, and mean nothing between segments."""
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
_LOSSLESS_FRAMES = (0xC3, 0xCB)
"""The markers of lossless frames. libjpeg can't shrink these: it returns the upper left part instead."""
_PROGRESSIVE_FRAME = 0xC2
"""The marker of a progressive frame with Huffman's coding."""
_PROGRESSIVE_FRAMES = (_PROGRESSIVE_FRAME, 0xCA)
"""The markers of progressive frames with Huffman's coding and with arithmetic coding."""
_ADOBE, _ADOBE_COLOURS_AT = b"Adobe", 15
"""How the data of Adobe's marker begins, and where in the segment its code for colours is (T.872, 6.5.3)."""
_ADOBE_COLOURS = {3: (0, 1), 4: (0, 2)}
"""The codes for each number of components. The last one means YCbCr, or YCCK."""
_COEFFICIENT_BYTES = 2
_MOST_SCANS = 100
_USUAL_SCANS = 20
_UNSEEN = 99
_LEAST_SCAN_BYTES = 8
_STRAYS = re.compile(r"(\d+) extraneous bytes before marker")
_MOST_STRAYS = 32
"""How many stray bytes may follow a scan. More bytes are probably the rest of a damaged scan."""
_END = bytes([0xFF, _EOI])
_SEQUENTIAL_PARAMETERS = b"\x00\x3f\x00"
"""The first and last coefficient, and the bit position. Only these values are allowed (T.81, B.2.3)."""
_SMALL_JPEG = {"interlace": True, "optimize_scans": True, "trellis_quant": True, "quant_table": 2}
"""The options of the encoder (mozjpeg) that make the smallest JPEG for the same SSIMULACRA2 score.

The quantisation table is tuned to MS-SSIM. An encoder without these options ignores them.
"""


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels.

    See :func:`.load_header` for the errors.
    """
    header = load_header("jpeg", content, page)
    kind, frame = next(
        (
            (marker, segment)
            for marker, segment, _ in _segments(content)
            if marker in _FRAMES or marker == _SOS
        ),
        (None, b""),
    )
    return replace(
        header,
        can_shrink=kind not in _LOSSLESS_FRAMES,
        held_bytes_per_pixel=_coefficient_bytes(frame) if kind in _PROGRESSIVE_FRAMES else None,
    )


def _coefficient_bytes(frame: bytes) -> int:
    """Return how many bytes of coefficients a pixel has, rounded up.

    A component has one coefficient for each of its samples, and the frame's header has the sampling factors
    (T.81, B.2.2). A decoder of several passes holds all coefficients of the picture.
    """
    samplings = [(factors >> 4, factors & 15) for factors in frame[11::3]]
    most = (
        max((across for across, _ in samplings), default=1),
        max((down for _, down in samplings), default=1),
    )
    samples = sum(across * down for across, down in samplings)
    return -(-_COEFFICIENT_BYTES * samples // max(most[0] * most[1], 1))


def check_cost(content: bytes) -> None:
    """Raise ``NotAccepted`` if the file has too many scans to decode in a short time.

    Even a scan of a few bytes makes the decoder visit the whole picture. Usual files have up to 20 scans.
    """
    # The quick count includes previews in the metadata and data after the end. The search for a pattern takes
    # half of the time of bytes.count.
    is_suspect = next(islice(_SCAN.finditer(content), _MOST_SCANS, None), None)
    if is_suspect and (found := _count_scans(content)) > _MOST_SCANS:
        raise NotAccepted(
            f"the JPEG has {found:,} scans, more than the {_MOST_SCANS} that are allowed. Save the picture "
            "again with fewer scans"
        )


def _count_scans(content: bytes) -> int:
    return sum(1 for marker, _, _ in _segments(content) if marker == _SOS)


def tidied(content: bytes) -> bytes:
    """Return the file without small faults of its container.

    If the end mark is missing, this function adds it only if the scans' headers declare every bit of every
    coefficient. Zeros at the end are then padding, and this function removes them. If a scan is missing, the
    zeros may belong to the data, so this function returns the file unchanged. This function doesn't notice a
    scan whose data is cut off, but the decoder does.
    """
    parts, scans = [content[:2]], _Scans()
    ends: list[int] = []
    frames = (segment for marker, segment, _ in _segments(content) if marker in _FRAMES)
    components = int.from_bytes(next(frames, b"")[9:10], "big")
    for marker, segment, data in _segments(content):
        if marker == _EOI:
            return b"".join([*_without_strays(parts, ends), segment, data])
        if marker == _SOS:
            parts += [scans.add(segment), data]
            ends.append(len(parts))
            continue
        if marker in _FRAMES:
            scans.begin(segment)
        parts.append(_with_known_colours(_with_version(segment), components))
    if not scans.are_complete:
        return content
    parts[-1] = _without_padding(parts[-1])
    return b"".join([*_without_strays(parts, ends), _END])


def _without_strays(parts: list[bytes], ends: Sequence[int]) -> list[bytes]:
    """Return the parts of a file without stray bytes after its scans.

    Each number in ``ends`` is the index after the part with a scan's data. In a file with a single scan,
    libjpeg stops after the last pixel, so it never sees stray bytes. In a file with several scans, libjpeg
    reads each scan up to the next marker, and warns of bytes that are left over. A file with more than
    ``_USUAL_SCANS`` scans isn't searched.
    """
    if not 1 < len(ends) <= _USUAL_SCANS or not _count_strays(b"".join([*parts, _END])):
        return parts
    found = list(parts)
    for end in ends:
        # A file may end after any scan; the warning is then about the last one.
        if count := _count_strays(b"".join([*found[:end], _END])):
            found[end - 1] = found[end - 1][:-count]
    return found


def _count_strays(content: bytes) -> int:
    """Return the number of stray bytes that libjpeg's first warning gives.

    Return 0 if libjpeg doesn't warn, warns of damage first, or gives too large a number.
    """
    try:
        with translated(Undecodable, ""):
            load("jpeg", content, fail_on="warning", shrink=8, access="sequential").avg()
            raise_if_warned(Undecodable, "", "VipsJpeg")
    except Undecodable as warning:
        found = _STRAYS.search(str(warning))
        return int(found[1]) if found and int(found[1]) <= _MOST_STRAYS else 0
    return 0


def _segments(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield each segment's marker, the segment, and the data after it.

    After the start of a scan comes the scan's data, after the end mark the rest of the file. Other segments
    have no data after them: bytes up to the next marker are skipped.
    """
    at = 2
    while (at := content.find(b"\xff", at)) >= 0:
        marker = content[at + 1 : at + 2]
        if marker in (b"", b"\x00", b"\xff") or marker[0] in _STANDALONE:
            at += 1
            continue
        if marker[0] == _EOI:
            yield _EOI, content[at : at + 2], content[at + 2 :]
            return
        end = following = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker[0] == _SOS:
            found = _AFTER_SCAN.search(content, end)
            following = found.start() if found else len(content)
        yield marker[0], content[at:end], content[end:following]
        at = following


class _Scans:
    """A record of the coefficients that the scans so far contain.

    For each coefficient of each component, it has the number of the lowest bit that a scan contains.
    """

    def __init__(self) -> None:
        self._is_sequential = self._is_known = False
        self._lowest_bits: dict[int, list[int]] = {}

    def begin(self, frame: bytes) -> None:
        """Read the components from a frame's header (T.81, B.2.2)."""
        self._is_sequential = frame[1] in _SEQUENTIAL_FRAMES
        self._is_known = self._is_sequential or frame[1] == _PROGRESSIVE_FRAME
        self._lowest_bits = {component: [_UNSEEN] * 64 for component in frame[10::3]}

    def add(self, scan: bytes) -> bytes:
        """Read a scan's header (B.2.3), and return it.

        The header of a sequential scan gets valid parameters.
        """
        if self._is_sequential:
            scan = scan[:-3] + _SEQUENTIAL_PARAMETERS
        first, last, bits = scan[-3:] if len(scan) > _LEAST_SCAN_BYTES else _SEQUENTIAL_PARAMETERS
        for component in scan[5:-3:2]:
            lowest = self._lowest_bits.get(component, [])
            lowest[first : last + 1] = [bits & 15] * len(lowest[first : last + 1])
        return scan

    @property
    def are_complete(self) -> bool:
        """Return whether the scans' headers declare every bit of every coefficient.

        The result is false for lossless frames, and for arithmetic coding, because damage can't be seen
        there: the decoder takes missing data for zeros.
        """
        lowest = list(self._lowest_bits.values())
        return self._is_known and bool(lowest) and not any(map(any, lowest))


def _with_version(segment: bytes) -> bytes:
    """Return the segment. A JFIF segment with version 0 gets version 1.1."""
    is_unknown = segment[1] == 0xE0 and segment[4:10] == b"JFIF\0\0"
    return segment[:9] + b"\x01\x01" + segment[11:] if is_unknown else segment


def _with_known_colours(segment: bytes, components: int) -> bytes:
    """Return the segment. An unknown code in Adobe's marker is replaced.

    Decoders take unknown codes for YCbCr, or for YCCK if there are four components.
    """
    codes = _ADOBE_COLOURS.get(components, ())
    is_adobe = segment[1] == 0xEE and segment[4:].startswith(_ADOBE) and len(segment) > _ADOBE_COLOURS_AT
    if not is_adobe or not codes or segment[_ADOBE_COLOURS_AT] in codes:
        return segment
    return segment[:_ADOBE_COLOURS_AT] + bytes([codes[-1]]) + segment[_ADOBE_COLOURS_AT + 1 :]


def _without_padding(data: bytes) -> bytes:
    """Return the last part of a file without the padding at its end.

    Padding consists of zeros, the first byte of a marker, or both.
    """
    stripped = data.removesuffix(b"\xff").rstrip(b"\0")
    return stripped + b"\0" if stripped.endswith(b"\xff") else stripped


def encode(image: Any, recipe: Rendition, quality: int | None) -> bytes:
    """Encode an image as a file."""
    options: dict[str, Any] = {"interlace": True} if recipe.progressive else {}
    if recipe.quality == "auto":
        options = _SMALL_JPEG
    chroma = "off" if recipe.chroma == "444" else "on"
    return bytes(image.jpegsave_buffer(Q=quality, subsample_mode=chroma, keep=kept(recipe), **options))


def copy_without_metadata(content: bytes, *, keeps_metadata: bool, keeps_profile: bool) -> bytes | None:
    """Return the JPEG up to its end mark, without metadata unless a flag keeps it.

    The copy lacks the previews, gain maps and videos after the end mark, and the metadata about them.
    Return None if the JPEG has four components (such as CMYK), if it has a profile and ``keeps_profile`` is
    false, or if its segments can't be followed to the end mark.
    """
    parts, at = [content[:2]], 2
    while len(segment := content[at : at + 10]) >= 2 and segment[0] == 0xFF:
        marker = segment[1]
        if marker == _EOI:
            return b"".join([*parts, content[at : at + 2]])
        end = at + 2 + int.from_bytes(segment[2:4], "big")
        if marker in _FRAMES and segment[9:] == b"\x04":
            return None
        is_profile = marker == 0xE2 and content.startswith(b"ICC_PROFILE\0", at + 4)
        if is_profile and not keeps_profile:
            return None
        if marker == _SOS:
            following = _AFTER_SCAN.search(content, end)
            end = following.start() if following else len(content)
        if is_profile or not _is_metadata(content[at:end]):
            parts.append(content[at:end])
        elif keeps_metadata:
            parts.append(_true_part(content[at:end]))
        at = end
    return None


def _true_part(segment: bytes) -> bytes:
    """Return a metadata segment without facts that may be wrong for a copy.

    The result is empty if nothing is left.
    """
    marker, data = segment[:2], segment[4:]
    if marker == b"\xff\xe2" or data.startswith(_MORE_XMP):
        return b""
    for start, begin, select in ((_XMP, len(_XMP), xmp.true_part_of), (_IPTC, 0, iptc.true_part_of)):
        if data.startswith(start):
            selected = select(data[begin:])
            size = 2 + begin + len(selected)
            return marker + size.to_bytes(2, "big") + data[:begin] + selected if selected else b""
    return segment


def _is_metadata(segment: bytes) -> bool:
    """Return whether a segment is metadata.

    Metadata is in application and comment segments, except Adobe's, and JFIF's without a preview.
    """
    is_plain_jfif = segment[1] == 0xE0 and segment[4:9] == b"JFIF\0" and len(segment) == 18
    is_adobe = segment[1] == 0xEE and segment[4:9] == b"Adobe"
    return segment[1] == _COM or (segment[1] in _APPLICATION and not is_plain_jfif and not is_adobe)
