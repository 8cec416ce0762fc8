"""How a crossing is said in one sentence, and turned into a finding with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xqdata.audit.crossing import Crossing, Relation, examples
from xqdata.audit.finding import Evidence, Finding
from xqdata.audit.material import Material

Found = tuple[Finding, list[Evidence]]


def found(
    material: Material, kind: str, severity: str, crossed: Crossing, pairs: list[Evidence], what: str, advice: str
) -> Found:
    """The finding on a crossing. `what`: what images do, as in `share a specimen with {one}`; `advice`: what to do."""
    images = (int(crossed.test.sum()), int(crossed.other.sum()))
    sentence = f"{_said(material, crossed, *images, what)}; {advice}"
    return Finding(kind, severity, *images, crossed.pairs, sentence), pairs


def _said(material: Material, crossed: Crossing, test: int, other: int, what: str) -> str:
    sides = material.sides
    rest = crossed.pairs - crossed.pairs_tested
    if sides.rotates:
        share = _of(test, int(material.has_part.sum()))
        return f"{share} images {what.format(one='an image of another part')} ({count(crossed.pairs, 'pair')})"
    names = " and ".join(sides.test_names)
    if not crossed.pairs_tested:
        one = "one of another part"
        return (
            f"no image of {names}, but {count(other, 'image')} of other parts {what.format(one=one)} ({_pairs(rest)})"
        )
    one = f"an image of {' or '.join(sides.other_names)}"
    more = f", and {rest:,} between other parts" if rest else ""
    text = f"{_of(test, int(material.tested.sum()))} images of {names} {what.format(one=one)}"
    return f"{text} ({_pairs(crossed.pairs_tested)}{more})"


def _of(some: int, all_: int) -> str:
    return f"{some:,} of {all_:,}"


def _pairs(number: int) -> str:
    return count(number, "pair")


def count(number: int, word: str) -> str:
    """`1 pair`, `2 pairs`, `2 classes`, `2 families`."""
    if number == 1:
        return f"1 {word}"
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}{'es' if word.endswith('s') else 's'}"
    return f"{number:,} {plural}"


def evidence(
    material: Material,
    kind: str,
    held: Relation,
    known: Relation | None,
    said: Callable[[int, int, int], str],
) -> list[Evidence]:
    """One pair for each image that has a partner in a later part. `said`: of two rows and the value that they share."""
    ids = material.ids
    return [Evidence(kind, ids[a], ids[b], said(a, b, v)) for a, b, v in examples(material, held, known)]


def remedy(material: Material) -> str:
    """What to do about families that lie in several parts."""
    if not material.claims.own:
        return "mend this split with the command for the nearest clean one, which keeps them in one part"
    again = "split again with xqdata split"
    mend = f"mend this split with {material.repair}" if material.repair else ""
    either = "either keeps" if mend else "it keeps"
    return f"{', or '.join(filter(None, [again, mend]))}: {either} them in one part"


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
