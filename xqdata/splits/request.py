"""What is asked of a split, checked before anything is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from math import lcm
from typing import Any

import pyarrow as pa

from xqdata import groups, schema
from xqdata.errors import InputError
from xqdata.splits import expression

USUAL = (("train", "0.7"), ("val", "0.15"), ("test", "0.15"))
TEST = "test"
KEPT = ("classes", "sizes")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SHARE = re.compile(r"\d{0,3}\.?\d{1,6}%?|\d{1,4}/[1-9]\d{0,3}")
# Levels of --leave-one-out, each of which becomes a table.
MOST_FOLDS = 500


@dataclass(frozen=True)
class Request:
    """How images are to be split.

    `parts`: names with their shares, which add up to 1; `folds`: as many equal parts instead, numbered from 0. `by`:
    columns whose values no two parts may share; identity columns among them tie, others are axes that cross.
    `leave_one_out`: a column, each of whose values is tested once. `stratify`: what every part holds in proportion.
    `together`: further identity columns that tie. `allow_leak`: columns, or links, whose ties are given up.
    `set_aside`: images may be set aside where axes cross. `test_where`, `test_after`: what the test part consists of.
    `grown_from`: a split whose assignments stay, or that is repaired. `method`: balanced, random as the study's, or
    repaired; `keep`: what parts keep then where components allow, `classes` that they had, or their `sizes`.
    """

    name: str = "default"
    parts: tuple[tuple[str, str], ...] = USUAL
    folds: int | None = None
    by: tuple[str, ...] = ()
    leave_one_out: str | None = None
    stratify: tuple[str, ...] = ("object",)
    together: tuple[str, ...] = ()
    allow_leak: tuple[str, ...] = ()
    set_aside: bool = True
    test_where: str | None = None
    test_after: str | None = None
    method: str = "balanced"
    seed: int = 0
    grown_from: str | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(f"{self.name!r} is no name for a split", hint="use letters, digits, _, - and .")
        _check_parts(self.parts)
        if self.folds is not None and self.folds < 2:
            raise InputError("fewer than 2 folds leave nothing to train on", where="--folds")
        for name in (*self.by, *filter(None, [self.leave_one_out])):
            if pa.types.is_list(schema.IMAGES.column(name).type) and name not in groups.IDENTITY:
                raise InputError(f"{name} is a list and cannot be kept apart by", where="--by")
        if self.leave_one_out == "specimens":
            hint = "use --folds with as many folds as you need"
            raise InputError("specimens is a list: it has no single value to leave out", hint=hint)
        shared = set(self.stratify) & {*self.axes, *self.identity}
        if shared:
            hint = "leave it out of --stratify"
            raise InputError(f"{min(shared)} is kept apart, so it cannot be in proportion", where="--by", hint=hint)
        if self.fixes_test and (self.folds or self.leave_one_out or TEST not in dict(self.parts)):
            raise InputError("a condition for the test part needs a part called test", where="--test-where")
        if self.fixes_test and len(self.parts) < 2:
            raise InputError("there is no part to train on", where="--parts")
        if self.method == "random" and (self.by or self.leave_one_out or self.fixes_test or self.allow_leak):
            hint = "leave --by, --leave-one-out, --test-where, --test-after and --allow-leak out"
            raise InputError("a random split keeps nothing apart", where="--method random", hint=hint)
        self._check_leaks()

    def _check_leaks(self) -> None:
        used = {*self.all_identity, *self.axes, groups.LINKS}
        for name in self.allow_leak:
            if name not in used:
                hint = f"columns in use: {', '.join(sorted(used))}"
                raise InputError(f"{name} is not kept apart anyway", where="--allow-leak", hint=hint)
            if name in (*self.by, self.leave_one_out):
                raise InputError(f"{name} cannot be kept apart and leak at once", where="--allow-leak")

    @property
    def all_identity(self) -> tuple[str, ...]:
        """Columns that tie images, also those that are given up."""
        asked = [name for name in (*self.together, *self.by) if name in groups.ON_REQUEST]
        return tuple(dict.fromkeys(n for n in (*groups.IDENTITY, *asked) if n != self.leave_one_out))

    @property
    def identity(self) -> tuple[str, ...]:
        """Columns that tie images."""
        return tuple(name for name in self.all_identity if name not in self.allow_leak)

    @property
    def links(self) -> bool:
        """Whether verified links tie images."""
        return groups.LINKS not in self.allow_leak

    @property
    def axes(self) -> tuple[str, ...]:
        """Columns that cross the components."""
        if self.leave_one_out:
            return (self.leave_one_out,)
        return tuple(n for n in self.by if n not in groups.IDENTITY + groups.ON_REQUEST)

    @property
    def fixes_test(self) -> bool:
        """Whether a condition says what the test part consists of."""
        return self.test_where is not None or self.test_after is not None

    @property
    def rotates(self) -> bool:
        """Whether there is a table for each fold, because folds of two axes do not fit into one."""
        return self.leave_one_out is not None or (self.folds is not None and bool(self.axes))

    @property
    def part_names(self) -> tuple[str, ...]:
        """The parts in order."""
        if self.folds is not None:
            return tuple(str(n) for n in range(self.folds))
        return tuple(name for name, _ in self.parts)

    @property
    def shares(self) -> tuple[int, ...]:
        """The parts' shares as whole numbers."""
        if self.folds is not None:
            return (1,) * self.folds
        exact = [Fraction(share) for _, share in self.parts]
        whole = lcm(*(share.denominator for share in exact))
        return tuple(int(share * whole) for share in exact)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of images that the split depends on, besides those of effective labels."""
        named = [*self.all_identity, *self.axes, *self.stratify, *expression.all_columns([self.test_where])]
        return tuple(dict.fromkeys([*named, *(["acquired_at"] if self.test_after else [])]))

    def told(self) -> dict[str, Any]:
        """As provenance records it."""
        return {**asdict(self), "parts": {name: str(share) for name, share in self.parts}}


def grown(told: Mapping[str, Any], name: str, source: str, set_aside: bool) -> Request:
    """The request that made the split `source`, for a split `name` that keeps its assignments."""
    known = {key: value for key, value in told.items() if key in Request.__dataclass_fields__}
    lists = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
    parts = tuple((part, share) for part, share in told["parts"].items())
    changed = {"parts": parts, "set_aside": set_aside, "name": name, "grown_from": source, "keep": ()}
    if known["method"] == "repaired":
        changed["method"] = "balanced"
    made = Request(**{**known, **lists, **changed})
    if made.rotates:
        raise InputError("folds of crossing axes cannot grow", where=source, hint="make them anew, without --from")
    return replace(made, grown_from=source)


def column_named(text: str, where: str, also: Sequence[str] = ()) -> str:
    """The column of images that `text` means: dashes for underscores, and singular for plural, are understood."""
    name = text.strip().lower().replace("-", "_")
    names = (*schema.IMAGES.names, *also)
    for candidate in (name, f"{name}s", name.removesuffix("s")):
        if candidate in names:
            return candidate
    close = difflib.get_close_matches(name, names, n=1)
    raise InputError(
        f"images has no column {text}", where=where, hint=f"did you mean {close[0]}?" if close else "see the docs"
    )


def parts_called(names: Sequence[str]) -> str:
    """The parts as a sentence names them; a bare number would be read as a count.

    >>> parts_called(["val", "test"]), parts_called(["3"]), parts_called(["0", "1", "4"])
    ('val and test', 'fold 3', 'folds 0, 1 and 4')
    """
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    if not all(name.isdigit() for name in names):
        return listed
    return f"fold{'' if len(names) == 1 else 's'} {listed}"


def parse_parts(text: str) -> tuple[tuple[str, str], ...]:
    """`train=0.7,val=0.15,test=0.15` as names and shares that add up to 1; percent are understood. InputError."""
    found: list[tuple[str, Fraction]] = []
    for item in text.split(","):
        name, _, share = item.partition("=")
        if not _SHARE.fullmatch(share.strip()):
            hint = "write it as in: train=0.7,val=0.15,test=0.15"
            raise InputError(f"{item.strip()!r} is no part with its share", where="--parts", hint=hint)
        found.append((name.strip(), Fraction(share.strip().removesuffix("%"))))
    total = sum((share for _, share in found), Fraction(0))
    whole = 100 if abs(total - 100) < Fraction(1, 10) else 1
    if abs(total - whole) > Fraction(whole, 1000) or total == 0:
        raise InputError(f"the shares add up to {float(total):g}, not to 1", where="--parts")
    # What 0.333 three times lacks of 1 is made up for.
    parts = tuple((name, str(share / total)) for name, share in found)
    _check_parts(parts)
    return parts


def _check_parts(parts: tuple[tuple[str, str], ...]) -> None:
    names = [name for name, _ in parts]
    for name, share in parts:
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name for a part", where="--parts", hint="use letters, digits, _ and -")
        if Fraction(share) <= 0:
            raise InputError(f"the share of {name} is not above 0", where="--parts")
    if len(set(names)) < max(2, len(names)):
        raise InputError("a split has two parts or more, of different names", where="--parts")
    if sum(Fraction(share) for _, share in parts) != 1:
        raise InputError("the shares do not add up to 1 exactly", where="--parts", hint="write them as fractions: 1/3")
