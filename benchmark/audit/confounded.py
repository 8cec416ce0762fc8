"""Whether an audit finds that one class was scanned on one machine only, and how often it finds what is not there.

    python benchmark/audit/confounded.py [--seeds 8301-8340] [--write]

Sessions, specimens and machines are those that the simulator plans; no picture is made, for none is needed. One object
of 21 is planted on the second machine alone, or none is. Then labels are dealt to the components by chance, each for
itself. Prints Markdown tables; with --write they go into the README beside this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from xqdata.audit.chance import RARE
from xqdata.audit.classes import alone, standing
from xqdata.audit.confounding import associated
from xqdata.groups import Ints, Ties, components
from xqdata.simulate.plan import plan
from xqdata.simulate.settings import Settings

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- confounded: begin -->\n", "<!-- confounded: end -->"
SIZES = (1_229, 11_517)
LABELINGS = 200


@dataclass(frozen=True)
class Scans:
    """Scans of one kind of object: the component, label and machine of each, and what the labels are called."""

    component: Ints
    label: Ints
    scanner: Ints
    names: tuple[str, ...]


def main() -> None:
    """Measure, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="8301-8340", help="first and last seed of the simulator")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    asked = parser.parse_args()
    first, last = map(int, asked.seeds.split("-"))
    seeds = range(first, last + 1)
    text = f"{_table(planted(seeds))}\n{_table(by_chance(first))}"
    print(text)
    if asked.write:
        old = README.read_text(encoding="utf-8")
        README.write_text(f"{old[: old.index(BEGIN)]}{BEGIN}{text}{old[old.index(END) :]}", encoding="utf-8")


def planned(seed: int, scans: int, confounded: int) -> Scans:
    """What the simulator plans, scans of mixed kinds left out, as an audit leaves them out."""
    kept = [s for s in plan(Settings(seed=seed, scans=scans, confounded=confounded)) if len(s.objects) == 1]
    shown = [(n, specimen.name) for n, s in enumerate(kept) for specimen in s.specimens]
    specimens, number = np.unique([name for _, name in shown], return_inverse=True)
    tie = Ties("specimens", np.array([n for n, _ in shown]), number.astype(np.int64), pa.array(specimens))
    names, label = np.unique([s.told_object for s in kept], return_inverse=True)
    component = components(len(kept), [tie])
    return Scans(component, label.astype(np.int64), np.array([s.scanner for s in kept]), tuple(names.tolist()))


def truly(seed: int, scans: int) -> str:
    """The object that was planted on the second machine alone."""
    seen: dict[str, set[int]] = {}
    for scan in plan(Settings(seed=seed, scans=scans, confounded=1)):
        seen.setdefault(scan.object, set()).add(scan.scanner)
    (name,) = (name for name, machines in seen.items() if machines == {1})
    return name


def planted(seeds: Sequence[int]) -> Iterator[list[str]]:
    """By size, and with one object planted or none: what the tests find, and what is named."""
    yield ["scans", "planted", "found by all classes at once", "found as a class that stands out", "of these rightly",
           "told for information", "of these rightly"]  # fmt: skip
    for size in SIZES:
        for confounded in (0, 1):
            every = stands = right = told = rightly = 0
            for seed in seeds:
                made, true = planned(seed, size, confounded), truly(seed, size) if confounded else ""
                given = (made.component, made.label, made.scanner)
                every += associated(*given, seed).p <= RARE / 2
                clear = {made.names[s.label] for s in standing(*given, seed) if s.p <= RARE / 2}
                only = {made.names[c] for c, _, _ in alone(*given)}
                stands, right = stands + bool(clear), right + (clear == {true})
                told, rightly = told + bool(only and not clear), rightly + (not clear and only == {true})
            yield [f"{size:,}", str(confounded), *(f"{n} of {len(seeds)}" for n in (every, stands)), str(right),
                   f"{told} of {len(seeds)}", str(rightly)]  # fmt: skip


def by_chance(seed: int) -> Iterator[list[str]]:
    """How often the tests find something where labels are dealt to components by chance."""
    yield ["scans", "components", "labelings", "p of 0.05 or less", "p of 0.01 or less"]
    for size in SIZES:
        made = planned(seed, size, 0)
        _, component = np.unique(made.component, return_inverse=True)
        dice = np.random.default_rng([seed, size])
        found = []
        for n in range(LABELINGS):
            label = dice.integers(len(made.names), size=int(component.max()) + 1)[component]
            given = (component.astype(np.int64), label, made.scanner)
            one = min((s.p for s in standing(*given, n)), default=1.0)
            found.append(min(1.0, 2 * min(one, associated(*given, n).p)))
        rates = [f"{np.mean(np.array(found) <= level):.1%}" for level in (0.05, RARE)]
        yield [f"{size:,}", str(int(component.max()) + 1), str(LABELINGS), *rates]


def _table(rows: Iterator[list[str]]) -> str:
    first, *rest = rows
    lines = [first, ["---:"] * len(first), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
