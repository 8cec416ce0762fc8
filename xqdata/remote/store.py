"""What is asked of a store: lists of its folders, and files whole or in part.

Whatever goes wrong on the way is a RemoteError: it says nothing of the file, and must never make a reject of a good
scan. That a file is not there is a FileNotFoundError. Trying again is the business of the libraries below.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, BinaryIO

from xqdata.crawl import Crawl
from xqdata.errors import InputError, RemoteError, installing, one_line
from xqdata.remote.address import Address

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "adl": "adlfs"}
# A file is one request; s3fs would else ask for its size first. The listing is asked for anew each time.
_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"max_concurrency": 1}}
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
_TAGS = ("ETag", "etag", "generation", "md5Hash", "sha")
_QUERY = re.compile(r"(\w+://[^\s?\"']*)\?[^\s\"']*")  # of a signed address: as good as a password
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
THREADS = 32  # folders that are listed at once: each waits for an answer nearly all of the time
_AHEAD = 8  # files on their way while one is worked on
_SMALL = 8 << 20  # bytes; larger files are not read ahead
_BLOCK = 8 << 20  # bytes of one request for a file that is not read whole
_LONGEST = 200  # characters of a library's message


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a store: its path below the root, bytes, time in ns (None where the store tells none) and its tag: the
    store's word for these bytes, or empty.
    """

    path: str
    bytes: int
    mtime_ns: int | None
    tag: str


def read(address: Address) -> bytes:
    """The whole file. Raises FileNotFoundError and RemoteError."""
    fs, path = _at(address)
    with _transport(address):
        return bytes(fs.cat_file(path))


def opened(address: Address) -> BinaryIO:
    """The file, to be read in pieces and closed. Raises FileNotFoundError and RemoteError; so may reading from it."""
    fs, path = _at(address)
    with _transport(address):
        file: BinaryIO = fs.open(path, "rb", block_size=_BLOCK, cache_type="readahead")
        return file


def read_ahead(files: Iterable[tuple[Address, int]]) -> Generator[Callable[[], bytes] | None, None, None]:
    """For each (address, size), in their order, what waits for its bytes and returns them as `read` does; None for
    files of more than _SMALL bytes, which the caller had better open.

    The next ones are on their way meanwhile: a request takes as long as a picture's decoding, and no processor.
    """
    with ThreadPoolExecutor(_AHEAD) as pool:
        running: deque[Future[bytes] | None] = deque()
        try:
            for address, size in files:
                running.append(pool.submit(read, address) if size <= _SMALL else None)
                if len(running) > _AHEAD:
                    yield _result(running.popleft())
            while running:
                yield _result(running.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[bytes] | None) -> Callable[[], bytes] | None:
    return future.result if future else None


def heads(addresses: Sequence[Address], count: int | None = None) -> list[bytes | None]:
    """The first `count` bytes of each file, or all, many at once; None for files that are not there.

    Raises RemoteError. The addresses are of one store, and no file is shorter.
    """
    if not addresses:
        return []
    fs = _at(addresses[0])[0]
    where = [_at(address)[1] for address in addresses]
    with _transport(addresses[0]):
        found = fs.cat_ranges(where, None if count is None else 0, count, on_error="return")
    made: list[bytes | None] = []
    for address, data in zip(addresses, found, strict=True):
        if isinstance(data, FileNotFoundError):
            made.append(None)
        elif isinstance(data, Exception):
            with _transport(address):
                raise data
        else:
            made.append(bytes(data))
    return made


def size(address: Address) -> int:
    """The bytes that the file has now. Raises FileNotFoundError and RemoteError."""
    fs, path = _at(address)
    with _transport(address):
        return int(fs.info(path)["size"])


def check_folder(address: Address) -> None:
    """Raises InputError where there is no folder at `address`, RemoteError where that cannot be known."""
    fs, path = _at(address)
    try:
        with _transport(address):
            kind = fs.info(path)["type"]
    except FileNotFoundError:
        raise InputError("there is no such folder", where=str(address)) from None
    if kind != "directory":
        raise InputError("is a file, not a folder", where=str(address), hint="name the folder that holds the scans")


def check_store(address: Address) -> None:
    """Raises RemoteError if the bucket of `address` is not there, of which a missing file alone does not tell."""
    fs, path = _at(address.store)
    with _transport(address.store):
        there = fs.exists(path)
    if not there:
        raise RemoteError("is not there any more", where=str(address.store), hint="finished work is kept")


def listed(root: Address) -> list[Stored]:
    """All files below `root`, in no certain order. Raises as `pages` does."""
    with Crawl(partial(pages, root), "", THREADS) as crawl:
        crawl.wait()
        return crawl.items


def pages(root: Address, below: str) -> Iterator[tuple[list[str], list[Stored]]]:
    """What lies in one folder: (folders, files) by the page. `below` and the folders: paths below `root` that end with
    a slash, and the empty one is `root` itself. Raises RemoteError, and InputError where there is nothing.
    """
    fs, path = _at(root)
    try:
        with _transport(root):
            yield from _s3_pages(fs, path, below) if root.scheme == "s3" else _pages(fs, path, below)
    except FileNotFoundError:
        if not below:
            raise InputError("there is no such folder", where=str(root)) from None
        yield [], []  # emptied meanwhile: such a store has no empty folders


def _s3_pages(fs: Any, path: str, below: str) -> Iterator[tuple[list[str], list[Stored]]]:
    # fsspec gives a folder only whole, which for a million files takes minutes, and folders called "" not at all.
    bucket, _, prefix = path.partition("/")
    prefix = f"{prefix}/" if prefix else ""
    more: dict[str, str] = {}
    while True:
        page = fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix + below, Delimiter="/", **more)
        folders = [one["Prefix"].removeprefix(prefix) for one in page.get("CommonPrefixes", ())]
        yield folders, [_stored(one["Key"].removeprefix(prefix), one["Size"], one) for one in page.get("Contents", ())]
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _pages(fs: Any, path: str, below: str) -> Iterator[tuple[list[str], list[Stored]]]:
    base = path.rstrip("/") + "/"
    folder = base + below
    folders, files = [], []
    for info in fs.ls(folder.rstrip("/"), detail=True):
        name = info["name"]
        if name.rstrip("/") == folder.rstrip("/"):
            continue  # some stores list the folder in itself
        if not name.startswith(folder):
            raise OSError(f"lists {name}, which is not in it")
        if info["type"] == "directory":
            folders.append(name.removeprefix(base).rstrip("/") + "/")
        elif info.get("size") is None:
            raise OSError("tells no sizes of its files: copy them to a folder or a bucket")
        else:
            files.append(_stored(name.removeprefix(base), info["size"], info))
    yield folders, files


def _stored(path: str, size: int, info: Mapping[str, Any]) -> Stored:
    moment = next((info[key] for key in _TIMES if info.get(key) is not None), None)
    tag = next((str(info[key]) for key in _TAGS if info.get(key)), "")
    return Stored(path, int(size), _nanoseconds(moment), tag.strip('"'))


def _nanoseconds(moment: object) -> int | None:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * 1000
    return int(moment * 1_000_000_000) if isinstance(moment, int | float) else None


def _at(address: Address) -> tuple[Any, str]:
    fs = _filesystem(address.store)
    return fs, fs._strip_protocol(address.url)


@cache
def _filesystem(store: Address) -> Any:
    """fsspec's file system for a store. Raises InputError where a package for it is not installed."""
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(store.url, use_listings_cache=False, **_OPTIONS.get(store.scheme, {}))[0]
    except ImportError as error:
        package = _PACKAGES.get(store.scheme)
        needed = installing("remote", *([] if package in (None, "s3fs") else [package]))
        told = f"addresses of {store.scheme}:// need a package that is not installed ({error.name or error})"
        raise InputError(told, where=str(store), hint=f"run: {needed}") from None
    except ValueError as error:
        raise InputError(f"no store is reached like this ({error})", where=str(store)) from None


@contextmanager
def _transport(address: Address) -> Iterator[None]:
    """Makes one line of whatever goes wrong inside, but for a file that is not there."""
    try:
        yield
    except (FileNotFoundError, RemoteError, InputError, MemoryError, GeneratorExit):
        raise
    except Exception as error:
        told = (one_line(_QUERY.sub(r"\1", str(error))) or type(error).__name__)[:_LONGEST]
        denied = isinstance(error, PermissionError) or "credential" in told.casefold()
        hint = "say who you are as the store's own tools take it" if denied else "the command goes on when run again"
        raise RemoteError(f"cannot be read ({told})", where=str(address), hint=hint) from error
