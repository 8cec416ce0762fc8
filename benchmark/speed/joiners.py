"""One contestant joins one column of hashes, in a process of its own: `python joiners.py NAME FILE RADIUS THREADS`.

Prints one line of JSON: seconds, processor seconds, peak memory, the number of pairs and a sum that tells whether two
contestants found the same ones. The column is in memory and the code is warm before the clock starts.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pairs = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
_WARM = 200
_QUERIES = 1024


class Clock:
    """Runs inside `with`, so that what only checks the answer is left out."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0

    def __enter__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), _cpu()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._wall
        self.cpu += _cpu() - self._cpu


def _cpu() -> float:
    """Processor seconds of this process and of the worker processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


Join = Callable[[NDArray[np.uint64], int, int, Clock], Iterator[Pairs]]


def xqdata(hashes: NDArray[np.uint64], radius: int, threads: int, clock: Clock) -> Iterator[Pairs]:
    """Joined once for the clock, its pairs dropped, and once more for the check."""
    from xqdata.dedup.join import pairs_within

    # Enough for the plan to sort, so that all compiled code is loaded.
    warm = np.random.default_rng(0).integers(0, 2**64, 30_000, np.uint64)
    for _ in pairs_within(np.append(warm, warm[:10]), radius, workers=threads):
        pass
    with clock:
        for _ in pairs_within(hashes, radius, crowd=len(hashes), workers=threads):
            pass
    PEAK.append(peak())
    for pairs in pairs_within(hashes, radius, crowd=len(hashes), workers=threads):
        yield pairs.first, pairs.second, pairs.distance


def faiss_flat(hashes: NDArray[np.uint64], radius: int, threads: int, clock: Clock) -> Iterator[Pairs]:
    """Every hash asked of faiss's exhaustive index."""
    import faiss

    with clock:
        index = faiss.IndexBinaryFlat(64)
        index.add(_bytes(hashes))
    return _asked(index, hashes, radius, threads, clock)


def faiss_multihash(hashes: NDArray[np.uint64], radius: int, threads: int, clock: Clock) -> Iterator[Pairs]:
    """Every hash asked of faiss's multi-index hashing, with as few and as wide tables as leave it exact.

    With m tables and f flips it finds all within m (f + 1) - 1 bits: one of m parts differs in at most f.
    """
    import faiss

    flips = next(f for f in range(1, 9) if radius < 3 * (f + 1))
    with clock:
        index = faiss.IndexBinaryMultiHash(64, 3, 21)
        index.nflip = flips
        index.add(_bytes(hashes))
    return _asked(index, hashes, radius, threads, clock)


def _asked(index: Any, hashes: NDArray[np.uint64], radius: int, threads: int, clock: Clock) -> Iterator[Pairs]:
    import faiss

    faiss.omp_set_num_threads(threads)
    codes = _bytes(hashes)
    for start in range(0, len(hashes), _QUERIES):
        with clock:
            # faiss returns what is nearer than the radius, not what is as near.
            limits, distances, found = index.range_search(codes[start : start + _QUERIES], radius + 1)
        asked = start + np.repeat(np.arange(len(limits) - 1), np.diff(limits.astype(np.int64)))
        later = found > asked
        yield asked[later], found[later], distances[later]


def imagededup_bktree(hashes: NDArray[np.uint64], radius: int, threads: int, clock: Clock) -> Iterator[Pairs]:
    """imagededup's BK-tree."""
    return _imagededup("bktree", hashes, radius, threads, clock)


def imagededup_brute(hashes: NDArray[np.uint64], radius: int, threads: int, clock: Clock) -> Iterator[Pairs]:
    """imagededup's comparison of each with each, compiled by Cython: its default on Linux."""
    return _imagededup("brute_force_cython", hashes, radius, threads, clock)


def _imagededup(method: str, hashes: NDArray[np.uint64], radius: int, threads: int, clock: Clock) -> Iterator[Pairs]:
    from imagededup.methods import PHash

    names = {str(n): f"{value:016x}" for n, value in enumerate(hashes.tolist())}
    with clock:
        found = PHash(verbose=False).find_duplicates(
            encoding_map=names,
            max_distance_threshold=radius,
            scores=True,
            search_method=method,
            num_dist_workers=threads,
        )
    rows = [(int(a), int(b), d) for a, others in found.items() for b, d in others if int(a) < int(b)]
    first, second, distance = np.array(rows, np.int64).reshape(-1, 3).T
    yield first, second, distance


JOINERS: dict[str, Join] = {
    f.__name__: f for f in (xqdata, faiss_flat, faiss_multihash, imagededup_bktree, imagededup_brute)
}
PEAK: list[int] = []


def _bytes(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return hashes.view(np.uint8).reshape(-1, 8)


def peak() -> int:
    """The most memory that this process ever held, in MB (VmHWM, so Linux only)."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return next(int(words[1]) for words in lines if words[0] == "VmHWM:") // 1024


def main(name: str, file: str, radius: int, threads: int) -> dict[str, Any]:
    """Join and report."""
    hashes = np.load(file)
    join = JOINERS[name]
    for _ in join(hashes[:_WARM].copy(), radius, threads, Clock()):
        pass
    PEAK.clear()
    before, clock, count, total = peak(), Clock(), 0, np.uint64(0)
    with np.errstate(over="ignore"):
        for first, second, distance in join(hashes, radius, threads, clock):
            key = first.astype(np.uint64) * np.uint64(len(hashes)) + second.astype(np.uint64)
            total += np.dot(key, key + distance.astype(np.uint64))
            count += len(first)
    most = PEAK[0] if PEAK else peak()
    return {
        "seconds": clock.seconds, "cpu": clock.cpu, "peak": most, "before": before, "pairs": count, "sum": int(total),
    }  # fmt: skip


def versions() -> dict[str, str]:
    """Of what is installed here."""
    found = {}
    for package in ("numpy", "numba", "faiss-cpu", "imagededup"):
        try:
            found[package] = version(package)
        except ImportError:
            continue
    return found


if __name__ == "__main__":
    if sys.argv[1] == "versions":
        print(json.dumps(versions()))
    else:
        print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
