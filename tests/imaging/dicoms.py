"""DICOM test data, made by pydicom.

The texts about the patient contain a marker.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage

from imaging.pictures import opened, pixels
from renditions.imaging.render import render
from renditions.model.pipeline import Accept, Limits
from renditions.model.recipe import Rendition

ACCEPT = Accept(formats=("dicom", "png"))
PNG = Rendition(format="png")
SECRET = "ZZYZX"  # noqa: S105 - not a real name
"""The marker in the texts about the patient. No output may contain it."""


def dicom(
    values: NDArray[Any],
    *,
    syntax: UID = ExplicitVRLittleEndian,
    encoded: Sequence[bytes] = (),
    **elements: Any,
) -> bytes:
    """Return a DICOM file with pixels of this shape and type.

    The array's axes are rows and columns. There may be an axis of frames before them, and one of three
    colours after them. The file has these values, or the frames of ``encoded`` if there are any, which must
    fit the transfer syntax. ``elements`` are added; an element that is None is removed.
    """
    data = _patient()
    samples = 3 if values.ndim > 2 and values.shape[-1] == 3 else 1
    shape = values.shape[:-1] if samples == 3 else values.shape
    data.SamplesPerPixel = samples
    data.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
    if samples == 3:
        data.PlanarConfiguration = 0
    if len(shape) == 3:
        data.NumberOfFrames = shape[0]
    data.Rows, data.Columns = shape[-2:]
    data.BitsAllocated = data.BitsStored = 8 * values.itemsize
    data.PixelRepresentation = int(values.dtype.kind == "i")
    for name, value in elements.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.HighBit = data.BitsStored - 1
    data.PixelData = encapsulate(list(encoded)) if encoded else _even(values.tobytes())
    data["PixelData"].VR = "OW"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.SourceApplicationEntityTitle = SECRET
    data.preamble = SECRET.encode().ljust(128, b"\0")
    target = io.BytesIO()
    data.save_as(target, enforce_file_format=True)
    return target.getvalue()


def items(**elements: Any) -> Items:
    """Return a sequence of one item."""
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return Items([item])


def _patient() -> Dataset:
    """Return a data set with patient data.

    Some of its elements are private, and some are nested.
    """
    data = Dataset()
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID = UID("2.25.1")
    for name in (
        *("PatientName", "PatientID", "PatientAddress", "PatientComments", "InstitutionName"),
        *("ReferringPhysicianName", "OperatorsName", "StudyDescription", "StationName", "AccessionNumber"),
        *("ImageComments", "DeviceSerialNumber", "WindowCenterWidthExplanation", "ProtocolName"),
    ):
        setattr(data, name, SECRET)
    data.PatientBirthDate = "19700101"
    data.RequestAttributesSequence = items(RequestedProcedureDescription=SECRET)
    private = data.private_block(0x0029, SECRET, create=True)
    private.add_new(0x01, "LO", SECRET)
    private.add_new(0x02, "SQ", items(PatientName=SECRET))
    return data


def _even(pixels: bytes) -> bytes:
    return pixels + b"\0" * (len(pixels) % 2)


def ramp(low: int, high: int, kind: str) -> NDArray[Any]:
    """Return a picture of 16 rows. Each column has one value, from low to high."""
    return np.tile(np.arange(low, high + 1).astype(kind), (16, 1))


def shown(content: bytes, recipe: Rendition = PNG, accept: Accept = ACCEPT) -> Image.Image:
    result = render(content, accept, {"it": recipe})
    assert (result.rejected, result.errors) == (None, {})
    return opened(result.made["it"].content)


def row(content: bytes) -> list[int]:
    """Return the grey values of the first row of the rendition."""
    return [int(value) for value in pixels(shown(content), "L")[0]]


def refusal(content: bytes, accept: Accept = ACCEPT, limits: Limits | None = None) -> str:
    result = render(content, accept, {"it": PNG}, limits=limits or Limits())
    assert result.made == {}
    assert result.rejected is not None
    assert re.search(r"\. [A-Z][a-z]+ ", result.rejected.text), "what to do"
    return result.rejected.text


def sample(name: str) -> bytes:
    """Return one of the test files that pydicom contains."""
    file = get_testdata_file(name, download=False)
    assert isinstance(file, str)
    return Path(file).read_bytes()


def as_runs(content: bytes) -> bytes:
    """Return the file with its pixels in RLE, encoded by pydicom."""
    data = pydicom.dcmread(io.BytesIO(content))
    data.compress(RLELossless)
    target = io.BytesIO()
    data.save_as(target)
    return target.getvalue()
