"""Other tools that look for duplicates, each with its own defaults. They run in environments of their own:

PYTHON peers.py NAME FILES.json RESULT.npz

FILES.json is a list of pictures that can be opened: some of these tools stop at one that cannot. RESULT.npz holds
`pairs` (k, 2), places in that list with the lower first, and `seconds`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np


def imagededup(files: Sequence[str]) -> np.ndarray:
    """PHash, distance 10 or less: the default of `find_duplicates`. Its pairs are taken as they are, not as groups."""
    from imagededup.methods import PHash

    finder = PHash(verbose=False)
    made = {str(i): finder.encode_image(image_file=file) for i, file in enumerate(files)}
    encodings = {name: hashed for name, hashed in made.items() if hashed}
    found = finder.find_duplicates(encoding_map=encodings, num_dist_workers=0)
    return _paired([np.array([int(one), int(other)]) for one, others in found.items() for other in others])


def cleanvision(files: Sequence[str]) -> np.ndarray:
    """Exact and near duplicates, which are sets of equal hashes."""
    from cleanvision import Imagelab

    lab = Imagelab(filepaths=list(files))
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=1, verbose=False)
    place = {file: i for i, file in enumerate(files)}
    sets = [group for kind in ("exact_duplicates", "near_duplicates") for group in lab.info[kind]["sets"]]
    return _grouped([place[file] for file in group] for group in sets)


def dataeval(files: Sequence[str]) -> np.ndarray:
    """The Duplicates detector: equal pixels, equal pHash or dHash; groups that overlap are merged."""
    from dataeval.quality import Duplicates

    found = Duplicates().evaluate(_Pictures(files)).data()
    return _grouped(found["item_indices"].to_list())


class _Pictures:
    """Pictures as DataEval wants them: (channels, rows, columns), opened when they are asked for."""

    def __init__(self, files: Sequence[str]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> np.ndarray:
        if place >= len(self.files):
            raise IndexError(place)
        from PIL import Image

        with Image.open(self.files[place]) as picture:
            pixels = np.asarray(picture)
        return np.ascontiguousarray(pixels[..., :3].transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None])


def _grouped(groups: Iterable[Sequence[int]]) -> np.ndarray:
    """All pairs inside each group."""
    made = []
    for group in groups:
        members = np.unique(np.asarray(group, np.int64))
        first, second = np.triu_indices(len(members), 1)
        made.append(np.column_stack([members[first], members[second]]))
    return _paired(made)


def _paired(pairs: Sequence[np.ndarray]) -> np.ndarray:
    """Each pair once, the lower place first."""
    if not pairs:
        return np.zeros((0, 2), np.int64)
    return np.unique(np.sort(np.vstack(pairs).astype(np.int64), axis=1), axis=0)


PEERS: dict[str, Callable[[Sequence[str]], np.ndarray]] = {
    "imagededup": imagededup,
    "cleanvision": cleanvision,
    "dataeval": dataeval,
}


def main(name: str, source: str, target: str) -> None:
    """Look for duplicates among the files that `source` lists."""
    files = json.loads(Path(source).read_text(encoding="utf-8"))
    began = time.perf_counter()
    pairs = PEERS[name](files)
    np.savez(target, pairs=pairs, seconds=time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
