"""Saved views, the sidebar, colours, slices and embeddings, each beside the tables that they follow from."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from app.conftest import rewrite, write_run
from xqdata import labels, manifest, runs
from xqdata.manifest import Project

Bring = Callable[..., Any]


def test_views_hold_what_the_tables_say(lab: Project, bring: Bring) -> None:
    opened = bring()
    sizes = {name: len(opened.dataset.load_saved_view(name)) for name in opened.views}
    for split in ("default", "study"):
        parts = manifest.read(lab, f"splits/{split}", ["part"])["part"].to_pylist()
        for part in ("train", "val", "test"):
            assert sizes[f"{part.capitalize()} part of {split}"] == parts.count(part)
    rows = [r for r in runs.read(lab, "quick").predictions().to_pylist() if r["part"] == "test"]
    assert sizes["Misclassified by quick"] == sum(not row["correct"] for row in rows)
    assert sizes["Lowest confidence of quick"] == len(rows)
    assert sizes["Duplicate clusters"] == manifest.read(lab, "duplicates").num_rows
    assert sizes["Undecided pairs"] == 2
    types = manifest.read(lab, "images", ["scan_type"])["scan_type"].to_pylist()
    assert {n: s for n, s in sizes.items() if n.startswith("Scan type")} == {
        f"Scan type {name}": types.count(name) for name in set(types) - {None}
    }
    for name in opened.views:
        assert opened.dataset.get_saved_view_info(name)["description"]


def test_suspects_stand_in_order_with_their_reason(lab: Project, bring: Bring) -> None:
    rows = manifest.read(lab, "images", ["image_id", "object"]).to_pylist()
    single = [row for row in rows if row["object"]][:5]
    listed = [
        {"rank": rank, "image_id": row["image_id"], "object": row["object"], "wrong": 0.9 - rank / 10,
         "suggested": "egg" if rank < 3 else row["object"], "reason": f"the model sees no {row['object']} ({rank})"}
        for rank, row in enumerate(reversed(single), start=1)
    ]  # fmt: skip
    lab.state.mkdir(exist_ok=True)
    (lab.state / "suspects.json").write_text(json.dumps({"format": 1, "suspects": listed}))
    opened = bring()
    view = opened.dataset.load_saved_view("Suspects")
    assert view.values("image_id") == [one["image_id"] for one in listed]
    assert view.values("suspect_why") == [one["reason"] for one in listed]
    assert view.values("suggested.label") == ["egg", "egg", None, None, None]
    suspects = next(group for group in opened.dataset.app_config.sidebar_groups if group.name == "suspects")
    assert suspects.paths == ["suspect_rank", "suspect_why", "suggested", "suspect_wrong"]
    # One whose label was changed since is no suspect any more; nor is any, once the list is gone.
    moment = datetime(2026, 1, 1)
    labels.append(lab, [labels.Event(moment, "kim", "cli", "object", listed[0]["image_id"], "honey")])
    assert bring().dataset.load_saved_view("Suspects").values("suspect_rank") == [2, 3, 4, 5]
    (lab.state / "suspects.json").unlink()
    assert "Suspects" not in bring().dataset.list_saved_views()


def test_the_surest_errors_and_the_least_sure_come_first(bring: Bring) -> None:
    dataset = bring().dataset
    wrong = dataset.load_saved_view("Misclassified by quick").values("run_quick.confidence")
    assert wrong == sorted(wrong, reverse=True)
    unsure = dataset.load_saved_view("Lowest confidence of quick").values("run_quick.confidence")
    assert unsure == sorted(unsure)


def test_what_is_the_same_lies_side_by_side(bring: Bring) -> None:
    dataset = bring().dataset
    conflicts = dataset.load_saved_view("Label conflicts").values("conflict")
    assert len(conflicts) > 2
    assert conflicts == sorted(conflicts)


def test_a_view_of_ours_is_not_written_again_and_goes_with_its_subject(lab: Project, bring: Bring) -> None:
    dataset = bring().dataset
    before = {doc.name: doc.id for doc in dataset._doc.saved_views}
    dataset = bring().dataset
    dataset.reload()
    assert {doc.name: doc.id for doc in dataset._doc.saved_views} == before
    rewrite(lab, "undecided", lambda row: None)
    assert "Undecided pairs" not in bring().dataset.list_saved_views()


def test_a_persons_view_of_our_name_stays_theirs(lab: Project, bring: Bring) -> None:
    rewrite(lab, "undecided", lambda row: None)
    dataset = bring().dataset
    dataset.save_view("Misclassified by later", dataset.limit(1))
    write_run(lab, "later", seed=4)
    assert len(bring().dataset.load_saved_view("Misclassified by later")) == 1


def test_the_sidebar_is_ours_until_a_person_arranges_it(lab: Project, bring: Bring) -> None:
    dataset = bring().dataset
    names = [group.name for group in dataset.app_config.sidebar_groups]
    assert names == ["tags", "labels", "run quick", "duplicates", "splits", "together", "acquisition", "quality",
                     "file", "other", "metadata"]  # fmt: skip
    run = next(group for group in dataset.app_config.sidebar_groups if group.name == "run quick")
    assert run.paths == ["run_quick", "true_quick", "correct_quick"]
    write_run(lab, "later", seed=4, made_at="2026-03-01T00:00:00+00:00")
    dataset = bring().dataset
    dataset.reload()
    names = [group.name for group in dataset.app_config.sidebar_groups]
    assert names[2:4] == ["run later", "run quick"]
    dataset.app_config.sidebar_groups = dataset.app_config.sidebar_groups[::-1]
    dataset.save()
    bring()
    dataset.reload()
    assert [group.name for group in dataset.app_config.sidebar_groups] == names[::-1]


def test_an_object_has_one_colour_everywhere(bring: Bring) -> None:
    def colours(dataset: Any) -> dict[str, dict[str, str]]:
        fields = dataset.app_config.color_scheme.fields
        return {f["path"]: {c["value"]: c["color"] for c in f["valueColors"]} for f in fields}

    few = colours(bring(where="object == 'apple'").dataset)
    every = colours(bring().dataset)
    assert every["object"] == every["run_quick"]
    assert few["object"]["apple"] == every["object"]["apple"]
    objects = every["object"]
    assert len(set(objects.values())) == len(objects) >= 21


def test_the_panel_and_similarity_follow_from_the_run(lab: Project, bring: Bring) -> None:
    opened = bring()
    assert opened.embedded == "quick"
    evaluated = runs.read(lab, "quick").predictions(["image_id"])["image_id"].to_pylist()
    points = opened.dataset.load_brain_results("embeddings")
    ids = dict(zip(opened.dataset.values("id"), opened.dataset.values("image_id"), strict=True))
    assert sorted(ids[i] for i in points.sample_ids) == sorted(evaluated)
    assert points.points.shape == (len(evaluated), 2)
    first = opened.dataset.match({"image_id": evaluated[0]}).first()
    near = opened.dataset.sort_by_similarity(first.id, k=5, brain_key="similar")
    assert near.first().id == first.id
    assert len(near) == 5


def test_without_a_run_pictures_say_what_resembles(lab: Project, bring: Bring) -> None:
    import shutil

    shutil.rmtree(lab.folder / "runs")
    opened = bring()
    assert opened.embedded == "pictures"
    assert len(opened.dataset.load_brain_results("embeddings").sample_ids) == opened.images


def test_points_are_computed_once(bring: Bring) -> None:
    dataset = bring().dataset
    dataset.reload()
    when = dataset.get_brain_info("embeddings").timestamp
    dataset = bring().dataset
    dataset.reload()
    assert dataset.get_brain_info("embeddings").timestamp == when


def test_scans_of_several_views_are_groups(passes: Project, bring: Bring) -> None:
    from xqdata.app.load import flat

    opened = bring()
    dataset = opened.dataset
    assert dataset.media_type == "group"
    assert set(dataset.group_slices) == {"main", "side colour", "top high", "side high"}
    assert dataset.default_group_slice == "main"
    assert len(dataset) == opened.images - 3  # every scan is seen once
    assert flat(dataset).count() == opened.images
    ids = sorted(flat(dataset).values("image_id"))[:2]
    groups = {s.image_id: s.scan.id for s in flat(dataset) if s.image_id in ids}
    assert len(set(groups.values())) == 1
    run = [r for r in runs.read(passes, "quick").predictions().to_pylist() if r["part"] == "test"]
    assert len(dataset.load_saved_view("Lowest confidence of quick")) == len(run)


def test_a_dataset_becomes_one_of_groups_in_place(lab: Project, bring: Bring, request: pytest.FixtureRequest) -> None:
    from xqdata.app.load import flat

    dataset = bring().dataset
    tagged = dataset.first()
    tagged.tags.append("mine")
    tagged.save()
    ids = dict(zip(dataset.values("image_id"), dataset.values("id"), strict=True))
    request.getfixturevalue("passes")
    again = bring()
    assert again.loaded.added == 0
    assert again.dataset.media_type == "group"
    every = flat(again.dataset)
    assert dict(zip(every.values("image_id"), every.values("id"), strict=True)) == ids
    assert every.match_tags("mine").count() == 1
    assert bring().loaded.updated == 0
