"""Tasks for CVAT and Label Studio, their answers, and how far two people agree.

It could be wrong while tests pass if files were only read as this package writes them: the examples here follow the
tools' documentation, with what they add (uploaded names, skipped tasks, zone offsets, tags nobody set by hand). And if
an import were only done once: so each is done twice, and again after somebody took its verdicts back.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.pictures import colour, encoded, save
from xqdata import labels, manifest
from xqdata.annotators import TOOLS, agreement, export_tasks, take, write_queue
from xqdata.annotators.cvat import Cvat
from xqdata.annotators.label_studio import LabelStudio
from xqdata.config import Config
from xqdata.errors import InputError
from xqdata.exports import Request
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy

NAMES = ("egg", "mango", "tree_ear_mushroom", "my own thing")


@pytest.fixture
def filed(project: Project, raw: Path, reference: Taxonomy) -> Project:
    """Two pictures of each of NAMES, and one of two objects."""
    rows = ["file,object,operator"]
    for n, name in enumerate([*NAMES, *NAMES, "mango; egg"]):
        save(raw / f"{n}.png", encoded(colour(40, 48, n)))
        rows.append(f"{n}.png,{name},Kim")
    save(raw / "log.csv", "\n".join(rows).encode())
    ingest(project, resolve([str(raw)], {}), Config(), reference)
    return project


def ids(project: Project) -> dict[str, str]:
    table = manifest.read(project, "images", ["image_id", "path"])
    return dict(zip(table["path"].to_pylist(), table["image_id"].to_pylist(), strict=True))


def objects(project: Project, taxonomy: Taxonomy) -> dict[str, Any]:
    table = labels.effective(manifest.read(project, "images"), labels.log(project), taxonomy)
    return dict(zip(table["path"].to_pylist(), table["objects"].to_pylist(), strict=True))


def cvat_file(
    said: Mapping[str, tuple[str, ...]], by: str | None = "kim", dumped: str = "2026-05-17 12:00:00.1+09:00"
) -> str:
    """As CVAT 2 writes it: what was said of each file name; a name after ! was not set by hand."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    meta = ElementTree.SubElement(root, "meta")
    job = ElementTree.SubElement(meta, "job")
    if by:
        ElementTree.SubElement(ElementTree.SubElement(job, "assignee"), "username").text = by
    ElementTree.SubElement(meta, "dumped").text = dumped
    for n, (name, tags) in enumerate(said.items()):
        entry = ElementTree.SubElement(root, "image", id=str(n), name=name, width="48", height="40")
        for tag in tags:
            source = "auto" if tag.startswith("!") else "manual"
            ElementTree.SubElement(entry, "tag", label=tag.lstrip("!"), source=source)
    return ElementTree.tostring(root, encoding="unicode")


def studio_file(said: Mapping[str, tuple[str, ...]], by: Any = 7, **more: Any) -> str:
    tasks = []
    for n, (name, chosen) in enumerate(said.items()):
        result = [{"id": f"r{n}", "type": "choices", "from_name": "object", "to_name": "image", "origin": "manual",
                   "value": {"choices": list(chosen)}}]  # fmt: skip
        answer = {"id": n, "completed_by": by, "was_cancelled": False, "created_at": "2026-05-17T03:00:00.5Z",
                  "result": result if chosen else [], **more}  # fmt: skip
        tasks.append({"id": n, "data": {"image": name}, "annotations": [answer], "predictions": []})
    return json.dumps(tasks)


def given_file(project: Project, text: str, name: str = "answers") -> Path:
    file = project.folder / name
    file.write_text(text, encoding="utf-8")
    return file


# --- tasks


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_exported_comes_back_as_it_was_or_as_it_was_answered(
    filed: Project, reference: Taxonomy, tmp_path: Path, tool: str
) -> None:
    before = objects(filed, reference)
    export_tasks(filed, reference, Request(tool, tmp_path / "out"))
    taken = take(filed, reference, tool, answered(tmp_path / "out", tool), "lee")
    assert taken.new == {"lee": 9}
    assert (taken.unknown, taken.foreign, taken.replaced) == ([], {}, 0)
    assert objects(filed, reference) == before


def answered(folder: Path, tool: str) -> Path:
    """The export with its present labels set by hand, as the tool would write it."""
    if tool == "cvat":
        text = (folder / "annotations.xml").read_text(encoding="utf-8").replace('source="auto"', 'source="manual"')
        (folder / "back.xml").write_text(text, encoding="utf-8")
        return folder / "back.xml"
    tasks = json.loads((folder / "tasks_labelled.json").read_text(encoding="utf-8"))
    for task in tasks:
        task["annotations"] = [{**one, "completed_by": None} for one in task.pop("predictions")]
    (folder / "back.json").write_text(json.dumps(tasks), encoding="utf-8")
    return folder / "back.json"


def test_tasks_for_cvat_number_pictures_by_name_and_offer_all_objects(
    filed: Project, reference: Taxonomy, tmp_path: Path
) -> None:
    export_tasks(filed, reference, Request("cvat", tmp_path / "out"))
    names = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    root = ElementTree.parse(tmp_path / "out" / "annotations.xml").getroot()
    assert [(int(e.get("id", "")), e.get("name")) for e in root.iter("image")] == list(enumerate(names))
    assert root.findtext("version") == "1.1"
    offered = json.loads((tmp_path / "out" / "labels.json").read_text(encoding="utf-8"))
    assert {one["type"] for one in offered} == {"tag"}
    assert [one["name"] for one in offered] == [*reference.objects, "my own thing", "reject", "second_look"]
    # Sent and come back as it was sent: nobody has answered.
    taken = take(filed, reference, "cvat", tmp_path / "out" / "annotations.xml", "lee")
    assert (taken.new, taken.untouched) == ({}, 9)


def test_names_that_xml_cannot_hold_leave_the_files_readable(
    filed: Project, reference: Taxonomy, tmp_path: Path
) -> None:
    hostile = 'a\x00<b> "&"\x1b]]>'
    image = ids(filed)["0.png"]
    said = labels.Event(datetime(2026, 1, 1), "kim", "cli", "object", image, hostile)
    labels.append(filed, [said])
    for tool, file in (("cvat", "annotations.xml"), ("label-studio", "interface.xml")):
        export_tasks(filed, reference, Request(tool, tmp_path / tool))
        text = (tmp_path / tool / file).read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        named = {e.get("value") or e.get("label") for e in root.iter()}
        assert 'a<b> "&"]]>' in named


def test_tasks_for_label_studio_show_labels_only_where_asked(
    filed: Project, reference: Taxonomy, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_tasks(filed, reference, Request("label-studio", out))
    blind = (out / "tasks.json").read_text(encoding="utf-8")
    assert "egg" not in blind
    for task in json.loads(blind):
        assert (out / task["data"]["image"].removeprefix("/data/local-files/?d=")).is_file()
    shown = json.loads((out / "tasks_labelled.json").read_text(encoding="utf-8"))
    results = [result for task in shown for one in task["predictions"] for result in one["result"]]
    interface = ElementTree.fromstring((out / "interface.xml").read_text(encoding="utf-8"))
    control = {c.get("name"): [v.get("value") for v in c] for c in interface.iter("Choices")}
    assert all(set(r["value"]["choices"]) <= set(control[r["from_name"]]) for r in results)
    assert len({r["id"] for r in results}) == len(results) == 9
    assert not any("Kim" in path.read_text(encoding="utf-8") for path in out.glob("*.*"))


# --- answers


def test_answers_are_verdicts_matched_by_name_and_told_once(filed: Project, reference: Taxonomy) -> None:
    known = ids(filed)
    said = {
        f"images/{known['0.png']}.png": ("Tree Ear Mushroom",),  # the task's own name
        "1.png": ("egg", "honey"),  # the raw name
        "raw/2.png": ("second look",),
        "3.png": ("My-Own-Thing",),
        "4.png": (),
        "nowhere.png": ("egg",),
        "5.png": ("mangoo",),
        "6.png": ("!egg",),
    }
    file = given_file(filed, cvat_file(said))
    taken = take(filed, reference, "cvat", file)
    assert (taken.new, taken.unknown, taken.silent, taken.untouched) == ({"kim": 5}, ["nowhere.png"], 1, 1)
    assert taken.foreign == {"mangoo": "mango"}
    events = {row["image_id"]: row for row in labels.log(filed).to_pylist()}
    first = events[known["0.png"]]
    assert (first["before"], first["after"]) == ('"egg"', '"tree_ear_mushroom"')
    assert first["at"] == datetime(2026, 5, 17, 3, 0, 0, 100000)
    assert (first["by"], first["source"]) == ("kim", "cvat")
    assert events[known["1.png"]]["after"] == '["egg", "honey"]'
    assert (events[known["2.png"]]["field"], events[known["2.png"]]["after"]) == ("second_look", "true")
    assert events[known["3.png"]]["after"] == '"my own thing"'
    again = take(filed, reference, "cvat", given_file(filed, cvat_file(said, dumped="2026-05-18 09:00:00+00:00")))
    assert (again.new, again.known) == ({}, 5)


def test_the_order_of_several_objects_says_nothing(filed: Project, reference: Taxonomy) -> None:
    # The last picture's label is mango, egg.
    file = given_file(filed, cvat_file({"8.png": ("mango", "egg")}))
    assert take(filed, reference, "cvat", file).new == {"kim": 1}
    assert labels.changes(manifest.read(filed, "images"), labels.log(filed), reference) == []
    again = given_file(filed, cvat_file({"8.png": ("egg", "mango")}, dumped="2026-05-19 09:00:00+00:00"))
    assert take(filed, reference, "cvat", again).new == {}


def test_an_import_that_was_taken_back_is_not_done_again_by_the_same_file(filed: Project, reference: Taxonomy) -> None:
    file = given_file(filed, studio_file({"0.png": ("mango",)}))
    assert take(filed, reference, "label-studio", file).new == {"label-studio user 7": 1}
    event = labels.log(filed)["event_id"].to_pylist()
    labels.undo(filed, reference, event, at=datetime(2026, 6, 1), by="lee", source="cli")
    assert take(filed, reference, "label-studio", file).new == {}
    assert objects(filed, reference)["0.png"] == ["egg"]
    # Said anew, it counts.
    later = given_file(filed, studio_file({"0.png": ("mango",)}, updated_at="2026-06-02T00:00:00Z"))
    assert take(filed, reference, "label-studio", later).new == {"label-studio user 7": 1}
    assert objects(filed, reference)["0.png"] == ["mango"]


def test_label_studio_gives_people_numbers_names_and_uploaded_files_a_prefix(
    filed: Project, reference: Taxonomy
) -> None:
    uploaded = f"/data/upload/3/0a1b2c3d-{ids(filed)['1.png']}.png"
    text = studio_file({uploaded: ("egg",)}, by={"id": 1, "email": "kim@lab.kr"})
    assert take(filed, reference, "label-studio", given_file(filed, text)).new == {"kim@lab.kr": 1}
    skipped = given_file(filed, studio_file({"2.png": ("egg",)}, was_cancelled=True))
    taken = take(filed, reference, "label-studio", skipped)
    assert (taken.new, taken.silent) == ({}, 1)


def test_of_two_answers_of_one_person_the_later_counts(filed: Project, reference: Taxonomy) -> None:
    tasks = json.loads(studio_file({"0.png": ("mango",)}))
    (first,) = tasks[0]["annotations"]
    value = {"choices": ["honey"]}
    later = {**first, "id": 9, "updated_at": "2026-05-18T00:00:00Z", "result": [{**first["result"][0], "value": value}]}
    tasks[0]["annotations"] = [later, first]
    assert take(filed, reference, "label-studio", given_file(filed, json.dumps(tasks))).new.total() == 1
    assert objects(filed, reference)["0.png"] == ["honey"]


def test_one_that_replaces_another_persons_word_is_counted(filed: Project, reference: Taxonomy) -> None:
    take(filed, reference, "cvat", given_file(filed, cvat_file({"0.png": ("mango",), "1.png": ("mango",)})))
    second = given_file(filed, cvat_file({"0.png": ("honey",), "1.png": ("mango",)}, by="lee"))
    assert take(filed, reference, "cvat", second).replaced == 1


def test_an_archive_of_cvat_is_read(filed: Project, reference: Taxonomy) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("annotations.xml", cvat_file({"0.png": ("mango",)}))
        archive.writestr("images/0.png", b"")
    file = filed.folder / "task.zip"
    file.write_bytes(held.getvalue())
    assert take(filed, reference, "cvat", file).new == {"kim": 1}


@pytest.mark.parametrize(
    ("tool", "text", "told"),
    [
        ("cvat", "<annotations><image", "well-formed"),
        ("cvat", "<annotation/>", "no export"),
        ("cvat", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotations/>", "entities"),
        ("cvat", "<annotations><version>1.1</version><track/></annotations>", "tracks"),
        ("cvat", "PK\x03\x04 nothing", "archive"),
        ("label-studio", "[", "JSON"),
        ("label-studio", '[{"image": "a.png", "object": "egg"}]', "JSON-MIN"),
        ("label-studio", '[{"data": {"image": "a.png"}}]', "no annotations"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line(
    filed: Project, reference: Taxonomy, tool: str, text: str, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        take(filed, reference, tool, given_file(filed, text), "kim")
    assert labels.log(filed).num_rows == 0


def test_who_answered_has_to_be_known(filed: Project, reference: Taxonomy) -> None:
    file = given_file(filed, cvat_file({"0.png": ("mango",)}, by=None))
    with pytest.raises(InputError, match="who answered"):
        take(filed, reference, "cvat", file)
    tasks = json.loads(studio_file({"0.png": ("mango",)})) + json.loads(studio_file({"1.png": ("egg",)}, by=8))
    with pytest.raises(InputError, match="several people"):
        take(filed, reference, "label-studio", given_file(filed, json.dumps(tasks)), "kim")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_readers_answer_or_say_what_is_wrong(data: bytes) -> None:
    for tool in (Cvat(), LabelStudio()):
        try:
            tool.read(data)
        except ValueError:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["data", "image", "annotations", "result", "type", "value", "choices", "completed_by"]), inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


RESULT = st.fixed_dictionaries({"type": st.just("choices"), "value": JSON | st.fixed_dictionaries({"choices": JSON})})
ANSWER = st.fixed_dictionaries({"result": JSON | st.lists(RESULT | JSON, max_size=2), "completed_by": JSON})


@given(JSON | st.lists(ANSWER | JSON, max_size=3))
def test_any_json_is_answers_or_an_error_of_the_file(annotations: Any) -> None:
    read = LabelStudio().read(json.dumps([{"data": {"image": "a"}, "annotations": annotations}]).encode())
    assert all(answer.names for answer in read.answers)


def test_an_import_that_is_killed_is_done_whole_the_next_time(
    filed: Project, reference: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = given_file(filed, cvat_file({f"{n}.png": ("honey",) for n in range(9)}))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for step, standing in (("_write_one", 0), ("_write_journal", 0), ("_rename", 9)):
        with monkeypatch.context() as patch:
            patch.setattr(manifest.store, step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                take(filed, reference, "cvat", file)
        assert labels.log(filed).num_rows == standing
    assert take(filed, reference, "cvat", file).new == {}
    assert labels.log(filed).num_rows == 9


# --- two people


def test_kappa_by_hand_and_the_queue(filed: Project, reference: Taxonomy) -> None:
    # Cohen's kappa of [a a a b b b] and [a a b b b a]: observed 4/6, by chance 1/2, so (2/3 - 1/2) / (1/2) = 1/3.
    kim = dict(zip((f"{n}.png" for n in range(6)), ["egg"] * 3 + ["mango"] * 3, strict=True))
    lee = dict(zip(kim, ["egg", "egg", "mango", "mango", "mango", "egg"], strict=True))
    for person, said in (("kim", kim), ("lee", lee | {"7.png": "egg"})):
        take(filed, reference, "cvat", given_file(filed, cvat_file({k: (v,) for k, v in said.items()}, by=person)))
    found = agreement(filed, reference, ("kim", "lee"))
    assert (found.all.images, found.agree, found.all.kappa) == (6, 4, 0.3333)
    assert [(o.object, o.first, o.second, o.both, o.kappa) for o in found.objects] == [
        ("egg", 3, 3, 2, 0.3333), ("mango", 3, 3, 2, 0.3333)]  # fmt: skip
    assert [(d.path, d.first, d.second, d.now) for d in found.queue] == [
        ("2.png", "egg", "mango", "mango"), ("5.png", "mango", "egg", "egg")]  # fmt: skip
    write_queue(found, filed.folder / "queue.csv")
    with (filed.folder / "queue.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert [(row["kim"], row["lee"]) for row in rows] == [("egg", "mango"), ("mango", "egg")]


def test_people_who_agree_on_everything_have_no_kappa_where_it_is_not_defined(
    filed: Project, reference: Taxonomy
) -> None:
    for person in ("kim", "lee"):
        take(filed, reference, "cvat", given_file(filed, cvat_file({"0.png": ("egg",), "1.png": ("egg",)}, by=person)))
    found = agreement(filed, reference, ("kim", "lee"))
    assert (found.all.kappa, found.objects[0].kappa, found.queue) == (None, None, [])


def test_people_who_judged_nothing_both_are_told_who_did(filed: Project, reference: Taxonomy) -> None:
    take(filed, reference, "cvat", given_file(filed, cvat_file({"0.png": ("egg",)})))
    with pytest.raises(InputError, match="no image both") as error:
        agreement(filed, reference, ("kim", "lee"))
    assert "kim" in str(error.value)


def test_the_file_decides_the_time_where_the_tool_does_not_tell_it(filed: Project, reference: Taxonomy) -> None:
    file = given_file(filed, cvat_file({"0.png": ("mango",)}, dumped=""))
    os.utime(file, (1_800_000_000, 1_800_000_000))
    take(filed, reference, "cvat", file)
    assert labels.log(filed)["at"].to_pylist() == [datetime(2027, 1, 15, 8, 0)]
