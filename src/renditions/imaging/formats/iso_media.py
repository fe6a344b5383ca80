"""Find the codec of an ISO base media file (ISO/IEC 14496-12) by the brands in its ``ftyp`` box."""

from __future__ import annotations

_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_STRUCTURAL = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})


def is_avif(content: bytes) -> bool:
    """Return whether the file contains a picture in AV1."""
    major, others = _read_brands(content)
    return major in _AVIF or (major in _STRUCTURAL and not others.isdisjoint(_AVIF))


def is_heic(content: bytes) -> bool:
    """Return whether the file contains a picture in HEVC. If its brands name no codec, it counts as HEIC."""
    major, _ = _read_brands(content)
    return major in _HEIC or (major in _STRUCTURAL and not is_avif(content))


def _read_brands(content: bytes) -> tuple[bytes, frozenset[bytes]]:
    """Return the major brand and the compatible brands."""
    size = int.from_bytes(content[:4], "big")
    others = content[16 : min(size, 512)]
    return content[8:12], frozenset(others[at : at + 4] for at in range(0, len(others), 4))
