"""DICOM, and DICOS (its dialect for security scanners): tags inside the file, mapped to columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xqdata.readers.base import Fields, Reading, Tree

# Keyword of the tag: column.
_COLUMNS = {
    "Manufacturer": "scanner_make",
    "ManufacturerModelName": "scanner_model",
    "DeviceSerialNumber": "scanner_serial",
    "KVP": "kvp",
    "XRayTubeCurrent": "ma",
    "XRayTubeCurrentInmA": "ma",
    "OperatorsName": "operator",
    "InstitutionName": "site",
    "ViewPosition": "view",
    "SeriesInstanceUID": "series",
    "InstanceNumber": "sequence",
}
# In DICOS a study is one screening of one object of inspection; in DICOM it is a sitting.
_DICOM_COLUMNS = {"StudyInstanceUID": "session"}
_DICOS_COLUMNS = {"StudyInstanceUID": "scan_id", "PatientID": "bag"}
# The first pair that is there tells when the picture was taken.
_MOMENTS = (("AcquisitionDate", "AcquisitionTime"), ("ContentDate", "ContentTime"), ("StudyDate", "StudyTime"))
# Storage classes of DICOS, for the files that do not state its version.
_DICOS_CLASSES = "1.2.840.10008.5.1.4.1.1.501."
_LIST = "DICOMDIR"
# Files that are looked into before it is asked whether that is enough.
_TOGETHER = 256
_ENDINGS = (".dcm", ".dcs", ".dicom", ".dicos", ".ima")


class Dicom:
    """Acquisition columns from the tags inside DICOM and DICOS files."""

    name = "dicom"

    def sniff(self, tree: Tree) -> str | None:
        """How many files have an ending of DICOM's, or none but DICOM's mark inside."""
        found = sum(_name(path).lower().endswith(_ENDINGS) for path in tree.paths)
        bare = [path for path in tree.paths if "." not in _name(path)]
        found += _marked(tree, bare, enough=1 if tree.is_remote else None) if not (found and tree.is_remote) else 0
        least = "at least " if tree.is_remote and bare else ""
        return f"{least}{found} DICOM or DICOS files: their tags fill the columns of acquisition" if found else None

    def read(self, tree: Tree) -> Reading:
        """The tags are read where the pixels are, so nothing is opened here. A DICOMDIR lists files, and has none."""
        lists = [path for path in tree.paths if _name(path).upper() == _LIST and _marked(tree, [path])]
        return Reading({}, dict.fromkeys(lists, "sidecar"), from_tags=from_tags)


def from_tags(format: str, tags: Mapping[str, str]) -> Fields:
    """What the tags of a DICOM file say; nothing for other formats."""
    if format != "DICOM":
        return {}
    dicos = "DICOSVersion" in tags or tags.get("SOPClassUID", "").startswith(_DICOS_CLASSES)
    columns = _COLUMNS | (_DICOS_COLUMNS if dicos else _DICOM_COLUMNS)
    fields: dict[str, object] = {columns[k]: v for k, v in tags.items() if k in columns}
    if "TableSpeed" in tags:
        fields["belt_speed"] = _metres(tags["TableSpeed"])
    energies = [e for e in ("high", "low") if tags.get(f"{e.capitalize()}EnergyDetectors") == "YES"]
    if len(energies) == 1:
        fields["channel"] = energies[0]
    moment = _moment(tags)
    if moment:
        fields["acquired_at"] = moment
    return fields


def _metres(speed: str) -> float | str:
    """mm/s as m/s; what is no number stays, to be reported as such."""
    try:
        return float(speed) / 1000
    except ValueError:
        return speed


def _moment(tags: Mapping[str, str]) -> str | None:
    if tags.get("AcquisitionDateTime"):
        return tags["AcquisitionDateTime"][:8] + " " + tags["AcquisitionDateTime"][8:].split("+")[0].split("-")[0]
    for day, clock in _MOMENTS:
        if tags.get(day):
            return f"{tags[day]} {tags.get(clock, '')}".strip()
    return None


def _marked(tree: Tree, wanted: Sequence[str], enough: int | None = None) -> int:
    """How many of `wanted` bear DICOM's mark inside; at an address each is a request, so `enough` ends it."""
    found = 0
    for start in range(0, len(wanted), _TOGETHER):
        heads = tree.heads(wanted[start : start + _TOGETHER], 132)
        found += sum(head[128:] == b"DICM" for head in heads.values())
        if enough is not None and found >= enough:
            break
    return found


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
