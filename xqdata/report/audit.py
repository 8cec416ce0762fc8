"""The page of `xqdata audit --report`: the verdict, every finding, and its worst pairs side by side."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
from markupsafe import Markup

import xqdata
from xqdata import manifest, scans
from xqdata.audit import Audit, Evidence, Facts, Finding
from xqdata.audit.telling import count
from xqdata.manifest import Project
from xqdata.report import page
from xqdata.scans import Scan
from xqdata.schema import COPY_KINDS, TIE_KINDS

# Pairs shown of each finding, so that the page stays below 10 MB.
_SHOWN = {"high": 6, "medium": 4, "info": 2}

# What a kind is called on the page, and what a reader who never heard of it needs to know.
_KINDS = {
    "bytes": ("Same file", "The very file that is tested was trained on. The model need only remember it."),
    "pixels": ("Same pixels", "The same picture, saved by another program. Every pixel was trained on."),
    "re-encoded": ("Same picture, compressed anew", "To a model this is the picture that it was trained on."),
    "transformed": (
        "Same picture, resized, turned, mirrored or trimmed",
        "Training turns and mirrors pictures on purpose, so that this one was trained on, too.",
    ),
    "rescan": (
        "Same bag, scanned again",
        "The bag went through the tunnel twice and was not unpacked: two pictures of one arrangement.",
    ),
    "same-bag": ("Same bag, repacked", "The same things in the same bag, only moved about."),
    "same-scan": ("Same pass", "One pass through the tunnel gives several files: views, energies, renderings."),
    "crop": (
        "Cut from one scan",
        "Windows of one scan: what surrounds the object is in both, often the object as well.",
    ),
    "chain": ("Joined through others", "Links of several kinds lead from one to the other, as a crop of a rescan."),
    "specimens": (
        "Same physical object",
        "One object was scanned many times. To recognise this very object is not to recognise its kind: the next "
        "traveller carries another one.",
    ),
    "scan_id": ("Same pass, by the scanner's number", "Files of one pass through the tunnel."),
    "bag": ("Same bag, by the operator's log", "Scans of one packed bag."),
    "session": ("Same session", "Scans of one sitting share the machine's settings and the operator's habits."),
    "series": ("Same series", "Scans that the source numbers together."),
    "container_id": ("Same basket or carrier", "A model may know the basket and not what lies in it."),
    "time": ("Time order broken", "The test part was to hold what came later, so that training looks into no future."),
    "test-where": ("Test condition broken", "The test part was to hold what meets a condition, and nothing else was."),
    "conflict": ("Contradicting labels", "One picture, or one moment, is said to show different things."),
    "missing-objects": ("Classes missing in a part", "What was not trained on is not recognised; untested is unknown."),
    "missing-scan_type": ("Scan types missing in a part", "What is not tested is not known."),
    "drift-object": ("Parts hold other classes", "The score of one part says less about another."),
    "drift-scan_type": ("Parts hold other scan types", "The score of one part says less about another."),
    "confounding-session": (
        "The label goes with the session",
        "A model may learn the day's settings in place of things.",
    ),
    "confounding-date": ("The label goes with the date", "A model may learn how the machine aged, or the season."),
    "confounding-scanner": ("The label goes with the machine", "A model may learn which machine made the scan."),
    "confounding-operator": ("The label goes with the operator", "A model may learn how one person places things."),
    "only-session": ("One class, one session", "It was scanned at one sitting, whose settings a model may learn."),
    "only-date": ("One class, one day", "It was scanned on one day. A model may learn that day's settings."),
    "only-scanner": ("One class, one machine", "A model may know the machine, and then guess the class."),
    "only-operator": ("One class, one operator", "A model may learn how one person places things."),
    "file-format": ("The label goes with the file format", "Classes were exported in different ways."),
    "file-bit_depth": ("The label goes with the bit depth", "Classes were exported in different ways."),
    "file-bytes": ("The label goes with the file size", "Objects differ in detail, or exports in quality."),
    "file-pixels": ("The label goes with the picture size", "Objects differ in length, or exports in scale."),
    "background": (
        "The background tells the label",
        "With the object taken away, a plain classifier still knows what it was. A CNN may look there, too.",
    ),
    "neighbours": (
        "What remembering alone is worth",
        "Each test image gets the label of the most similar training image. Then once more, with the test image's own "
        "family taken out of training. What is lost was remembered and not recognised.",
    ),
    "test-use": ("The test part was used", "Whatever is chosen by looking at a test part is no longer tested by it."),
    "undecided": ("Undecided pairs", "The pixels did not say whether these show the same. Somebody has to look."),
}
# What is to be typed, as advice has it.
_COMMAND = re.compile(r"(\(cd [^)]*\)|xqdata [a-z]+(?: --[a-z-]+(?: [\w.-]*\w)?)*)")
_MOODS = {"high": "bad", "medium": "warn", "info": "soft"}

Row = Mapping[str, Any]


def write(project: Project, audit: Audit, path: Path) -> None:
    """Write the page. Raises InputError where it cannot be written."""
    page.write(path, text(project, audit))


def text(project: Project, audit: Audit) -> str:
    """The page as HTML."""
    facts = audit.facts
    shelf = _Shelf.of(project, facts, audit.evidence)
    return page.render(
        "audit.html",
        project=project.folder.name,
        split=facts.table.removeprefix("splits/"),
        version=xqdata.__version__,
        verdict=_verdict(audit),
        parts=[(f"{count:,}", f"images in {name}") for name, count in facts.parts.items()],
        bar=_bar(facts),
        examples=_examples(shelf, audit.findings),
        findings=[_told(shelf, finding) for finding in audit.findings],
        links=[f"{facts.checked[kind]:,} {kind}" for kind in (*COPY_KINDS, *TIE_KINDS) if facts.checked.get(kind)],
        values=[f"{n:,} {kind}" for kind, n in facts.checked.items() if kind not in COPY_KINDS + TIE_KINDS],
        radius=facts.radius,
        claims=facts.claims,
        warnings=facts.warnings,
        notes=facts.notes,
    )


def _verdict(audit: Audit) -> dict[str, Any]:
    """What the top of the page says. `state`: clean, untested, leaks, or beside: between parts that are not tested."""
    facts, look = audit.facts, audit.to_look_at
    state = ("leaks" if facts.leaking else "beside") if audit.leaks else "untested" if facts.untested else "clean"
    return {
        "state": state,
        "untested": facts.untested,
        "leaking": f"{facts.leaking:,}",
        "tested": f"{facts.tested_images:,}",
        "share": f"{facts.leaking / max(1, facts.tested_images):.0%}",
        "free": f"{facts.tested_images - facts.leaking:,}",
        "rotates": facts.tested == facts.against,
        "part": " and ".join(facts.tested),
        "others": " and ".join(facts.against),
        "deduplicated": facts.deduplicated,
        "unseen": facts.unseen,
        "look": count(look, "thing") if look else "",
        "repair": facts.repair,
        "own": facts.own,
        "val": next((name for name in facts.against if name.startswith("val")), ""),
        "train": next((name for name in facts.against if name.startswith("train")), ""),
    }


def _bar(facts: Facts) -> list[dict[str, Any]]:
    """What share of the tested images each kind of leak ties to another part, the nearest kind counting; the rest."""
    most = max(1, len(facts.nearest) - 1)
    pieces = [(_word(kind)[0], many, _shade(n / most)) for n, (kind, many) in enumerate(facts.nearest.items())]
    pieces.append(("Tied to nothing that was found", facts.tested_images - facts.leaking, "var(--good)"))
    return [
        {"word": word, "count": f"{many:,}", "percent": 100 * many / max(1, facts.tested_images), "colour": colour}
        for word, many, colour in pieces
    ]


def _shade(far: float) -> str:
    """A red: dark for the nearest tie, 0, and pale for the farthest, 1."""
    return f"hsl({4 + 6 * far:.0f} {72 - 2 * far:.0f}% {32 + 46 * far:.0f}%)"


def _examples(shelf: _Shelf, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """A pair for each sort of leak: a copy, a measurement that belongs with another, and a shared column."""
    high = {finding.kind: finding for finding in findings if finding.severity == "high"}
    shown = []
    for kinds in (COPY_KINDS, TIE_KINDS, sorted(set(high).difference(COPY_KINDS, TIE_KINDS), key=_is_unknown)):
        pairs = [(kind, pair) for kind in kinds if kind in high for pair in shelf.chosen(high[kind])]
        tested = [(kind, pair) for kind, pair in pairs if shelf.parts.get(pair.image_test) in shelf.tested]
        shown += [{**shelf.pair(pair), "word": _word(kind)[0], "kind": kind} for kind, pair in tested[:1]]
    return shown


def _is_unknown(kind: str) -> tuple[int, str]:
    """Specimens first, which everybody understands."""
    return (0 if kind == "specimens" else 1, kind)


def _word(kind: str) -> tuple[str, str]:
    return _KINDS.get(kind, (kind.replace("_", " ").replace("-", " ").capitalize(), ""))


def _spelled(text: str) -> Markup:
    """The text with its commands set as such."""
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if n % 2 else piece for n, piece in enumerate(_COMMAND.split(text))
    )


def _told(shelf: _Shelf, finding: Finding) -> dict[str, Any]:
    what, _, advice = finding.detail.rpartition("; ")
    word, meaning = _word(finding.kind)
    return {
        "kind": finding.kind,
        "word": word,
        "meaning": meaning,
        "severity": finding.severity,
        "mood": "soft" if finding.intended else _MOODS[finding.severity],
        "intended": finding.intended,
        "test": f"{finding.images_test:,}",
        "train": f"{finding.images_train:,}",
        "pairs": f"{finding.pairs:,}" if finding.pairs else "",
        "what": what[:1].upper() + what[1:],
        "advice": _spelled(advice[:1].upper() + advice[1:]),
        "shown": [shelf.pair(pair) for pair in shelf.chosen(finding)],
    }


@dataclass(frozen=True)
class _Shelf:
    """The images behind findings: their rows and parts by id, where their pixels are, and which pairs they are in."""

    rows: Mapping[str, Row]
    parts: Mapping[str, str | None]
    scans: Mapping[str, Scan]
    evidence: Sequence[Evidence]
    tested: tuple[str, ...]

    @classmethod
    def of(cls, project: Project, facts: Facts, evidence: Sequence[Evidence]) -> _Shelf:
        wanted = {image for pair in evidence for image in (pair.image_test, pair.image_train) if image}
        ids = pa.array(sorted(wanted), pa.string())
        split = manifest.read(project, facts.table, ["image_id", "part"], only=ids)
        parts = dict(zip(split["image_id"].to_pylist(), split["part"].to_pylist(), strict=True))
        shown = ("objects", "scan_type", "width", "height", "format", "acquired_at")
        table = manifest.read(project, "images", [*scans.COLUMNS, *shown], only=ids)
        rows = {row["image_id"]: row for row in table.drop_columns(["mtime"]).to_pylist()}
        found = scans.located(project, table)
        return cls(rows, parts, {scan.image_id: scan for scan in found}, evidence, facts.tested)

    def chosen(self, finding: Finding) -> list[Evidence]:
        """The pairs that are shown of a finding: of tested images first, and of as many classes as can be."""
        mine = [pair for pair in self.evidence if pair.kind == finding.kind and pair.image_train is not None]
        mine.sort(key=lambda pair: self.parts.get(pair.image_test) not in self.tested)
        turns: Counter[str] = Counter()
        ranked = []
        for n, pair in enumerate(mine):
            label = self.label(pair.image_test)
            ranked.append((turns[label], n, pair))
            turns[label] += 1
        return [pair for _, _, pair in sorted(ranked, key=itemgetter(0, 1))[: _SHOWN[finding.severity]]]

    def label(self, image: str) -> str:
        return ", ".join(self.rows[image]["objects"] or ()) or "object unknown"

    def pair(self, pair: Evidence) -> dict[str, Any]:
        """What the template shows of one pair."""
        return {"members": [self._figure(pair.image_test), self._figure(str(pair.image_train))], "detail": pair.detail}

    def _figure(self, image: str) -> dict[str, Any]:
        row = self.rows[image]
        made = f", {row['acquired_at']:%Y-%m-%d %H:%M}" if row["acquired_at"] else ""
        return {
            "picture": page.thumbnail(self.scans[image]),
            "part": self.parts.get(image),
            "tested": self.parts.get(image) in self.tested,
            "label": self.label(image),
            "scan_type": row["scan_type"],
            "path": row["path"] + (f" (page {row['page']})" if row["page"] else ""),
            "facts": f"{row['width']} x {row['height']} {row['format']}{made}",
        }
