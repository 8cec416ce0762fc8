"""Audits of splits that somebody else made, from folders and lists to findings.

They could be wrong while tests pass if only one form of list were read, if a name that means nothing were passed over
in silence, or if the folder or the user's own tables were touched. So: one folder, all forms, and a look at what was
written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assets.pictures import encoded, save
from audit.conftest import by_kind, counts
from xqdata import manifest
from xqdata.audit import Options
from xqdata.audit.foreign import Claimed, Foreign, foreign
from xqdata.audit.lists import listed
from xqdata.audit.parts import part_called, part_of_file
from xqdata.audit.run import Audit
from xqdata.config import Config
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.splits import repair_of, split
from xqdata.taxonomy import Taxonomy

LAYOUT = "{split}/{object}/{file}"
Looks = Callable[..., tuple[Foreign, Audit]]


def picture(seed: int) -> bytes:
    """A picture of its own: soft blobs, so that no two are alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8))
    return encoded(np.kron(coarse, np.ones((12, 12))).astype(np.uint8))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures in train, six in val, six in test; two of test are copies of train, one of val is."""
    folder = tmp_path_factory.mktemp("foreign") / "welds"
    seed = 0
    for part, count in (("training", 12), ("valid", 6), ("testing", 6)):
        for n in range(count):
            kind = "crack" if n % 2 else "pore"
            save(folder / part / kind / f"B{n // 3}_{part[:2]}{n}.png", picture(seed))
            seed += 1
    shutil.copy(folder / "training/pore/B0_tr0.png", folder / "testing/pore/copy0.png")
    shutil.copy(folder / "training/crack/B0_tr1.png", folder / "testing/crack/copy1.png")
    shutil.copy(folder / "training/crack/B1_tr3.png", folder / "valid/crack/copy3.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all audits of this module are made from, so that files are measured once."""
    return tmp_path_factory.mktemp("here")


@pytest.fixture
def look(place: Path, reference: Taxonomy) -> Looks:
    def call(folder: Path, layout: str | None = None, *files: object, **asked: Any) -> tuple[Foreign, Audit]:
        claimed = Claimed(str(folder), layout, tuple(map(str, files)), asked.pop("group_from", None))
        return foreign(claimed, asked.pop("here", place), Config(), reference, Options(workers=1), **asked)

    return call


def parts(found: Foreign) -> dict[str, str | None]:
    """The part of each picture, by path."""
    images = manifest.read(found.project, "images", ["image_id", "path"])
    path = dict(zip(images["image_id"].to_pylist(), images["path"].to_pylist(), strict=True))
    table = manifest.read(found.project, f"splits/{found.claimed.name}", ["image_id", "part"])
    return {path[i]: part for i, part in zip(table["image_id"].to_pylist(), table["part"].to_pylist(), strict=True)}


def test_a_layout_names_parts_and_objects_and_copies_are_found(look: Looks, made: Path, place: Path) -> None:
    before = sorted(p.stat().st_mtime_ns for p in made.rglob("*"))
    found, result = look(made, LAYOUT)
    assert counts(by_kind(result)["bytes"])[:2] == (2, 4)  # two of train, and the pair of train and val
    assert by_kind(result)["bytes"].severity == "high"
    assert result.facts.parts == {"test": 8, "val": 7, "train": 12}
    assert found.images == 27
    assert found.outside == 0
    images = manifest.read(found.project, "images", ["path", "object"]).to_pylist()
    assert {row["object"] for row in images} == {"crack", "pore"}
    assert sorted(p.stat().st_mtime_ns for p in made.rglob("*")) == before
    assert sorted(p.name for p in place.iterdir()) == [".xqdata"]
    assert manifest.exists(found.project, "audits/default")


def test_a_second_run_opens_only_new_files(look: Looks, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "welds"
    shutil.copytree(made, folder)
    first, _ = look(folder, LAYOUT, here=tmp_path)
    assert first.read == 27
    links = manifest.provenance(first.project, "links").time
    save(folder / "testing/pore/new.png", picture(99))
    second, result = look(folder, LAYOUT, here=tmp_path)
    assert (second.project, second.read) == (first.project, 1)
    assert result.facts.parts["test"] == 9
    again, result = look(folder, LAYOUT, here=tmp_path)
    assert again.read == 0
    assert not result.changed
    assert manifest.provenance(first.project, "links").time >= links


def test_groups_from_paths_are_findings_by_the_columns_name(look: Looks, made: Path) -> None:
    found, result = look(made, LAYOUT, group_from=r"(?i)(?P<series>b\d+)_")
    finding = by_kind(result)["series"]
    assert finding.severity == "high"
    assert counts(finding)[:2] == (6, 12)  # B0 and B1 are in every part
    assert found.notes == ["no series in the path of 3 images, the first is testing/crack/copy1.png"]
    assert result.facts.claims == ("series",)


def test_a_repaired_split_is_clean(look: Looks, made: Path, reference: Taxonomy) -> None:
    found, _ = look(made, LAYOUT, group_from=r"(?P<series>B\d+)_")
    told = manifest.provenance(found.project, "splits/default").options
    repaired = split(found.project, reference, repair_of(told, "default", "mended"))
    (report,) = repaired.reports
    assert report.moved is not None
    assert report.moved.count == report.moved.least
    assert report.names == ("train", "val", "test")
    from xqdata.audit import audit

    clean = audit(found.project, reference, Options("mended", apart=("series",), workers=1))
    assert [finding.kind for finding in clean.findings if finding.severity == "high"] == []


def test_all_forms_of_lists_say_the_same(look: Looks, made: Path, tmp_path: Path) -> None:
    wanted = {p.relative_to(made).as_posix(): p.relative_to(made).parts[0] for p in made.rglob("*.png")}
    pictures = sorted(wanted)
    called = {"training": "train", "valid": "val", "testing": "test"}
    by_part = {part: [p for p in pictures if wanted[p] == folder] for folder, part in called.items()}
    expected = {p: {called[folder]} for p, folder in wanted.items()}

    rows = [f"{n},{p},welds,{wanted[p]}" for n, p in enumerate(pictures)]
    (tmp_path / "split.csv").write_text("name,image,Dataset,Subset\n" + "\n".join(rows), encoding="utf-8")
    for part, names in by_part.items():
        lines = [f"./{name}" if n % 2 else f"/home/kim/welds/{name} 3" for n, name in enumerate(names)]
        (tmp_path / f"{part}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
        document = {"images": images, "annotations": [], "categories": []}
        (tmp_path / f"instances_{part}2017.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "data.yaml").write_text(
        f"path: {made}\ntrain: training\nval: [valid/pore, ../valid/crack]\ntest: {tmp_path / 'test.txt'}\nnc: 2\n",
        encoding="utf-8",
    )
    lists = {
        "csv": ["split.csv"],
        "text": ["train.txt", "val.txt", "test.txt"],
        "coco": [f"instances_{part}2017.json" for part in by_part],
        "yolo": ["data.yaml"],
        "named": ["dev=val.txt", "Testing=test.txt", "tr=train.txt"],
    }
    for form, files in lists.items():
        arguments = [
            str(f"{f.split('=')[0]}={tmp_path / f.split('=')[1]}" if "=" in f else tmp_path / f) for f in files
        ]
        found = listed(arguments, made.resolve(), pictures)
        assert dict(found.parts) == expected, form
        assert found.notes == [], form
    found, result = look(made, "{_part}/{object}/{file}", tmp_path / "split.csv")
    assert parts(found) == {p: called[folder] for p, folder in wanted.items()}
    assert counts(by_kind(result)["bytes"])[:2] == (2, 4)


def test_an_image_in_two_parts_is_a_finding_of_its_own(look: Looks, made: Path, tmp_path: Path) -> None:
    train = ["training/pore/B0_tr0.png", "training/crack/B0_tr1.png", "valid/pore/B0_va0.png", "gone.png", "lost.png"]
    test = ["training/pore/B0_tr0.png", "testing/pore/B0_te0.png"]
    (tmp_path / "train.txt").write_text("\n".join(train), encoding="utf-8")
    (tmp_path / "test.txt").write_text("\n".join(test), encoding="utf-8")
    found, result = look(made, None, tmp_path / "train.txt", tmp_path / "test.txt")
    finding = by_kind(result)["named-twice"]
    assert counts(finding) == (1, 1, 0)
    assert finding.severity == "high"
    assert "test 1" in finding.detail
    assert result.facts.parts == {"test": 2, "train": 2}
    assert found.outside == 23
    assert found.notes == [
        f"{tmp_path / 'train.txt'}: 2 names left out, the first, 'gone.png' (line 4), is no file of the folder"
    ]
    kept = manifest.read(found.project, "audits/default")["kind"].to_pylist()
    assert "named-twice" in kept


def test_a_name_that_may_mean_several_files_means_the_one_in_its_part(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("1.png\n2.png\n", encoding="utf-8")
    pictures = ["train/1.png", "val/1.png", "a/2.png", "b/2.png"]
    found = listed([str(tmp_path / "val.txt")], tmp_path / "root", pictures)
    assert dict(found.parts) == {"val/1.png": {"val"}}
    assert found.notes == [
        f"{tmp_path / 'val.txt'}: 1 name left out, the first, '2.png' (line 2), may be any of 2 files"
    ]


def test_folders_that_are_no_parts_are_told(look: Looks, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "welds"
    for part in ("train", "test", "extra"):
        shutil.copytree(made / "testing", folder / part)
    save(folder / "readme.png", picture(7))
    found, result = look(folder, LAYOUT, here=tmp_path)
    assert result.facts.parts == {"test": 8, "train": 8}
    assert counts(by_kind(result)["bytes"])[:2] == (8, 8)
    assert found.outside == 9
    assert found.notes[0].startswith("no names of parts, so left out: extra (8); understood are train")
    assert found.notes[1] == "the layout does not fit 1 image, left out, the first is readme.png"


def test_the_current_folder_may_be_the_one_that_is_audited(look: Looks, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "welds"
    shutil.copytree(made, folder)
    (folder / "manifests").mkdir()
    (folder / "manifests" / "images.parquet").write_bytes(b"the user's own")
    first, _ = look(folder, LAYOUT, here=folder)
    again, result = look(folder, LAYOUT, here=folder)
    assert (first.read, again.read, result.changed) == (27, 0, False)
    assert (folder / "manifests" / "images.parquet").read_bytes() == b"the user's own"


def test_an_audit_that_fails_leaves_no_split_of_other_columns(look: Looks, made: Path, tmp_path: Path) -> None:
    """Else a repair would take the old parts, and tie nothing by the columns that are gone."""
    found, _ = look(made, LAYOUT, here=tmp_path, group_from=r"(?P<series>B\d+)_")
    with pytest.raises(InputError, match="no two parts"):
        look(made, "{object}/{split}/{file}", here=tmp_path)
    assert not manifest.exists(found.project, "splits/default")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_where_the_current_folder_cannot_be_written_a_cache_folder_is_used(
    look: Looks, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir(mode=0o500)
    found, _ = look(made, LAYOUT, here=tmp_path / "here")
    assert found.project.folder.is_relative_to(tmp_path / "cache")


def test_a_file_in_the_way_of_the_scratch_folder_leads_to_the_cache(
    look: Looks, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / ".xqdata").write_text("in the way", encoding="utf-8")
    found, _ = look(made, LAYOUT, here=tmp_path)
    assert isinstance(found.project, Project)
    assert found.project.folder.is_relative_to(tmp_path / "cache")


@pytest.mark.parametrize(
    ("layout", "files", "group", "told"),
    [
        (None, (), None, "nothing says which part a file is in; say it as in --layout"),
        ("{object}/{file}", (), None, "has no field {split}"),
        ("{split}/{split}/{file}", (), None, "holds {split} twice"),
        ("{split}/{}/{file}", (), None, "is no pattern"),
        ("{object}/{split}/{file}", (), None, "the paths give no two parts"),
        (LAYOUT, (), r"(?P<batch>B\d+)", "images has no column batch"),
        (LAYOUT, (), r"B\d+", "has no named group"),
        (LAYOUT, (), r"(?P<series>B\d+", "is no regular expression"),
        (LAYOUT, (), r"(?P<series>Z\d+)", "fits no path, such as"),
        (LAYOUT, (), r"(?P<object>B\d+)", "the layout says object, too"),
        (LAYOUT, ("nowhere.txt",), None, "both the layout and the split files say"),
        (None, ("nowhere.txt",), None, "there is no such file"),
        (None, ("oops=nowhere.txt",), None, "'oops' is no name of a part"),
        (None, ("list.txt",), None, "its name does not tell which part it lists"),
        (None, ("train.txt",), None, "the split files give only one part: all are in train"),
        (None, ("test.txt",), None, "none of its 1 names is a picture below"),
        (None, ("val.json",), None, "holds no list images"),
        (None, ("bad.json",), None, "is not JSON"),
        (None, ("split.csv",), None, "has no column of files beside a column of parts"),
        (None, ("data.yaml",), None, "names no part"),
        (None, ("moved.yaml",), None, "there is neither a folder nor a list images/train"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    look: Looks, made: Path, tmp_path: Path, layout: str | None, files: tuple[str, ...], group: str | None, told: str
) -> None:
    texts = {
        "list.txt": "B0_tr0.png",
        "train.txt": "B0_tr0.png",
        "test.txt": "nothing.png",
        "val.json": "{}",
        "bad.json": "{",
        "split.csv": "a,b\n1,2\n",
        "data.yaml": "names: [a]\n",
        "moved.yaml": "train: images/train\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    given = [f if "nowhere" in f else tmp_path / f for f in files]
    with pytest.raises(InputError) as error:
        look(made, layout, *given, group_from=group)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_folds_are_parts_each_of_which_is_tested(look: Looks, made: Path, tmp_path: Path, reference: Taxonomy) -> None:
    pictures = sorted(p.relative_to(made).as_posix() for p in made.rglob("*.png"))
    rows = [f"{name},fold_{n % 3}" for n, name in enumerate(pictures)]
    (tmp_path / "folds.csv").write_text("filename,fold\n" + "\n".join(rows), encoding="utf-8")
    found, result = look(made, None, tmp_path / "folds.csv")
    assert result.facts.tested == result.facts.against == ("0", "1", "2")
    assert sum(result.facts.parts.values()) == 27
    told = manifest.provenance(found.project, "splits/default").options
    (report,) = split(found.project, reference, repair_of(told, "default", "mended")).reports
    assert report.names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(("Train", "train"), ("TRAINING", "train"), ("tr", "train"), ("train2017", "train"), ("train_set", "train")),
        *(("val", "val"), ("valid", "val"), ("Validation", "val"), ("dev", "val"), ("valid-images", "val")),
        *(("test", "test"), ("testing", "test"), ("te", "test"), ("test set", "test")),
        *(("fold_03", "3"), ("fold1", "1"), ("0", "0"), ("7.0", None), ("trainval", None), ("tree", None), ("", None)),
    ],
)
def test_names_of_parts(name: str, part: str | None) -> None:
    assert part_called(name) == part


@pytest.mark.parametrize(
    ("file", "part"),
    [("instances_val2017.json", "val"), ("train.txt", "train"), ("welds_fold_1.csv", "1"), ("trainval.txt", None),
     ("train_test.txt", None), ("split1_test.txt", "test"), ("fold_1_train.txt", "train"), ("list.txt", None)],
)  # fmt: skip
def test_parts_of_lists(file: str, part: str | None) -> None:
    assert part_of_file(Path(file)) == part
