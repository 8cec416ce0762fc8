"""Readers, one file per export dialect, the strongest first: where two describe a file, the first one's word holds."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from xqdata.errors import ConfigError
from xqdata.readers.base import BadRow, Box, Fields, Outside, Reader, Reading, Tree
from xqdata.readers.coco import Coco
from xqdata.readers.compass_xp import CompassXp
from xqdata.readers.cubox import Cubox
from xqdata.readers.dicom import Dicom
from xqdata.readers.dvxray import Dvxray
from xqdata.readers.folders import Folders
from xqdata.readers.imagefolder import ImageFolder
from xqdata.readers.opixray import Opixray
from xqdata.readers.patterns import Patterns
from xqdata.readers.sidecars import Sidecars
from xqdata.readers.tables import Tables
from xqdata.readers.voc import Voc
from xqdata.readers.yolo import Yolo

# What a person wrote for this very folder, then dialects that say much of each file, then those that say little.
READERS: tuple[Reader, ...] = (
    Tables(),
    Patterns(),
    Sidecars(),
    CompassXp(),
    Cubox(),
    Dvxray(),
    Dicom(),
    Coco(),
    Voc(),
    Opixray(),
    Yolo(),
    ImageFolder(),
    Folders(),
)
GROUP = "xqdata.readers"

__all__ = [
    "GROUP",
    "READERS",
    "BadRow",
    "Box",
    "Fields",
    "Outside",
    "Reader",
    "Reading",
    "Tree",
    "available",
    "choose",
]


def available() -> tuple[Reader, ...]:
    """Other distributions' readers, by name, then our own: what somebody installed for a dialect is meant to win.

    Raises ConfigError for a plug-in that cannot be loaded.
    """
    plugged = []
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        try:
            plugged.append(entry.load()())
        except Exception as error:
            hint = "mend or uninstall the package that brings it"
            raise ConfigError(f"the reader {entry.name} cannot be loaded ({error})", hint=hint) from error
    return (*plugged, *READERS)


def choose(tree: Tree, names: Sequence[str] = ()) -> list[tuple[Reader, str]]:
    """The readers that apply to `tree`, the strongest first, each with its reason.

    `names` restricts the choice to these readers. Raises ConfigError for a name that no reader bears.
    """
    readers = available()
    unknown = [name for name in names if name not in {r.name for r in readers}]
    if unknown:
        known = ", ".join(r.name for r in readers)
        raise ConfigError(f"there is no reader {unknown[0]!r}", hint=f"readers are {known}")
    wanted = [r for r in readers if not names or r.name in names]
    return [(reader, why) for reader in wanted if (why := reader.sniff(tree)) is not None]
