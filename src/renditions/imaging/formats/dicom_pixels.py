"""A DICOM frame's pixels as a viewer shows them.

The sources are PS3.3, C.7.6.3 and C.11, and PS3.5, 8.2.

The modality LUT turns stored values into measured values. A window then selects the visible range, from dark
to light or from light to dark. In a file without a window, a VOI LUT selects this range. This module puts
both steps into one table for all stored values.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

from renditions.errors import Undecodable
from renditions.imaging.extras import import_extra
from renditions.imaging.formats.dicom import (
    GREYS,
    JPEG,
    JPEG_2000,
    LARGE_END_FIRST,
    PALETTE,
    RLE,
    Dicom,
    guarded,
    library,
    read,
)
from renditions.imaging.formats.iso_boxes import within
from renditions.imaging.formats.jpeg import tidied
from renditions.imaging.geometry import Size
from renditions.imaging.probe import Header
from renditions.imaging.resample import enlarge
from renditions.imaging.vips import Image, load, raise_if_warned, translated

_DAMAGED = "the picture is damaged"
_SIZ = b"\xff\x4f\xff\x51"
"""The start of a JPEG 2000 codestream: SOC and SIZ (ITU-T T.800, A.5.1)."""
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
"""The start of a JP2 file (ITU-T T.800, I.5.1)."""
_NO_TRANSFORM = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
"""Adobe's segment, which tells JPEG decoders that colours are RGB, not YCbCr (ITU-T T.872, 6.5.3)."""


def decode(content: bytes, header: Header, **_: Any) -> Any:
    """Return the frame as a libvips image of 8 bits, grey or sRGB.

    The image has square pixels and no metadata.

    Raises:
        Undecodable: The frame or its data set is damaged, or the frame has another size or number of samples
            than its data set says.
        NotAccepted: The way to store the pixels isn't supported.
        Failed: Memory ran out, or an optional library isn't installed.

    """
    numpy = import_extra("numpy", "dicom")
    with guarded(_DAMAGED), translated(Undecodable, _DAMAGED), numpy.errstate(all="ignore"):
        dicom = read(content)
        stored = _read_jpeg(dicom, header.page) if dicom.syntax in JPEG else _read(dicom, header.page)
        if dicom.colours in GREYS:
            image = stored.maplut(_table(_grey_table(dicom, header.page, stored)))
        elif dicom.colours == PALETTE:
            image = stored.maplut(_table(_palette_table(dicom)))
        else:
            image = stored.maplut(_table(_colour_table(dicom)))
        image = image.copy(interpretation="b-w" if image.bands == 1 else "srgb")
        return _squared(image, header.stored)


def _read(dicom: Dicom, frame: int) -> Any:
    """Return the stored values as an unsigned image of 8 or 16 bits.

    The least possible value becomes 0. Colours in YBR become RGB.
    """
    numpy = import_extra("numpy", "dicom")
    if dicom.syntax == RLE:
        values = _unpack_runs(dicom, frame)
    else:
        if dicom.syntax in JPEG_2000:
            _check_codestream(_encoded(dicom, frame), dicom)
        decoder = library().pixels.get_decoder(dicom.syntax)
        plugin = "pylibjpeg" if dicom.syntax in JPEG_2000 else ""
        values, _ = decoder.as_array(
            dicom.open_pixels(), index=frame, decoding_plugin=plugin, **_describe_to_pydicom(dicom)
        )
    kind = f"{'i' if dicom.is_signed else 'u'}{max(dicom.bits, 8) // 8}"
    values = numpy.ascontiguousarray(values, dtype=kind)
    if dicom.is_signed:
        unsigned = kind.replace("i", "u")
        values = values.view(unsigned) ^ numpy.array(1 << (dicom.bits - 1), unsigned)
    pixels = "uchar" if dicom.bits <= 8 else "ushort"
    return Image.new_from_memory(values.tobytes(), dicom.columns, dicom.rows, dicom.samples, pixels)


def _encoded(dicom: Dicom, frame: int) -> bytes:
    found: bytes = library().encaps.get_frame(
        dicom.open_pixels(), frame, number_of_frames=dicom.frames, extended_offsets=dicom.offsets
    )
    return found


def _describe_to_pydicom(dicom: Dicom) -> dict[str, Any]:
    offsets = {"extended_offsets": dicom.offsets} if dicom.offsets else {}
    return offsets | {
        "pixel_keyword": "PixelData",
        "pixel_vr": dicom.kind,
        "bits_allocated": dicom.bits,
        "bits_stored": dicom.bits_stored,
        "columns": dicom.columns,
        "rows": dicom.rows,
        "number_of_frames": dicom.frames,
        "photometric_interpretation": dicom.colours,
        "pixel_representation": int(dicom.is_signed),
        "planar_configuration": int(dicom.data.get("PlanarConfiguration") or 0),
        "samples_per_pixel": dicom.samples,
    }


def _read_jpeg(dicom: Dicom, frame: int) -> Any:
    """Return the values of a JPEG frame, decoded by libvips like any other JPEG."""
    content = tidied(_encoded(dicom, frame))
    if dicom.colours == "RGB":
        # If the file has such a segment, it comes later and has priority.
        content = content[:2] + _NO_TRANSFORM + content[2:]
    image = load("jpeg", content, fail_on="warning")
    found = (image.width, image.height, image.bands)
    expected = (dicom.columns, dicom.rows, dicom.samples)
    if found != expected:
        raise Undecodable(f"a frame must be a JPEG of {_describe(*expected)}, but it has {_describe(*found)}")
    pixels = image.write_to_memory()
    raise_if_warned(Undecodable, _DAMAGED, "VipsJpeg")
    return Image.new_from_memory(pixels, *found, "uchar")


def _unpack_runs(dicom: Dicom, frame: int) -> Any:
    """Return the values of an RLE frame (PS3.5, annex G).

    Colours in YBR become RGB. The unpacked values take no more than the frame's size. Each segment has one
    byte of every value: for each sample, the upper byte's segment comes first.
    """
    numpy = import_extra("numpy", "dicom")
    content = _encoded(dicom, frame)
    count, *offsets = struct.unpack_from("<16L", content)
    if count != dicom.samples * dicom.bits // 8:
        expected = dicom.samples * dicom.bits // 8
        raise Undecodable(f"frame {frame + 1} is damaged: it has {count} RLE segments, but needs {expected}")
    size = dicom.columns * dicom.rows
    bounds = pairwise([*offsets[:count], len(content)])
    segments = [numpy.frombuffer(_unpack(content[start:end], size), "u1") for start, end in bounds]
    values = numpy.stack(segments, -1).view(f">u{dicom.bits // 8}")
    values = values.reshape(dicom.rows, dicom.columns, dicom.samples)
    kind = f"{'i' if dicom.is_signed else 'u'}{dicom.bits // 8}"
    unused = dicom.bits - dicom.bits_stored
    values = (values.astype(kind.replace("i", "u")).view(kind) << unused) >> unused
    if dicom.colours in ("YBR_FULL", "YBR_FULL_422"):
        return library().pixels.convert_color_space(values.astype("u1"), "YBR_FULL", "RGB")
    return values


def _unpack(segment: bytes, size: int) -> bytes:
    unpacked, at = bytearray(), 0
    while len(unpacked) < size:
        head, at = segment[at], at + 1
        if head < 128:
            unpacked += segment[at : at + head + 1]
            at += head + 1
        elif head > 128:
            unpacked += segment[at : at + 1] * (257 - head)
            at += 1
    return bytes(unpacked[:size])


def _check_codestream(content: bytes, dicom: Dicom) -> None:
    """Raise ``Undecodable`` if a frame isn't the JPEG 2000 that the file declares.

    Some programs store the codestream in a JP2 file, which the standard forbids and decoders accept.
    """
    if content.startswith(_JP2):
        start, end = next(within(content, [(0, len(content))], b"jp2c"), (0, 0))
        content = content[start:end]
    sides = [int.from_bytes(content[at : at + 4], "big") for at in (8, 12, 16, 20)]
    samples = int.from_bytes(content[40:42], "big")
    found = (sides[0] - sides[2], sides[1] - sides[3], samples)
    expected = (dicom.columns, dicom.rows, dicom.samples)
    if not content.startswith(_SIZ):
        raise Undecodable("the file declares JPEG 2000, but a frame has another format")
    if found != expected:
        raise Undecodable(
            f"a frame must be a JPEG 2000 of {_describe(*expected)}, but it has {_describe(*found)}"
        )


def _describe(columns: int, rows: int, samples: int) -> str:
    return f"{columns} by {rows} pixels of {samples} value{'' if samples == 1 else 's'}"


def _stored_values(dicom: Dicom) -> Any:
    """Return the stored value for each value of the image that :func:`_read` returns."""
    count = 1 << max(dicom.bits, 8)
    return import_extra("numpy", "dicom").arange(count) - (count // 2 if dicom.is_signed else 0)


def _grey_table(dicom: Dicom, frame: int, stored: Any) -> Any:
    """Return the grey of each stored value: 0 is black, 1 is white.

    Values outside of the window can be below 0 or above 1. Without a window and a VOI LUT, the range is that
    of the values in the frame. But if the values have up to 8 bits, and there is no modality LUT, the range
    is that of the stored bits.
    """
    values = _stored_values(dicom)
    measured = _measure(dicom, frame, values)
    part = dicom.find(frame, "FrameVOILUTSequence", "WindowCenter")
    if part is not None and part.get("WindowWidth") is not None:
        grey = _apply_window(measured, part)
    elif (part := dicom.find(frame, "FrameVOILUTSequence", "VOILUTSequence")) and part.VOILUTSequence:
        grey = _apply_table(dicom, measured, part)
    elif dicom.bits_stored <= 8 and measured is values:
        grey = measured / ((1 << dicom.bits_stored) - 1)
    else:
        shown = measured[_find_present(dicom, stored, values)]
        low, high = float(shown.min()), float(shown.max())
        grey = (measured - low) / ((high - low) or 1)
    return 1 - grey if dicom.colours == "MONOCHROME1" else grey


def _measure(dicom: Dicom, frame: int, values: Any) -> Any:
    """Return the values after the modality LUT, or unchanged (PS3.3, C.11.1)."""
    for element in ("ModalityLUTSequence", "RescaleSlope"):
        part = dicom.find(frame, "PixelValueTransformationSequence", element)
        if part is not None:
            measured = library().pixels.apply_modality_lut(values, part)
            return measured.astype("float64")
    return values


def _apply_window(measured: Any, part: Any) -> Any:
    """Return each value's position in the first window.

    0 is the window's lower end, 1 its upper end. The formulas come from PS3.3, C.11.2.1.2.
    """
    numpy = import_extra("numpy", "dicom")
    center, width = (_first(part.get(element)) for element in ("WindowCenter", "WindowWidth"))
    match str(part.get("VOILUTFunction") or "LINEAR").strip().upper():
        case "SIGMOID":
            return 1 / (1 + numpy.exp(numpy.clip(-4 * (measured - center) / width, -700, 700)))
        case "LINEAR_EXACT":
            return (measured - center) / width + 0.5
        case _ if width <= 1:
            return (measured > center - 0.5) * 1.0
        case _:
            return (measured - (center - 0.5)) / (width - 1) + 0.5


def _apply_table(dicom: Dicom, measured: Any, part: Any) -> Any:
    """Return each value's tone in the first VOI LUT, from 0 to 1 (PS3.3, C.11.2.1.1)."""
    numpy = import_extra("numpy", "dicom")
    table = part.VOILUTSequence[0]
    count, first, bits = (int(each) for each in table.LUTDescriptor)
    entries = table.LUTData
    if isinstance(entries, bytes):
        entries = numpy.frombuffer(entries, ">u2" if dicom.syntax == LARGE_END_FIRST else "<u2")
    entries = numpy.asarray(entries)[: count & 0xFFFF or 0x10000]
    at = numpy.clip(numpy.rint(measured).astype("int64") - first, 0, len(entries) - 1)
    return entries[at] / ((1 << bits) - 1)


def _first(value: Any) -> float:
    return float(value if isinstance(value, (float, int)) else value[0])


def _find_present(dicom: Dicom, stored: Any, values: Any) -> slice:
    """Return the slice of ``values`` from the frame's least to its greatest value.

    Padding values don't count, unless the frame has no others.
    """
    numpy = import_extra("numpy", "dicom")
    counts = numpy.frombuffer(stored.hist_find().write_to_memory(), "u4")
    is_present = numpy.zeros(len(values), bool)
    is_present[: len(counts)] = counts > 0
    padding = dicom.data.get("PixelPaddingValue")
    if padding is not None:
        limit = dicom.data.get("PixelPaddingRangeLimit")
        low, high = sorted((int(padding), int(padding if limit is None else limit)))
        is_inside = is_present & ((values < low) | (values > high))
        is_present = is_inside if is_inside.any() else is_present
    present = numpy.flatnonzero(is_present)
    return slice(int(present[0]), int(present[-1]) + 1)


def _palette_table(dicom: Dicom) -> Any:
    """Return the colour, 0 to 1, of each stored value.

    Source: PS3.3, C.7.6.3.1.5 and C.7.6.3.1.6.
    """
    numpy = import_extra("numpy", "dicom")
    tables = []
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTable"
        count, first, bits = dicom.data[f"{name}Descriptor"].value
        count = int(count) & 0xFFFF or 0x10000
        content = dicom.data[f"{name}Data"].value
        if dicom.syntax == LARGE_END_FIRST:
            content = numpy.frombuffer(content, ">u2").astype("<u2").tobytes()
        depth = 16 if len(content) >= 2 * count else 8
        entries = numpy.frombuffer(content, f"<u{depth // 8}")[:count]
        at = numpy.clip(_stored_values(dicom) - int(first), 0, count - 1)
        tables.append(entries[at] / ((1 << min(int(bits), depth)) - 1))
    return numpy.stack(tables, -1)


def _colour_table(dicom: Dicom) -> Any:
    """Return the tone, 0 to 1, of each stored value of a colour band."""
    return _stored_values(dicom) / ((1 << dicom.bits_stored) - 1)


def _table(tones: Any) -> Any:
    """Return the table for ``maplut``: the tones as a one-row image of 8 bits.

    The tones have one or three bands. Tones below 0 count as 0, and tones above 1 as 1. Raise ``Undecodable``
    if a tone isn't a finite number.
    """
    numpy = import_extra("numpy", "dicom")
    if not numpy.isfinite(tones).all():
        raise Undecodable(
            "the window, the scale or a table of the values gives tones that aren't finite numbers"
        )
    pixels = numpy.rint(255 * numpy.clip(tones, 0, 1)).astype("u1")
    bands = 1 if tones.ndim == 1 else tones.shape[1]
    return Image.new_from_memory(pixels.tobytes(), len(tones), 1, bands, "uchar")


def _squared(image: Any, size: Size) -> Any:
    """Return the image with its pixels made square."""
    across, down = size.width / image.width, size.height / image.height
    return image if across == down == 1 else enlarge(image, across, down, size, "bicubic")
