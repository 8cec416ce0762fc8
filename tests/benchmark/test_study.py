"""benchmark/study.py: what is trained on what, and the figures that follow.

It could be wrong while it runs through if one side of a comparison saw more images, another mix of classes, a copy or a
second pass of a tested image, or the tested specimens on the side that should not know them; or if intervals counted
images of one family as independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmark"
CLASSES, SPECIMENS, SCANS = 3, 16, 12


@pytest.fixture(scope="module")
def studied() -> Iterator[SimpleNamespace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARK))
        from studied import figures, jobs, pages

        yield SimpleNamespace(jobs=jobs, figures=figures, pages=pages)


@pytest.fixture(scope="module")
def world() -> SimpleNamespace:
    """16 specimens of 3 classes, 12 scans each; a quarter of the scans have a copy, another quarter a second pass."""
    rng = np.random.default_rng(0)
    rows: list[tuple[int, int, int, int, bool, bool]] = []  # class, specimen, bag, cluster, copy, second pass
    for k in range(CLASSES):
        for specimen in range(SPECIMENS):
            for scan in range(SCANS):
                bag = len(rows)
                cluster = bag if scan % 4 == 0 else -1
                rows.append((k, k * SPECIMENS + specimen, bag, cluster, False, False))
                if scan % 4 == 0:
                    rows.append((k, -1, -1, cluster, True, False))
                if scan % 4 == 1:
                    rows.append((k, k * SPECIMENS + specimen, bag, -1, False, True))
    told = [rows[i] for i in rng.permutation(len(rows))]
    label, specimen, bag, cluster, copy, again = (np.array(column) for column in zip(*told, strict=True))
    types = np.array(["bare", "basket", "carrier"], object)[rng.integers(0, 3, len(told))]
    safe = np.where(copy, "", np.array([str(s % 5) for s in specimen.tolist()], object))
    parts = {f"safe-{s}": safe for s in range(4)}
    parts |= {f"random-{s}": rng.integers(0, 5, len(told)).astype(str).astype(object) for s in range(4)}

    class Data(SimpleNamespace):
        def __len__(self) -> int:
            return len(label)

    return SimpleNamespace(
        data=Data(label=label, classes=tuple("abc")), specimen=specimen, bag=bag, cluster=cluster,
        first=~copy & ~again, known=~copy, scan_type=types, part=parts.__getitem__,
    )  # fmt: skip


def counts(world: SimpleNamespace, flags: np.ndarray) -> list[int]:
    found: list[int] = np.bincount(world.data.label[flags], minlength=CLASSES).tolist()
    return found


@pytest.mark.parametrize("part", ["splits", "types", "specimens", "scans", "copies", "rescans"])
@pytest.mark.parametrize("seed", range(4))
def test_sides_have_equal_sizes_and_share_no_image_with_the_test(
    studied: SimpleNamespace, world: SimpleNamespace, part: str, seed: int
) -> None:
    made = list(studied.jobs.PARTS[part](world, seed, 0))
    assert len(made) > 1
    # What is compared: all trainings, or those of one fold or one number of specimens.
    compared: dict[str, set[tuple[int, ...]]] = {}
    for job in made:
        compared.setdefault(job.level if part in ("splits", "scans") else "", set()).add(
            tuple(counts(world, job.train))
        )
    assert all(len(sizes) == 1 and min(*sizes) for sizes in compared.values())
    for job in made:
        assert job.test.any()
        assert not (job.train & job.test).any()
    again = list(studied.jobs.PARTS[part](world, seed, 0))
    other = list(studied.jobs.PARTS[part](world, seed, 1))
    assert all((a.train == b.train).all() for a, b in zip(made, again, strict=True))
    assert any((a.train != b.train).any() for a, b in zip(made, other, strict=True))


def test_every_image_is_tested_once_on_each_side_of_a_split(studied: SimpleNamespace, world: SimpleNamespace) -> None:
    made = list(studied.jobs.splits(world, 1, 0))
    tested = {side: sum(job.test.astype(int) for job in made if job.condition == side) for side in ("random", "safe")}
    assert (tested["random"] == 1).all()
    assert (tested["safe"] == (world.part("safe-1") != "")).all()


@pytest.mark.parametrize("seed", range(4))
def test_one_side_alone_knows_the_tested_specimens(studied: SimpleNamespace, world: SimpleNamespace, seed: int) -> None:
    made = list(studied.jobs.specimens(world, seed, 0))
    assert [(job.condition, job.level) for job in made[:2]] == [("with", "1"), ("without", "1")]
    for with_, without in zip(made[::2], made[1::2], strict=True):
        assert (with_.test == without.test).all()
        tested, level = set(world.specimen[with_.test]), int(with_.level)
        assert len(tested) == CLASSES * min(level, 4)
        assert tested <= set(world.specimen[with_.train])
        assert not tested & set(world.specimen[without.train])
        for job in (with_, without):
            # The number of training images is half a specimen's, whatever number of specimens they are of.
            held = min(level, SCANS // 2)
            assert len(set(world.specimen[job.train])) == CLASSES * held
            assert counts(world, job.train) == [SCANS // 2] * CLASSES
            assert world.first[job.train].all()


def test_training_grows_where_every_specimen_is_scanned_as_often(
    studied: SimpleNamespace, world: SimpleNamespace
) -> None:
    made = list(studied.jobs.scans(world, 1, 0))
    assert [counts(world, job.train) for job in made[::2]] == [
        [level * (SCANS // 2)] * CLASSES for level in (1, 2, 4, 12)
    ]
    few = list(studied.jobs.specimens(world, 1, 0))
    for job, other in zip(made[:2], few[:2], strict=True):  # one specimen: the same training in both parts
        assert (job.train == other.train).all()
        assert (job.test == other.test).all()


@pytest.mark.parametrize("part", ["copies", "rescans"])
def test_twins_of_as_many_test_images_as_the_level_says(
    studied: SimpleNamespace, world: SimpleNamespace, part: str
) -> None:
    number = world.cluster if part == "copies" else world.bag
    made = list(studied.jobs.PARTS[part](world, 3, 0))
    for job in made:
        assert (job.test == made[0].test).all()
        # Copies have no row in the log: what they show is told by the picture that they were made of.
        own = set(world.specimen[job.test])
        assert job.condition == ("without" if job.level == "0" else "with")
        paired = np.isin(number[job.test], number[job.train & (number >= 0)]) & (number[job.test] >= 0)
        assert paired.sum() == CLASSES * round(float(job.level) * job.test.sum() / CLASSES)
        strangers = job.train & world.first
        assert not own & set(world.specimen[strangers])


def test_a_held_out_scan_type_is_not_in_training(studied: SimpleNamespace, world: SimpleNamespace) -> None:
    control, *held = studied.jobs.types(world, 2, 0)
    assert [job.level for job in held] == ["bare", "basket", "carrier"]
    for job in held:
        assert job.level not in set(world.scan_type[job.train])
        assert set(world.scan_type[job.test]) == {job.level}
        assert (control.test[job.test]).all()
        assert job.level in set(world.scan_type[control.train])


def judged(recipe: str, condition: str, right: list[bool], level: str = "1", part: str = "specimens") -> pd.DataFrame:
    n = len(right)
    return pd.DataFrame({
        "recipe": recipe, "part": part, "condition": condition, "level": level, "split_seed": 0, "seed": 0,
        "image": range(n), "family": np.arange(n) // 2, "true": "a", "predicted": ["a" if r else "b" for r in right],
        "tie": "specimen", "scan_type": "bare", "trained": 7, "right": right,
    })  # fmt: skip


def test_gaps_are_taken_on_the_same_images(studied: SimpleNamespace) -> None:
    one = judged("knn", "with", [True] * 20 + [False] * 4)
    other = judged("knn", "without", [False] * 6 + [True] * 18).sample(frac=1, random_state=0)  # in any order
    ((recipe, level, pair),) = studied.figures.axis(pd.concat([one, other]), "specimens")
    sides = (pytest.approx(20 / 24), pytest.approx(18 / 24))
    assert (recipe, level, pair.with_.value, pair.without.value) == ("knn", 1.0, *sides)
    assert pair.gap.value == pytest.approx(2 / 24)
    assert pair.draws == (pytest.approx(2 / 24),)
    assert pair.gap.low < pair.gap.value < pair.gap.high
    # On the copies' axis every level is compared with the training that has none.
    one, none = one.assign(part="copies", level="0.2"), other.assign(part="copies", level="0")
    assert [found[1] for found in studied.figures.axis(pd.concat([one, none]), "copies")] == [0.2]


def test_errors_of_families_and_of_draws_are_put_together(studied: SimpleNamespace) -> None:
    rows = pd.concat([judged("knn", "with", [True] * 40).assign(split_seed=s) for s in range(5)])
    family = rows["family"].to_numpy() % 2 * 0.4 - 0.2
    draw = rows["split_seed"].to_numpy() * 0.02 - 0.04
    gaps = {"none": 0 * draw, "family": family, "draw": draw, "both": family + draw}
    told = {name: studied.figures.share(rows.assign(gap=gap), "gap") for name, gap in gaps.items()}
    half = {name: (one.high - one.low) / 2 for name, one in told.items()}
    assert half["none"] == 0.0
    assert half["draw"] == pytest.approx(2.776 * 0.02 * np.sqrt(2.5) / np.sqrt(5), rel=0.001)  # Student's, 4 degrees
    assert half["family"] > half["draw"] > 0.02
    assert half["both"] == pytest.approx(np.hypot(half["family"], half["draw"]), rel=0.01)


def test_all_folds_of_a_split_are_one_draw(studied: SimpleNamespace) -> None:
    # A random fold's images are judged by all networks of the safe split: folds are no observations of their own.
    right = [True, False] * 20
    rows = [judged("knn", "random", right, part="splits"), judged("knn", "safe", right, part="splits")]
    rows = [one.assign(level=[str(i % 5) for i in range(40)]) for one in rows]
    both = pd.concat([one.assign(seed=seed) for one in rows for seed in range(3)])
    ((_, _, pair, _),) = studied.figures.splits(both)
    assert len(pair.draws) == 3


def test_both_matrices_are_of_the_same_images(studied: SimpleNamespace) -> None:
    random = judged("knn", "random", [True] * 30 + [False] * 10, part="splits")
    safe = judged("knn", "safe", [False] * 30, part="splits")  # ten images have no place in the safe split
    found = studied.figures.confusion(pd.concat([random, safe]), "knn", ["a", "b"])
    assert {name: counts.tolist() for name, counts in found.items()} == {
        "random": [[30, 0], [0, 0]], "safe": [[0, 30], [0, 0]],
    }  # fmt: skip


def test_what_a_wrong_label_brought_into_a_class_is_left_out_of_its_recall(studied: SimpleNamespace) -> None:
    rows = judged("knn", "safe", [True] * 40, part="splits").assign(family=np.arange(40) // 10)
    strays = judged("knn", "safe", [False] * 3, part="splits").assign(family=[7, 8, 9], image=[50, 51, 52])
    (told,) = studied.figures.recalls(pd.concat([rows, strays]), "knn").itertuples()
    assert (told.value, told.low, told.high, told.images, len(told.each)) == (1.0, 1.0, 1.0, 40, 4)


def test_copies_are_worth_what_their_twins_gain(studied: SimpleNamespace) -> None:
    with_ = judged("knn", "with", [True] * 20 + [False] * 20, "0.4", "copies")
    with_["tie"] = ["copy"] * 20 + ["session"] * 20
    without = judged("knn", "without", [False] * 40, "0", "copies")
    found = {
        twinned: pair.gap.value for _, twinned, pair in studied.figures.twins(pd.concat([with_, without]), "copies")
    }
    assert found == {True: 1.0, False: 0.0}


def test_a_family_counts_once_however_many_images_it_has(studied: SimpleNamespace) -> None:
    few = judged("knn", "with", [True, True, False, False] * 10)
    many = pd.concat([few] * 30).assign(image=range(1200))
    assert studied.figures.share(few).low == pytest.approx(studied.figures.share(many).low, abs=0.02)
    assert np.isnan(studied.figures.share(few[few["family"] < 9]).low)  # too few families


@pytest.fixture
def results(studied: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pd.DataFrame]:
    """What the repository holds: trainings of both splits, whose folder is called knn-1."""
    rows = pd.concat(
        [judged("knn", c, r, "all", "splits") for c, r in (("random", [True] * 30), ("safe", [False] * 30))]
    )
    monkeypatch.setattr(studied.pages, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(studied.pages, "PREDICTIONS", tmp_path / "results" / "kept.parquet")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / studied.pages.USED).write_text('{"knn splits": "knn-1"}')
    studied.pages.keep(rows, studied.pages.PREDICTIONS)
    studied.pages._held.cache_clear()
    yield rows
    studied.pages._held.cache_clear()


def test_predictions_that_are_kept_give_the_same_figures(
    studied: SimpleNamespace, results: pd.DataFrame, tmp_path: Path
) -> None:
    again = studied.pages.kept(tmp_path / "work")
    ((_, *one, _),) = studied.figures.splits(results)
    ((_, *other, _),) = studied.figures.splits(again)
    assert one == other
    assert one[1].gap.value == 1.0
    assert not len(studied.pages.kept(tmp_path / "work", alone=True))


def test_another_machine_goes_on_from_what_is_kept(
    studied: SimpleNamespace, results: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "work" / "predictions" / "knn-1"
    folder.mkdir(parents=True)
    (folder.parent / studied.pages.USED).write_text('{"knn splits": "knn-1"}')
    own = folder / "splits-random-all-0-0.parquet"  # trained here already: it stays
    results[results["condition"] == "safe"][list(studied.pages._SAID)].to_parquet(own)
    studied.pages.give("knn splits", folder)
    assert sorted(file.name for file in folder.iterdir()) == [own.name, "splits-safe-all-0-0.parquet"]
    rows = studied.pages.kept(tmp_path / "work")
    assert len(rows) == 60  # of the folder alone, not once more of the repository
    assert not rows["right"].any()
    # Of other scans or other settings nothing is taken over.
    other = folder.with_name("knn-2")
    other.mkdir()
    studied.pages.give("knn splits", other)
    studied.pages.give("knn copies", other)
    assert not list(other.iterdir())


def test_the_page_has_a_place_for_every_table() -> None:
    text = (BENCHMARK / "README.md").read_text(encoding="utf-8")
    for name in ("splits", "ties", "specimens", "scans", "twins", "rates", "types", "classes", "real", "trained"):
        assert f"<!-- {name}: begin -->\n" in text
        assert f"<!-- {name}: end -->" in text
