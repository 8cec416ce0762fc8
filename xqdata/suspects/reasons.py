"""Why a label is suspected, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from xqdata.groups import Ints
from xqdata.suspects.filings import Filings, Said, Word
from xqdata.suspects.predicted import Floats, Predicted

NEIGHBOURS = 10


def reasons(filings: Filings, row: int, words: Sequence[Word], suggested: str) -> Iterator[str]:
    """What other labels and people say, the strongest first."""
    label = filings.said[row]
    paths = filings.images["path"]
    for tie, thing in (("copy", "a copy of it"), ("bag", "another scan of its bag")):
        for word in words:
            if word.tie == tie:
                yield f"{thing} is labelled {names(word.label)} ({paths[word.row].as_py()})"
    others = [word.label for word in words if word.tie == "specimen"]
    against = [said for said in others if not said & label]
    if against:
        told = ", ".join(f"{names(said)} {count:,}" for said, count in _counted(against))
        both = sum(suggested in said and bool(said & label) for said in others) if suggested not in label else 0
        agree = len(others) - len(against) - both
        undecided = f", both of them {both:,}" if both else ""  # mixed scans, which speak for neither
        yield f"its specimen is labelled otherwise elsewhere: {told}; as here {agree:,}{undecided}"
    elif others and suggested not in label:
        yield f"all {len(others):,} other labels of its specimen agree with this one"
    yield from _people(filings, row, words)


def _people(filings: Filings, row: int, words: Sequence[Word]) -> Iterator[str]:
    image = filings.ids[row]
    judged = filings.judged.get(image, {})
    if len(set(judged.values())) > 1:
        told = ", ".join(f"{person} {names(said)}" for person, said in judged.items())
        yield f"people disagree: {told}"
    for word in words:
        if word.tie == "export" and word.label != filings.said[row]:
            yield f"the export said {names(word.label)}"
    if image in filings.second_look:
        yield f"{filings.second_look[image]} asked for a second look"


def of_model(predicted: Predicted, model: Floats, label: str) -> str:
    """What the model sees."""
    best = int(model.argmax())
    own = model[predicted.classes.index(label)]
    if predicted.classes[best] == label:
        return f"the model sees {label}, too ({model[best]:.0%})"
    return f"the model sees {predicted.classes[best]} ({model[best]:.0%}; {label} {own:.0%})"


def of_neighbours(filings: Filings, predicted: Predicted, row: int) -> str | None:
    """What the nearest images of other families are; None where there are too few to compare with."""
    near = _nearest(filings, predicted, row)
    if near is None:
        return None
    label = filings.object[row]
    counted = Counter(filings.object[near].tolist())
    first, count = min(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    if first == label or count < 3:
        return None
    return f"{count} of its {len(near)} nearest neighbours are {first}, {counted[label]} {label}"


def _nearest(filings: Filings, predicted: Predicted, row: int) -> Ints | None:
    if predicted.vectors is None or predicted.space is None or not predicted.known[row]:
        return None
    other = (filings.component != filings.component[row]) & (filings.object != "") & predicted.known
    rows = np.flatnonzero(other & (predicted.space == predicted.space[row]))
    if len(rows) < NEIGHBOURS:
        return None
    away = np.linalg.norm(predicted.vectors[rows] - predicted.vectors[row], axis=1)
    return np.asarray(rows[np.argsort(away, kind="stable")[:NEIGHBOURS]], np.int64)


def names(said: Said) -> str:
    """A label as people write it."""
    return " + ".join(sorted(said)) or "nothing"


def _counted(labels: Sequence[Said]) -> list[tuple[Said, int]]:
    return sorted(Counter(labels).items(), key=lambda pair: (-pair[1], names(pair[0])))
