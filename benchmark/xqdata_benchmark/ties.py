"""What ties a test image to training: the sort of leak that its score may be owed to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xqdata import groups
from xqdata.audit.material import Material
from xqdata.groups import Ints, Ties
from xqdata.schema import COPY_KINDS, TIE_KINDS

# The highest first. A scan is tied by its pass, its bag, or a link between pictures of one bag.
KINDS = ("copy", "scan", "specimen", "session", "none")


def nearest(material: Material, train: Ints, test: Ints) -> NDArray[np.object_]:
    """(len(test),) the highest of KINDS that ties each of the rows `test` to any of the rows `train`."""
    count = material.images.num_rows
    taking_part = np.zeros(count, bool)
    taking_part[np.append(train, test)] = True

    def column(name: str) -> Ties:
        return groups.column_ties(material.images, name, taking_part)

    # Links tie through images that take no part, too: two rescans of a bag show one bag.
    copies = [material.tie(*COPY_KINDS), material.copy_tie]
    scans = [*copies, material.tie(*TIE_KINDS), column("scan_id"), column("bag")]
    found = np.full(len(test), "none", object)
    for kind in ("session", "specimen"):
        shared = _shared(column("specimens" if kind == "specimen" else kind), train, count)
        found[shared[test]] = kind
    for kind, ties in (("scan", scans), ("copy", copies)):
        family = groups.components(count, ties)
        found[np.isin(family[test], family[train])] = kind
    return found


def _shared(ties: Ties, train: Ints, count: int) -> NDArray[np.bool_]:
    """(count,) rows that hold a value which a row of `train` holds."""
    trained = np.zeros(count, bool)
    trained[train] = True
    values = np.zeros(len(ties.names), bool)
    values[ties.value[trained[ties.image]]] = True
    rows = np.zeros(count, bool)
    rows[ties.image[values[ties.value]]] = True
    return rows
