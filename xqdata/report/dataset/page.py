"""The page itself: its sections put together, its first lines, and where it may be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xqdata
from xqdata import card as cards
from xqdata import compared, config, manifest, remote
from xqdata.card import Card
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.report import page
from xqdata.report.dataset.contents import contents
from xqdata.report.dataset.division import splits
from xqdata.report.dataset.evaluation import evaluation
from xqdata.report.dataset.health import health
from xqdata.report.dataset.material import Material
from xqdata.report.dataset.shots import Shots
from xqdata.status import Changed
from xqdata.taxonomy import Taxonomy

# By which a page of ours is known: nothing else is ever written over.
_MARK = '<meta name="generator" content="xqdata report">'
_HEAD = 2000

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """What was written. `shown`, `absent`: pictures on the page, and those whose file was not at hand. `missing`: keys
    of the card that nobody has written. `points`: what to know before the dataset is used: (mood, sentence).
    """

    path: Path
    bytes: int
    images: int
    shown: int
    absent: int
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    damaged: tuple[str, ...]
    splits: Mapping[str, str]
    runs: tuple[str, ...]
    points: tuple[tuple[str, str], ...]


def write(project: Project, taxonomy: Taxonomy, path: Path, changed: Mapping[str, Changed]) -> Made:
    """Write the page of `project` to `path`.

    `changed`: as `status` takes it. Raises TableError where the table `images` cannot be read, ConfigError for a wrong
    `card.toml`, and InputError where `path` is taken by something else or cannot be written.
    """
    card = cards.load(project.folder)
    _check_place(project, path)
    material = Material.of(project, taxonomy, changed)
    shots = Shots(material)
    values = _values(material, card, shots)
    text = page.render("dataset.html", mark=_MARK, **values)
    page.write(path, text)
    return Made(
        path,
        len(text.encode()),
        material.images.num_rows,
        shots.shown,
        shots.absent,
        tuple(card.missing),
        tuple(state.name for state in material.states if state.stale),
        tuple(state.name for state in material.states if state.damage),
        {one["name"]: one["audit"]["state"] for one in values["splits"]},
        tuple(one["name"] for one in values["evaluation"]["runs"]),
        tuple((one["mood"], one["text"]) for one in values["points"]),
    )


def _check_place(project: Project, path: Path) -> None:
    """Raise InputError where the page would take another file's place, or lie among the raw files."""
    for name, location in manifest.provenance(project, "images").roots.items():
        if path.resolve().is_relative_to(location):
            what = f"lies in the raw folder {name}, which the next ingest would read it from"
            raise InputError(what, where=str(path), hint="name a file elsewhere")
    if path.is_dir():
        raise InputError("is a folder", where=str(path), hint="name a file")
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as file:
            if _MARK not in file.read(_HEAD):
                hint = "name another file with --output"
                raise InputError("is there and is no page of xqdata report", where=str(path), hint=hint)


def _values(material: Material, card: Card, shots: Shots) -> dict[str, Any]:
    values: dict[str, Any] = {
        "what": contents(material, shots),
        "health": health(material, shots),
        "splits": splits(material),
        "evaluation": evaluation(material),
        "tables": [_table(state) for state in material.states],
        "roots": [
            (name, remote.stands(place))
            for name, place in manifest.provenance(material.project, "images").roots.items()
        ],
        "card": _card(card),
        "title": card.name.strip() or config.load(material.project.folder).name or material.project.folder.name,
        "version": xqdata.__version__,
        "time": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "taxonomy": material.taxonomy.name,
        "images": material.images.num_rows,
    }
    values |= {"shown": shots.shown, "absent": shots.absent}
    return values | {"points": list(_points(material, values))}


def _table(state: Any) -> dict[str, Any]:
    return {
        "name": state.name,
        "rows": "" if state.rows is None else f"{state.rows:,}",
        "digest": state.digest,
        "short": state.digest[:12],
        "command": state.command,
        "time": state.time[:16].replace("T", " "),
        "version": state.version,
        "stale": state.stale,
        "damage": state.damage,
    }


def _card(card: Card) -> dict[str, Any]:
    sections: list[dict[str, Any]] = [
        {
            "name": name,
            "meaning": str(type(section).__doc__).rstrip("."),
            "answers": [
                {"question": field.description, "key": key, "paragraphs": _paragraphs(getattr(section, key))}
                for key, field in type(section).model_fields.items()
            ],
        }
        for name, section in card.sections.items()
    ]
    return {
        "description": _paragraphs(card.description),
        "facts": [
            ("creators", ", ".join(one.strip() for one in card.creators if one.strip())),
            ("licence", card.licence.strip()),
            ("citation", card.citation.strip()),
            ("version", card.version.strip()),
            ("published", card.published.strip()),
            ("contact", card.contact.strip()),
        ],
        "sections": sections,
        "file": cards.FILE,
        "open": len(card.missing),
        "written": sum(bool(answer["paragraphs"]) for section in sections for answer in section["answers"]),
        "questions": sum(len(section["answers"]) for section in sections),
    }


def _paragraphs(text: str) -> list[str]:
    return [" ".join(piece.split()) for piece in text.replace("\r\n", "\n").split("\n\n") if piece.strip()]


# --- the first lines


def _points(material: Material, values: Row) -> Iterator[dict[str, str]]:
    """What to know before the dataset is used, each with the place that says more."""
    unseen = "" if values["health"]["unread"] else compared.unseen(material.project)
    found: list[tuple[str, str, str]] = [
        *_health_points(values["health"], unseen),
        *_split_points(material, values["splits"]),
        *_run_points(values["evaluation"]),
    ]
    stale = [state.name for state in material.states if state.stale]
    if damaged := [state.name for state in material.states if state.damage]:
        found.append(("bad", f"{_listed(damaged)} cannot be read.", "provenance"))
    if stale:
        found.append(("warn", f"{_listed(stale)} no longer follow from what they were made of.", "provenance"))
    if values["card"]["open"]:
        told = f"{values['card']['open']} answers that only a person can give are missing in {cards.FILE}."
        found.append(("warn", told, "card"))
    for mood, text, place in sorted(found, key=lambda one: ("bad", "warn", "good", "soft").index(one[0])):
        yield {"mood": mood, "text": text, "place": place}


def _health_points(health: Row, unseen: str) -> Iterator[tuple[str, str, str]]:
    contradictions, duplicates = health["contradictions"], health["duplicates"]
    if count := contradictions["copies"]:
        yield "bad", f"{count:,} clusters of copies bear contradicting labels.", "duplicates"
    if count := contradictions["verdicts_total"]:
        yield "warn", f"{count:,} verdicts of the label log do not fit what they replaced.", "labels"
    if health["unread"]:
        yield "warn", "What dedup found cannot be read, so copies are not told.", "duplicates"
    elif duplicates is None:
        yield "warn", "Copies have not been looked for: xqdata dedup has not run.", "duplicates"
    elif unseen:
        yield "warn", f"Copies are not known of all images: {unseen}.", "duplicates"
    elif duplicates["any"]:
        told = f"{duplicates['superfluous']} images are superfluous copies in {duplicates['clusters']} clusters."
        yield "soft", told, "duplicates"
    else:
        yield "good", "No copies were found.", "duplicates"
    if (suspects := health["suspects"]) and suspects["count"]:
        yield "warn", f"{suspects['count']:,} labels are suspected to be wrong.", "labels"
    rejects = [row for row in health["rejects"] or () if not row["soft"]]
    if rejects:
        told = ", ".join(f"{row['count']} {row['reason']}" for row in rejects)
        yield "warn", f"Files that could not be used: {told}.", "rejects"
    unknown: Row | None = next((row for row in health["unknown"] if row["name"] == "object"), None)
    if unknown is not None and unknown["any"]:
        yield "warn", f"The object is unknown in {unknown['count']} images ({unknown['percent']}).", "unknown"


def _split_points(material: Material, found: list[Row]) -> Iterator[tuple[str, str, str]]:
    if not found and material.images.num_rows:
        yield "warn", "It is not divided into parts yet: xqdata split has not run.", "splits"
    for one in found:
        audit, name = one["audit"], one["name"]
        state = audit["state"]
        if state == "leaks":
            told = f"{audit['leaking']} of {audit['tested']} tested images are tied to training"
            yield "bad", f"The split {name} leaks: {told}.", one["id"]
        elif state == "beside":
            yield "bad", f"The split {name} leaks between parts that are not tested.", one["id"]
        elif state == "clean" and not audit["stale"]:
            words = "finding is" if audit["look"] == 1 else "findings are"
            look = f", but {audit['look']} {words} to be looked at" if audit["look"] else ""
            yield "good", f"The split {name} was audited and no leak was found{look}.", one["id"]
        elif state == "untested" and not audit["stale"]:
            yield "warn", f"Nobody knows whether the split {name} leaks: {audit['untested']}.", one["id"]
        elif one["random"]:
            yield "bad", f"The split {name} was drawn at random, image by image, and is not audited.", one["id"]
        elif one["in_full"] and state == "none":
            yield "warn", f"The split {name} has not been audited.", one["id"]
        elif one["in_full"]:
            yield "warn", f"The split {name} has no audit that counts today.", one["id"]


def _run_points(found: Row) -> Iterator[tuple[str, str, str]]:
    for one in found["paired"]:
        ends = f" ({one['interval']})" if one["interval"] else ""
        yield "soft", f"By {one['name']}, a random split adds {one['points']} points of accuracy{ends}.", "benchmarks"
    for gap in found["gaps"]:
        told = f"{gap['leaky']['accuracy']['text']} on a split that leaks, {gap['safe']['accuracy']['text']} on one "
        yield "soft", f"The recipe {gap['recipe']} reaches {told}that does not.", "benchmarks"
    if found["damaged"]:
        names = _listed([name for name, _ in found["damaged"]])
        yield "warn", f"Runs without figures: {names}.", "benchmarks"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
