"""The installed command, as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

XQDATA = Path(sys.executable).with_name("xqdata")


def run(folder: Path, *arguments: str, code: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run it in `folder`; it must end with `code`, and never with a traceback."""
    words = [str(XQDATA), *arguments]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=300, **more)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done
