"""Labels that are probably wrong.

This could be wrong while tests pass if a copy of a wrongly filed scan confirmed its own label, if a family were divided
between learning and judging, if a picture that took no part in a run were taken for one that the model called
impossible, or if people who looked again were outvoted by the folder they corrected. Each is a test.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from suspects.conftest import CLASSES, labelled, write_run
from xqdata import features, labels
from xqdata.errors import InputError
from xqdata.labels import Event
from xqdata.manifest import Project
from xqdata.suspects import Options, Suspect, predicted, suspects, write_csv
from xqdata.suspects.filings import Word, gather
from xqdata.suspects.weigh import honest, posterior
from xqdata.taxonomy import Taxonomy

Filed = Callable[..., Project]


def verdict(path: str, after: Any, by: str = "kim", field: str = "object") -> Event:
    return Event(datetime(2026, 5, 17), by, "cli", field, f"id of {path}", after)


def by_path(found: Any) -> dict[str, Suspect]:
    return {one.path: one for one in found.suspects}


def test_a_label_that_other_scans_of_the_specimen_contradict_comes_first(filed: Filed, reference: Taxonomy) -> None:
    scans = [labelled(f"{n}.png", "egg", specimens=["s-1"]) for n in range(4)]
    project = filed(*scans, labelled("wrong.png", "mango", specimens=["s-1"]), labelled("other.png", "mango"))
    found = suspects(project, reference)
    (first,) = found.suspects
    assert (first.path, first.suggested, first.rank) == ("wrong.png", "egg", 1)
    assert first.wrong > 0.99
    assert "its specimen is labelled otherwise elsewhere: egg 4; as here 0" in first.reason
    assert found.looked_at == 6


def test_copies_of_a_wrong_label_do_not_confirm_it(filed: Filed, reference: Taxonomy) -> None:
    right = [labelled(f"{n}.png", "egg", specimens=["s-1"]) for n in range(2)]
    wrong = [labelled(f"wrong{n}.png", "mango", specimens=["s-1"]) for n in range(5)]
    links = [("wrong0.png", f"wrong{n}.png", "re-encoded") for n in range(1, 5)]
    found = by_path(suspects(filed(*right, *wrong, links=links), reference))
    assert set(found) == {f"wrong{n}.png" for n in range(5)}
    assert all(one.suggested == "egg" for one in found.values())


def test_copies_with_contradicting_labels_are_listed_and_the_specimen_decides(
    filed: Filed, reference: Taxonomy
) -> None:
    rows = [labelled("a.png", "egg", specimens=["s-1"]), labelled("copy.png", "mango"),
            labelled("b.png", "egg", specimens=["s-1"])]  # fmt: skip
    found = suspects(filed(*rows, links=[("a.png", "copy.png", "transformed")]), reference)
    assert [one.path for one in found.suspects] == ["copy.png", "a.png"]
    assert found.suspects[1].wrong < 0.5 <= found.suspects[0].wrong
    assert found.suspects[0].contradicted
    assert "a copy of it is labelled egg (a.png)" in found.suspects[0].reason


def test_a_copy_that_is_told_fewer_objects_is_told_last(filed: Filed, reference: Taxonomy) -> None:
    rows = [labelled("mixed.png", "egg", "mango"), labelled("copy.png", "egg"), labelled("x.png", "mango")]
    (one,) = suspects(filed(*rows, links=[("mixed.png", "copy.png", "bytes")]), reference).suspects
    assert one.path == "copy.png"
    assert one.wrong < 0.1


def test_the_model_decides_where_nothing_else_is_said(filed: Filed, reference: Taxonomy) -> None:
    sure = {f"{n}.png": np.eye(3)[n % 3] * 0.94 + 0.02 for n in range(60)}
    rows = [labelled(path, CLASSES[n % 3]) for n, path in enumerate(sure)]
    rows[7] = labelled("7.png", "apple")  # the model sees egg
    project = filed(*rows)
    write_run(project, sure)
    found = suspects(project, reference)
    (one,) = found.suspects
    assert (one.path, one.model, one.suggested, one.issue) == ("7.png", "egg", "egg", True)
    assert (found.source, found.notes) == ("runs/cv", ())
    labels.append(project, [verdict("7.png", "egg")])
    assert suspects(project, reference).suspects == []
    assert "the model sees egg" in one.reason


def test_a_copy_that_took_no_part_gets_what_was_said_of_the_picture_that_did(filed: Filed, reference: Taxonomy) -> None:
    rows = [labelled(f"{n}.png", CLASSES[n % 3]) for n in range(6)]
    project = filed(*rows, labelled("copy.png", "apple"), labelled("unseen.png", "egg"),
                    links=[("0.png", "copy.png", "bytes")])  # fmt: skip
    write_run(project, {f"{n}.png": np.eye(3)[n % 3] for n in range(6)})
    said = predicted.predicted(project, gather(project, reference), None, 1, lambda *_: None)
    at = {i: n for n, i in enumerate(gather(project, reference).ids)}
    assert said.probability[at["id of copy.png"]].tolist() == [1, 0, 0]
    assert said.known[at["id of copy.png"]]
    assert not said.known[at["id of unseen.png"]]
    assert suspects(project, reference).suspects == []


def test_a_person_who_looked_again_outweighs_the_folder(filed: Filed, reference: Taxonomy) -> None:
    project = filed(labelled("a.png", "egg"), labelled("b.png", "mango"))
    labels.append(project, [verdict("a.png", "mango")])
    (one,) = suspects(project, reference, Options(top=1)).suspects
    assert (one.path, one.object) == ("a.png", "mango")
    assert one.wrong < 0.5
    assert "the export said egg" in one.reason


def test_people_who_disagree_and_second_looks_are_listed(filed: Filed, reference: Taxonomy) -> None:
    project = filed(labelled("a.png", "egg"), labelled("b.png", "mango"), labelled("c.png", "mango"))
    said = [verdict("a.png", "mango", "kim"), verdict("a.png", "egg", "lee")]
    labels.append(project, [*said, verdict("b.png", True, "kim", "second_look")])
    found = by_path(suspects(project, reference))
    assert set(found) == {"a.png", "b.png"}
    assert "people disagree: kim mango, lee egg" in found["a.png"].reason
    assert "kim asked for a second look" in found["b.png"].reason
    labels.undo(project, reference, [said[1].row["event_id"]], at=said[0].at, by="lee", source="cli")
    assert "disagree" not in by_path(suspects(project, reference, Options(top=9)))["a.png"].reason


def test_rejected_and_missing_images_are_no_suspects(filed: Filed, reference: Taxonomy) -> None:
    rows = [labelled(f"{n}.png", "egg", specimens=["s-1"]) for n in range(3)]
    gone = labelled("gone.png", "mango", specimens=["s-1"], missing=True)
    project = filed(*rows, gone, labelled("bad.png", "mango", specimens=["s-1"]))
    labels.append(project, [verdict("bad.png", True, field="reject")])
    assert suspects(project, reference).suspects == []


def test_no_family_is_divided_between_learning_and_judging(
    filed: Filed, reference: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [labelled(f"{n}.png", CLASSES[n % 3], specimens=[f"s-{n // 3}"]) for n in range(60)]
    project = filed(*rows)
    judged: list[float] = []

    class Spy:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def fit(self, described: NDArray[Any], label: NDArray[Any]) -> None:
            self.learnt, self.classes_ = set(described[:, 0].tolist()), np.unique(label)

        def predict_proba(self, described: NDArray[Any]) -> NDArray[Any]:
            assert not self.learnt & set(described[:, 0].tolist())
            judged.extend(described[:, 0].tolist())
            return np.full((len(described), len(self.classes_)), 1 / len(self.classes_))

    class Sketched:
        unread: dict[int, str] = {}  # noqa: RUF012
        thumbs = np.zeros((60, 64, 64), np.uint8)

    monkeypatch.setattr(predicted, "ExtraTreesClassifier", Spy)
    monkeypatch.setattr(predicted.scans, "located", lambda *_: [])
    monkeypatch.setattr(features, "sketches", lambda *_, **__: Sketched())
    monkeypatch.setattr(
        predicted, "_described", lambda filings, rows, _: filings.component[rows].astype(float)[:, None]
    )
    found = suspects(project, reference)
    assert len(judged) == 60
    assert found.source == predicted.QUICK


def test_few_images_of_many_objects_ask_no_model_and_warn_nobody(filed: Filed, reference: Taxonomy) -> None:
    rows = [labelled(f"{n}.png", f"thing {n // 2}") for n in range(40)]
    found = suspects(filed(*rows), reference)
    assert (found.source, found.suspects) == ("no model", [])
    assert "too few" in found.notes[0]


def test_a_run_without_folds_is_refused(filed: Filed, reference: Taxonomy) -> None:
    project = filed(labelled("a.png", "egg"))
    write_run(project, {"a.png": [0, 1, 0]}, "plain", folds=False)
    with pytest.raises(InputError, match="no run with folds"):
        suspects(project, reference, Options(run="plain"))
    assert suspects(project, reference).source == "no model"


def test_the_list_is_written_for_others_and_read_back(filed: Filed, reference: Taxonomy) -> None:
    name = 'a "b", c;\r\nd.png'
    rows = [labelled(f"{n}.png", "egg", specimens=["s-1"]) for n in range(3)]
    project = filed(*rows, labelled(name, "mango", specimens=["s-1"]))
    found = suspects(project, reference)
    told = json.loads(found.file.read_text(encoding="utf-8"))
    assert (told["format"], told["source"]) == (1, "no model")
    assert [one["image_id"] for one in told["suspects"]] == [f"id of {name}"]
    file = project.folder / "suspects.csv"
    write_csv(found, file)
    with file.open(encoding="utf-8", newline="") as text:
        (row,) = csv.DictReader(text)
    assert (row["path"], row["object"], row["suggested"]) == (name, "mango", "egg")
    assert not list(project.folder.glob(".*.tmp"))


def test_a_model_that_knows_nothing_is_made_to_say_so() -> None:
    draw = np.random.default_rng(3)
    label = draw.integers(0, 4, 400)
    claims = np.eye(4)[draw.integers(0, 4, 400)] * 0.97 + 0.0075
    made = honest(label, claims)
    assert np.allclose(made.sum(1), 1)
    assert made.max() < 0.4
    right = honest(label, np.eye(4)[label] * 0.9 + 0.025)
    assert right[np.arange(400), label].min() > 0.9


@given(st.lists(st.sampled_from(CLASSES), min_size=1, max_size=6), st.permutations(range(3)))
def test_the_order_of_words_and_classes_does_not_matter(said: list[str], order: list[int]) -> None:
    own, *others = [frozenset([one]) for one in said]
    words = [Word(label, n, "specimen") for n, label in enumerate(others)]
    plain = posterior(CLASSES, [own], None, words)
    mixed = posterior([CLASSES[k] for k in order], [own], None, words[::-1])
    assert np.allclose(plain[order], mixed)
    assert np.isclose(plain.sum(), 1)
