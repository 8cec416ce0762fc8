"""Manifest tables: read by columns and in batches, written atomically, with digests, provenance and a lock."""

from xqdata.manifest.digest import Digest, digest, nothing
from xqdata.manifest.lock import lock
from xqdata.manifest.store import (
    TOGETHER,
    Origin,
    Project,
    Provenance,
    batches,
    exists,
    finish_commit,
    provenance,
    read,
    standing,
    write,
)

__all__ = [
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
    "provenance",
    "read",
    "standing",
    "write",
]
