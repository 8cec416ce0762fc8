"""Which readers apply, and readers of other distributions.

Wrong while green would be: a plug-in that is found but loses against our own readers, or a broken one that ends in a
traceback.
"""

from __future__ import annotations

import pytest

from xqdata import readers
from xqdata.errors import ConfigError, XqdataError
from xqdata.readers import READERS, Reading, available, choose


class Smiths:
    """Somebody else's reader."""

    name = "smiths"

    def sniff(self, tree):
        return "it has .smiths files" if any("smiths" in p for p in tree.paths) else None

    def read(self, tree):
        return Reading({p: {"scanner_make": "Smiths"} for p in tree.paths})


class Point:
    def __init__(self, name, loaded):
        self.name, self.loaded = name, loaded

    def load(self):
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


@pytest.fixture
def plugged(monkeypatch):
    def plug(*points):
        monkeypatch.setattr(readers, "entry_points", lambda group: points if group == "xqdata.readers" else ())

    return plug


def test_our_own_readers_the_strongest_first():
    """A person's table and pattern beat what names say by themselves; folders are the last resort."""
    names = [r.name for r in READERS]
    assert len(set(names)) == len(names)
    assert names[:2] == ["tables", "patterns"]
    assert names[-1] == "folders"
    assert "cubox" in names
    assert available()[-len(READERS) :] == READERS


def test_only_those_that_apply_are_chosen_each_with_a_reason(tree):
    chosen = choose(tree("apple/x.png"))
    assert [r.name for r, _ in chosen] == ["folders"]
    assert all(why for _, why in chosen)
    assert choose(tree("a/x.png")) == []


def test_a_choice_can_be_narrowed(tree):
    both = tree("apple/x_1.png", patterns=["x_{shot}.{ext}"])
    assert [r.name for r, _ in choose(both)] == ["patterns", "folders"]
    assert [r.name for r, _ in choose(both, ["folders"])] == ["folders"]


def test_an_unknown_reader_is_one_line(tree):
    with pytest.raises(ConfigError, match=r"there is no reader 'folder'; readers are tables, patterns, .*folders$"):
        choose(tree("apple/x.png"), ["folder"])


def test_another_distributions_reader_comes_first(tree, plugged):
    plugged(Point("smiths", Smiths))
    found = tree("apple/x.smiths")
    assert [r.name for r, _ in choose(found)] == ["smiths", "folders"]
    assert [r.name for r, _ in choose(found, ["smiths"])] == ["smiths"]
    assert [r.name for r, _ in choose(tree("apple/x.png"))] == ["folders"]


def test_a_reader_that_cannot_be_loaded_is_one_line(tree, plugged):
    plugged(Point("broken", ImportError("no module named smiths")))
    with pytest.raises(XqdataError, match="broken"):
        choose(tree("apple/x.png"))
