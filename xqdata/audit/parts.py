"""How people call the parts of a split: folders, files and cells that mean train, val, test or a fold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

TRAIN, VAL, TEST = "train", "val", "test"
UNDERSTOOD = "train, training, tr; val, valid, validation, dev; test, testing, te; folds by number"
_WORDS = {
    TRAIN: "train training tr trn",
    VAL: "val valid validation dev",
    TEST: "test testing te tst",
}
_BY_WORD = {word: part for part, words in _WORDS.items() for word in words.split()}
# What may stand behind the word: train2017, test_set, val-images.
_PART = re.compile(rf"({'|'.join(_BY_WORD)})(?:[-_ ]?(?:set|split|part|data|images?|imgs?))?(?:[-_ ]?(?:19|20)\d\d)?")
_FOLD = re.compile(r"(?:(?:fold|cv|split|part)[-_ ]?)?(\d{1,3})")
_NAMED_FOLD = re.compile(r"(?<![a-z])(?:fold|cv)[-_ ]?(\d{1,3})(?!\d)")
_SEPARATORS = re.compile(r"[-_. ]+")


def part_called(name: object) -> str | None:
    """The part that a folder, or a cell, called `name` means; None if it is no name of a part.

    >>> [part_called(name) for name in ("Training", "val2017", "test_set", "fold_03", "2", "extra")]
    ['train', 'val', 'test', '3', '2', None]
    """
    folded = str(name).strip().casefold()
    if match := _PART.fullmatch(folded):
        return _BY_WORD[match[1]]
    fold = _FOLD.fullmatch(folded)
    return str(int(fold[1])) if fold else None


def part_of_file(file: PurePath) -> str | None:
    """The part that a list of files speaks of by its own name, as in instances_val2017.json; None if none, or several.

    >>> [part_of_file(PurePath(name)) for name in ("instances_val2017.json", "train.txt", "fold_1.csv", "trainval.txt")]
    ['val', 'train', '1', None]
    """
    stem = file.stem.casefold()
    words = {_BY_WORD[match[1]] for word in _SEPARATORS.split(stem) if (match := _PART.fullmatch(word))}
    if words:
        # Of fold_1_train.txt the fold says which of several splits it is, not which part.
        return words.pop() if len(words) == 1 else None
    fold = _NAMED_FOLD.search(stem)
    return str(int(fold[1])) if fold else None


def in_order(parts: Iterable[str]) -> tuple[str, ...]:
    """Parts as people list them: train, val, test, then folds by number."""
    usual = (TRAIN, VAL, TEST)
    return tuple(sorted(set(parts), key=lambda p: (usual.index(p), 0) if p in usual else (len(usual), int(p))))


def dearest(parts: Iterable[str]) -> str:
    """Of several parts the one that a finding hurts most: test, then val; of folds the first."""
    found = in_order(parts)
    return next((part for part in (TEST, VAL) if part in found), found[0])
