"""What all tests share: a project folder, a raw folder, the reference taxonomy, and hypothesis made repeatable."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from assets import s3 as s3_server
from xqdata import taxonomy as taxonomies
from xqdata.config import IngestConfig
from xqdata.manifest import Project
from xqdata.readers import Tree
from xqdata.taxonomy import Taxonomy

_QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("ci", derandomize=True, deadline=None, database=None, suppress_health_check=_QUIET)
settings.register_profile("search", max_examples=2000, deadline=None, suppress_health_check=_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def reference() -> Taxonomy:
    return taxonomies.load()


@pytest.fixture
def tree(raw: Path, reference: Taxonomy) -> Callable[..., Tree]:
    """Makes the listing that readers see: of the given paths, which need not exist, or of what lies in `raw`."""

    def make(*paths: str, location: Path = raw, **ingest: Any) -> Tree:
        listed = paths or [p.relative_to(location).as_posix() for p in location.rglob("*") if p.is_file()]
        return Tree("raw", location, sorted(listed), reference, IngestConfig(**ingest), location.parent)

    return make


@pytest.fixture(scope="session")
def s3() -> Iterator[s3_server.Store]:
    """A local S3 that this process, and those that it starts, take for the one there is."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install '/path/to/xqdata[remote]'")
    pytest.importorskip("moto", reason="moto is not installed: pip install '/path/to/xqdata[dev]'")
    with s3_server.serving() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in {**s3_server.ENVIRONMENT, "AWS_ENDPOINT_URL": store.url}.items():
            patch.setenv(name, value)
        yield store


@pytest.fixture
def bucket(s3: s3_server.Store) -> Iterator[str]:
    """The name of an empty bucket of a test's own."""
    name = f"scans-{uuid.uuid4().hex[:12]}"
    s3.bucket(name)
    s3.requests.clear()
    yield name
    s3.refuse = lambda method, path: False
    s3.refusal = ("403 Forbidden", "AccessDenied")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; skips where there is none, but fails where XQDATA_NEEDS_BROWSER says that there must be one."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        told = f"no browser: none of {', '.join(BROWSERS)} is installed"
        if os.environ.get("XQDATA_NEEDS_BROWSER"):
            pytest.fail(told)
        pytest.skip(told)
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as play:
        launched = play.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()
