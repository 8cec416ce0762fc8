"""CUBOX's file names: model, date, running number, kind, then each item's name, class code and instance, then a shot.

`E3S690_20221012_02840036_M_Sneakers_537-024_LAGs products(Aluminum-C)_120-013_6.png`. The kind is S for one item, P
for a pair of one kind, M for two kinds. Class code and instance together name the physical object.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from xqdata.readers.base import Fields, Reading, Tree

_NAME = re.compile(
    r"(?P<model>[A-Z0-9]+)_(?P<date>\d{8})_(?P<number>\d+)_(?P<kind>[SMP])_(?P<items>.+)_(?P<shot>\d+)\.\w+"
)
_ITEM = re.compile(r"(?P<name>.+?)_(?P<code>\d+)-(?P<instance>\d+)(?:_|$)")
_KINDS = {"S": ("single", 1), "P": ("multiple", 2), "M": ("mixed", 2)}


class Cubox:
    """Objects, specimens, scanner model, date and running number from CUBOX's file names."""

    name = "cubox"

    def sniff(self, tree: Tree) -> str | None:
        """How many names follow the scheme."""
        found = sum(describe(path) is not None for path in tree.pictures)
        scheme = "MODEL_DATE_NUMBER_{S|M|P}_NAME_CLASS-INSTANCE…_SHOT"
        return f"{found} of {len(tree.pictures)} file names follow CUBOX's {scheme}" if found else None

    def read(self, tree: Tree) -> Reading:
        """Describe the files whose names follow the scheme."""
        described = {path: describe(path) for path in tree.pictures}
        return Reading({path: fields for path, fields in described.items() if fields})


def describe(path: str) -> Fields | None:
    """What the name of one file says, or None where it does not follow the scheme."""
    name = _NAME.fullmatch(PurePosixPath(path).name)
    if not name:
        return None
    items = list(_ITEM.finditer(name["items"]))
    multiplicity, count = _KINDS[name["kind"]]
    if len(items) != count or items[-1].end() != len(name["items"]):
        return None
    return {
        "objects": [item["name"] for item in items],
        "specimens": [f"{item['code']}-{item['instance']}" for item in items],
        "multiplicity": multiplicity,
        "scanner_model": name["model"],
        "acquired_at": name["date"],
        "sequence": name["number"],
        "class_codes": [item["code"] for item in items],
        "shot": name["shot"],
    }
