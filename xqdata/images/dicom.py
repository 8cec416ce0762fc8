"""DICOM and DICOS: pydicom, an extra."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from xqdata.errors import installing
from xqdata.images.deep import deep_page
from xqdata.images.page import MAX_TAG, BadImage, Limits, Page, Pixels, check_size, failed
from xqdata.images.plain import from_pillow

# Of DICOM and DICOS: what was scanned how, by which machine, when. Names and numbers of passengers stay in the file;
# in DICOS the patient's number is that of the bag.
_DICOM_TAGS = (
    *("DICOSVersion", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "Modality"),
    *("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "InstitutionName", "OperatorsName"),
    *("KVP", "XRayTubeCurrent", "XRayTubeCurrentInmA", "TableSpeed", "ViewPosition", "PhotometricInterpretation"),
    *("HighEnergyDetectors", "LowEnergyDetectors", "OOIType", "ScanType"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("StudyDate", "StudyTime"),
)
_DICOS_CLASSES = "1.2.840.10008.5.1.4.1.1.501."


def dicom_pages(data: bytes, limits: Limits) -> Iterator[Page | tuple[int, BadImage]]:
    """The frames of a DICOM file, or for one that fails why. Raises BadImage where none can be found."""
    try:
        import pydicom
        from pydicom.pixels.utils import iter_pixels
    except ImportError:
        raise BadImage("unsupported", f"a DICOM file; run: {installing('dicom')}") from None
    try:
        with warnings.catch_warnings():  # of odd values in tags; they are told where they fit no column
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(data))
            check_size(int(dataset.Columns), int(dataset.Rows), limits)
            bits = int(dataset.BitsStored)
            tags = _dicom_tags(dataset)
        frames = iter_pixels(dataset)
    except Exception as error:
        raise failed(error, "DICOM", data) from error
    yield from _dicom_frames(frames, bits, limits, tags, data)


def _dicom_frames(
    frames: Iterator[Pixels], bits: int, limits: Limits, tags: dict[str, str], data: bytes
) -> Iterator[Page | tuple[int, BadImage]]:
    index = 0
    while True:
        try:
            pixels = next(frames)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - it becomes the frame's reason
            yield index, failed(error, "DICOM", data)
            return  # what follows a broken frame cannot be found
        if pixels.dtype == np.uint8:
            image = Image.fromarray(np.ascontiguousarray(pixels))
            yield from_pillow(image, "DICOM", index, bits, tags)
        else:
            yield deep_page(pixels, "DICOM", index, bits, limits, tags)
        index += 1


def _dicom_tags(dataset: Any) -> dict[str, str]:
    dicos = "DICOSVersion" in dataset or str(dataset.get("SOPClassUID", "")).startswith(_DICOS_CLASSES)
    wanted = (*_DICOM_TAGS, *(("PatientID",) if dicos else ()))
    return {k: str(dataset.get(k))[:MAX_TAG] for k in wanted if dataset.get(k) not in (None, "")}
