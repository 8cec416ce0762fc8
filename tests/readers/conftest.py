"""What the tests of readers share with those of ingest."""

from __future__ import annotations

from ingest.conftest import run

__all__ = ["run"]
