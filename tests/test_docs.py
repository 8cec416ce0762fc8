"""The documentation follows the code: generated pages are current, every command is documented, examples work."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from xqdata import config, taxonomy
from xqdata.config import IngestConfig
from xqdata.readers import READERS, Tree

DOCS = Path(__file__).parent.parent / "docs"


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return script("generate")


@pytest.fixture(scope="module")
def examples() -> ModuleType:
    return script("examples")


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def test_generated_pages_are_current(generate: ModuleType) -> None:
    assert generate.stale(generate.pages()) == [], "run: python docs/generate.py"


def test_check_names_a_stale_page(generate, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    assert generate.run([]) == 0
    assert generate.run(["--check"]) == 0
    (tmp_path / "reference" / "cli.md").write_text("old", encoding="utf-8")
    capsys.readouterr()
    assert generate.run(["--check"]) == 1
    assert capsys.readouterr().err.splitlines() == ["docs/reference/cli.md is stale; run: python docs/generate.py"]


def test_every_command_is_documented_with_an_example(generate: ModuleType) -> None:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    for name, text in generate.commands():
        assert f"\n## {name}\n" in page
        assert re.search(rf"(Example|Start with).*\n +{name}", text), f"{name} --help shows no example"


def test_every_command_is_mentioned_in_prose(generate: ModuleType) -> None:
    prose = "".join(p.read_text(encoding="utf-8") for p in DOCS.glob("*.md"))
    assert [name for name, _ in generate.commands() if name not in prose] == []


@pytest.mark.parametrize("page", ["ingest.md", "reference/config.md"])
def test_config_examples_are_valid(page: str) -> None:
    found = blocks(page, "toml")
    assert found
    for text in found:
        config.parse_toml(text, config.Config, where=page)


def test_own_taxonomy_example_is_valid(tmp_path: Path) -> None:
    (example,) = blocks("taxonomy.md", "toml")
    (tmp_path / "own.toml").write_text(example, encoding="utf-8")
    own = taxonomy.load(tmp_path / "own.toml")
    assert own.find_object("plantain") == "banana"
    assert own.scan_types["tray_single"].factors == {"container": "tray", "multiplicity": "single"}


def test_every_reader_is_listed_in_the_order_of_strength() -> None:
    page = (DOCS / "ingest.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| .* \| (?:\w*) ?\|$", page, flags=re.MULTILINE) == [r.name for r in READERS]


def test_every_reject_reason_is_explained() -> None:
    from xqdata.schema import REJECT_REASONS

    page = (DOCS / "ingest.md").read_text(encoding="utf-8")
    assert [reason for reason in REJECT_REASONS if f"\n| `{reason}` | " not in page] == []


def test_example_reader_works(tmp_path: Path) -> None:
    (example,) = blocks("writing-a-reader.md", "python")
    module = ModuleType("xqdata_par")
    sys.modules["xqdata_par"] = module
    try:
        exec(compile(example, "writing-a-reader.md", "exec"), module.__dict__)
    finally:
        del sys.modules["xqdata_par"]
    (tmp_path / "0001.par").write_text("KV=160\nGOODS = apple\nSHIFT=2\nnonsense\n", encoding="utf-8")
    paths = ["0001.par", "0001.png", "0002.png"]
    tree = Tree("raw", tmp_path, paths, taxonomy.load(), IngestConfig(), tmp_path)
    reader = module.Par()
    assert reader.sniff(tree) == "pictures with a .par file: 1"
    reading = reader.read(tree)
    assert reading.fields == {"0001.png": {"kvp": "160", "object": "apple", "shift": "2"}}
    assert reading.sources == {"0001.par": "sidecar"}
    assert [(bad.path, bad.item) for bad in reading.bad_rows] == [("0001.par", "line 4")]


PAGE = """# A page

<!-- run hidden
mkdir deep && cd deep
-->
<!-- file names.txt -->
```text
apple
egg
```

<!-- run cut "^b" "^d" -->
```console
$ cat names.txt && pwd
apple
egg
/home/kim/deep
$ printf 'a\\nb\\nc\\nd\\n' && echo "took 3.1 s"
a
…
d
took 2.0 s
```

```console
$ not run
```
"""


def test_examples_run_one_after_the_other_and_times_may_differ(examples: ModuleType) -> None:
    assert examples.renewed(PAGE) == PAGE
    stale = PAGE.replace("egg\n/home", "eggs\n/home")
    assert examples.renewed(stale) == PAGE.replace("took 2.0 s", "took 3.1 s")


def test_what_may_differ_is_written_anew_only_with_the_rest(examples: ModuleType) -> None:
    page = """<!-- run loose -->
```console
$ echo right 5
right 4
```

<!-- run vary "worst: .* end" -->
```console
$ echo "worst: apple (3); egg (2) end"
worst: egg (4) end
```

<!-- run -->
```console
$ echo fixed
fixed
```
"""
    assert examples.renewed(page) == page
    new = page.replace("right 4", "right 5").replace("\nworst: egg (4) end", "\nworst: apple (3); egg (2) end")
    assert examples.renewed(page.replace("\nfixed", "\nfixd")) == new


@pytest.mark.parametrize(
    "old, new, loose, varying, same",
    [
        ("difference +9.1 (-3.1 to +21.9)", "difference +12.1 (+0.0 to +25.7)", True, (), True),
        ("made 2025-03-03 09:12", "made 2026-11-25 07:31", False, (), True),
        ("took 3.1 s, 151 MB", "took 12.0 s, 149 MB", False, (), True),
        ("17  copies", "17 copies", False, (), True),
        ("17 copies", "18 copies", False, (), False),
        ("accuracy 18.2% (5.7% to 32.4%)", "accuracy 9.1% (–0.1% to 18.4%)", True, (), True),
        ("accuracy 18.2%", "recall 18.2%", True, (), False),
        ("549172d58553  kim", "efc94772cb52  kim", False, (), True),
        (
            "worst: egg (2); leek\n  (1)\n  left out: 7",
            "worst: bag (3)\n  left out: 7",
            False,
            ("worst: .* left",),
            True,
        ),
        ("worst: egg (2)\n  left out: 7", "worst: bag (3)\n  left out: 8", False, ("worst: .* left",), False),
        ("worst: egg (2)\n  left out: 7", "best: bag (3)\n  left out: 7", False, ("worst: .* left",), False),
    ],
)
def test_what_an_example_may_differ_in(
    examples: ModuleType, old: str, new: str, loose: bool, varying: tuple[str, ...], same: bool
) -> None:
    assert examples.Example(old, loose=loose, varying=varying).says(new) is same


def test_an_example_that_fails_is_an_error(examples: ModuleType) -> None:
    failing = "<!-- run -->\n```console\n$ false\n```"
    with pytest.raises(RuntimeError, match="ended with 1, not 0"):
        examples.renewed(failing)
    assert examples.renewed(failing.replace("run", "run exit 1")) == failing.replace("run", "run exit 1")


def test_every_page_with_examples_is_in_the_navigation(examples: ModuleType) -> None:
    navigation = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    assert "tutorial.md" in examples.pages()
    assert [page for page in examples.pages() if f": {page}\n" not in navigation] == []


def test_what_is_shown_from_the_tutorial_is_in_it() -> None:
    shown = 0
    tutorial = (DOCS / "tutorial.md").read_text(encoding="utf-8").splitlines()
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"<!-- from tutorial.md -->\n```console\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            shown += 1
            assert [line for line in block.splitlines() if line not in tutorial] == [], page.name
    assert shown
