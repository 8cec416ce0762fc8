"""The page of `xqdata report`.

It could be wrong while tests pass if it showed counts of other rows than those that stand (copies, rejected and missing
images), if a verdict of an audit outlived its split, if one damaged file took the whole page with it, if an operator's
name stood in a finding, or if something were fetched when it is opened.
"""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from report.conftest import (
    EVIL,
    OPERATOR,
    SERIAL,
    SITE,
    deduplicate,
    divide,
    finding,
    finish,
    hostile,
    ids,
    judge,
    run,
)
from xqdata import card as cards
from xqdata import labels, manifest, schema
from xqdata.card import draft
from xqdata.errors import ConfigError, InputError, TableError
from xqdata.labels import Event
from xqdata.manifest import Origin
from xqdata.report.dataset.health import _far


class Seen(HTMLParser):
    """Tags, addresses and text of a page; fails on nothing, as browsers do."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_every_stage_has_a_page_that_names_what_is_not_done(lab, make):
    text, made = make(lab)
    told = Seen(text).text
    assert made.images == 24
    assert "xqdata dedup has not run" in told
    assert "There is none yet: xqdata split" in told
    assert "No run with figures yet" in told
    deduplicate(lab)
    told = Seen(make(lab)[0]).text
    assert "has not run" not in told.replace("xqdata split has not run", "")
    divide(lab, "default")
    assert "It has not been audited." in Seen(make(lab)[0]).text
    judge(lab, "default", [])
    text, made = make(lab)
    assert "It is honest" in Seen(text).text
    assert made.splits == {"default": "clean"}


def test_an_empty_dataset_has_a_page(project, raw, reference, make):
    from xqdata.config import Config
    from xqdata.ingest import ingest, resolve

    ingest(project, resolve([str(raw)], {}), Config(), reference)
    text, made = make(project)
    assert made.images == 0
    assert "There is no image in it." in Seen(text).text


def test_nothing_is_written_without_images(project, make):
    with pytest.raises(TableError, match="xqdata ingest"):
        make(project)
    assert not list(project.folder.glob("*.html"))


def test_it_fetches_nothing_runs_nothing_and_every_id_it_refers_to_is_there(full, make):
    text, _ = make(full)
    seen = Seen(text)
    assert seen.handlers == []
    assert seen.tags.isdisjoint({"script", "iframe", "object", "embed", "link", "form", "base"})
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in seen.addresses)
    assert "default-src 'none'" in text
    assert re.findall(r"url\((?!#)", text) == []
    found = re.findall(r'\bid="([^"]+)"', text)
    # matplotlib numbers the groups of each figure anew; what is referred to is named by its content.
    assert {a[1:] for a in seen.addresses if a.startswith("#")} <= set(found)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(found)


def test_hostile_names_are_text(full, make):
    seen = Seen(make(full)[0])
    for name in EVIL:
        assert " ".join(name.split()) in seen.text
    assert seen.text.count("<script>window.hurt=1</script>") > 5


def test_the_same_project_gives_the_same_page(full, make):
    one, other = make(full)[0], make(full, "other.html")[0]
    assert re.sub(r"on \d{4}-\d\d-\d\d \d\d:\d\d UTC", "", one) == re.sub(
        r"on \d{4}-\d\d-\d\d \d\d:\d\d UTC", "", other
    )


def test_operators_sites_and_serial_numbers_stay_out(full, make):
    text, _ = make(full)
    assert [word for word in (OPERATOR, SITE, SERIAL) if word in text] == []
    assert "(name left out)" in text


def test_what_people_corrected_and_rejected_counts(full, make):
    names = ids(full)
    at = datetime(2026, 1, 1)
    rows = {row["image_id"]: row for row in manifest.read(full, "images").to_pylist()}
    events = [
        Event(at, "b", "test", "object", names[0], "apple", before=rows[names[0]]["object"], why=EVIL[0]),
        Event(at, "b", "test", "object", names[1], "mango", before="another"),
        Event(at, "c", "test", "reject", names[2], True),
    ]
    labels.append(full, events)
    text, made = make(full)
    told = Seen(text).text
    assert made.images == 23
    assert "1 images were rejected by people" in told
    assert "The label log holds 3 verdicts of 2 people" in told
    assert "Apple" in told
    assert "1 verdicts do not fit what they replaced" in told
    assert "6 clusters" not in told
    assert "1 clusters of copies bear contradicting labels" in told


def test_an_audit_counts_only_for_the_split_it_saw(full, make):
    judge(full, "study", [finding("specimens", "high")])
    divide(full, "study", "random", ("test", "train"))
    text, made = make(full)
    assert "The audit no longer counts: splits/study was written anew since" in Seen(text).text
    assert made.splits["study"] == "leaks"
    divide(full, "default", parts=("train", "test"))
    points = [text for mood, text in make(full)[1].points if mood == "good"]
    assert not any("default" in text for text in points)


def test_what_an_audit_says(full, make):
    text, made = make(full)
    told = Seen(text).text
    assert made.splits == {"default": "clean", "study": "leaks"}
    assert "It leaks: 1 of 8 tested images (12%)" in told
    judge(full, "study", [finding("time", "high")], intended=("time",))
    assert "high, intended" in Seen(make(full)[0]).text


def test_an_audit_before_dedup_is_not_called_honest(lab, make):
    divide(lab, "default")
    judge(lab, "default", [])
    text, made = make(lab)
    assert made.splits == {"default": "unsure"}
    assert "Nobody knows yet" in Seen(text).text


def test_an_audit_of_a_split_that_tests_nothing_is_not_called_honest(full, make):
    judge(full, "default", [], untested="there is nothing to test: all images are in train")
    text, made = make(full)
    assert made.splits["default"] == "untested"
    assert "Nobody knows whether it leaks: there is nothing to test: all images are in train." in Seen(text).text
    told = "Nobody knows whether the split default leaks: there is nothing to test: all images are in train."
    assert ("warn", told) in made.points


def test_certificate_and_check(full, make):
    told = Seen(make(full)[0]).text
    assert "differ from exact proportion by 4.5 images" in told
    assert "None can come nearer than 3.0 images, so at most 1.5 are lost." in told
    assert re.search(r"specimens 24 0", told)
    assert re.search(r"verified pairs 2 1", told)


def test_the_gap_is_of_one_recipe_with_the_same_settings(full, make):
    told = Seen(make(full)[0]).text
    assert "+30.0 points" in told
    shutil.rmtree(full.folder / "runs" / "study")
    run(full, "study", 0.7, leaking=True, split="study", settings={"seed": 1})
    assert "No recipe has run both" in Seen(make(full)[0]).text


def test_the_paired_gap_is_shown(full, make):
    share = {"value": 0.5, "low": None, "high": None}
    told = {"name": "a", "images": 40, "components": 12, "training": 9, "with_": share, "without": share,
            "by_tie": {"copy": {"n": 9, "with": 0.78, "without": 0.11}},
            "gap": {"value": 0.123, "low": 0.05, "high": 0.2}, "repeats": [0.1, 0.2], "classes": 4}  # fmt: skip
    for name, text in ((EVIL[2], json.dumps(told)), ("half", "{}"), ("bad", "[")):
        (full.folder / "gaps" / name).mkdir(parents=True)
        (full.folder / "gaps" / name / "gap.json").write_text(text)
    shown = Seen(make(full)[0]).text
    assert f"{EVIL[2]}: +12.3 points (+5.0 to +20.0)" in shown
    assert "40 test images of 12 components, 2 draws" in shown
    assert "a copy 9 78.0% 11.0%" in shown
    assert shown.count("family in training") == 1


def test_one_damaged_file_takes_nothing_else_with_it(full, make):
    text, _ = make(full)
    (full.folder / "runs" / "half").mkdir()
    (run(full, "bad", 0.5) / "run.json").write_text("{")
    (run(full, "formless", 0.5) / "run.json").write_text('{"recipe": "a"}')
    (run(full, "empty", 0.5) / "metrics.json").write_text("{}")
    (run(full, "list", 0.5) / "metrics.json").write_text("[]")
    for name in ("links", "undecided", "splits/study", "audits/default.evidence", "audits/study"):
        full.path(name).write_bytes(b"nothing")
    (full.state / "suspects.json").write_text("[1]")
    text, made = make(full)
    told = Seen(text).text
    for name in ("half", "bad", "formless", "empty", "list"):
        assert f"The run {name} is left out" in told
    assert "What dedup found cannot be read" in told
    assert set(made.damaged) == {"links", "undecided", "splits/study", "audits/default.evidence", "audits/study"}
    assert set(made.runs) == {"quick", "study"}


def test_without_the_raw_folder_it_says_how_many_pictures_are_absent(tmp_path, reference, make):
    full = finish(hostile(tmp_path, reference))
    shutil.move(tmp_path / "raw", tmp_path / "elsewhere")
    text, made = make(full)
    assert made.shown == 0
    assert made.absent > 12
    assert f"{made.absent} pictures of this page are not shown" in Seen(text).text
    assert "(not at hand)" in Seen(text).text


def test_suspects_are_shown_with_their_reason(full, make):
    digest = manifest.provenance(full, "images").digest
    row = {"image_id": ids(full)[0], "object": "apple", "suggested": "mango", "wrong": 0.93, "reason": EVIL[0]}
    told = {"format": 1, "made_at": "2026-02-03T00:00:00+00:00", "source": EVIL[1], "inputs": {"images": digest},
            "suspects": [row, {**row, "image_id": "gone"}]}  # fmt: skip
    (full.state / "suspects.json").write_text(json.dumps(told))
    shown = Seen(make(full)[0]).text
    assert "2 labels are suspected to be wrong" in shown
    assert "93% wrong, rather Mango" in shown
    (full.state / "suspects.json").write_text(json.dumps(told | {"inputs": {"images": "old"}}))
    assert "Since then images changed" in Seen(make(full)[0]).text


def test_a_split_made_by_hand_is_shown(full, make):
    rows = [{"image_id": image, "part": EVIL[n % 3]} for n, image in enumerate(ids(full))]
    manifest.write(full, {"splits/hand": schema.from_rows("splits/hand", rows)}, Origin("somebody"))
    none = [{"image_id": image, "part": None, "reason": "why"} for image in ids(full)]
    manifest.write(full, {"splits/none": schema.from_rows("splits/none", none)}, Origin("split", {"request": None}))
    assert "hand" in make(full)[1].splits


def test_far_is_far_from_its_own_kind():
    values = np.concatenate([np.linspace(0, 1, 50), np.linspace(100, 101, 50), [50.0, np.nan, 9.0]])
    kinds = np.array(["a"] * 50 + ["b"] * 50 + ["a", "a", "alone"], dtype=object)
    far = _far(values, kinds)
    assert np.flatnonzero(far).tolist() == [100]
    assert far[100] > 3
    assert not _far(np.ones(50), np.full(50, "a", dtype=object)).any()


def test_only_its_own_page_is_replaced(full, make, tmp_path):
    make(full)
    make(full)
    for name, text in (
        ("notes.html", "<html>"),
        ("run.html", '<meta name="generator" content="other">'),
        ("empty", ""),
    ):
        (full.folder / name).write_text(text)
        with pytest.raises(InputError, match="no page of xqdata report"):
            make(full, name)
        assert (full.folder / name).read_text() == text
    with pytest.raises(InputError, match="raw folder"):
        make(full, "raw/report.html")
    with pytest.raises(InputError, match="is a folder"):
        make(full, "runs")


def test_card_answers_take_the_place_of_what_is_missing(full, make):
    asked = len(cards.Card().missing)
    assert len(make(full)[1].missing) == asked
    answer = f"{EVIL[0]}\n\nSecond paragraph."
    (full.folder / "card.toml").write_text(
        f"name = {json.dumps(EVIL[1])}\nlicence = 'CC0-1.0'\ncreators = ['A', ' ']\n"
        f"[uses]\nunfit = '''{answer}'''\nfit = ' '\n"
    )
    text, made = make(full)
    assert len(made.missing) == asked - 4
    assert "uses.fit" in made.missing
    assert EVIL[0] in Seen(text).text
    assert "<p>Second paragraph.</p>" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("titel = 'x'", "unknown key titel"),
        ("[uses]\nunfti = 'x'", "did you mean unfit"),
        ("licence = 3", "licence"),
        ("published = 'May'", "published is 'May'; allowed is a date"),
        ("[uses", "not valid TOML"),
    ],
)
def test_a_wrong_card_is_one_line(full, make, text, told):
    (full.folder / "card.toml").write_text(text)
    with pytest.raises(ConfigError, match=told):
        make(full)


@pytest.mark.parametrize("name", ["lab", 'a "b" \\c', "탈\n\t'''", "\udc80 x", ""])
def test_the_draft_reads_back_without_answers(tmp_path, name):
    (tmp_path / "card.toml").write_text(draft(name), encoding="utf-8")
    card = cards.load(tmp_path)
    assert card.name == name.replace("\udc80", "?")
    assert set(card.missing) == set(cards.Card(name=card.name).missing)
    questions = [
        field.description for section in card.sections.values() for field in type(section).model_fields.values()
    ]
    flat = " ".join(draft(name).replace("\n# ", " ").split())
    assert all(" ".join(str(question).split()) in flat for question in questions)
