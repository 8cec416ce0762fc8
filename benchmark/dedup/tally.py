"""Counts of right and wrong verdicts, and how sure they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import sqrt

_Z = 1.959964  # of 95%


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927); 0 to 1 where nothing was counted."""
    if not of:
        return 0.0, 1.0
    share, spread = hits / of, _Z * _Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


class Tally:
    """Verdicts by the group of the pair. A verdict is a kind of link, `undecided`, or `none`."""

    def __init__(self) -> None:
        self.verdicts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(self, group: str, right: str | None, verdict: str) -> None:
        """Count one pair of `group`, whose right verdict is `right` (None: no link)."""
        self.verdicts[group, right or "none"][verdict] += 1

    def lines(self) -> list[str]:
        """A Markdown table: a row for each group, with the share that got the right verdict."""
        out = [
            "| pairs | right is | count | right | 95% interval | undecided | wrong |",
            "|---|---|---|---|---|---|---|",
        ]
        for (group, right), found in self.verdicts.items():
            count, hits, unsure = found.total(), found[right], found["undecided"]
            low, high = wilson(hits, count)
            wrong = {v: n for v, n in found.items() if v not in (right, "undecided")}
            told = ", ".join(f"{n} {v}" for v, n in sorted(wrong.items())) or "0"
            out.append(
                f"| {group} | {right} | {count:,} | {hits / count:.4f} | {low:.4f} to {high:.4f} | {unsure} | {told} |"
            )
        return out

    def by_kind(self) -> list[str]:
        """A Markdown table: precision and recall of each kind of link over all groups."""
        out = ["| kind | pairs | recall | 95% interval | verdicts | precision | 95% interval |", "|" + "---|" * 7]
        for kind in sorted({right for _, right in self.verdicts} - {"none"}):
            mine = [found for (_, right), found in self.verdicts.items() if right == kind]
            hits, pairs = sum(f[kind] for f in mine), sum(f.total() for f in mine)
            told = sum(f[kind] for f in self.verdicts.values())
            recall, precision = wilson(hits, pairs), wilson(hits, told)
            out.append(
                f"| {kind} | {pairs:,} | {hits / pairs:.4f} | {recall[0]:.4f} to {recall[1]:.4f} "
                f"| {told:,} | {hits / max(told, 1):.4f} | {precision[0]:.4f} to {precision[1]:.4f} |"
            )
        return out
