"""The figures, tables and the plan of benchmark/scale/README.md, from the measurements in results/.

    python benchmark/scale/page.py

What 10^8 scans cost is worked out from the slopes that were measured and from the assumptions below; nothing of that
size was run.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

HERE = Path(__file__).parent
README, RESULTS = HERE / "README.md", HERE / "results"
INK = "#1d2430"
# Of Okabe and Ito's palette; marks and lines tell them apart without colour.
LOOK = (("#0072B2", "o", "-"), ("#D55E00", "D", "--"), ("#009E73", "s", "-."), ("#CC79A7", "^", ":"),
        ("#1d2430", "v", "-"), ("#E69F00", "P", "--"))  # fmt: skip

SCANS = 1e8
# Processor seconds that a scan of 1000 x 700 takes beyond the tiny pictures that were measured here: decoding and
# hashing (benchmark/speed: 4 to 7 ms), the sketch for dedup (18 ms), and its bytes on disk.
DECODED, SKETCHED, BYTES = 0.006, 0.018, 0.7e6
TABLES = 165  # of the join, at 10^7 pictures and radius 8: as many processors can work on it at once
MACHINES = (("one machine of 64 cores", 64, 1), ("20 nodes of 32 cores", 640, 20))


@dataclass(frozen=True)
class Curve:
    """What a step takes by size: `points` of (size, seconds, MB), the smallest first."""

    points: tuple[tuple[float, float, float], ...]

    def exponent(self, column: int) -> float:
        """How seconds (1) or MB (2) grow between the two largest sizes: 1 is in proportion."""
        (a, *one), (b, *other) = self.points[-2:]
        return math.log(other[column - 1] / one[column - 1]) / math.log(b / a)

    def at(self, size: float, column: int) -> float:
        """Seconds or MB at `size`: by the slope between the two largest sizes where it is above 1, else by what each
        more took there, beside what is always taken.
        """
        (a, *one), (b, *other) = self.points[-2:]
        low, high = one[column - 1], other[column - 1]
        slope = self.exponent(column)
        found = high * (size / b) ** slope if slope > 1 else high + (high - low) / (b - a) * (size - b)
        return float(found)


def rows(name: str) -> list[dict[str, str]]:
    """A table of measurements."""
    file = RESULTS / f"{name}.csv"
    return list(csv.DictReader(file.open(encoding="utf-8"))) if file.exists() else []


def curves() -> dict[str, Curve]:
    """By name: CPU seconds and the peak of memory of the command's own process."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in rows("engines"):
        words = {"processes": "2 processes", "ray": "2 Ray nodes"}
        found.setdefault(f"{row['step']}, {words[row['engine']]}", []).append(_point(row))
    for row in rows("steps"):
        if row["unit"] == "images" and row["cpu_seconds"] and "," not in row["step"]:
            found.setdefault(row["step"], []).append(_point(row))
    for row in rows("join"):
        if row["cpu_seconds"]:
            found.setdefault(row["step"], []).append(_point(row))
    return {name: Curve(tuple(sorted(points))) for name, points in found.items()}


def _point(row: dict[str, str]) -> tuple[float, float, float]:
    return float(row["size"]), float(row["cpu_seconds"]), float(row["peak_mb"])


def drawn(known: dict[str, Curve], path: Path) -> None:
    """Seconds and memory against size, log-log."""
    figure = Figure(figsize=(12.6, 7.6), layout="constrained")
    panels = figure.subplots(2, 3)
    groups = (
        ("pictures whose files are opened", [name for name in known if "2 " in name]),
        ("images, on tables alone", [name for name in known if "2 " not in name and "join" not in name]),
        ("hashes, in eight orientations", [name for name in known if "join" in name]),
    )
    for (title, names), (above, below) in zip(groups, panels.T, strict=True):
        for axes, column, label in ((above, 1, "seconds of processors"), (below, 2, "peak memory, MB")):
            for name, (colour, mark, line) in zip(names, LOOK, strict=False):
                x, y = ([point[k] for point in known[name].points] for k in (0, column))
                slope = f"  (slope {known[name].exponent(column):.2f})" if len(x) > 1 else ""
                axes.plot(x, y, color=colour, marker=mark, linestyle=line, markersize=5, label=f"{name}{slope}")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.3)
            axes.set_ylabel(label)
            axes.set_xlabel(title)
            axes.margins(y=0.45)  # room for the legend
            axes.legend(frameon=False, fontsize=7, loc="upper left")
    figure.savefig(path, dpi=150, metadata={"Software": None})


def engines() -> Iterator[list[str]]:
    """Worker processes and a cluster side by side."""
    yield ["step", "pictures", "processes, s", "Ray, s", "Ray / processes", "processors: Ray / processes",
           "command's peak, MB", "largest worker, MB"]  # fmt: skip
    found = {(row["step"], int(row["size"]), row["engine"]): row for row in rows("engines")}
    for step, size in sorted({key[:2] for key in found}):
        one, other = (found.get((step, size, engine)) for engine in ("processes", "ray"))
        if one and other:
            ratios = (float(other[key]) / float(one[key]) for key in ("seconds", "cpu_seconds"))
            yield [step, f"{size:,}", one["seconds"], other["seconds"], *(f"{ratio:.2f}" for ratio in ratios),
                   f"{one['peak_mb']} / {other['peak_mb']}", f"{one['worker_mb']} / {other['worker_mb']}"]  # fmt: skip
        elif one:
            yield [step, f"{size:,}", one["seconds"], "", "", "", one["peak_mb"], one["worker_mb"]]


def steps() -> Iterator[list[str]]:
    """The steps that work where the command runs."""
    yield ["step", "size", "seconds", "of processors", "peak, MB", ""]
    for row in rows("steps"):
        yield [row["step"], f"{int(row['size']):,} {row['unit']}", row["seconds"], row["cpu_seconds"], row["peak_mb"],
               row["note"]]  # fmt: skip


def join() -> Iterator[list[str]]:
    """The join of near hashes."""
    yield ["join of hashes in eight orientations", "pictures", "seconds", "of processors", "peak, MB",
           "largest worker, MB", "pairs"]  # fmt: skip
    for row in rows("join"):
        yield [row["step"].removeprefix("join, "), f"{int(row['size']):,}", row["seconds"], row["cpu_seconds"],
               row["peak_mb"], row["worker_mb"], f"{int(row['pairs']):,}"]  # fmt: skip


def plan(known: dict[str, Curve]) -> Iterator[list[str]]:
    """What SCANS scans take."""
    yield [
        "step",
        "processor hours",
        *(f"hours on {name}" for name, _, _ in MACHINES),
        "memory of the command's machine",
    ]
    shared = [
        ("ingest", DECODED, known.get("ingest, 2 processes")),
        ("dedup: sketches and pairs", SKETCHED, known.get("dedup, 2 processes")),
    ]
    for name, each, curve in shared:
        if curve:
            hours = (SCANS * each + curve.at(SCANS, 1)) / 3600
            yield [name, f"{hours:,.0f}", *(f"{hours / cores:,.1f}" for _, cores, _ in MACHINES), _memory(curve)]
    for name, at_once in (("join, one thread", TABLES), ("split", 1), ("audit", 1), ("clusters of dedup", 1)):
        if name in known:
            hours = known[name].at(SCANS, 1) / 3600
            spread = [f"{hours / min(at_once, cores):,.1f}" for _, cores, _ in MACHINES]
            yield [name, f"{hours:,.1f}", *spread, _memory(known[name])]
    read = SCANS * BYTES
    yield ["reading the scans once, at 1 GB/s for each node", "", *(f"{read / 1e9 / nodes / 3600:,.1f}"
           for _, _, nodes in MACHINES), f"{read / 1e12:,.0f} TB read"]  # fmt: skip


def _memory(curve: Curve) -> str:
    gb = curve.at(SCANS, 2) / 1000
    return f"{gb:,.0f} GB" if gb < 2000 else f"{gb / 1000:,.1f} TB"


def table(lines: Iterator[list[str]]) -> str:
    """A Markdown table of a header and rows."""
    head, *rest = lines
    every: Sequence[list[str]] = [head, ["---"] * len(head), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in every)


def put(name: str, text: str) -> None:
    """Replace what stands between the README's marks of this name."""
    old = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if begin not in old or end not in old:
        sys.exit(f"{README} has no marks called {name}")
    README.write_text(f"{old[: old.index(begin)]}{begin}{text}{old[old.index(end) :]}", encoding="utf-8")


def main() -> None:
    """Draw and write."""
    known = curves()
    drawn(known, RESULTS / "scale.png")
    for name, lines in (("engines", engines()), ("steps", steps()), ("join", join()), ("plan", plan(known))):
        put(name, table(lines))


if __name__ == "__main__":
    main()
