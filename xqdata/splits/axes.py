"""Axes that cross the components: columns to be kept apart by, and the condition for the test part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata.splits import expression
from xqdata.splits.loops import Ints
from xqdata.splits.material import Material
from xqdata.splits.request import TEST, Request


@dataclass(frozen=True)
class Axis:
    """One axis: `code` (rows of images,), the number of each row's level in `names`, or -1 where it is unknown.

    `allowed`: for a condition, the parts that each level may use, as bits. `unknown`: why a row without a level is out.
    """

    column: str
    names: tuple[str, ...]
    code: Ints
    unknown: str
    allowed: tuple[int, ...] = ()


def axes_of(material: Material, request: Request) -> list[Axis]:
    """The axes that cross the components: columns, then the condition for the test part."""
    return [_column_axis(material.images, name) for name in request.axes] + (
        [_condition_axis(material.images, request)] if request.fixes_test else []
    )


def _column_axis(images: pa.Table, name: str) -> Axis:
    encoded = pc.dictionary_encode(images[name].combine_chunks().cast(pa.string()))
    code = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    levels = encoded.dictionary.to_pylist()
    order = sorted(range(len(levels)), key=lambda n: levels[n])
    rank = np.append(np.argsort(order), -1).astype(np.int64)
    return Axis(name, tuple(levels[n] for n in order), rank[code], f"set aside: its {name} is unknown")


def _condition_axis(images: pa.Table, request: Request) -> Axis:
    held = pc.equal(images["image_id"], images["image_id"])
    told = []
    if request.test_where is not None:
        held = pc.and_kleene(held, expression.select(images, request.test_where))
        told.append(request.test_where)
    if request.test_after is not None:
        held = pc.and_kleene(held, pc.greater_equal(images["acquired_at"], expression.moment(request.test_after)))
        told.append(f"acquired_at >= {request.test_after}")
    code = held.cast(pa.int8()).fill_null(-1).to_numpy().astype(np.int64)
    test = 1 << request.part_names.index(TEST)
    others = (1 << len(request.part_names)) - 1 - test
    text = " and ".join(told)
    unknown = "set aside: what the condition for the test part asks of is unknown"
    return Axis(text, (f"not {text}", text), code, unknown, (others, test))


def levels_told(axis: Axis, mask: Ints, names: tuple[str, ...]) -> dict[str, str]:
    """Each level's part, or parts, by name; `mask` holds them as bits."""
    return {
        level: " or ".join(name for n, name in enumerate(names) if int(bits) >> n & 1)
        for level, bits in zip(axis.names, mask, strict=True)
    }


def level_luck(axes: list[Axis], seed: int) -> Ints:
    """Random whole numbers for the levels of all axes, by seed."""
    count = sum(len(axis.names) for axis in axes)
    return np.asarray(np.random.PCG64(seed).random_raw(count) >> np.uint64(8)).astype(np.int64)
