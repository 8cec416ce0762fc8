"""What else goes with the label: the session, the date, the machine, the operator; and how the files were written.

A model may learn these and not the object. All images count, since the test part shares such a habit with training.
Two tests look for it: one for all classes at once, one for a single class that stands out. Either may find it, so each
has half of the risk of being wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata.audit.chance import FEWEST, MOST, RARE, Against, against, commonest, cramers_v, held, sample, sampled, table
from xqdata.audit.classes import Standing, alone, standing
from xqdata.audit.finding import INFO, MEDIUM, Evidence, Finding
from xqdata.audit.material import Flags, Material
from xqdata.audit.telling import Found, count, listed
from xqdata.groups import Ints, distinct

# An association that is stronger than chance by less than this is weak, however sure.
_STRONG = 0.1
# A class whose share of a value differs by less from that of all others stands out little, however surely.
_FAR = 0.2
# Where more images than these hold a value that is their component's own, dealing components anew tells nothing.
_OWN = 0.9
_BINS = 10
_SCANNED = {"session": "in session", "date": "on", "scanner": "on", "operator": "by"}
# What would loosen the tie, and how to test on what was not trained on.
_ADVICE = {
    "session": "scan every class in many sessions, or test on other ones with xqdata split --by session",
    "date": "scan every class on many days, or test on later scans with xqdata split --test-after DATE",
    "scanner": "scan every class on every machine, or test on another with xqdata split --by scanner-serial",
    "operator": "let everybody scan every class, or test on another's scans with xqdata split --by operator",
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
        known = _known(material, name, values)
        if isinstance(known, str):
            yield known
            continue
        advice = f"a model may learn the {name}: {_ADVICE[name]}"
        some = known.drawn(seed)
        every = associated(some.component, some.label, some.value, seed)
        one = _standing_out(some, seed)
        found = _confounded(material, name, known, some, every, one, advice)
        yield found
        if isinstance(found, str):
            yield from _one_only(material, name, known)


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
        known = _known(material, f"file's {name.replace('_', ' ')}", values)
        if isinstance(known, str):
            continue
        some = known.drawn(seed)
        found = associated(some.component, some.label, some.value, seed)
        if _is_strong(found, RARE):
            sentence = f"the label goes with the {known.word} ({_figures(found, some)}); {advice}"
            yield Finding(f"file-{name}", INFO, *_sides(material, known.rows), 0, sentence), []


@dataclass(frozen=True)
class _Known:
    """Images whose label and value are known: rows of the material, their components, and numbers of labels and values
    with what those are called. `word`: what the value is. `all_components`: where these are drawn, of how many.
    """

    word: str
    rows: Ints
    component: Ints
    label: Ints
    value: Ints
    labels: Sequence[str]
    values: Sequence[str]
    all_components: int = 0

    @cached_property
    def components(self) -> int:
        """How many components there are."""
        return distinct(self.component)

    def drawn(self, seed: int) -> _Known:
        """What chance is asked of: all, or where there are very many components, some of them."""
        if self.components <= MOST:
            return self
        some = sample(self.component, seed)
        rows, component, label, value = (of[some] for of in (self.rows, self.component, self.label, self.value))
        return replace(self, rows=rows, component=component, label=label, value=value, all_components=self.components)

    @property
    def own(self) -> float:
        """The share of images whose value no other component holds."""
        cells = held(self.component, self.value)
        alone = np.bincount(cells.value) == 1
        return float(cells.count[alone[cells.value]].sum() / cells.count.sum())


def _known(material: Material, word: str, values: pa.ChunkedArray) -> _Known | str:
    """What is known of one value; or why it cannot be compared with the label."""
    labels = material.images["object"]
    known = pc.and_(pc.and_(pc.is_valid(labels), pc.is_valid(values)), pa.array(material.has_part))
    known = pc.and_(known, pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(values), ""), False))
    rows = np.flatnonzero(known.to_numpy())
    (label, called), (value, spelled) = _numbers(labels, rows), _numbers(values, rows)
    if len(called) < 2 or len(spelled) < 2:
        return f"the {word} was not compared with the label: it is unknown, or the same everywhere"
    found = _Known(word, rows, material.families(rows), label, value, called, spelled)
    if found.components < FEWEST:
        return f"the {word} was not compared with the label: fewer than {FEWEST} components"
    return found


def _is_strong(found: Against, rare: float) -> bool:
    return found.p <= rare and found.found - found.chance >= _STRONG


def _figures(found: Against, known: _Known) -> str:
    drawn = f" drawn of {known.all_components:,}" if known.all_components else ""
    return (
        f"Cramer's V {found.found:.2f} over {known.components:,} components{drawn}, by chance {found.chance:.2f}, "
        f"p {found.p:.3f}"
    )


def _sides(material: Material, rows: Ints) -> tuple[int, int]:
    return int(material.tested[rows].sum()), int(material.against[rows].sum())


def _standing_out(known: _Known, seed: int) -> list[Standing]:
    """Classes that go with a value more than chance makes any class do, or with all but one; each once."""
    found = standing(known.component, known.label, known.value, seed)
    clear = [one for one in found if one.p <= RARE / 2 and abs(one.beyond) >= _FAR]
    first: dict[int, Standing] = {}
    # What a class goes with says more than what it lacks.
    for one in sorted(clear, key=lambda s: s.beyond < 0):
        first.setdefault(one.label, one)
    return list(first.values())


def _confounded(
    material: Material,
    name: str,
    known: _Known,
    some: _Known,
    every: Against,
    one: Sequence[Standing],
    advice: str,
) -> Found | str:
    kind = f"confounding-{name}"
    strong = _is_strong(every, RARE / 2)
    if not strong and not one and known.own > _OWN:
        return _untestable(name, known)
    if not strong and not one:
        more = "hardly more" if every.p <= RARE / 2 else "no more"
        return f"label and {name}: {more} than chance ({_figures(every, some)}), and no class stands out"
    told, pairs, rows = [], [], known.rows
    if one:
        spelled = listed([_stands(some, each) for each in one], 3) + sampled(known.component, some.components)
        told.append(f"{spelled} (chance alone does so to some class with p {max(o.p for o in one):.3f})")
        mine = np.isin(known.label, [each.label for each in one])
        rows, pairs = (rows if strong else rows[mine]), _shown(material, kind, known, mine)
    if strong:
        told.append(f"the label goes with the {name} ({_figures(every, some)})")
    return Finding(kind, MEDIUM, *_sides(material, rows), 0, f"{', and '.join(told)}; {advice}"), pairs


def _untestable(name: str, known: _Known) -> str:
    """Where families have values of their own, dealing them anew changes nothing: a p of 1 would read as a comfort."""
    return (
        f"label and {name}: not known. Of {known.components:,} components nearly all have {name}s of their own, so "
        f"that label and {name} cannot be told apart: whether a model learns the {name} does not show in these scans"
    )


def _stands(known: _Known, one: Standing) -> str:
    """One class beside one value, as a clause."""
    where = f"{_SCANNED[known.word]} {known.values[one.value].strip()}"
    name = known.labels[one.label]
    rest = f"of the other classes {one.others:.0%}"
    if one.images == one.all_:
        return f"class {name} was scanned {where} only ({one.all_:,} images), {rest}"
    return f"{one.images:,} of {one.all_:,} images of class {name} were scanned {where}, {rest}"


def _one_only(material: Material, name: str, known: _Known) -> Iterator[Found]:
    """Classes that one value alone has seen, where that is too little for a test: a fact, and no more."""
    told = alone(known.component, known.label, known.value)
    if not told:
        return
    clauses = [
        f"class {known.labels[c]} was scanned {_SCANNED[name]} {known.values[v].strip()} only, "
        f"in {count(families, 'family')} of scans"
        for c, v, families in told
    ]
    mine = np.isin(known.label, [c for c, _, _ in told])
    sentence = (
        f"{listed(clauses, 3)}, and most other classes not so: chance may do that, but a model can use it all the same"
        f"; scan what is missing, or mind it in the score of {'this class' if len(told) == 1 else 'these classes'}"
    )
    pairs = _shown(material, f"only-{name}", known, mine)
    yield Finding(f"only-{name}", INFO, *_sides(material, known.rows[mine]), 0, sentence), pairs


def _shown(material: Material, kind: str, known: _Known, mine: Flags) -> list[Evidence]:
    """The images themselves, each with its value."""
    ids = material.ids
    return [
        Evidence(kind, ids[row], None, f"{known.word} {known.values[v].strip()}")
        for row, v in zip(known.rows[mine].tolist(), known.value[mine].tolist(), strict=True)
    ]


def associated(component: Ints, label: Ints, value: Ints, seed: int) -> Against:
    """How strongly the commonest label of components goes with the values of their images, beside labels dealt anew."""
    counted = held(component, value)
    own = commonest(component, label)
    observed = cramers_v(table(counted, own))
    return against(observed, lambda dice: cramers_v(table(counted, dice.permutation(own))), seed)


def _numbers(values: pa.ChunkedArray, rows: Ints) -> tuple[Ints, list[str]]:
    """A number for each of `rows`, equal for equal values, and what each number is called, in order."""
    taken = values.combine_chunks().take(pa.array(rows)) if isinstance(values, pa.ChunkedArray) else values.take(rows)
    encoded = pc.dictionary_encode(taken)
    told = encoded.dictionary.to_pylist()
    names = sorted(told)
    place = {name: n for n, name in enumerate(names)}
    number = np.array([place[name] for name in told], np.int64)
    return number[encoded.indices.to_numpy(zero_copy_only=False)], names


def _binned(values: pa.ChunkedArray) -> pa.Array:
    """Tenths by size, as text."""
    found = values.to_numpy().astype(np.float64)
    edges = np.unique(np.quantile(found, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(found) else np.zeros(0)
    return pa.array(np.searchsorted(edges, found, side="right")).cast(pa.string())
