"""Loading and updating.

It could be wrong while tests pass if a second load wrote everything again with the same values; if people's work
survived only where the tables did not change; if a value went to another image's sample. So these look at when FiftyOne
last wrote a sample, change table and dataset both, and compare every value by image.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from app.conftest import rewrite, write_run
from xqdata import labels, manifest
from xqdata.errors import InputError
from xqdata.manifest import Project

Bring = Callable[..., Any]


def samples(dataset: Any) -> dict[str, Any]:
    from xqdata.app.load import flat

    return {sample.image_id: sample for sample in flat(dataset)}


def written(dataset: Any) -> dict[str, datetime]:
    from xqdata.app.load import dataset_values

    return dict(zip(*dataset_values(dataset, ["image_id", "last_modified_at"]), strict=True))


def judge(project: Project, image: str, field: str, after: Any) -> None:
    moment = datetime(2026, 1, 2, 3, 4, len(labels.log(project)))
    labels.append(project, [labels.Event(moment, "kim", "cli", field, image, after)])


def test_every_value_is_the_tables(lab: Project, bring: Bring) -> None:
    opened = bring()
    rows = {row["image_id"]: row for row in manifest.read(lab, "images").to_pylist()}
    found = samples(opened.dataset)
    assert found.keys() == rows.keys()
    assert (opened.loaded.added, opened.images) == (len(rows), len(rows))
    parts = {row["image_id"]: row for row in manifest.read(lab, "splits/study").to_pylist()}
    for image, sample in found.items():
        row = rows[image]
        assert (sample.object.label if sample.object else None) == row["object"]
        assert (sample.scan_type.label if sample.scan_type else None) == row["scan_type"]
        for name in (
            "path",
            "kvp",
            "session",
            "operator",
            "container",
            "mean",
            "sharpness",
            "bit_depth",
            "acquired_at",
        ):
            assert sample[name] == row[name], name
        assert (sample.specimens or None) == row["specimens"]
        assert sample.part_study == parts[image]["part"]
        assert sample.group_study == parts[image]["group"]
        assert sample.filepath.endswith(row["path"]) == (row["bit_depth"] == 8)
        assert (sample.metadata.width, sample.metadata.height) == (row["width"], row["height"])
    cluster = {row["image_id"]: row["cluster"] for row in manifest.read(lab, "duplicates").to_pylist()}
    assert {i: s.cluster for i, s in found.items() if s.cluster} == cluster
    told = manifest.read(lab, "audits/study.evidence").to_pylist()
    conflicts = {row[end] for row in told if row["kind"] == "conflict" for end in ("image_test", "image_train")}
    assert {i for i, s in found.items() if s.conflict} == conflicts > cluster.keys()
    tied = {row[end] for row in told if row["kind"] == "specimens" for end in ("image_test", "image_train")}
    assert {i for i, s in found.items() if "specimens" in (s.leaks_study or ())} == tied
    assert sum(s.undecided is not None for s in found.values()) == 2
    assert sum(s.foreground is not None for s in found.values()) == 2


def test_fields_of_nothing_are_left_out(bring: Bring) -> None:
    fields = bring().dataset.get_field_schema()
    assert "site" not in fields  # nobody wrote it down
    assert fields["operator"].description == "who operated the scanner"


def test_a_mask_lies_where_it_was(bring: Bring) -> None:
    found = [s for s in samples(bring().dataset).values() if s.foreground]
    box = found[0].foreground.detections[0]
    width, height = found[0].metadata.width, found[0].metadata.height
    assert box.bounding_box == pytest.approx([10 / width, 20 / height, 30 / width, 40 / height])
    assert box.mask.shape == (40, 30)
    assert box.mask.all()


def test_a_second_load_writes_nothing(bring: Bring) -> None:
    first = bring()
    before = written(first.dataset)
    again = bring()
    assert (again.loaded.added, again.loaded.updated) == (0, 0)
    assert again.loaded.unchanged == len(before)
    assert written(again.dataset) == before


def test_an_update_touches_what_changed(lab: Project, bring: Bring) -> None:
    dataset = bring().dataset
    before, ids = written(dataset), {i: s.id for i, s in samples(dataset).items()}
    image = next(i for i, s in samples(dataset).items() if s.object and s.object.label == "apple")
    judge(lab, image, "object", "mango")
    time.sleep(0.01)
    again = bring()
    after = written(again.dataset)
    assert {i for i in after if after[i] != before[i]} == {image}
    assert again.loaded.updated == 1
    found = samples(again.dataset)
    assert found[image].object.label == "mango"
    assert {i: s.id for i, s in found.items()} == ids


def test_what_people_did_stays(lab: Project, bring: Bring) -> None:
    from xqdata.app.people import remembered, touched
    from xqdata.app.people import samples as seen

    def edits() -> dict[str, set[str]]:
        before = {row["_id"]: row["values"] for row in remembered(dataset).find()}
        return touched(dataset, before, seen(dataset))

    dataset = bring().dataset
    image = next(i for i, s in samples(dataset).items() if s.object and s.object.label == "apple")
    sample = samples(dataset)[image]
    sample.tags.append("look at this")
    sample.object.label = "garlic"
    sample.save()
    dataset.add_sample_field("note", type(dataset.get_field_schema()["filepath"]))
    dataset.set_values("note", {image: "by hand"}, key_field="image_id")
    dataset.save_view("mine", dataset.match_tags("look at this"))
    judge(lab, image, "object", "mango")
    judge(lab, image, "scan_type", "single_carrier")
    again = bring()
    found = samples(again.dataset)[image]
    assert (found.object.label, found.scan_type.label) == ("garlic", "single_carrier")
    assert (found.tags, found.note) == (["look at this"], "by hand")
    assert len(again.dataset.load_saved_view("mine")) == 1
    assert again.loaded.edited == 1
    # What was put there stays known beside it, so that the label log can tell who changed what.
    assert edits() == {image: {"object"}}
    assert next(iter(remembered(dataset).find({"_id": image})))["values"]["object"] == "apple"
    judge(lab, image, "object", "garlic")
    assert bring().loaded.edited == 1
    assert bring().loaded.edited == 0
    assert edits() == {}


def test_a_label_that_a_person_took_away_stays_away(lab: Project, bring: Bring) -> None:
    dataset = bring().dataset
    image = next(i for i, s in samples(dataset).items() if s.object)
    sample = samples(dataset)[image]
    sample.object = None
    sample.save()
    assert bring().loaded.edited == 1
    assert samples(dataset)[image].object is None


def test_images_that_are_gone_go_unless_people_worked_on_them(lab: Project, bring: Bring) -> None:
    dataset = bring().dataset
    plain, tagged, *_ = samples(dataset)
    sample = samples(dataset)[tagged]
    sample.tags.append("mine")
    sample.save()
    rewrite(lab, "images", lambda row: row | {"missing": row["missing"] or row["image_id"] in (plain, tagged)})
    again = bring()
    assert (again.loaded.removed, again.loaded.kept) == (1, 1)
    assert plain not in samples(again.dataset)
    assert tagged in samples(again.dataset)


def test_rejected_images_go_and_come_back(lab: Project, bring: Bring) -> None:
    image = next(iter(samples(bring().dataset)))
    judge(lab, image, "reject", True)
    assert image not in samples(bring().dataset)
    judge(lab, image, "reject", False)
    assert image in samples(bring().dataset)


def test_where_opens_on_a_view_and_leaves_the_rest(bring: Bring) -> None:
    every = bring()
    assert every.slug is None
    some = bring(where="object == 'apple'")
    assert some.slug == "chosen-images"
    chosen = some.dataset.load_saved_view("Chosen images")
    assert len(chosen) == some.images > 0
    assert set(chosen.values("object.label")) == {"apple"}
    assert len(some.dataset) == every.images
    assert bring().slug is None


def test_a_sample_holds_the_smaller_one(bring: Bring) -> None:
    few = bring(sample=5)
    ids = set(samples(few.dataset))
    assert len(ids) == 5
    assert ids < set(samples(bring(sample=9).dataset))


def test_too_many_images_ask_for_a_choice(bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    from xqdata.app import content

    monkeypatch.setattr(content, "MOST", 50)
    with pytest.raises(InputError, match=r"135 images are more than the App shows well \(50\).*--where.*--sample"):
        bring()
    assert bring(sample=20).images == 20


def test_no_image_meets_the_condition(bring: Bring) -> None:
    with pytest.raises(InputError, match="no image meets the condition"):
        bring(where="kvp > 10000")


def test_a_dataset_of_somebody_else_is_left_alone(lab: Project, bring: Bring, fiftyone: Any, tmp_path: Any) -> None:
    name = "test_a_dataset_of_somebody_else_is_left_alone"
    fiftyone.Dataset(name)
    with pytest.raises(InputError, match=r"was not made by xqdata.*--name"):
        bring()
    fiftyone.delete_dataset(name)
    bring(shared=True)
    moved = Project(tmp_path / "moved")
    lab.folder.rename(moved.folder)
    with pytest.raises(InputError, match="belongs to the project"):
        bring(moved, shared=True)
    assert bring(moved).loaded.added == 0  # in a database of its own the project only moved


def test_fields_of_a_split_that_is_gone_go(lab: Project, bring: Bring) -> None:
    opened = bring()
    assert "Test part of study" in opened.views
    for path in (lab.path("splits/study"), lab.path("audits/study"), lab.path("audits/study.evidence")):
        path.unlink()
    again = bring()
    assert not [name for name in again.dataset.get_field_schema() if name.endswith("_study")]
    assert not [name for name in again.dataset.list_saved_views() if "study" in name]
    assert bring().loaded.updated == 0


def test_a_run_made_anew_replaces_the_old_one(lab: Project, bring: Bring) -> None:
    dataset = bring().dataset
    before = dataset.values("run_quick.label")
    write_run(lab, "quick", seed=5, made_at="2026-02-01T00:00:00+00:00")
    again = bring().dataset
    assert again.values("run_quick.label") != before
    assert again.values("run_quick.label") == [
        {r["image_id"]: r["predicted"] for r in _predictions(lab)}.get(image) for image in again.values("image_id")
    ]


def _predictions(project: Project) -> list[dict[str, Any]]:
    from xqdata import runs

    return runs.read(project, "quick").predictions().to_pylist()


def test_runs_named_alike_keep_apart(lab: Project, bring: Bring) -> None:
    write_run(lab, "a-b", seed=1)
    write_run(lab, "a.b", seed=2)
    opened = bring(runs=("a-b", "a.b"))
    assert opened.dataset.values("run_a_b.label") != opened.dataset.values("run_a_b_.label")
