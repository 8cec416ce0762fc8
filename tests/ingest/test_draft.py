"""The drafted xqdata.toml.

It could be wrong while tests pass if it were only ever read, not used: so each draft is ingested with, and what it
proposes is compared with what the names were made from.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from xqdata import config
from xqdata.ingest import Root, draft
from xqdata.ingest.draft import propose_pattern
from xqdata.readers.patterns import compile_pattern
from xqdata.taxonomy import Taxonomy


@pytest.mark.parametrize(
    ("template", "pattern"),
    [
        ("{o}_{n}-{k}.png", "{object}_{number}-{shot}.{ext}"),
        ("{k} {o}.png", "{shot} {object}.{ext}"),
        ("2024051{n}_{k}_top.jpg", "{acquired_at}_{shot}_{view}.{ext}"),
        ("{n}_{k}_high.tif", "{number}_{shot}_{channel}.{ext}"),
    ],
)
def test_a_pattern_is_proposed_from_how_names_are_built(template: str, pattern: str, reference: Taxonomy) -> None:
    objects = ("mango", "apple", "Egg")
    names = [template.format(o=objects[k % 3], n=k % 4, k=f"{k:04}") for k in range(40)]
    assert propose_pattern(names, reference) == (pattern, 1.0)
    compiled = compile_pattern(pattern, reference)
    assert all(compiled.describe(name) for name in names)


@pytest.mark.parametrize("names", [[], ["0582.png", "0583.png"], ["a_b.png", "a-b.png", "a b c.png", "x.png"]])
def test_no_pattern_is_invented(names: list[str], reference: Taxonomy) -> None:
    assert propose_pattern(names, reference) is None


def test_a_log_is_mapped_and_the_draft_is_valid(tmp_path: Path, raw: Path, reference: Taxonomy) -> None:
    (raw / "a.png").write_bytes(b"x")
    (raw / "기록.csv").write_text("파일명,관전압 kV,비고,담당자\na.png,140,없음,김\n", encoding="cp949")
    text = draft([Root("raw", raw)], reference, tmp_path)
    (tmp_path / "xqdata.toml").write_text(text, encoding="utf-8")
    (table,) = config.load(tmp_path).ingest.tables
    assert (table.path, table.file_column) == ("raw/기록.csv", "파일명")
    assert table.columns == {"관전압 kV": "kvp", "담당자": "operator"}


def test_hostile_names_stay_inside_their_comment(tmp_path: Path, raw: Path, reference: Taxonomy) -> None:
    (raw / 'dracaena"\n[ingest]\nmax_pixels = 1\n#').mkdir()
    (raw / 'dracaena"\n[ingest]\nmax_pixels = 1\n#' / "a.p\nng = 1").write_bytes(b"x")
    (raw / 'evil"\n.csv').write_text('file,"x""\n[ingest]"\na.png,1\n')
    text = draft([Root("raw", raw)], reference, tmp_path)
    (tmp_path / "xqdata.toml").write_text(text, encoding="utf-8")
    assert config.load(tmp_path).ingest.max_pixels == 250_000_000


def test_names_that_a_dialect_says_all_of_get_no_pattern(tmp_path: Path, raw: Path, reference: Taxonomy) -> None:
    for shot in range(4):
        (raw / f"E3S690_20221007_0279189{shot}_S_Knife-D_029-028_{shot}.png").write_bytes(b"x")
    text = draft([Root("raw", raw)], reference, tmp_path)
    assert "no pattern is needed; a pattern would override" in text
    assert "patterns = [" not in text


def test_names_in_known_folders_still_get_a_pattern(tmp_path: Path, raw: Path, reference: Taxonomy) -> None:
    (raw / "mango").mkdir()
    for shot in range(9):
        (raw / "mango" / f"mango_{shot % 2}-{shot}.png").write_bytes(b"x")
    assert '# patterns = ["{object}_{number}-{shot}.{ext}"]' in draft([Root("raw", raw)], reference, tmp_path)


def test_lines_fit_a_terminal_and_name_a_page_that_exists(tmp_path: Path, raw: Path, reference: Taxonomy) -> None:
    for shot in range(4):
        (raw / f"E3S690_20221007_0279189{shot}_S_Knife-D_029-028_{shot}.png").write_bytes(b"x")
    (raw / "odd.csv").write_text("no names,here\n1,2\n")
    for name in ("raw", "folder-of-a-very-long-name-" * 2):
        text = draft([Root(name, raw)], reference, tmp_path)
        assert max(map(len, text.splitlines())) < 80
    assert "docs/reference/config.md" in text
    assert (Path(__file__).parents[2] / "docs/reference/config.md").is_file()


def test_a_table_beside_the_project_is_named_from_there(tmp_path: Path, raw: Path, reference: Taxonomy) -> None:
    (raw / "a.png").write_bytes(b"x")
    (raw / "log.csv").write_text("file,kvp\na.png,140\n")
    project = tmp_path / "project"
    project.mkdir()
    text = draft([Root("raw", raw)], reference, project)
    assert 'path = "../raw/log.csv"' in text
