"""Tags of DICOM and DICOS, in files written by pydicom.

Wrong while green would be: a tag in the wrong column or unit; a study that ties a day's patients together as one scan;
names of passengers in a table; one odd tag that costs the whole picture; frames that lose their tags.
"""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from assets.pictures import colour, deep, grey
from xqdata import manifest
from xqdata.readers.dicom import Dicom, from_tags

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed: pip install '/path/to/xqdata[dicom]'")

SECRETS = {"PatientName": "Hong^Gildong", "PatientBirthDate": "19700101", "PatientID": "secret-7", "PatientSex": "M"}
STUDY, SERIES = "1.2.3.4", "1.2.3.4.5"
DICOS_DX = "1.2.840.10008.5.1.4.1.1.501.2.1"


def dicom(pixels: np.ndarray | None, sop: str = "1.2.840.10008.5.1.4.1.1.7", preamble=True, **tags: object) -> bytes:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = sop
    if pixels is not None:
        rgb = tags.get("PhotometricInterpretation") == "RGB"
        dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if rgb else pixels.shape[-2:]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (3, "RGB") if rgb else (1, "MONOCHROME2")
        if rgb:
            dataset.PlanarConfiguration = 0
        dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelRepresentation = 0
        if pixels.ndim - rgb > 2:
            dataset.NumberOfFrames = len(pixels)
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    for name, value in tags.items():
        setattr(dataset, name, value)
    buffer = io.BytesIO()
    if preamble:
        dataset.save_as(buffer, enforce_file_format=True)
    else:
        pydicom.dcmwrite(buffer, pydicom.Dataset(dataset), implicit_vr=False, little_endian=True)
    return buffer.getvalue()


@pytest.fixture
def rows(run, raw, project):
    """Ingests the given files and returns the rows of images."""

    def call(**files: bytes):
        for name, data in files.items():
            (raw / f"{name}.dcm").write_bytes(data)
        run(raw)
        return manifest.read(project, "images").to_pylist()

    return call


def one(rows, **tags):
    (row,) = rows(x=dicom(deep(), **tags))
    return row


def test_tags_fill_columns(rows):
    row = one(
        rows,
        Manufacturer="Smiths Detection",
        ManufacturerModelName="HI-SCAN 6040",
        DeviceSerialNumber="00123",
        KVP="160",
        XRayTubeCurrent="2",
        TableSpeed=240.0,
        OperatorsName="Kim",
        InstitutionName="Incheon",
        ViewPosition="TOP",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=SERIES,
        InstanceNumber="14",
        AcquisitionDate="20240517",
        AcquisitionTime="143005.5",
        StudyDate="20230101",
    )
    expected = {
        "scanner_make": "Smiths Detection",
        "scanner_model": "HI-SCAN 6040",
        "scanner_serial": "00123",
        "kvp": 160.0,
        "ma": 2.0,
        "belt_speed": 0.24,
        "operator": "Kim",
        "site": "Incheon",
        "view": "TOP",
        "series": SERIES,
        "sequence": 14,
        "session": STUDY,
        "scan_id": None,
        "bag": None,
        "channel": None,
        "object": None,
        "format": "DICOM",
        "reader": "dicom",
    }
    assert {key: row[key] for key in expected} == expected
    assert str(row["acquired_at"]) == "2024-05-17 14:30:05.500000"


def test_the_current_in_milliampere_with_its_fraction(rows):
    assert one(rows, XRayTubeCurrentInmA=0.45, XRayTubeCurrent="1")["ma"] == 0.45


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"AcquisitionDateTime": "20240517143005.25+0900"}, "2024-05-17 14:30:05.250000"),
        ({"AcquisitionDateTime": "20240517143005-0100"}, "2024-05-17 14:30:05"),
        ({"AcquisitionDateTime": "20240517143005", "StudyDate": "20200101"}, "2024-05-17 14:30:05"),
        ({"AcquisitionDateTime": "20240517"}, "2024-05-17 00:00:00"),
        ({"ContentDate": "20240517", "ContentTime": "1430"}, "2024-05-17 14:30:00"),
        ({"StudyDate": "20240517"}, "2024-05-17 00:00:00"),
        ({"StudyTime": "143005"}, "None"),
        ({"AcquisitionDate": "20240517", "StudyDate": "20240101", "StudyTime": "1200"}, "2024-05-17 00:00:00"),
    ],
)
def test_when(rows, tags, expected):
    row = one(rows, **tags)
    assert str(row["acquired_at"]) == expected
    day = expected.endswith("00:00:00")
    assert json.loads(row["extra"]).get("acquired_precision") == ("day" if day else None)


def test_dicos_is_a_scan_of_a_bag(rows):
    tags = {"DICOSVersion": "V03", "StudyInstanceUID": STUDY, "PatientID": "BAG-77", "TableSpeed": 500.0}
    high = dicom(deep(seed=1), **tags, HighEnergyDetectors="YES", LowEnergyDetectors="NO", InstanceNumber="1")
    low = dicom(deep(seed=2), **tags, HighEnergyDetectors="NO", LowEnergyDetectors="YES", InstanceNumber="2")
    both = dicom(deep(seed=3), **tags, HighEnergyDetectors="YES", LowEnergyDetectors="YES", InstanceNumber="3")
    found = sorted(rows(a=high, b=low, c=both), key=lambda r: r["path"])
    assert [r["channel"] for r in found] == ["high", "low", None]
    assert {(r["scan_id"], r["bag"], r["session"], r["belt_speed"]) for r in found} == {(STUDY, "BAG-77", None, 0.5)}


def test_dicos_is_known_by_its_storage_class_too(rows):
    row = one(rows, sop=DICOS_DX, StudyInstanceUID=STUDY)
    assert (row["scan_id"], row["session"]) == (STUDY, None)


def test_no_passenger_is_in_the_tables(rows, project):
    one(rows, **SECRETS, StudyInstanceUID=STUDY)
    told = "".join(str(manifest.read(project, name).to_pylist()) for name in manifest.TOGETHER)
    for secret in SECRETS.values():
        if len(secret) > 1:
            assert secret not in told


def test_in_dicos_only_the_number_of_the_bag_is_taken(rows, project):
    one(rows, **SECRETS, DICOSVersion="V03")
    told = str(manifest.read(project, "images").to_pylist())
    assert SECRETS["PatientID"] in told
    assert SECRETS["PatientName"] not in told
    assert SECRETS["PatientBirthDate"] not in told


@pytest.mark.parametrize(
    ("pixels", "depth", "mode"),
    [(grey(), 8, "L"), (deep(), 16, "I;16"), (colour(), 8, "RGB")],
    ids=["8 bits", "16 bits", "RGB"],
)
def test_kinds_of_pixels(rows, pixels, depth, mode):
    tags = {"PhotometricInterpretation": "RGB"} if pixels.ndim == 3 else {}
    (row,) = rows(x=dicom(pixels, **tags, KVP="160"))
    assert (row["bit_depth"], row["mode"], row["height"], row["width"]) == (depth, mode, 12, 16)
    assert row["kvp"] == 160.0


def test_every_frame_has_the_tags(rows):
    found = rows(x=dicom(np.stack([deep(seed=n) for n in range(3)]), KVP="160", DICOSVersion="V03", PatientID="b"))
    assert [r["page"] for r in found] == [0, 1, 2]
    assert {(r["kvp"], r["bag"]) for r in found} == {(160.0, "b")}
    assert len({r["pixel_hash"] for r in found}) == 3


@pytest.mark.parametrize(
    ("tags", "column", "value"),
    [
        ({"TableSpeed": [240.0, 250.0]}, "belt_speed", "[240.0, 250.0]"),
        ({"KVP": ["160", "80"]}, "kvp", "[160, 80]"),
    ],
)
def test_a_tag_that_does_not_fit_is_kept(rows, tags, column, value):
    row = one(rows, **tags)
    assert row[column] is None
    assert json.loads(row["extra"])[f"{column}_as_written"] == value


@pytest.mark.filterwarnings("ignore:Invalid value")  # pydicom warns
def test_a_damaged_tag_does_not_cost_the_picture(rows):
    data = dicom(deep(), InstanceNumber="16", KVP="160")
    (row,) = rows(x=data.replace(b"IS\x02\x0016", b"IS\x02\x00x6"))
    assert (row["sequence"], row["kvp"]) == (None, 160.0)
    assert json.loads(row["extra"])["sequence_as_written"] == "x6"


def test_white_at_the_low_end_is_told(rows):
    row = one(rows, PhotometricInterpretation="MONOCHROME1")
    assert json.loads(row["extra"])["tags"]["PhotometricInterpretation"] == "MONOCHROME1"


@pytest.mark.parametrize("name", ["x.dcm", "x.dcs", "x.DICOM", "x.dicos", "x.ima", "x"])
def test_it_is_known_by_its_ending_or_its_mark(raw, tree, name):
    (raw / name).write_bytes(dicom(deep()))
    assert Dicom().sniff(tree()) == "1 DICOM or DICOS files: their tags fill the columns of acquisition"


def test_other_files_are_not_claimed(raw, tree):
    (raw / "x").write_bytes(b"\0" * 200)
    (raw / "y").write_bytes(b"")
    (raw / "x.png").write_bytes(dicom(deep()))
    assert Dicom().sniff(tree()) is None
    assert Dicom().sniff(tree("not there")) is None


def test_a_list_of_files_is_a_source(run, raw, project):
    (raw / "x").mkdir()
    for name, data in {"1": dicom(deep()), "DICOMDIR": dicom(None), "x/DICOMDIR": b"another list"}.items():
        (raw / name).write_bytes(data)
    run(raw)
    sources = [(row["path"], row["role"]) for row in manifest.read(project, "sources").to_pylist()]
    assert sources == [("DICOMDIR", "sidecar")]
    assert manifest.read(project, "rejects")["path"].to_pylist() == ["x/DICOMDIR"]


def test_tags_of_other_formats_are_not_dicoms():
    assert from_tags("TIFF", {"Manufacturer": "X", "KVP": "160"}) == {}


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (dicom(deep(), preamble=False), {"not_an_image"}),
        (dicom(None, sop="1.2.840.10008.5.1.4.1.1.501.3"), {"unreadable"}),
        (dicom(deep())[:-100], {"truncated", "unreadable"}),
        (dicom(deep())[:400], {"truncated", "unreadable"}),
        (dicom(deep())[:132], {"truncated", "unreadable"}),
        (bytes(128) + b"DICM" + b"\xff" * 300, {"truncated", "unreadable"}),
    ],
    ids=["no preamble", "no pixels", "cut in the pixels", "cut in the tags", "cut at the mark", "noise"],
)
def test_what_cannot_be_decoded_is_a_reject(rows, project, data, reasons):
    assert rows(x=data) == []
    (reject,) = manifest.read(project, "rejects").to_pylist()
    assert reject["path"] == "x.dcm"
    assert reject["reason"] in reasons
    assert reject["message"].isprintable()
