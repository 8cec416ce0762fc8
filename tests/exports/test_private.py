"""What names an operator, a site or a machine stays inside, wherever it stood.

Wrong while green would be: a search that looks into names of columns only, and not into compressed columns, tar files,
the pictures' own texts, names of files, sessions that bear an operator's name, or the record of what was asked for.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from exports.conftest import OPERATOR, SECRETS, SERIAL, SITE, images
from xqdata.exports import FORMATS
from xqdata.taxonomy import fold

READABLE = (".png", ".jpg", ".bmp", ".webp")


def everything(folder: Path) -> str:
    """All that an export says: names, bytes as Latin-1 and as UTF-8, tables and texts of pictures unpacked."""
    told = []
    for path in folder.rglob("*"):
        told.append(path.relative_to(folder).as_posix())
        if path.is_file():
            told += _said(path)
        if path.suffix == ".tar":
            unpacked = folder.parent / "unpacked" / path.name
            with tarfile.open(path) as tar:
                tar.extractall(unpacked, filter="data")
            told.append(everything(unpacked))
    return fold("\n".join(told))


def _said(path: Path) -> list[str]:
    data = path.read_bytes()
    told = [data.decode("latin-1"), data.decode("utf-8", "replace"), data.decode("utf-16-le", "replace")]
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        told += [json.dumps(table.to_pylist(), default=str, ensure_ascii=False), str(table.schema.metadata)]
    if path.suffix in READABLE:
        with Image.open(path) as image:
            told += [str(image.info), str(dict(image.getexif()))]
    return told


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("bits", [8, 16])
def test_no_secret_leaves(laboratory, make, tmp_path, format, bits):
    make(laboratory, format, bits=bits, where=f"operator == '{OPERATOR}' or object is None")
    told = everything(tmp_path / "out")
    assert [secret for secret in SECRETS if fold(secret) in told] == []
    assert fold("0001") not in {fold(path.stem) for path in (tmp_path / "out").rglob("*")}


@pytest.mark.parametrize("format", FORMATS)
def test_they_leave_where_that_is_asked_for(laboratory, make, tmp_path, format):
    make(laboratory, format, private=True)
    told = everything(tmp_path / "out")
    assert [secret for secret in SECRETS if fold(secret) not in told] == []
    assert fold("asked Kim Minsu") in told  # extra


def test_sessions_that_bear_a_name_become_numbers_and_stay_apart(laboratory, make, tmp_path):
    import csv

    result = make(laboratory, "csv")
    with (tmp_path / "out/images.csv").open(encoding="utf-8", newline="") as file:
        found = {row["image_id"]: row["session"] for row in csv.DictReader(file)}
    before = {image: row["session"] for image, row in images(laboratory).items() if image in found}
    pairs = {(before[image], found[image]) for image in found}
    assert len(pairs) == len(set(before.values())) == len(set(found.values()))
    assert all(name.startswith("session-") for name in found.values())
    assert any(note.startswith("session: some names hold an operator's") for note in result.notes)


def test_specimens_without_a_name_stay(laboratory, make, tmp_path):
    make(laboratory, "csv")
    text = (tmp_path / "out/images.csv").read_text()
    assert "apple-0" in text


@pytest.mark.parametrize(
    ("value", "secret", "holds"),
    [
        ("kim-minsu 2024", "Kim Minsu", True), ("B-17", "B", True), ("Basket", "B", False), ("lab3", "3", False),
        ("lab 3", "3", True), ("김민수-1", "김민수", True), ("sn77142x", "SN-77142", True), ("session 5", SITE, False),
        ("x", SERIAL, False), ("a!b", "!", True),
    ],
)  # fmt: skip
def test_when_a_name_holds_a_secret(value, secret, holds):
    from xqdata.exports.columns import _holds

    assert _holds(value, secret) is holds


def test_links_carry_no_path_and_no_picture_with_texts_is_linked(laboratory, make, tmp_path):
    result = make(laboratory, "csv", link=True)
    raw = {path.stat().st_ino: path for path in (laboratory.folder / "raw").rglob("*") if path.is_file()}
    linked = [path for path in (tmp_path / "out").rglob("*") if path.stat().st_ino in raw and path.is_file()]
    assert len(linked) == result.linked > 3
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert not {raw[path.stat().st_ino].name for path in linked} & {"0002.jpg", "0006.webp", "0014.png"}
    told = everything(tmp_path / "out")
    assert [secret for secret in SECRETS if fold(secret) in told] == []
