"""DICOM, by way of pydicom.

Wrong while green would be: stored bits confused with allocated ones, frames or bits lost, an import of pydicom that is
needed without the extra.
"""

from __future__ import annotations

import io

import numpy as np
import pytest

from assets.pictures import colour, deep, grey
from xqdata.images import BadImage, Limits, Page, pages

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed: pip install '/path/to/xqdata[dicom]'")


def dicom(pixels: np.ndarray, frames: int = 1, bits: int | None = None, photometric: str = "MONOCHROME2") -> bytes:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["a"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    channels = pixels.shape[-1] if photometric == "RGB" else 1
    rows = pixels.shape[-3:-1] if photometric == "RGB" else pixels.shape[-2:]
    dataset.Rows, dataset.Columns = rows
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = channels, photometric
    if channels > 1:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    dataset.Manufacturer = "Smiths"
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def decode(data: bytes) -> list[Page]:
    found = list(pages(data, Limits()))
    assert all(isinstance(page, Page) for page in found), found
    return found


@pytest.mark.parametrize(
    ("pixels", "bits", "mode"), [(grey(), 8, "L"), (deep(), 16, "I;16"), (deep() >> 4, 12, "I;12")]
)
def test_grey(pixels, bits, mode):
    (page,) = decode(dicom(pixels, bits=bits))
    assert (page.format, page.bit_depth, page.mode, page.channels) == ("DICOM", bits, mode, 1)
    assert page.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(page.pixels, pixels)
    assert page.tags["Manufacturer"] == "Smiths"


def test_colour():
    pixels = colour()
    (page,) = decode(dicom(pixels, photometric="RGB"))
    assert (page.channels, page.mode) == (3, "RGB")
    np.testing.assert_array_equal(page.pixels, pixels)


def test_frames_are_pages():
    stack = np.stack([deep(seed=n) for n in range(3)])
    found = decode(dicom(stack, frames=3))
    assert [p.index for p in found] == [0, 1, 2]
    for page, expected in zip(found, stack, strict=True):
        np.testing.assert_array_equal(page.pixels, expected)


def test_a_cut_file_is_a_reject():
    data = dicom(deep(40, 40))
    ((index, error),) = pages(data[: len(data) // 2], Limits())
    assert (index, error.reason) in ((0, "truncated"), (0, "unreadable"))


def test_one_that_is_too_large_is_a_reject():
    with pytest.raises(BadImage) as caught:
        list(pages(dicom(deep(40, 40)), Limits(max_pixels=100)))
    assert caught.value.reason == "too_large"


def test_without_pydicom_the_file_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(BadImage, match=r"pip install '/path/to/xqdata\[dicom\]'") as caught:
        list(pages(dicom(deep()), Limits()))
    assert caught.value.reason == "unsupported"
