"""`xqdata audit` as a user meets it.

It could be wrong while tests pass if only Python's side were called, or if the page and the terminal told something
else than the JSON: so these run the installed command on an export, and look for the JSON's figures in both.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from assets.command import run
from assets.export import write_export
from xqdata import manifest, schema
from xqdata.manifest import Origin, Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    write_export(folder / "raw")
    run(folder, "ingest", "raw", "--quiet")
    link(folder)
    run(folder, "split", "--quiet")
    run(folder, "split", "--method", "random", "--name", "study", "--quiet")
    return folder


def link(folder: Path) -> None:
    """Tables as dedup writes them, which would take a minute: every third image is a rescan of the one before."""
    project = Project(folder)
    ids = sorted(manifest.read(project, "images", ["image_id"])["image_id"].to_pylist())
    pairs = [
        {"image_a": a, "image_b": b, "kind": "rescan", "ncc": 0.98, "proposed_by": ["neighbour"]}
        for a, b in zip(ids[::3], ids[1::3], strict=False)
    ]
    tables = {name: schema.empty(name) for name in ("undecided", "masks", "duplicates")}
    inputs = {"images": manifest.provenance(project, "images").digest}
    manifest.write(
        project, {**tables, "links": schema.from_rows("links", pairs)}, Origin("dedup", {"complete_radius": 8}, inputs)
    )


def findings(folder: Path, *arguments: str) -> dict[str, dict[str, object]]:
    told = json.loads(run(folder, "audit", "--json", *arguments).stdout)
    return {finding["kind"]: finding for finding in told["findings"]}


def test_a_clean_split_says_so_plainly(project: Path) -> None:
    assert all(finding["severity"] != "high" for finding in findings(project).values())
    shown = run(project, "audit").stdout
    look = sum(f["severity"] == "medium" and not f["intended"] for f in findings(project).values())
    assert look
    told = f"{look} thing{'' if look == 1 else 's'} to look at: see medium."
    assert f"\nNO LEAK FOUND Nothing was found in two parts that makes the score too good. {told}" in shown
    assert run(project, "audit", "--fail-on", "high").returncode == 0


def test_a_leaky_split_says_what_and_how_much(project: Path) -> None:
    found = findings(project, "--name", "study")
    assert found["specimens"]["severity"] == "high"
    shown = run(project, "audit", "--name", "study").stdout
    assert re.search(r"\nLEAKS \d+ of \d+ tested images", shown)
    for kind, finding in found.items():
        what, _, todo = str(finding["detail"]).rpartition("; ")
        assert f"{finding['severity']} {kind}: {what}" in shown.replace(", intended", "")
        assert todo in shown


def test_json_bears_the_fields_that_others_rely_on(project: Path) -> None:
    told = json.loads(run(project, "audit", "--name", "study", "--json").stdout)
    for finding in told["findings"]:
        fields = {"kind", "severity", "images_test", "images_train", "pairs", "detail", "intended"}
        assert set(finding) == fields
    assert told["leaking"] == sum(told["nearest"].values()) > 0
    assert told["radius"] == 8


def test_a_finding_ends_with_3_where_asked(project: Path) -> None:
    done = run(project, "audit", "--name", "study", "--fail-on", "high", "--json", code=3)
    assert json.loads(done.stdout)["findings"]
    assert "--fail-on high" in done.stderr
    quiet = run(project, "audit", "--name", "study", "--fail-on", "info", "--quiet", code=3)
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_the_page_stands_alone_and_tells_the_same(project: Path) -> None:
    found = findings(project, "--name", "study")
    run(project, "audit", "--name", "study", "--report", "pages/audit.html")
    page = (project / "pages" / "audit.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "cannot be believed" in page
    for kind, finding in found.items():
        assert f'id="{kind}"' in page
        assert f'data-unit="pairs">{finding["pairs"]:,}</td>' in page or not finding["pairs"]
    assert page.count("<img") >= 4
    run(project, "audit", "--report", "pages/clean.html")
    clean = (project / "pages" / "clean.html").read_text(encoding="utf-8")
    assert "Yes: no image of one part was found" in clean
    assert "to look at</a>" in clean


def divide(folder: Path, name: str, parts: dict[str, str]) -> None:
    rows = [{"image_id": image, "part": part} for image, part in parts.items()]
    origin = Origin("split", {})
    manifest.write(Project(folder), {f"splits/{name}": schema.from_rows(f"splits/{name}", rows)}, origin)


def test_a_split_that_tests_nothing_is_not_called_clean(project: Path) -> None:
    ids = manifest.read(Project(project), "images", ["image_id"])["image_id"].to_pylist()
    divide(project, "one", dict.fromkeys(ids, "train"))
    done = run(project, "audit", "--name", "one", "--fail-on", "high", "--report", "pages/one.html", code=3)
    assert "\nNOT KNOWN There is nothing to test: all images are in train.\n" in done.stdout
    assert "CLEAN" not in done.stdout
    assert done.stderr == "--fail-on high: nobody knows: there is nothing to test: all images are in train\n"
    page = (project / "pages" / "one.html").read_text(encoding="utf-8")
    assert "Nobody knows: there is nothing to test: all images are in train." in page
    assert "Yes: no image" not in page
    told = json.loads(run(project, "audit", "--name", "one", "--json").stdout)
    assert told["unknown"] == "there is nothing to test: all images are in train"
    paired = any(finding["pairs"] for finding in told["findings"])
    assert ("see the pairs" in run(project, "audit", "--name", "one").stdout) is paired
    (project / "manifests/splits/one.parquet").unlink()  # other tests are told which splits there are


def test_a_leak_between_parts_that_are_not_tested(project: Path) -> None:
    links = manifest.read(Project(project), "links", ["image_a", "image_b"]).to_pylist()
    ids = manifest.read(Project(project), "images", ["image_id"])["image_id"].to_pylist()
    first = links[0]
    alone = next(i for i in ids if i not in {end for pair in links for end in pair.values()})
    divide(project, "beside", {first["image_a"]: "val", first["image_b"]: "train", alone: "test"})
    shown = run(project, "audit", "--name", "beside").stdout
    assert "\nLEAKS, but not into test: val and train share what must not be shared, so choices made on val" in shown
    assert "see the pairs: xqdata audit --name beside --report" in shown
    (project / "manifests/splits/beside.parquet").unlink()


def test_advice_names_both_ways_to_a_clean_split(project: Project) -> None:
    advice = "split again with xqdata split, or mend this split with xqdata split --repair study"
    assert advice in findings(project, "--name", "study")["specimens"]["detail"]
    told = json.loads(run(project, "audit", "--name", "study", "--json").stdout)
    assert advice.endswith(told["repair"])
    run(project, "split", "--repair", "study", "--quiet")
    assert all(finding["severity"] != "high" for finding in findings(project, "--name", "study-repaired").values())
    (project / "manifests/splits/study-repaired.parquet").unlink()  # other tests are told which splits there are


def test_the_first_missing_step_is_named(tmp_path: Path) -> None:
    write_export(tmp_path / "raw")
    assert "run xqdata ingest RAW first" in run(tmp_path, "audit", code=1).stderr
    run(tmp_path, "ingest", "raw", "--quiet")
    assert "run xqdata dedup first" in run(tmp_path, "audit", code=1).stderr
    run(tmp_path, "split", "--quiet")
    shown = run(tmp_path, "audit").stdout
    told = "NOT KNOWN No leak in columns and equal files, but other copies are not all known: dedup has not run."
    assert told in shown
    assert "nobody knows" in run(tmp_path, "audit", "--fail-on", "high", code=3).stderr
    run(tmp_path, "audit", "--report", "page.html")
    assert "Nobody knows yet" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (
            ("--name", "nowhere"),
            "there is no such split; splits are default, study; make it: xqdata split --name nowhere",
            1,
        ),
        (("--name", "studi"), "splits are default, study; did you mean study?", 1),
        (("--fail-on", "low"), "'low' is not one of", 2),
        (("--workers", "0"), "0 is not in the range", 2),
    ],
)
def test_a_mistake_is_told(project: Path, arguments: tuple[str, ...], told: str, code: int) -> None:
    assert told in run(project, "audit", *arguments, code=code).stderr


def test_pictures_that_came_after_dedup_are_not_called_clean(project: Path, tmp_path: Path) -> None:
    """Wrong while green: links that stand say nothing of later pictures, and none is found among them."""
    shutil.copytree(project / "raw", tmp_path / "raw")
    run(tmp_path, "ingest", "raw", "--quiet")
    link(tmp_path)
    run(tmp_path, "split", "--quiet")
    assert "NOT KNOWN" not in run(tmp_path, "audit").stdout
    images = manifest.read(Project(tmp_path), "images", ["path"])["path"].to_pylist()
    first = next(path for path in images if path.endswith(".png"))
    shutil.copy(tmp_path / "raw" / first, tmp_path / "raw" / "later.png")
    run(tmp_path, "ingest", "raw", "--quiet")
    run(tmp_path, "split", "--parts", "train=0.5,test=0.5", "--quiet")
    assert json.loads(run(tmp_path, "audit", "--json").stdout)["checked"]["bytes"] == 1  # equal files are found anyway
    Image.open(tmp_path / "raw" / first).convert("L").rotate(7).save(tmp_path / "raw" / "later.png")
    run(tmp_path, "ingest", "raw", "--quiet")
    run(tmp_path, "split", "--parts", "train=0.5,test=0.5", "--quiet")
    shown = run(tmp_path, "audit", "--fail-on", "high", code=3).stdout
    assert "NOT KNOWN" in shown and "after the last dedup" in shown and "Every pair" not in shown
    run(tmp_path, "report", "--quiet")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "after the last dedup" in page and "No copies were found" not in page and "no leak was found" not in page


def test_without_dedup_it_goes_on_and_says_so(project: Path, tmp_path: Path) -> None:
    run(tmp_path, "ingest", str(project / "raw"), "--quiet")
    run(tmp_path, "split", "--quiet")
    shown = run(tmp_path, "audit").stdout
    assert "dedup has not run" in shown
    assert "run xqdata dedup" in shown
