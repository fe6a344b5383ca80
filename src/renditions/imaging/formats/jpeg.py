"""JPEG files that cameras write against the letter of ITU-T T.81, and that are whole all the same.

Strict decoding stops at any of libjpeg's warnings, because most of them mean damaged pixels. Those that
can arise before the first scan don't: stray bytes between two segments, and spectral parameters that a
sequential scan has no use for. :func:`tidied` removes their cause, so that a second strict decoding
decides; nothing is forgiven within the pixels' own data.
"""

from __future__ import annotations

_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
_START_OF_SCAN = 0xDA
_SEQUENTIAL_PARAMETERS = b"\x00\x3f\x00"
"""First and last coefficient and bit position: the only values that T.81, B.2.3 allows there."""


def tidied(content: bytes) -> bytes:
    """Return the file with a header by the letter, or as it is where its header can't be followed."""
    segments = [content[:2]]
    is_sequential = False
    at = 2
    while (at := content.find(b"\xff", at)) >= 0:
        marker = content[at + 1 : at + 2]
        if marker in (b"", b"\x00", b"\xff"):
            at += 1
            continue
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if marker[0] == _START_OF_SCAN:
            scan = content[at:end]
            if is_sequential:
                scan = scan[:-3] + _SEQUENTIAL_PARAMETERS
            return b"".join([*segments, scan, content[end:]])
        is_sequential = is_sequential or marker[0] in _SEQUENTIAL_FRAMES
        segments.append(content[at:end])
        at = end
    return content
