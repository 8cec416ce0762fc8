"""What else goes with the label: the session, the date, the machine, the operator; and how the files were written.

A model may learn these and not the object. All images count, since the test part shares such a habit with training.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata.audit.chance import FEWEST, RARE, Against, against, commonest, cramers_v, held, table
from xqdata.audit.finding import INFO, MEDIUM, Finding
from xqdata.audit.material import Material
from xqdata.audit.telling import Found
from xqdata.groups import Ints

# An association that is stronger than chance by less than this is weak, however sure.
_STRONG = 0.1
_BINS = 10
# How to test on what was not trained on.
_ELSEWHERE = {
    "session": "test on other sessions with xqdata split --by session",
    "date": "test on later scans with xqdata split --test-after DATE",
    "scanner": "test on another machine with xqdata split --by scanner-serial",
    "operator": "test on another operator's scans with xqdata split --by operator",
}


def confounding(material: Material, seed: int) -> Iterator[Found | str]:
    """The association of the label with session, date, scanner and operator, where it is more than chance."""
    images = material.images
    scanner = [pc.fill_null(images[f"scanner_{name}"], "") for name in ("make", "model", "serial")]
    asked = {
        "session": images["session"],
        "date": images["acquired_at"].cast(pa.date32()).cast(pa.string()),
        "scanner": pc.binary_join_element_wise(*scanner, " "),
        "operator": images["operator"],
    }
    for name, values in asked.items():
        advice = (
            f"a model may learn the {name}: scan every class in every {name}, or test on another with xqdata split --by"
        )
        yield from _looked(material, f"confounding-{name}", name, values, MEDIUM, advice, seed)


def files(material: Material, seed: int) -> Iterator[Found | str]:
    """The association of the label with the format, depth and size of the files, for information."""
    images = material.images
    area = pc.multiply(images["width"].cast(pa.int64()), images["height"].cast(pa.int64()))
    asked = {
        "format": images["format"],
        "bit_depth": images["bit_depth"].cast(pa.string()),
        "bytes": _binned(images["bytes"]),
        "pixels": _binned(area),
    }
    advice = "for information: look whether classes were exported in different ways"
    for name, values in asked.items():
        found = _looked(material, f"file-{name}", f"file's {name.replace('_', ' ')}", values, INFO, advice, seed)
        yield from (one for one in found if not isinstance(one, str))


def _looked(
    material: Material, kind: str, word: str, values: pa.ChunkedArray, severity: str, advice: str, seed: int
) -> Iterator[Found | str]:
    labels = material.images["object"]
    known = pc.and_(pc.and_(pc.is_valid(labels), pc.is_valid(values)), pa.array(material.has_part))
    known = pc.and_(known, pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(values), ""), False))
    rows = np.flatnonzero(known.to_numpy())
    label, value = _numbers(labels, rows), _numbers(values, rows)
    if len(np.unique(value)) < 2 or len(np.unique(label)) < 2:
        yield f"the {word} was not compared with the label: it is unknown, or the same everywhere"
        return
    component = material.families(rows)
    if len(np.unique(component)) < FEWEST:
        yield f"the {word} was not compared with the label: fewer than {FEWEST} components"
        return
    found = associated(component, label, value, seed)
    figures = (
        f"Cramer's V {found.found:.2f} over {len(np.unique(component)):,} components, by chance {found.chance:.2f}, "
        f"p {found.p:.3f}"
    )
    if found.p > RARE or found.found - found.chance < _STRONG:
        yield f"label and {word}: {'no more' if found.p > RARE else 'hardly more'} than chance ({figures})"
        return
    test, other = int(material.tested[rows].sum()), int(material.against[rows].sum())
    yield Finding(kind, severity, test, other, 0, f"the label goes with the {word} ({figures}); {advice}"), []


def associated(component: Ints, label: Ints, value: Ints, seed: int) -> Against:
    """How strongly the commonest label of components goes with the values of their images, beside labels dealt anew."""
    counted = held(component, value)
    own = commonest(component, label)
    observed = cramers_v(table(counted, own))
    return against(observed, lambda dice: cramers_v(table(counted, dice.permutation(own))), seed)


def _numbers(values: pa.ChunkedArray, rows: Ints) -> Ints:
    """A number for each of `rows`, equal for equal values, whatever their order."""
    taken = values.combine_chunks().take(pa.array(rows)) if isinstance(values, pa.ChunkedArray) else values.take(rows)
    return np.unique(taken.to_numpy(zero_copy_only=False).astype(str), return_inverse=True)[1].astype(np.int64)


def _binned(values: pa.ChunkedArray) -> pa.Array:
    """Tenths by size, as text."""
    found = values.to_numpy().astype(np.float64)
    edges = np.unique(np.quantile(found, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(found) else np.zeros(0)
    return pa.array(np.searchsorted(edges, found, side="right").astype(str))
