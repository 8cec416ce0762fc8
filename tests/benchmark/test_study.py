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
    parts = {"safe": safe, "random": rng.integers(0, 5, len(told)).astype(str).astype(object)}

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


@pytest.mark.parametrize("part", ["splits", "types", "specimens", "copies", "rescans"])
@pytest.mark.parametrize("seed", range(4))
def test_sides_have_equal_sizes_and_share_no_image_with_the_test(
    studied: SimpleNamespace, world: SimpleNamespace, part: str, seed: int
) -> None:
    made = list(studied.jobs.PARTS[part](world, seed, 0))
    assert len(made) > 1
    assert len({tuple(counts(world, job.train)) for job in made}) == 1
    assert all(counts(world, job.train) and min(counts(world, job.train)) for job in made)
    for job in made:
        assert job.test.any()
        assert not (job.train & job.test).any()
    again = list(studied.jobs.PARTS[part](world, seed, 0))
    other = list(studied.jobs.PARTS[part](world, seed, 1))
    assert all((a.train == b.train).all() for a, b in zip(made, again, strict=True))
    assert any((a.train != b.train).any() for a, b in zip(made, other, strict=True))


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
        "image_id": range(n), "family": np.arange(n) // 2, "true": "a", "predicted": ["a" if r else "b" for r in right],
        "tie": "specimen", "scan_type": "bare", "trained": 7, "right": right,
    })  # fmt: skip


def test_gaps_are_taken_on_the_same_images(studied: SimpleNamespace) -> None:
    one = judged("knn", "with", [True] * 20 + [False] * 4)
    other = judged("knn", "without", [False] * 6 + [True] * 18).sample(frac=1, random_state=0)  # in any order
    ((recipe, level, with_, without, gap, each),) = studied.figures.axis(pd.concat([one, other]), "specimens")
    assert (recipe, level, with_.value, without.value) == ("knn", 1.0, pytest.approx(20 / 24), pytest.approx(18 / 24))
    assert gap.value == pytest.approx(2 / 24)
    assert each == [pytest.approx(2 / 24)]
    assert gap.low < gap.value < gap.high
    # On the copies' axis every level is compared with the training that has none.
    one, none = one.assign(part="copies", level="0.2"), other.assign(part="copies", level="0")
    assert [found[1] for found in studied.figures.axis(pd.concat([one, none]), "copies")] == [0.2]


def test_a_family_counts_once_however_many_images_it_has(studied: SimpleNamespace) -> None:
    few = judged("knn", "with", [True, True, False, False] * 10)
    many = pd.concat([few] * 30).assign(image_id=range(1200))
    assert studied.figures.share(few).low == pytest.approx(studied.figures.share(many).low, abs=0.02)
    assert np.isnan(studied.figures.share(few[few["family"] < 9]).low)  # too few families


def test_predictions_that_are_kept_give_the_same_figures(
    studied: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pd.concat([judged("knn", c, r, "", "splits") for c, r in (("random", [True] * 30), ("safe", [False] * 30))])
    rows = rows.assign(image_id=rows["image_id"].map("id{}".format))
    studied.pages.keep(rows, tmp_path / "kept.parquet")
    monkeypatch.setattr(studied.pages, "PREDICTIONS", tmp_path / "kept.parquet")
    again = studied.pages.kept(tmp_path)
    (one,), (other,) = (list(studied.figures.splits(table)) for table in (rows, again))
    assert one["random"] == other["random"]
    assert one["by_split"] == other["by_split"] == [1.0]


def test_the_page_has_a_place_for_every_table() -> None:
    text = (BENCHMARK / "README.md").read_text(encoding="utf-8")
    for name in ("splits", "ties", "specimens", "copies", "rescans", "types", "classes", "real", "trained"):
        assert f"<!-- {name}: begin -->\n" in text
        assert f"<!-- {name}: end -->" in text
