"""GIF input and output."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from renditions.imaging.formats.gif_blocks import Frame, completed, frames_in
from renditions.imaging.formats.loaded import load_header, load_pixels
from renditions.imaging.probe import Header
from renditions.imaging.vips import Image
from renditions.model.recipe import Rendition

_CLEAR, _RESTORE = 2, 3
"""The disposals of a frame that change the canvas."""
_COVERED = 255


def read_header(content: bytes, page: int) -> Header:
    """Return the header, without decoding pixels.

    See :func:`.load_header` for the errors.
    """
    return load_header("gif", content, page)


def decode(content: bytes, header: Header, **options: Any) -> Any:
    """Return a lazy image of the first frame, or of all frames with ``n=-1``.

    The frames are one below the other. The canvas outside of the frames is transparent, as in browsers.
    If the file declares no transparent colour, libvips itself would paint this part of the canvas black or in
    the background colour. If the blocks can't be followed, the image is as libvips paints it.
    """
    image = load_pixels(content, header, **options)
    count = header.frames if options.get("n") == -1 else 1
    try:
        frames = list(islice(frames_in(completed(content)), count))
    except IndexError:
        return image  # The file is damaged, and the pipeline accepts damaged files.
    masks = _masks(frames, image.width, image.height // count)
    if all(mask is None for mask in masks):
        return image
    full = Image.black(image.width, image.height // count).invert()
    mask = Image.arrayjoin([full if each is None else each for each in masks], across=1)
    if image.hasalpha():
        last = image.bands - 1
        return image[:last].bandjoin((image[last] & mask).cast("uchar"))
    return image.bandjoin(mask)


def _masks(frames: Iterable[Frame], width: int, height: int) -> list[Any]:
    """Return a mask for each frame.

    A mask covers the part of the canvas that isn't empty while the frame is shown. None stands for the whole
    canvas.
    """
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


def _painted(mask: Any, frame: Frame, value: int) -> Any:
    rectangle = frame.left, frame.top, frame.width, frame.height
    return mask.draw_rect(value, *rectangle, fill=True) if frame.pixels else mask


def encode(image: Any, _: Rendition, __: int | None) -> bytes:
    """Encode an image, or the frames in it, as a file."""
    # The format has no place for metadata.
    return bytes(image.gifsave_buffer(keep="none"))
