"""Runs on a small project, with a real network where one is needed.

They could be wrong while tests pass if figures were only looked at and not computed again, if a resumed run were only
finished and not equal, or if what must stay out of training were only counted: so predictions are computed again with
scikit-learn, an interrupted run is compared tensor by tensor, and the rows that training sees are recorded.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn import metrics
from xqdata_benchmark import recipe
from xqdata_benchmark.run import Result

from benchmark.conftest import OBJECTS, SMALL, picture, run, write_raw
from xqdata import manifest, runs, schema
from xqdata.errors import ConfigError, InputError
from xqdata.manifest import Origin, Project

Go = Callable[..., Result]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A project like `made`, to be spoilt."""
    folder = tmp_path / "copy"
    write_raw(folder)
    run(folder, "ingest", "raw", "-q")
    run(folder, "split", "-q")
    return folder


@pytest.fixture(scope="module")
def usual(go: Go) -> Result:
    pytest.importorskip("torch")
    return go(run="usual")


def test_every_published_figure_follows_from_the_predictions(usual: Result) -> None:
    result, folder = usual, usual.run.folder
    table = pq.read_table(folder / "predictions.parquet").to_pandas()
    test = table[table.part == "test"]
    told = json.loads((folder / "metrics.json").read_text())
    assert told["test"]["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(test.true, test.predicted))
    held = sorted(set(test.true))
    balanced = metrics.recall_score(test.true, test.predicted, labels=held, average="macro", zero_division=0)
    assert told["test"]["balanced_accuracy"]["value"] == pytest.approx(balanced)
    probability = test[[f"p_{name}" for name in result.run.classes]].to_numpy()
    assert probability.sum(1) == pytest.approx(np.ones(len(test)), abs=1e-5)
    for k, name in enumerate(result.run.classes):
        one = told["classes"][name]
        mine = test.true == name
        assert one["support"] == mine.sum()
        assert one["recall"]["value"] == pytest.approx((test.predicted[mine] == name).mean())
        assert one["mean_probability"] == pytest.approx(probability[mine, k].mean())
        if (test.predicted == name).any():
            right = metrics.precision_score(test.true == name, test.predicted == name)
            assert one["precision"] == pytest.approx(right)
    with (folder / "confusion.csv").open(newline="") as source:
        head, *rows = csv.reader(source)
    assert head[1:] == [row[0] for row in rows] == list(result.run.classes)
    counts = np.array([row[1:] for row in rows], int)
    assert (counts == metrics.confusion_matrix(test.true, test.predicted, labels=list(result.run.classes))).all()
    assert counts.sum() == len(test)
    assert (test.correct == (test.true == test.predicted)).all()
    assert set(test.tie) == {"none"}
    vectors = result.run.embeddings()
    assert vectors is not None
    assert vectors["image_id"].to_pylist() == table.image_id.tolist()


def test_a_run_leaves_what_the_docs_say(usual: Result, made: Path) -> None:
    folder = usual.run.folder
    prose = (Path(__file__).parents[2] / "docs" / "benchmark.md").read_text(encoding="utf-8")
    for path in folder.iterdir():
        assert f"`{path.name}`" in prose or path.name == "started.json", path.name
    assert not (folder / "work").exists()
    assert "usual" in runs.names(Project(made))


def test_what_is_trained_on_is_the_training_part_and_nothing_else(go: Go, made: Path) -> None:
    folder = go("knn", run="trained").run.folder
    trained = set(pq.read_table(folder / "trained.parquet")["image_id"].to_pylist())
    split = manifest.read(Project(made), "splits/default").to_pylist()
    assert trained == {row["image_id"] for row in split if row["part"] == "train"}
    judged = pq.read_table(folder / "predictions.parquet").to_pylist()
    assert {row["image_id"] for row in judged} == {r["image_id"] for r in split if r["part"] in ("val", "test")}


def test_the_network_learns(go: Go) -> None:
    pytest.importorskip("torch")
    found = go("quick", "train.epochs=25", run="learns").metrics["test"]["accuracy"]["value"]
    assert found > 0.6


def test_seeds_are_repeatable_and_differ(go: Go, usual: Result) -> None:
    several = go(run="several", seeds=2)
    assert several.metrics["seeds"]["seeds"] == [0, 1]
    assert len(several.metrics["seeds"]["accuracy"]["values"]) == 2
    assert several.run.predictions().equals(usual.run.predictions())
    assert not go(run="other-seed", first_seed=1).run.predictions().equals(usual.run.predictions())


class _Stop(Exception):
    pass


@pytest.mark.parametrize("sets", [(), ("train.optimiser=sgd", "train.select=best", "train.validate_every=1")])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(go: Go, sets: tuple[str, ...]) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    name = "killed" + str(len(sets))
    whole = go("quick", "train.epochs=4", *sets, run=f"{name}-whole")

    def stop(doing: str, done: int, total: int, more: str) -> None:
        if "training" in doing and "epoch 3" in more:
            raise _Stop

    with pytest.raises(_Stop):
        go("quick", "train.epochs=4", *sets, run=name, move=stop)
    resumed = go("quick", "train.epochs=4", *sets, run=name, resume=True)
    assert resumed.run.predictions().equals(whole.run.predictions())
    one, two = (load_file(r.run.folder / "model.safetensors") for r in (resumed, whole))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(("step", "at"), [("put", "predictions.parquet"), ("_json", "run.json")])
def test_what_was_learnt_outlives_a_kill_while_the_run_is_written(
    go: Go, usual: Result, monkeypatch: pytest.MonkeyPatch, step: str, at: str
) -> None:
    pytest.importorskip("torch")
    from xqdata_benchmark import written

    write = getattr(written, step)

    def stop(value: object, file: Path) -> None:
        if file.name == at:
            raise _Stop
        write(value, file)

    name = f"killed-at-{at}"
    with monkeypatch.context() as patched:
        patched.setattr(written, step, stop)
        with pytest.raises(_Stop):
            go(run=name)
    trained: list[str] = []
    resumed = go(run=name, resume=True, move=lambda doing, *_: trained.append(doing))
    assert "training" not in trained
    assert resumed.run.predictions().equals(usual.run.predictions())


def test_a_kill_between_the_files_of_an_epoch_leaves_the_weights_of_the_best(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file
    from xqdata_benchmark import train

    sets = ("train.epochs=4", "train.select=best", "train.validate_every=1")
    whole = go("quick", *sets, run="best-whole")
    save, told = train._save, []

    def stop(tensors: object, file: Path, more: object) -> None:
        if len(told) == 3:
            raise _Stop
        told.append(file.name)
        save(tensors, file, more)

    for n in range(3):
        with monkeypatch.context() as patched, pytest.raises(_Stop):
            patched.setattr(train, "_save", stop)
            go("quick", *sets, run="best-killed", resume=n > 0)
        told[:] = told[:n]
    resumed = go("quick", *sets, run="best-killed", resume=True)
    one, two = (load_file(r.run.folder / "model.safetensors") for r in (resumed, whole))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_resume_wants_the_same_options_and_something_to_go_on_with(go: Go) -> None:
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="no run that was interrupted"):
        go(run="nothing-here", resume=True)

    def stop(*_: object) -> None:
        raise _Stop

    with pytest.raises(_Stop):
        go("quick", "model.width=24", run="other", move=stop)
    with pytest.raises(InputError, match=r"other settings \(model.width 24, now 16\)"):
        go(run="other", resume=True)
    with pytest.raises(InputError, match="such a run already"):
        go(run="other")


def test_a_split_that_leaks_is_refused_and_told_in_the_headline(go: Go) -> None:
    with pytest.raises(InputError, match="xqdata split --repair study; or say --allow-leaky"):
        go("knn", split="study")
    result = go("knn", split="study", allow_leaky=True, run="leaky")
    assert result.run.told["leaking"]
    assert "specimen" in result.metrics["by"]["tie"]
    assert result.metrics["by"]["tie"]["specimen"]["n"] > 0
    assert "on a split that leaks" in (result.run.folder / "report.html").read_text(encoding="utf-8")


def test_folds_test_every_image_once_by_a_network_that_never_saw_its_component(go: Go, made: Path) -> None:
    with pytest.raises(InputError, match="add --folds"):
        go("knn", split="cv")
    with pytest.raises(InputError, match="has no folds"):
        go("knn", folds=True)
    result = go("knn", split="cv", folds=True, run="folds")
    judged = result.run.predictions()
    assert len(set(judged["image_id"].to_pylist())) == judged.num_rows == 54
    assert set(judged["tie"].to_pylist()) == {"none"}
    assert set(result.metrics["folds"]) == {"0", "1", "2"}
    assert result.metrics["temperature"] is None


def test_folds_of_a_network_keep_their_curves(go: Go) -> None:
    pytest.importorskip("torch")
    folder = go("quick", "train.epochs=1", split="cv", folds=True, run="fold-curves").run.folder
    with (folder / "curves.csv").open(newline="") as source:
        assert [(row["fold"], row["epoch"]) for row in csv.DictReader(source)] == [("0", "1"), ("1", "1"), ("2", "1")]
    assert "Learning curves" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_two_energies_of_a_pass_are_one_sample(tmp_path: Path, go: Go) -> None:
    pytest.importorskip("torch")
    for kind, name in enumerate(OBJECTS):
        (tmp_path / "raw" / name).mkdir(parents=True)
        for specimen in range(6):
            for shot in range(2):
                high = picture(kind, specimen, shot)
                low = high.point(lambda value: 255 - (255 - value) * 7 // 10)
                for channel, one in (("high", high), ("low", low)):
                    one.save(tmp_path / "raw" / name / f"{name[0]}{specimen}_{kind}{specimen}{shot}_{channel}.png")
    pattern = "{object}/{specimen}_{scan_id}_{channel}.{ext}"
    (tmp_path / "xqdata.toml").write_text(f'[ingest]\npatterns = ["{pattern}"]\n', encoding="utf-8")
    run(tmp_path, "ingest", "raw", "-q")
    run(tmp_path, "split", "-q")
    result = go("quick", "input.channels=dual", folder=tmp_path)
    split = manifest.read(Project(tmp_path), "splits/default").to_pylist()
    tested = sum(row["part"] == "test" for row in split)
    assert result.metrics["test"]["accuracy"]["n"] == tested / 2 > 0
    (values,) = (tmp_path / ".xqdata" / "pixels").glob("*/pixels.npy")
    found = np.load(values, mmap_mode="r")
    assert found.shape == (36, 24, 24, 2)
    assert (found[..., 0] <= found[..., 1]).all()  # the low energy lets more through here
    assert not result.metrics["left_out"]


def test_copies_and_mixed_scans_stay_out(copied: Path, go: Go) -> None:
    project = Project(copied)
    table = manifest.read(project, "splits/default").to_pylist()
    train = [row for row in table if row["part"] == "train"]
    test = [row for row in table if row["part"] == "test"]
    train[0]["reason"], test[0]["reason"] = "copy of X", "copy of Y"
    told = manifest.provenance(project, "splits/default")
    origin = Origin("split", told.options, told.inputs)
    manifest.write(project, {"splits/default": schema.from_rows("splits/default", table)}, origin)
    result = go("knn", folder=copied)
    assert result.metrics["left_out"] == {"follow the image kept of their copies": 2}
    judged = result.run.predictions()["image_id"].to_pylist()
    assert test[0]["image_id"] not in judged
    kept = go("knn", "input.copies=true", folder=copied, run="copies")
    trained = pq.read_table(kept.run.folder / "trained.parquet")["image_id"].to_pylist()
    assert train[0]["image_id"] in trained
    assert test[0]["image_id"] not in kept.run.predictions()["image_id"].to_pylist()


def test_multilabel_learns_objects(go: Go) -> None:
    pytest.importorskip("torch")
    result = go("quick", "task=multilabel", "train.class_weights=balanced", "train.epochs=10", run="multi")
    assert result.run.task == "multilabel"
    assert {"micro_f1", "macro_f1", "auroc"} <= set(result.metrics["test"])
    assert result.metrics["test"]["auroc"]["value"] > 0.6
    assert go("linear", "task=multilabel", run="multi-linear").metrics["test"]["auroc"]["value"] > 0.6


@pytest.mark.parametrize("sets", [("train.label_smoothing=0.2",), ("train.class_weights=balanced",),
                                  ("train.schedule=linear",), ("augment.mirror=false",), ("input.fit=stretch",),
                                  ("input.crop=none",), ("train.precision=bf16-mixed",)])  # fmt: skip
def test_options_of_a_recipe_change_what_is_learnt(go: Go, usual: Result, sets: tuple[str, ...]) -> None:
    usual = usual.run.predictions()
    other = go("quick", *sets, run=f"with-{sets[0]}").run.predictions()
    if sets == ("train.class_weights=balanced",):  # the classes are balanced already
        assert other.select(["true"]).equals(usual.select(["true"]))
    else:
        assert not other.equals(usual)


def test_images_that_vanished_are_left_out_and_told(copied: Path, go: Go) -> None:
    gone = sorted((copied / "raw" / "apple").iterdir())
    for path in gone[:2]:
        path.unlink()
    result = go("knn", folder=copied)
    assert any(text.startswith("2 images could not be read") for text in result.warnings)
    shutil.rmtree(copied / "raw" / "apple")
    shutil.rmtree(copied / "raw" / "egg")
    shutil.rmtree(copied / "raw" / "honey")
    with pytest.raises(InputError, match="can be read"):
        go("knn", folder=copied, run="none")


def test_a_class_without_training_images_is_told(copied: Path, go: Go) -> None:
    project = Project(copied)
    labels = manifest.read(project, "images", ["image_id", "object"]).to_pylist()
    honey = {row["image_id"] for row in labels if row["object"] == "honey"}
    table = manifest.read(project, "splits/default").to_pylist()
    for row in table:
        if row["image_id"] in honey and row["part"] == "train":
            row["part"], row["reason"] = None, "set aside"
    told = manifest.provenance(project, "splits/default")
    manifest.write(project, {"splits/default": schema.from_rows("splits/default", table)},
                   Origin("split", told.options, told.inputs))  # fmt: skip
    result = go("knn", folder=copied)
    assert result.warnings == ("no training image shows honey: tested images of it can only be wrong",)
    assert result.metrics["classes"]["honey"]["recall"]["value"] == 0
    assert result.run.classes == OBJECTS


def test_deep_scans_and_pairs_of_energies(tmp_path: Path, go: Go) -> None:
    pytest.importorskip("torch")
    folder = tmp_path / "deep"
    folder.mkdir()
    write_raw(folder, bits=16)
    run(folder, "ingest", "raw", "-q")
    run(folder, "split", "-q")
    result = go(folder=folder)
    assert np.load(next((folder / ".xqdata" / "pixels").glob("*/pixels.npy")), mmap_mode="r").dtype == np.uint16
    assert result.metrics["test"]["accuracy"]["n"] > 0
    with pytest.raises(InputError, match="no image of a part can be learnt from"):
        go("quick", "input.channels=dual", folder=folder, run="dual")


def test_the_network_of_a_run_is_tested_elsewhere(copied: Path, go: Go) -> None:
    pytest.importorskip("torch")
    go(folder=copied, run="source")
    run(copied, "split", "--seed", "3", "--name", "other", "-q")
    refused = run(copied, "benchmark", "--evaluate", "source", "--name", "other", "--device", "cpu", code=1).stderr
    assert "tied to what source learnt from" in refused
    done = run(copied, "benchmark", "--evaluate", "source", "--name", "other", "--allow-leaky", "--device", "cpu")
    assert "LEAKY" in done.stdout
    same = run(copied, "benchmark", "--evaluate", "source", "--device", "cpu", "--json")
    everything = {row["image_id"]: "test" for row in manifest.read(Project(copied), "images").to_pylist()}
    rows = [{"image_id": i, "part": p} for i, p in everything.items()]
    manifest.write(Project(copied), {"splits/all": schema.from_rows("splits/all", rows)}, Origin("split"))
    all_ = run(
        copied, "benchmark", "--evaluate", "source", "--name", "all", "--allow-leaky", "--device", "cpu", "--json"
    )
    assert json.loads(all_.stdout)["metrics"]["test"]["accuracy"]["n"] == 54
    told = json.loads(same.stdout)
    source = runs.read(Project(copied), "source")
    assert told["metrics"]["test"]["accuracy"] == source.metrics()["test"]["accuracy"]
    trained = [pq.read_table(copied / "runs" / name / "trained.parquet") for name in ("source", told["run"]["name"])]
    assert trained[0].equals(trained[1])
    tested = source.predictions().filter(pc.equal(source.predictions()["part"], "test"))["image_id"].to_pylist()
    paths = {
        r["image_id"]: r["path"] for r in manifest.read(Project(copied), "images", ["image_id", "path"]).to_pylist()
    }
    (copied / "raw" / paths[tested[0]]).unlink()
    shutil.rmtree(copied / ".xqdata" / "pixels")
    told = json.loads(run(copied, "benchmark", "--evaluate", "source", "--device", "cpu", "--json").stdout)
    assert told["run"]["warnings"] == ["1 images could not be read and are left out"]
    assert told["metrics"]["test"]["accuracy"]["n"] == len(tested) - 1


@pytest.mark.parametrize(
    ("sets", "why"),
    [
        (("train.epoch=5",), "unknown key train.epoch"),
        (("epochs=5",), "unknown key epochs; .*did you mean train.epochs"),
        (("train.lr=fast",), "train.lr is 'fast'"),
        (("model.name=vgg",), "model.name is 'vgg'"),
    ],
)
def test_bad_keys_are_one_line(sets: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        recipe.load("quick", sets)


def test_bad_recipes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recipes are convnext_tiny"):
        recipe.load("resnet19")
    with pytest.raises(InputError, match="is no key=value"):
        recipe.load("quick", ["epochs"])
    (tmp_path / "mine.toml").write_text("[train\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        recipe.load(str(tmp_path / "mine.toml"))


def test_all_recipes_load_and_say_what_they_are() -> None:
    assert set(recipe.names()) == {
        "study", "quick", "resnet18", "convnext_tiny", "efficientnet_v2_s", "knn", "linear",
    }  # fmt: skip
    assert all(recipe.load(name).description for name in recipe.names())
    study = recipe.load("study").train
    assert (study.epochs, study.lr, study.lr_end, study.validate_every) == (125, 0.0005, 0.00001, 5)


def test_a_full_disk_is_one_line(copied: Path, monkeypatch: pytest.MonkeyPatch, go: Go) -> None:
    import errno

    from xqdata_benchmark import cache

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "pixels.npy")

    monkeypatch.setattr(cache.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        go("knn", folder=copied)
    assert not list((copied / ".xqdata" / "pixels").glob("*"))
    monkeypatch.undo()
    go("knn", folder=copied)


def test_a_damaged_cache_is_made_again(copied: Path, go: Go) -> None:
    before = go("knn", folder=copied, run="before").run.predictions()
    (file,) = (copied / ".xqdata" / "pixels").glob("*/pixels.npy")
    file.write_bytes(file.read_bytes()[:1000])
    assert go("knn", folder=copied, run="after").run.predictions().equals(before)


def test_the_cache_of_a_run_with_unread_scans_stands_for_its_other_processes(copied: Path) -> None:
    from xqdata_benchmark import cache, samples

    from xqdata import taxonomy

    project, asked = Project(copied), recipe.load("knn")
    data = samples.samples(project, taxonomy.load(), "default", asked)
    gone = copied / "raw" / data.values("path")[0]
    away = gone.rename(copied / "away")
    first = cache.pixels(project, data, asked.input, workers=1)
    assert list(first.unread) == [0]
    away.rename(gone)
    assert list(cache.pixels(project, data, asked.input, workers=1, again=False).unread) == [0]
    assert not cache.pixels(project, data, asked.input, workers=1).unread


def test_two_runs_that_decode_at_once_do_not_disturb_each_other(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xqdata_benchmark import cache, samples

    from xqdata import taxonomy

    project, asked = Project(copied), recipe.load("knn")
    data = samples.samples(project, taxonomy.load(), "default", asked)
    once, whole = [True], shutil.rmtree

    def other_first(path: Path, **more: object) -> None:
        whole(path, **more)
        if once and not path.name.startswith("."):  # between the removal and the renaming
            once.clear()
            cache.pixels(project, data, asked.input, workers=1)

    monkeypatch.setattr(cache.shutil, "rmtree", other_first)
    found = cache.pixels(project, data, asked.input, workers=1)
    assert not once
    assert found.values.shape[0] == len(data)
    assert not list((copied / ".xqdata" / "pixels").glob(".*"))


def test_small_sets_say_small() -> None:
    assert recipe.load("quick", SMALL).train.epochs == 3
