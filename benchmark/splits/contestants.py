"""Who splits: a function from an instance to each image's part. Peers run in environments of their own:

PYTHON contestants.py NAME INSTANCE.npz RESULT.npz
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np


def stratified_group_k_fold(y: np.ndarray, g: np.ndarray, shares: Sequence[int], seed: int = 0) -> np.ndarray:
    """scikit-learn's; parts of unequal shares are put together from equal folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    part = np.repeat(np.arange(len(shares)), shares)
    out = np.empty(len(y), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer images than folds
        splitter = StratifiedGroupKFold(sum(shares), shuffle=True, random_state=seed)
        for fold, (_, test) in enumerate(splitter.split(np.zeros(len(y)), y, g)):
            out[test] = part[fold]
    return out


def dataeval(y: np.ndarray, g: np.ndarray, shares: Sequence[int], seed: int = 0) -> np.ndarray:
    """DataEval's split_dataset, grouped and stratified: folds, or one train, val, test."""
    from dataeval import Metadata
    from dataeval.data import split_dataset

    classes = np.unique(y, return_inverse=True)[1]
    # As text: numbers would be binned, and groups torn.
    metadata = Metadata.from_factors({"group": np.char.add("g", g.astype(str))}, class_labels=classes)
    out = np.empty(len(y), np.int64)
    if len(set(shares)) == 1:
        for fold, split in enumerate(split_dataset(metadata, len(shares), True, ["group"]).folds):
            out[split.val] = fold
        return out
    whole = sum(shares)
    # The share of validation is one of what test leaves.
    found = split_dataset(metadata, 1, True, ["group"], shares[2] / whole, shares[1] / (whole - shares[2]))
    out[found.folds[0].train], out[found.folds[0].val], out[found.test] = 0, 1, 2
    return out


def datasail(y: np.ndarray, g: np.ndarray, shares: Sequence[int], seed: int = 0) -> np.ndarray:
    """DataSAIL, groups being its entities: the smallest tolerance of a few that it finds a solution for.

    An entity's stratum is one class, or a set of them: how many images of each class it holds cannot be said.
    """
    from datasail.sail import datasail as run

    names, group = np.unique(g, return_inverse=True)
    labels: list[set[str]] = [set() for _ in names]
    for i, n in enumerate(group):
        labels[n].add(f"c{y[i]}")
    pure = all(len(held) == 1 for held in labels)
    entities = {f"g{n}": f"g{n}" for n in range(len(names))}
    sizes = np.bincount(group)
    for delta in (0.05, 0.1, 0.2, 0.4, 0.8, 1.0):
        splits, _, _ = run(
            techniques=["I1e"],
            splits=list(shares),
            names=[str(p) for p in range(len(shares))],
            e_type="O",
            e_data=entities,
            e_weights={f"g{n}": int(size) for n, size in enumerate(sizes)},
            e_strat={f"g{n}": min(held) if pure else held for n, held in enumerate(labels)},
            delta=delta,
            epsilon=min(delta, 0.99),
            max_sec=60,
            verbose="C",
        )
        found = (splits or {}).get("I1e", [{}])[0] or {}  # nothing where no solution keeps to the tolerance
        if len(found) == len(names) and all(part.isdigit() for part in found.values()):
            return np.array([int(found[f"g{n}"]) for n in range(len(names))])[group]
    raise RuntimeError("no solution within any tolerance")


CONTESTANTS: dict[str, Callable[..., np.ndarray]] = {
    "sgkf": stratified_group_k_fold,
    "dataeval": dataeval,
    "datasail": datasail,
}


def main(name: str, source: str, target: str) -> None:
    """Split the instance in `source`; the parts and the seconds go to `target`."""
    held = np.load(source)
    shares = tuple(int(s) for s in held["shares"])
    warnings.simplefilter("ignore")
    try:  # imports and first calls are not timed
        CONTESTANTS[name](np.arange(300) % 3, np.arange(300) // 10, (1, 1))
    except Exception as error:  # noqa: BLE001
        print(f"{name} on a toy: {error}", file=sys.stderr)
    began = time.process_time()
    part = CONTESTANTS[name](held["y"], held["g"], shares)
    np.savez(target, part=part, seconds=time.process_time() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
