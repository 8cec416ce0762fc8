"""Our splits beside scikit-learn's, DataEval's and DataSAIL's, on the same instances in one run.

    python benchmark/splits/compare.py [--most-groups N] [--dataeval PYTHON] [--datasail PYTHON] [--write]

Deviation: the sum over classes and parts of |images - share * images of the class|. Seconds are processor time. See
README.md.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import scipy
import scipy.sparse as sp
import sklearn
from contestants import stratified_group_k_fold
from fewest import fewest
from instances import Instance, TwoAxes, instances, two_axes

import xqdata
from xqdata.splits import Crossing, Task, balance, cross

HERE = Path(__file__).parent
SEEDS = range(5)
PATIENCE = 300  # processor seconds for a peer on one instance
MILP_PATIENCE = 180


def task_of(instance: Instance, seed: int = 0) -> Task:
    """An instance as the balancing problem that it is."""
    classes, y = np.unique(instance.y, return_inverse=True)
    groups, g = np.unique(instance.g, return_inverse=True)
    counts = sp.csr_array((np.ones(len(y), np.int64), (g, y)), shape=(len(groups), len(classes)))
    counts.sum_duplicates()
    every = np.ones(len(classes), bool)
    luck = np.random.PCG64(seed).random_raw(len(groups))
    return Task(counts, np.bincount(g), instance.shares, every, every, luck)


def judged(instance: Instance, part: np.ndarray) -> tuple[float, int, int]:
    """Deviation, (class, part) pairs without an image, groups torn."""
    y = np.unique(instance.y, return_inverse=True)[1]
    x = np.zeros((y.max() + 1, len(instance.shares)))
    np.add.at(x, (y, part), 1)
    share = np.array(instance.shares) / sum(instance.shares)
    pairs = np.unique(np.column_stack([instance.g, part]), axis=0)
    return float(np.abs(x - np.outer(x.sum(1), share)).sum()), int((x == 0).sum()), len(pairs) - len(set(instance.g))


def timed(call: Callable[[], object], repeats: int = 3) -> tuple[object, float]:
    """What `call` returns, and the median of its processor seconds; once where it takes long."""
    seconds, made = [], None
    while len(seconds) < repeats and sum(seconds) < 5:
        began = time.process_time()
        made = call()
        seconds.append(time.process_time() - began)
    return made, float(np.median(seconds))


def ours(instance: Instance, prove: bool) -> tuple[np.ndarray, float, object]:
    """Each image's part, seconds (the counting of images by group among them), and the certificate."""
    g = np.unique(instance.g, return_inverse=True)[1]
    found, seconds = timed(lambda: balance(task_of(instance), prove))
    return found.parts[g], seconds, found


def peer(python: str, name: str, instance: Instance) -> tuple[np.ndarray | None, float, str]:
    """A contestant that lives in another environment; its parts, seconds, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.npz"), Path(folder, "out.npz")
        np.savez(source, y=instance.y, g=instance.g, shares=instance.shares)
        command = [python, str(HERE / "contestants.py"), name, str(source), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=_limit)
        if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return None, PATIENCE, f"> {PATIENCE} s"
        if done.returncode:
            return None, 0.0, "refuses" if "refused" in done.stderr or "ValueError" in done.stderr else "fails"
        held = np.load(target)
        return held["part"], float(held["seconds"]), ""


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 5))


def rows(options: argparse.Namespace) -> Iterator[list[str]]:
    """One line of the table for each instance."""
    for instance in instances(most=options.most_groups):
        part, quick, _ = ours(instance, prove=False)
        moved, empty, torn = judged(instance, part)
        assert torn == 0
        part, whole, found = ours(instance, prove=True)
        best, best_empty, _ = judged(instance, part)
        bound = f"{float(found.bound):,.1f}"
        line = [
            instance.told,
            f"{float(found.greedy):,.1f}",
            f"{moved:,.1f}{_lacks(empty)}",
            f"{quick:.3f}",
            f"{best:,.1f}{_lacks(best_empty)}",
            f"{whole:.2f}",
            f"{bound} (proven)" if found.proven else bound,
        ]
        peers: list[tuple[np.ndarray | None, float, str]] = []
        made_by_sgkf, seconds = timed(lambda i=instance: stratified_group_k_fold(i.y, i.g, i.shares))
        peers.append((made_by_sgkf, seconds, ""))
        peers += [peer(p, n, instance) if p else (None, 0.0, "") for n, p in _others(options)]
        for made, seconds, why in peers:
            line += _told(instance, made, seconds, why)
        away, _, _ = judged(instance, made_by_sgkf)
        floor = float(found.bound)
        above = "-" if away - floor < 0.05 else f"{(moved - floor) / (away - floor):.2f}"
        line.append(f"{moved / away:.2f} ({above}), {quick / peers[0][1]:.3f}")
        print(" | ".join(line), flush=True)
        yield line


def _others(options: argparse.Namespace) -> list[tuple[str, str | None]]:
    return [("dataeval", options.dataeval), ("datasail", options.datasail)]


def _told(instance: Instance, part: np.ndarray | None, seconds: float, why: str) -> list[str]:
    if part is None:
        return [why or "-", "-"]
    away, empty, torn = judged(instance, part)
    return [f"{away:,.1f}{_lacks(empty)}" + (f", tears {torn}" if torn else ""), f"{seconds:.2f}"]


def _lacks(empty: int) -> str:
    return f" ({empty})" if empty else ""


def seeds(options: argparse.Namespace) -> Iterator[list[str]]:
    """How far deviation differs between seeds."""
    for instance in instances(most=1_000):
        if len(set(instance.shares)) > 1 and "specimens" not in instance.name:
            continue
        mine, theirs = [], []
        for seed in SEEDS:
            g = np.unique(instance.g, return_inverse=True)[1]
            mine.append(judged(instance, balance(task_of(instance, seed)).parts[g])[:2])
            theirs.append(judged(instance, stratified_group_k_fold(instance.y, instance.g, instance.shares, seed))[:2])
        line = [instance.told]
        for found in (mine, theirs):
            away, empty = zip(*found, strict=True)
            line += [f"{min(away):,.1f} to {max(away):,.1f}", f"{min(empty)} to {max(empty)}"]
        print(" | ".join(line), flush=True)
        yield line


def crossing(options: argparse.Namespace) -> Iterator[list[str]]:
    """Images set aside where two axes cross, beside the fewest that the MILP proves."""
    for task in two_axes(seed=0):
        problem = _crossing(task)
        (found, seconds), (exact, longer) = (
            timed(lambda e=e, p=problem: cross(p, exactly=e), 1) for e in (False, True)
        )
        began = time.process_time()
        least, proven = fewest(task, MILP_PATIENCE, classes=exact.empty == 0)
        took = time.process_time() - began
        parts = "/".join(f"{100 * s / sum(task.shares):.0f}" for s in task.shares)
        ratio = f"{found.aside / least:.3f}" if least and proven else "-"
        line = [
            f"{task.name}, {parts}",
            f"{found.aside}{_lacks(found.empty)}",
            f"{seconds:.2f}",
            f"{exact.aside}{_lacks(exact.empty)}" + (" (proven)" if exact.least_aside == exact.aside else ""),
            f"{longer:.1f}",
            f"{least}{'' if proven else ' (not proven)'}",
            f"{took:.1f}",
            ratio,
        ]
        print(" | ".join(line), flush=True)
        yield line


def _crossing(task: TwoAxes) -> Crossing:
    images, kinds = len(task.kind), int(task.kind.max()) + 1
    counts = sp.csr_array((np.ones(images, np.int64), (np.arange(images), task.kind)), shape=(images, kinds))
    every = np.ones(kinds, bool)
    levels = int(task.level.max()) + 1
    return Crossing(
        task.component,
        task.level[:, None],
        np.zeros(levels, np.int64),
        np.full(int(task.component.max()) + 1, -1),
        counts,
        task.shares,
        (None,) * len(task.shares),
        every,
        every,
        np.arange(levels),
    )


HEADS = {
    "deviation": (
        rows,
        "instance | greedy | **moves and swaps** | s | **with proofs** | s | bound | StratifiedGroupKFold | s "
        "| DataEval | s | DataSAIL | s | moves and swaps / SGKF: deviation (above the bound), time",
    ),
    "seeds": (seeds, "instance | xqdata | missing | StratifiedGroupKFold | missing"),
    "crossing": (crossing, "instance | xqdata, no MILP | s | **xqdata** | s | fewest (MILP) | s | no MILP / fewest"),
}


def table(name: str, options: argparse.Namespace) -> str:
    """One table in Markdown."""
    made, head = HEADS[name]
    heads = [h.strip() for h in head.split("|")]
    lines = [f"| {' | '.join(heads)} |", f"| --- {'| ---: ' * (len(heads) - 1)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(line)} |" for line in made(options))])


def main() -> None:
    """Measure, print, and with --write put the tables into README.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most-groups", type=int, default=100_000)
    parser.add_argument("--dataeval", metavar="PYTHON")
    parser.add_argument("--datasail", metavar="PYTHON")
    parser.add_argument("--only", choices=sorted(HEADS))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    # Compiled before anything is timed.
    balance(task_of(next(instances(most=0))))
    cross(_crossing(next(two_axes(0))))
    readme = HERE / "README.md"
    text = readme.read_text() if readme.exists() else ""
    for name in [options.only] if options.only else HEADS:
        made = table(name, options)
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if options.write:
            before, rest = text.split(begin)
            text = f"{before}{begin}\n\n{made}\n\n{end}{rest.split(end)[1]}"
    if options.write:
        versions = ", ".join(f"{m} {importlib.import_module(m).__version__}" for m in ("numpy", "numba"))
        stamp = (
            f"{date.today()}; Python {platform.python_version()}, xqdata {xqdata.__version__}, "
            f"scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, {versions}"
        )
        before, _, after = text.split("<!-- stamp -->")
        text = f"{before}<!-- stamp -->{stamp}<!-- stamp -->{after}"
        readme.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
