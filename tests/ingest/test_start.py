"""How an ingest starts: what opens no file loads no decoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from assets.pictures import save

DECODERS = ("numba", "scipy", "cv2", "PIL", "tifffile", "imagecodecs", "pydicom")
INGEST = f"""
import sys
from xqdata.cli import main

main(["ingest", "raw", "--quiet"], standalone_mode=False)
print([name for name in {DECODERS} if name in sys.modules])
"""


def loaded(folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", INGEST], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_second_run_loads_no_decoder(tmp_path):
    for number in range(3):
        save(tmp_path / f"raw/apple_{number}.png", seed=number)
    assert "PIL" in loaded(tmp_path)
    assert loaded(tmp_path) == "[]"
