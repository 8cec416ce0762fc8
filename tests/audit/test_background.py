"""The background: what the picture tells of the label when the object is replaced.

It could be wrong while tests pass if the box, its size or its place told the label, or what was put in its place did.
So pictures are made in which the label shows in one way only: in a mark beside the object (must be found), in the
object alone (must not), in the object's size (must not), and in its place (the control must take that away).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.conftest import parted
from splits.conftest import scan
from xqdata import manifest, schema
from xqdata.audit import background
from xqdata.audit.background import SIDE, Score, _judged, _replaced
from xqdata.audit.material import Material, gather
from xqdata.manifest import Origin, Project
from xqdata.taxonomy import Taxonomy

COUNT, CLASSES = 320, 4
Made = tuple[Score, Score, Score, int, int]


@pytest.fixture
def material(project: Project, reference: Taxonomy) -> Material:
    rows = [scan(f"i{n:03}", f"kind{n % CLASSES}", f"s{n}") for n in range(COUNT)]
    parted(project, rows, {r["image_id"]: ("test", "train")[n // CLASSES % 3 > 0] for n, r in enumerate(rows)})
    return gather(project, reference, "default")


def judged(material: Material, draw: Callable[[int, np.random.Generator], tuple[int, int, int, float, float]]) -> Made:
    """Judge pictures of noise, a frame and one square each; `draw`: label to row, column, side, darkness of the square,
    and how much darker a mark in the corner is.
    """
    dice = np.random.default_rng(5)
    maps = np.zeros((COUNT, SIDE, SIDE), np.float32) + dice.normal(0, 0.02, (COUNT, SIDE, SIDE)).astype(np.float32)
    maps[:, 0] += 0.5
    shown = np.zeros(maps.shape, bool)
    label = np.arange(COUNT) % CLASSES
    for n in range(COUNT):
        top, left, side, dark, mark = draw(int(label[n]), dice)
        shown[n, top : top + side, left : left + side] = True
        maps[n, top : top + side, left : left + side] += dark
        maps[n, -2:, -2:] += mark
    views = _replaced(maps, shown, np.zeros(COUNT, np.int64), np.arange(COUNT), label)
    assert not isinstance(views, str)
    filled, box, rows, labels, _ = views
    found = _judged(material, filled, box, rows, labels, seed=0)
    assert found is not None
    return found


def place(dice: np.random.Generator) -> tuple[int, int]:
    return int(dice.integers(3, 20)), int(dice.integers(3, 20))


def test_a_mark_beside_the_object_is_found(material: Material) -> None:
    without, control, more, classes, _ = judged(material, lambda k, d: (*place(d), 6, 1.0, 0.3 * k))
    assert classes == CLASSES
    assert without.low > 0.9
    assert control.low < 0.35
    assert more.low > 0.3


@pytest.mark.parametrize(
    "draw",
    [
        lambda k, d: (*place(d), 6, 0.5 + k, 0.0),
        lambda k, d: (*place(d), 4 + k, 1.0, 0.0),
    ],
    ids=["its darkness", "its size"],
)
def test_the_object_itself_is_gone(material: Material, draw: Callable[..., tuple[int, int, int, float, float]]) -> None:
    without, _, more, _, _ = judged(material, draw)
    assert without.low <= 1 / CLASSES or more.low <= 0


def test_where_the_object_lies_is_the_controls(material: Material) -> None:
    _, control, more, _, _ = judged(material, lambda k, d: (3 + 5 * k, 8, 6, 1.0, 0.0))
    assert control.low > 0.9
    assert more.low <= 0


def test_large_objects_leave_nothing_to_judge() -> None:
    maps, shown = np.zeros((80, SIDE, SIDE), np.float32), np.ones((80, SIDE, SIDE), bool)
    told = _replaced(maps, shown, np.zeros(80, np.int64), np.arange(80), np.arange(80) % 2)
    assert told == "0 images show an object that leaves background to judge, 60 are needed"


def test_each_image_is_read_with_its_own_foreground(
    project: Project, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = material.images["image_id"].to_pylist()
    empty, absent = ids[7], ids[9]
    rows = [
        {"image_id": i, "rle": f"of {i}", "box": None if i == empty else [1, 2, 3, 4], "method": "test"}
        for i in reversed(ids)
        if i != absent
    ]
    manifest.write(project, {"masks": schema.from_rows("masks", rows)}, Origin("dedup", {}))
    seen: dict[str, str] = {}

    def read(_: Project, __: Material, rows: NDArray[np.int64], told: Sequence[str], *___: object) -> Any:
        seen.update(zip((ids[n] for n in rows), told, strict=True))
        return np.zeros((len(rows), SIDE, SIDE)), np.zeros((len(rows), SIDE, SIDE), bool), np.ones(len(rows), bool)

    monkeypatch.setattr(background, "_read", read)
    background._views(project, material, 0, 1, lambda *_: None)
    assert seen == {i: f"of {i}" for i in ids if i not in (empty, absent)}
