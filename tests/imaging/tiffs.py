"""TIFF files of kinds that Pillow can't write, made by hand (TIFF 6.0)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_TYPES = {1: ("B", 1, 1), 3: ("H", 1, 2), 4: ("I", 1, 4), 5: ("II", 2, 4)}
"""The types BYTE, SHORT, LONG and RATIONAL.

Each has its form in :mod:`struct`, the numbers in a value, and the bytes of a number.
"""
Tags = Mapping[int, tuple[int, Sequence[int]]]
_NO_TAGS: Tags = {}


def tiff(
    *pages: Any,
    order: str = "<",
    deflated: bool = False,
    apart: bool = False,
    tags: Tags | Sequence[Tags] = _NO_TAGS,
) -> bytes:
    """Return a TIFF file of pages.

    Each page is an array of rows, columns and samples. ``order`` is ``<`` or ``>``. ``tags`` overrides fields
    of the directories: each field is a type and its numbers. A list has the tags of each page. If ``apart``
    is true, each sample has a plane of its own.
    """
    each = [tags] * len(pages) if isinstance(tags, Mapping) else tags
    content = (b"II*\0" if order == "<" else b"MM\0*") + bytes(4)
    link = 4
    for page, own in zip(pages, each, strict=True):
        content += bytes(len(content) % 2)
        start = struct.pack(f"{order}I", len(content))
        content = content[:link] + start + content[link + 4 :]
        directory = _directory(np.asarray(page), order, own, len(content), deflated=deflated, apart=apart)
        link = len(content) + directory[0]
        content += directory[1]
    return content


def _directory(
    page: Any, order: str, tags: Tags, start: int, *, deflated: bool, apart: bool
) -> tuple[int, bytes]:
    """Return the offset of the link to the next directory, and this directory.

    The offset counts from the start of this directory, which includes its data.
    """
    values = page if page.ndim == 3 else page[..., None]
    height, width, samples = values.shape
    values = values.astype(values.dtype.newbyteorder(order))
    planes = [values[..., sample].tobytes() for sample in range(samples)] if apart else [values.tobytes()]
    strips = [zlib.compress(plane) if deflated else plane for plane in planes]
    fields: dict[int, tuple[int, Sequence[int]]] = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [values.dtype.itemsize * 8] * samples),
        259: (3, [8 if deflated else 1]), 262: (3, [2 if samples > 2 else 1]), 273: (4, [0] * len(strips)),
        277: (3, [samples]), 278: (4, [height]), 279: (4, [len(strip) for strip in strips]),
        284: (3, [2 if apart else 1]),
        339: (3, [{"u": 1, "i": 2, "f": 3}[values.dtype.kind]] * samples), **tags,
    }  # fmt: skip
    size = 2 + 12 * len(fields) + 4
    long_ones = b""
    entries = {}
    at = (
        start
        + size
        + sum(
            each for each in (len(numbers) * _TYPES[kind][2] for kind, numbers in fields.values()) if each > 4
        )
    )
    fields[273] = (4, [at + sum(map(len, strips[:strip])) for strip in range(len(strips))])
    for tag, (kind, numbers) in sorted(fields.items()):
        form, per_value, _ = _TYPES[kind]
        packed = struct.pack(f"{order}{form * (len(numbers) // per_value)}", *numbers)
        if len(packed) > 4:
            packed, long_ones = struct.pack(f"{order}I", start + size + len(long_ones)), long_ones + packed
        counted = struct.pack(f"{order}HHI", tag, kind, len(numbers) // per_value)
        entries[tag] = counted + packed.ljust(4, b"\0")
    head = struct.pack(f"{order}H", len(fields)) + b"".join(entries[tag] for tag in sorted(entries))
    return size - 4, head + bytes(4) + long_ones + b"".join(strips)
