"""The plug-in: that FiftyOne finds it beside a person's own, and what its operators do.

It could be wrong while tests pass if the operators were found from the checkout alone, if a person's own plug-ins were
hidden, or if an operator took pictures that nobody selected. So FiftyOne lists its plug-ins from the folder that
`xqdata view` gives it, and executes each operator as the App asks it to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from xqdata.manifest import Project

Bring = Callable[..., Any]
OPERATORS = {"set_object", "set_scan_type", "set_specimen", "reject", "same", "different", "second_look"}


@pytest.fixture
def plugins(fiftyone: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person's own folder of plug-ins, with one in it, while FiftyOne is told the folder that the App is told."""
    from xqdata.app.serve import _plugins

    own = tmp_path / "mine"
    (own / "theirs").mkdir(parents=True)
    (own / "theirs" / "fiftyone.yml").write_text('name: "@kim/own"\n', encoding="utf-8")
    monkeypatch.setattr(fiftyone.config, "plugins_dir", str(own))
    with _plugins() as folder:
        monkeypatch.setattr(fiftyone.config, "plugins_dir", folder)
        yield own


def test_ours_and_a_persons_own_are_found(plugins: Path) -> None:
    import fiftyone.operators as foo
    import fiftyone.plugins as fop

    assert {plugin.name for plugin in fop.list_plugins()} == {"@kim/own", "@xqdata/labels"}
    assert [path.name for path in plugins.iterdir()] == ["theirs"]  # nothing was put there
    ours = [each for each in foo.list_operators(builtin=False) if each.plugin_name == "@xqdata/labels"]
    assert {each.name for each in ours} == OPERATORS
    assert all(each.config.label and each.config.description and each.config.icon for each in ours)


def call(dataset: Any, name: str, selected: list[Any], **params: Any) -> Any:
    """Execute an operator as the App does. Raises what it refuses."""
    from fiftyone.operators.executor import execute_or_delegate_operator

    request = {
        "dataset_name": dataset.name,
        "selected": [str(one) for one in selected],
        "params": {"by": "kim", "why": "because", **params},
        "view": [],
        "request_delegation": False,
    }
    done = asyncio.run(execute_or_delegate_operator(f"@xqdata/labels/{name}", request))
    done.raise_exceptions()
    dataset.reload()
    return done


def said(dataset: Any) -> list[tuple[Any, ...]]:
    from xqdata.app.people import verdicts

    return [(one.image_id, one.topic, one.after, one.by, one.why) for one in verdicts(dataset)]


def test_each_operator_speaks_of_what_was_selected(lab: Project, bring: Bring, plugins: Path) -> None:
    dataset = bring().dataset
    one, two, three = (dataset.skip(n).first() for n in range(3))
    call(dataset, "set_object", [one.id, two.id], objects=["Mango"])
    call(dataset, "set_object", [three.id], objects=["apple", "unheard of "], why=" ")
    call(dataset, "set_scan_type", [one.id], scan_type="Mixed carrier")
    call(dataset, "set_specimen", [one.id], specimens=["s-2", " s-1"])
    call(dataset, "reject", [two.id])
    call(dataset, "second_look", [three.id])
    call(dataset, "different", [three.id, two.id])
    ids = [sample.image_id for sample in (one, two, three)]
    pair, *_ = [line for line in said(dataset) if line[1] == "pair"]
    assert [line for line in said(dataset) if line[1] != "pair"] == [
        (ids[0], "object", "mango", "kim", "because"),
        (ids[1], "object", "mango", "kim", "because"),
        (ids[2], "object", ["apple", "unheard of"], "kim", None),
        (ids[0], "scan_type", "mixed_carrier", "kim", "because"),
        (ids[0], "specimens", ["s-1", "s-2"], "kim", "because"),
        (ids[1], "reject", True, "kim", "because"),
        (ids[2], "second_look", True, "kim", "because"),
    ]
    assert pair[0] in ids[1:]
    one, two, three = (dataset.skip(n).first() for n in range(3))
    assert (one.object.label, one.scan_type.label, one.specimens) == ("mango", "mixed_carrier", ["s-1", "s-2"])
    assert (two.tags, three.tags) == (["reject"], ["second_look"])
    assert (three.object, [each.label for each in three.objects.classifications]) == (None, ["apple", "unheard of"])


def test_nothing_selected_says_nothing(bring: Bring, plugins: Path, fiftyone: ModuleType) -> None:
    from fiftyone.operators.executor import ExecutionError

    dataset = bring().dataset
    ids = dataset.values("id")
    for name, selected in (("reject", []), ("same", ids[:1]), ("same", ids[:3]), ("different", [])):
        with pytest.raises(ExecutionError):
            call(dataset, name, selected)
    with pytest.raises(ExecutionError):
        call(dataset, "set_object", ids[:1], objects=[" "])
    assert said(dataset) == []
    foreign = fiftyone.Dataset()
    foreign.add_sample(fiftyone.Sample("/nowhere/a.png"))
    with pytest.raises(ExecutionError):
        call(foreign, "reject", foreign.values("id"))
    foreign.delete()


def test_the_open_picture_is_meant_where_none_is_selected(bring: Bring) -> None:
    from types import SimpleNamespace

    from xqdata.app.operators import _pictures

    dataset = bring().dataset
    one, two = dataset.values("id")[:2]
    asked = SimpleNamespace(dataset=dataset, selected=[], current_sample=one)
    assert [str(each["_id"]) for each in _pictures(asked)] == [one]
    asked.selected = [two]
    assert [str(each["_id"]) for each in _pictures(asked)] == [two]


def test_a_taxonomy_of_the_laboratory_is_offered(lab: Project, bring: Bring, plugins: Path) -> None:
    from types import SimpleNamespace

    from xqdata.app.operators import SetObject

    (lab.folder / "xqdata.toml").write_text('[ingest]\ntaxonomy = "own.toml"\n', encoding="utf-8")
    (lab.folder / "own.toml").write_text("[objects.durian]\n", encoding="utf-8")
    dataset = bring().dataset
    asked = SimpleNamespace(dataset=dataset, selected=dataset.values("id")[:1], current_sample=None, params={})
    form = SetObject().resolve_input(asked).to_json()
    offered = [each["value"] for each in form["type"]["properties"]["objects"]["view"]["choices"]]
    assert offered[0] == "durian"
    assert "apple" in offered  # which the labels use
