"""DICOM input: the header.

This module uses only elements that describe the pixels (PS3.3, PS3.5 and PS3.10), see ``_ELEMENTS``.
It skips the elements of the patient, the institution and the manufacturer, so that none of these can reach a
rendition, a record, a notice or a log. This module doesn't search the pixels for text, but relies on the
file's header to declare it. It also drops pydicom's own messages, since they quote the file.
"""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from renditions.errors import RenditionsError, Undecodable
from renditions.imaging.extras import import_extra
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header

LARGE_END_FIRST = "1.2.840.10008.1.2.2"
RAW = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", LARGE_END_FIRST)
"""The transfer syntaxes of raw pixels. The first has implicit types, the others have explicit types."""
RLE = "1.2.840.10008.1.2.5"
LOSSLESS_JPEG = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", *LOSSLESS_JPEG)
"""The transfer syntaxes of JPEG. Only samples of 8 bits can be read."""
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
GREYS = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_PALETTE_TABLES = tuple(
    f"{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for part in ("Descriptor", "Data")
)
_ELEMENTS = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing",
    "BurnedInAnnotation", "RescaleIntercept", "RescaleSlope", "ModalityLUTSequence", "WindowCenter",
    "WindowWidth", "VOILUTFunction", "VOILUTSequence", *_PALETTE_TABLES, SHARED, PER_FRAME,
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip
_PIXEL_DATA = 0x7FE00010
_LONG_ELEMENTS = (
    *_PALETTE_TABLES, SHARED, PER_FRAME, "ModalityLUTSequence", "VOILUTSequence", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)  # fmt: skip
_MAX_SHORT_BYTES = 4096
"""The most bytes of an element that isn't long. Millions of values would become millions of objects."""
_CHARACTER_SET = 0x00080005
"""The one element that pydicom always reads."""
_PREAMBLE_BYTES = 132
"""The length of what comes before the elements, with the mark ``DICM``. Old files begin with the elements."""
_UNDEFINED = 0xFFFFFFFF
"""The length of an element that ends with a delimiter, such as the fragments of compressed pixels."""
_LIBRARIES = ("pydicom", "pylibjpeg", "openjpeg")
_WARNERS = re.compile(rf"(?:{'|'.join(_LIBRARIES)})\b")
"""Matches the names of the libraries' modules."""
_MAX_PIXEL_RATIO = 100
"""The largest allowed ratio of a pixel's longer side to its shorter side."""
_BYTES_PER_FRAGMENT = 8


@dataclass(frozen=True, slots=True)
class Dicom:
    """A data set with a valid description of its pixels."""

    content: bytes
    """The file."""
    start: int
    """The offset of the pixels in the file."""
    kind: str
    """The type (VR) of the element that holds the pixels."""
    data: Any
    """pydicom's ``Dataset`` with the elements in ``_ELEMENTS``."""
    syntax: str
    """The encoding of the pixels: the UID of the transfer syntax."""
    colours: str
    """The meaning of the values: the photometric interpretation."""
    columns: int
    rows: int
    samples: int
    """Values per pixel."""
    bits: int
    """Bits of a stored value: 1, 8 or 16."""
    bits_stored: int
    """How many of these bits hold the value."""
    is_signed: bool
    frames: int

    def open_pixels(self) -> io.BytesIO:
        """Return a stream of the file, positioned at its pixels.

        This copies nothing. A reader of the stream copies the frame that it reads.
        """
        source = io.BytesIO(self.content)
        source.seek(self.start)
        return source

    @property
    def offsets(self) -> tuple[bytes, bytes] | None:
        """The tables of the frames' offsets and lengths; None if the file has none."""
        found = self.data.get("ExtendedOffsetTable"), self.data.get("ExtendedOffsetTableLengths")
        return found if all(found) else None

    def find(self, frame: int, macro: str, element: str) -> Any:
        """Return the part of the data set that has this element for this frame, or None.

        In enhanced data sets this part is a macro: the frame's own or the shared one (PS3.3, C.7.6.16).
        """
        own, shared = self.data.get(PER_FRAME) or (), self.data.get(SHARED) or ()
        groups = [*([own[frame]] if frame < len(own) else []), *shared[:1]]
        macros = [item for group in groups for item in (group.get(macro) or ())[:1]]
        return next((part for part in (*macros, self.data) if part.get(element) is not None), None)


def read_header(content: bytes, page: int) -> Header:
    """Return a header with the number of frames and a frame's size.

    The size is that of a frame with square pixels.

    Raises:
        Undecodable: The file is damaged, has no pixels, or stores them in a way that isn't supported.
        Failed: pydicom isn't installed.

    """
    with guarded("the DICOM header is damaged"):
        dicom = read(content)
        return Header(
            format="dicom",
            stored=_square(dicom),
            orientation=1,
            frames=dicom.frames,
            page=page,
            bands=1 if dicom.colours in GREYS else 3,
            is_annotated=_text(dicom.data, "BurnedInAnnotation") == "YES",
        )


def _read_syntax(pydicom: Any, source: io.BytesIO) -> str:
    """Return the UID of the file's transfer syntax.

    A file that begins with neither the mark nor the elements of group 2 names none. It counts as raw.

    Raises:
        Undecodable: The syntax isn't supported, or the elements of group 2 name none.
    """
    start = source.getvalue()[:_PREAMBLE_BYTES]
    has_preamble = start.endswith(b"DICM")
    if not has_preamble and start[0] != 2:
        return RAW[1] if start[4:6].isalpha() else RAW[0]
    source.seek(_PREAMBLE_BYTES if has_preamble else 0)
    meta = pydicom.filereader.read_dataset(
        source,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _kind, _length: tag.group != 2,
    )
    syntax = str(meta.get("TransferSyntaxUID", ""))
    if syntax not in (*RAW, RLE, *JPEG, *JPEG_2000):
        name = pydicom.uid.UID_dictionary.get(syntax, ("an unknown one",))[0]
        why = f"the transfer syntax isn't supported ({name})"
        why = why if syntax else "the file names no transfer syntax"
        raise Undecodable(why, "Save the picture as raw pixels, RLE, JPEG or JPEG 2000")
    return syntax


def read(content: bytes) -> Dicom:
    """Return the file's data set; call this function only within :func:`guarded`.

    Raises:
        Undecodable: The file has no pixels, or their transfer syntax or description is invalid or not
            supported.
        Failed: pydicom isn't installed.

    """
    pydicom = library()
    # Checked first: pydicom inflates a deflated data set of any size.
    source = io.BytesIO(content)
    syntax = _read_syntax(pydicom, source)
    tags = {name: pydicom.datadict.tag_for_keyword(name) for name in _ELEMENTS}
    short = {tag: name for name, tag in tags.items() if name not in _LONG_ELEMENTS}
    short[_CHARACTER_SET] = "SpecificCharacterSet"

    source.seek(0)
    pixels: list[tuple[int, str, int]] = []

    def is_at_pixels(tag: int, kind: str | None, length: int) -> bool:
        if tag in short and length > _MAX_SHORT_BYTES:
            raise Undecodable(
                f"the element {short[tag]} has {length:,} bytes, more than the {_MAX_SHORT_BYTES:,} that are "
                "allowed",
                "Save the picture again with fewer values in this element",
            )
        if tag == _PIXEL_DATA:
            pixels.append((source.tell(), kind or "OW", length))
        return tag == _PIXEL_DATA

    data = pydicom.filereader.read_partial(
        source, stop_when=is_at_pixels, specific_tags=list(tags.values()), force=True
    )
    if not pixels:
        raise Undecodable("the DICOM file has no pixels", "Upload one with a picture")
    start, kind, length = pixels[0]
    if syntax in RAW and length == _UNDEFINED:
        raise Undecodable("the pixels are compressed, but the file doesn't say how", "Save the picture again")
    found = Dicom(
        content=content,
        start=start,
        kind=kind,
        data=data,
        syntax=syntax,
        colours=_text(data, "PhotometricInterpretation"),
        columns=_whole(data, "Columns"),
        rows=_whole(data, "Rows"),
        samples=_whole(data, "SamplesPerPixel", 1),
        bits=_whole(data, "BitsAllocated"),
        bits_stored=_whole(data, "BitsStored"),
        is_signed=(
            _whole(data, "PixelRepresentation", 0) == 1
            and _whole(data, "BitsAllocated") > 1
            and syntax not in JPEG
        ),
        frames=_whole(data, "NumberOfFrames", 1) or 1,
    )
    _check(found, min(length, len(content) - start))
    return found


def _check_colours(dicom: Dicom) -> None:
    """Raise ``Undecodable`` if the pixels' colours can't be decoded."""
    samples = 3 if dicom.colours in COLOURS else 1
    needed_elements = ("PhotometricInterpretation", *(_PALETTE_TABLES if dicom.colours == PALETTE else ()))
    if lacked := next((each for each in needed_elements if dicom.data.get(each) in (None, "")), None):
        raise Undecodable(f"the file lacks the element {lacked}")
    if dicom.colours not in (*COLOURS, *GREYS, PALETTE):
        raise Undecodable(
            f"the photometric interpretation isn't supported ({dicom.colours!r})",
            "Save the picture in greys, RGB or YBR, or with a palette",
        )
    has_sign = _whole(dicom.data, "PixelRepresentation", 0) == 1
    if dicom.syntax in LOSSLESS_JPEG and (has_sign or dicom.colours.startswith("YBR")):
        raise Undecodable(
            "YBR and signed values aren't supported in a lossless JPEG",
            "Save the picture in another transfer syntax",
        )
    if dicom.samples != samples:
        raise Undecodable(
            f"SamplesPerPixel must be {samples} for {dicom.colours}, but the file declares {dicom.samples}"
        )


def _check(dicom: Dicom, available: int) -> None:
    """Raise ``Undecodable`` if the pixels' description or their data isn't valid."""
    _check_colours(dicom)
    if not (dicom.columns > 0 < dicom.rows):
        raise Undecodable(f"the picture has no pixels: its size is {dicom.columns} by {dicom.rows}")
    if dicom.bits not in (1, 8, 16) or not 1 <= dicom.bits_stored <= dicom.bits:
        raise Undecodable(
            f"values must have 1, 8 or 16 bits, but the file declares {dicom.bits} bits, "
            f"{dicom.bits_stored} of them used"
        )
    if (high := _whole(dicom.data, "HighBit", dicom.bits_stored - 1)) != dicom.bits_stored - 1:
        raise Undecodable(f"the highest bit must be {dicom.bits_stored - 1}, but the file declares {high}")
    if dicom.frames < 1:
        raise Undecodable(f"NumberOfFrames must be at least 1, but the file declares {dicom.frames}")
    bits_per_frame = dicom.columns * dicom.rows * dicom.samples * dicom.bits
    if dicom.colours == "YBR_FULL_422":
        bits_per_frame = bits_per_frame // 3 * 2
    if dicom.syntax in RAW:
        needed = math.ceil(dicom.frames * bits_per_frame / 8)
    else:
        needed = dicom.frames * _BYTES_PER_FRAGMENT
    if needed > available:
        raise Undecodable(
            f"the pixels need {needed:,} bytes (frames: {dicom.frames:,}), but the file has {available:,}"
        )


def _square(dicom: Dicom) -> Size:
    """Return the picture's size with square pixels.

    If the stored pixels aren't square, this function enlarges one side of the picture, so that no pixel is
    lost. This function tries the elements in the order of PS3.3, C.7.6.3.1.7. It raises ``Undecodable`` if
    the sides of a pixel differ too much.
    """
    for macro, element in (
        ("", "PixelAspectRatio"),
        ("PixelMeasuresSequence", "PixelSpacing"),
        ("", "ImagerPixelSpacing"),
    ):
        part = dicom.find(0, macro, element)
        ratio = _height_by_width(part.get(element)) if part is not None else None
        if ratio is None:
            continue
        if not 1 / _MAX_PIXEL_RATIO <= ratio <= _MAX_PIXEL_RATIO:
            raise Undecodable(
                f"a pixel is {ratio:g} times as high as wide, but one side can be at most {_MAX_PIXEL_RATIO} "
                "times as long as the other"
            )
        width = dicom.columns if ratio >= 1 else round(dicom.columns / ratio)
        height = dicom.rows if ratio <= 1 else round(dicom.rows * ratio)
        return Size(width, height)
    return Size(dicom.columns, dicom.rows)


def _height_by_width(value: Any) -> float | None:
    """Return how many times as high as wide a pixel is; None if unknown.

    Some programs write zeros or empty values if they don't know the spacing.
    """
    try:
        down, across = (float(each) for each in value)
        ratio = down / across
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return ratio if 0 < ratio < math.inf else None


def _whole(data: Any, element: str, default: int | None = None) -> int:
    value = data.get(element)
    if value is None and default is None:
        raise Undecodable(f"the file lacks the element {element}")
    return int(default if value is None else value)  # type: ignore[arg-type]  # one of them is there


def _text(data: Any, element: str) -> str:
    return str(data.get(element) or "").strip().upper()


@cache
def library() -> Any:
    """Return pydicom with its log and its validation of values switched off.

    Otherwise pydicom and its decoders could quote the file in the log.

    Raises:
        Failed: pydicom isn't installed.

    """
    pydicom = import_extra("pydicom", "dicom")
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return pydicom


@contextmanager
def guarded(failure: str) -> Iterator[None]:
    """Raise ``Undecodable`` for any error of a damaged data set.

    ``Undecodable`` doesn't show the original error's message and traceback, because they may quote the file.
    ``failure`` says what failed; the original error's type follows it. This package's own errors and
    ``MemoryError`` are raised unchanged. The libraries' warnings, which quote the file, too, are dropped.
    """
    _ignore_warnings()
    try:
        yield
    except (RenditionsError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - pydicom promises no kind of error for damaged files
        raise Undecodable(f"{failure} ({type(error).__name__})") from None


def _ignore_warnings() -> None:
    """Ignore the warnings of pydicom and its decoders before other filters count.

    This function doesn't restore the filters, because they belong to all threads, and several threads decode
    pictures on Lambda. A thread that restores them would change the filters of the others.
    """
    if not (warnings.filters and _WARNERS in warnings.filters[0]):
        warnings.filterwarnings("ignore", module=_WARNERS.pattern)
