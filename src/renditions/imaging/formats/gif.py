"""GIF input and output, and a check of its blocks and of each frame's pixels.

GIF has no checksums, and its decoder leaves missing pixels transparent. The blocks and the LZW codes are
described in appendices B and F of the GIF89a specification.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.formats.loaded import load_header, load_pixels
from renditions.imaging.probe import Header
from renditions.imaging.vips import Image
from renditions.model.recipe import Rendition

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL = 0xF9
"""The label of a graphic control extension."""
_CLEAR, _RESTORE = 2, 3
"""The disposals of a frame that change the canvas."""
_MAX_CODES = 4096
_MAX_CODE_BITS = 8
_COVERED = 255


@dataclass(frozen=True, slots=True)
class _Frame:
    """One image block."""

    left: int
    top: int
    width: int
    height: int
    disposal: int
    """What happens to the frame before the next one: 2 clears its area, 3 restores what was below it."""
    code_bits: int
    """The number of bits of a pixel's own code; the clear code and the end code come after these."""
    start: int
    """The offset of the frame's first sub-block in the file."""

    @property
    def pixels(self) -> int:
        """The number of pixels in the frame."""
        return self.width * self.height


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels."""
    return load_header("gif", content, page)


def decode(content: bytes, header: Header, **options: Any) -> Any:
    """Return a lazy image of the first frame, or with ``n=-1`` of all frames below each other.

    The canvas outside of the frames is transparent, as in browsers. libvips makes it black or of the
    background colour if the file declares no transparent colour.
    """
    image = load_pixels(content, header, **options)
    count = header.frames if options.get("n") == -1 else 1
    try:
        frames = list(islice(_frames(content), count))
    except IndexError:
        return image  # cut off, and accepted all the same
    masks = _masks(frames, image.width, image.height // count)
    if all(mask is None for mask in masks):
        return image
    full = Image.black(image.width, image.height // count).invert()
    mask = Image.arrayjoin([full if each is None else each for each in masks], across=1)
    if image.hasalpha():
        last = image.bands - 1
        return image[:last].bandjoin((image[last] & mask).cast("uchar"))
    return image.bandjoin(mask)


def _masks(frames: Iterable[_Frame], width: int, height: int) -> list[Any]:
    """Return the covered part of the canvas while each frame is shown; None stands for the whole canvas."""
    masks: list[Any] = []
    empty = covered = Image.black(width, height)
    for frame in frames:
        below = covered
        is_whole = frame.left == frame.top == 0 and frame.width >= width and frame.height >= height
        covered = None if is_whole or covered is None else _painted(covered, frame, _COVERED)
        masks.append(covered)
        if frame.disposal == _CLEAR:
            shown = empty.invert() if covered is None else covered
            covered = empty if is_whole else _painted(shown, frame, 0)
        elif frame.disposal == _RESTORE:
            covered = below
    return masks


def _painted(mask: Any, frame: _Frame, value: int) -> Any:
    rectangle = frame.left, frame.top, frame.width, frame.height
    return mask.draw_rect(value, *rectangle, fill=True) if frame.pixels else mask


def check_end(content: bytes) -> None:
    """Raise ``Undecodable`` if the blocks can't be followed up to the trailer.

    Some encoders forget the trailer. So the file may also end after a whole block, if its last frame has data
    for all pixels.
    """
    try:
        deque(_frames(content, needs_trailer=True), 0)
    except IndexError as error:
        if not _has_whole_blocks(content):
            raise Undecodable("the GIF ends before its trailer") from error


def _has_whole_blocks(content: bytes) -> bool:
    try:
        last = deque(_frames(content), 1)
    except IndexError:
        return False
    return all(_count_in(content, frame) == frame.pixels for frame in last) and bool(last)


def check_data(content: bytes, _: Header, frames: int) -> None:
    """Raise ``Undecodable`` if one of the first ``frames`` frames has data for too few pixels.

    Most damage inside the data has this effect, since it changes the lengths of runs.
    """
    try:
        for number, frame in enumerate(islice(_frames(content), frames), 1):
            found = _count_in(content, frame)
            if found < frame.pixels:
                raise Undecodable(f"expected {frame.pixels:,} pixels in frame {number}, found {found:,}")
    except IndexError as error:
        raise Undecodable("the GIF ends inside a block") from error


def encode(image: Any, _: Rendition, __: int | None) -> bytes:
    """Encode an image, or the frames or pages in it, as a file."""
    # The format has no place for metadata.
    return bytes(image.gifsave_buffer(keep="none"))


def _frames(content: bytes, *, needs_trailer: bool = False) -> Iterator[_Frame]:
    """Yield each image block up to the trailer or the end; raise ``IndexError`` if that end cuts a block."""
    at, disposal = 13 + _table_bytes(content[10]), 0
    while needs_trailer or at < len(content):
        if content[at] == _TRAILER:
            return
        start = at
        if content[at] == _IMAGE:
            at += 11 + _table_bytes(content[at + 9])
        elif content[at] == _EXTENSION:
            at += 2
        else:
            raise IndexError(at)
        data = at
        while content[at]:
            at += 1 + content[at]
        at += 1
        if content[start] == _IMAGE:
            left, top, width, height = struct.unpack_from("<4H", content, start + 1)
            yield _Frame(left, top, width, height, disposal, content[data - 1], data)
            disposal = 0
        elif content[start + 1] == _CONTROL:
            disposal = content[start + 3] >> 2 & 7


def _join(content: bytes, at: int) -> bytes:
    """Return the joined data of the sub-blocks that begin at this offset."""
    data = bytearray()
    while content[at]:
        data += content[at + 1 : at + 1 + content[at]]
        at += 1 + content[at]
    return bytes(data)


def _count_in(content: bytes, frame: _Frame) -> int:
    return _count_pixels(_join(content, frame.start), frame.code_bits, frame.pixels)


def _table_bytes(flags: int) -> int:
    """Return the size in bytes of the colour table that these flags declare."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _count_pixels(data: bytes, code_bits: int, enough: int) -> int:
    """Return how many pixels the codes cover, up to ``enough``, the end code or an undefined code.

    Each code, except the first after a clear code, defines a new one: the run of the code before it and one
    more pixel. So it is enough to count the lengths of runs, without their pixels.
    """
    if code_bits > _MAX_CODE_BITS:
        return 0
    clear = 1 << code_bits
    lengths = [1] * (clear + 2)
    width, mask = code_bits + 1, 2 * clear - 1
    total = before = gathered = bits = 0
    for byte in data:
        gathered |= byte << bits
        bits += 8
        while bits >= width:
            code = gathered & mask
            gathered >>= width
            bits -= width
            if code == clear:
                del lengths[clear + 2 :]
                width, mask, before = code_bits + 1, 2 * clear - 1, 0
                continue
            if before and len(lengths) < _MAX_CODES:
                lengths.append(before + 1)
                if len(lengths) > mask and len(lengths) < _MAX_CODES:
                    width, mask = width + 1, 2 * mask + 1
            if code == clear + 1 or code >= len(lengths):
                return total
            before = lengths[code]
            total += before
            if total >= enough:
                return total
    return total
