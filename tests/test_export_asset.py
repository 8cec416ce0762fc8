"""The fake export that tests and the demonstration use.

Wrong while green would be: an export that changes from run to run, so that no digest can be compared.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from assets import export


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_seed_gives_the_same_bytes_by_script_and_by_call(tmp_path):
    truth = export.write_export(tmp_path / "a", seed=1)
    subprocess.run([sys.executable, export.__file__, str(tmp_path / "b"), "--seed", "1"], check=True)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    assert set(truth) <= set(first)
    assert 100 <= len(first) <= 150
    export.write_export(tmp_path / "c", seed=2)
    other = contents(tmp_path / "c")
    assert other.keys() == first.keys()
    assert all(other[path] != first[path] for path in truth)
