"""Manifest tables: read by columns and in batches, written atomically, with digests, provenance and a lock."""

from xqdata.manifest.digest import Digest, digest, nothing
from xqdata.manifest.gather import ordered, taken
from xqdata.manifest.lock import lock
from xqdata.manifest.store import (
    DEFAULT_SPLIT,
    TOGETHER,
    Origin,
    Project,
    Provenance,
    batches,
    exists,
    finish_commit,
    provenance,
    read,
    splits,
    standing,
    widened,
    write,
)

__all__ = [
    "DEFAULT_SPLIT",
    "TOGETHER",
    "Digest",
    "Origin",
    "Project",
    "Provenance",
    "batches",
    "digest",
    "exists",
    "finish_commit",
    "lock",
    "nothing",
    "ordered",
    "provenance",
    "read",
    "splits",
    "standing",
    "taken",
    "widened",
    "write",
]
