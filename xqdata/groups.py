"""What may not be separated: images tied by an identity column or by a verified link form components.

Ties are one graph: images on one side, on the other the values that tie them. A value is a specimen, a scan, a bag, a
session; or a link, which is a value of two images. Null ties nothing: what nobody knows cannot be kept apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from xqdata import schema

Ints = NDArray[np.int64]

# Always tie; and tie where a person asks for it.
IDENTITY = ("specimens", "scan_id", "bag")
ON_REQUEST = ("session", "series", "container_id")
LINKS = "links"
COPIES = "copies"
# What a source is called that is the images with several values of a column.
SEVERAL_VALUES = "images of several"


@dataclass(frozen=True)
class Ties:
    """What one source ties: row `image[k]` of the table holds value number `value[k]`.

    `source`: a column's name, or a kind of link as in `rescan links`. `names`: what a value is called.
    """

    source: str
    image: Ints
    value: Ints
    names: pa.Array

    def only(self, keep: NDArray[np.bool_]) -> Ties:
        """These ties without some of their (image, value) pairs."""
        return Ties(self.source, self.image[keep], self.value[keep], self.names)


def column_ties(images: pa.Table, name: str, takes_part: NDArray[np.bool_]) -> Ties:
    """The ties of one column, a list's elements each for itself; rows where `takes_part` is false tie nothing."""
    column = images[name].combine_chunks()
    if pa.types.is_list(column.type):
        rows, values = pc.list_parent_indices(column).to_numpy(), pc.list_flatten(column)
    else:
        rows, values = np.arange(len(column)), column.cast(pa.string())
    told = pc.fill_null(pc.not_equal(values, ""), False).to_numpy(zero_copy_only=False) & takes_part[rows]
    encoded = pc.dictionary_encode(values.filter(pa.array(told)))
    numbers = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return Ties(name, rows[told].astype(np.int64), numbers, encoded.dictionary)


def link_ties(images: pa.Table, links: pa.Table) -> list[Ties]:
    """The ties of verified links, one set for each kind. A link of an image that is in no row ties nothing.

    Links tie through images that take no part, too: two rescans of a bag show one bag, whoever lost the first scan.
    """
    ends = [pc.index_in(links[name], images["image_id"].combine_chunks()) for name in ("image_a", "image_b")]
    known = pc.and_(pc.is_valid(ends[0]), pc.is_valid(ends[1]))
    found = []
    for kind in schema.COPY_KINDS + schema.TIE_KINDS:
        mine = pc.and_(known, pc.equal(links["kind"], kind))
        a, b = (end.filter(mine).to_numpy().astype(np.int64) for end in ends)
        if len(a):
            names = pc.binary_join_element_wise(*(images["path"].take(pa.array(e)) for e in (a, b)), " and ")
            numbers = np.arange(len(a))
            found.append(Ties(f"{kind} links", np.append(a, b), np.append(numbers, numbers), names.combine_chunks()))
    return found


def copy_ties(images: pa.Table, kept: Ints) -> Ties:
    """The ties between copies and the one of them that is kept; `kept`: the row that each row follows."""
    copies = np.flatnonzero(kept != np.arange(len(kept)))
    leaders, number = np.unique(kept[copies], return_inverse=True)
    names = images["path"].take(pa.array(leaders)).combine_chunks()
    return Ties(COPIES, np.append(copies, leaders), np.append(number, np.arange(len(leaders))), names)


def components(count: int, ties: Sequence[Ties]) -> Ints:
    """The component of each of `count` rows: the number of its first row."""
    graph = _graph(count, ties)
    _, labels = sp.csgraph.connected_components(graph, directed=False)
    labels = labels[:count]
    first = np.full(labels.max(initial=-1) + 1, count, np.int64)
    np.minimum.at(first, labels, np.arange(count))
    found: Ints = first[labels]
    return found


def _graph(count: int, ties: Sequence[Ties]) -> sp.csr_array:
    """Rows and values as one graph: rows first, then the values of each source in turn."""
    starts = np.cumsum([count, *(len(t.names) for t in ties)])
    rows = np.concatenate([t.image for t in ties]) if ties else np.empty(0, np.int64)
    values = np.concatenate([t.value + start for t, start in zip(ties, starts[:-1], strict=True)]) if ties else rows
    ones = np.ones(len(rows), np.int8)
    return sp.coo_array((ones, (rows, values)), shape=(int(starts[-1]), int(starts[-1]))).tocsr()


def renumbered(numbers: Ints) -> tuple[Ints, Ints]:
    """`numbers`, each >= 0, numbered anew from 0 in their order; and how often each of those occurs.

    As `np.unique` with its inverse and counts, without sorting: for numbers that are hardly larger than their count.
    """
    many = np.bincount(numbers)
    rank = np.cumsum(many > 0) - 1
    return rank[numbers].astype(np.int64), many[many > 0].astype(np.int64)


def distinct(numbers: Ints) -> int:
    """How many different numbers, each >= 0, there are; as `renumbered`, for numbers hardly larger than their count."""
    return int(np.count_nonzero(np.bincount(numbers)))


def without_each(ties: Sequence[Ties]) -> Iterator[tuple[str, list[Ties]]]:
    """What would tie if one source did not, source by source; and if images of several values did not tie these."""
    for n, one in enumerate(ties):
        if not len(one.image):
            continue
        others = [*ties[:n], *ties[n + 1 :]]
        yield one.source, others
        single = _single(one)
        if 0 < len(single.image) < len(one.image) and not one.source.endswith(LINKS) and one.source != COPIES:
            yield f"{SEVERAL_VALUES} {one.source}", [*others, single]


def weakest(members: Ints, ties: Sequence[Ties], most: int = 5) -> list[tuple[str, str, int]]:
    """The single values and links that hold one component together: (source, name, rows of the largest piece without).

    `members`: the component's rows, sorted. Only those that leave pieces worth speaking of, the weakest first.
    """
    inside = [t.only(np.isin(t.image, members)) for t in ties]
    renumbered = [Ties(t.source, np.searchsorted(members, t.image), t.value, t.names) for t in inside]
    cuts = sorted(_cuts(len(members), renumbered))
    return [(source, name, left) for left, source, name in cuts[:most] if left < 0.95 * len(members)]


def _single(ties: Ties) -> Ties:
    """The ties of rows that hold one value only."""
    rows, counts = np.unique(ties.image, return_counts=True)
    return ties.only(~np.isin(ties.image, rows[counts > 1]))


def _cuts(count: int, ties: Sequence[Ties]) -> Iterator[tuple[int, str, str]]:
    """(rows in the largest piece without it, source, name) of each value without which the component falls apart."""
    graph = _graph(count, ties)
    whole = graph + graph.T
    # Rows that hang by one value only are counted at that value, which makes the graph many times smaller.
    degree = np.diff(whole.indptr)
    leaf = np.flatnonzero(degree[:count] == 1)
    weight = np.zeros(len(degree), np.int64)
    weight[:count] = 1
    np.add.at(weight, whole.indices[whole.indptr[leaf]], 1)
    weight[leaf] = 0
    keep = np.ones(len(degree), bool)
    keep[leaf] = False
    kept = np.flatnonzero(keep & (degree > 0))
    small = whole[kept][:, kept]
    sources = np.repeat(np.arange(len(ties)), [len(t.names) for t in ties])
    starts = np.cumsum([count, *(len(t.names) for t in ties)])
    for node, largest in _articulations(small.indptr.tolist(), small.indices.tolist(), weight[kept].tolist()):
        original = int(kept[node])
        if original >= count:
            tie = int(sources[original - count])
            yield largest, ties[tie].source, str(ties[tie].names[original - int(starts[tie])])


def _articulations(start: list[int], near: list[int], weight: list[int]) -> Iterator[tuple[int, int]]:
    """(node, weight of the largest piece without it) for the nodes without which a connected graph falls apart.

    Tarjan's depth-first search with an explicit stack. Source: R. Tarjan, SIAM J. Comput. 1 (1972).
    """
    count, total = len(weight), sum(weight)
    found, low, below = [-1] * count, [0] * count, weight[:]
    cut_off, largest, pieces = [0] * count, [0] * count, [0] * count
    at, parent, clock = start[:count], [-1] * count, 0
    stack = [0] if count else []
    while stack:
        v = stack[-1]
        if found[v] < 0:
            found[v] = low[v] = clock
            clock += 1
        if at[v] < start[v + 1]:
            u = near[at[v]]
            at[v] += 1
            if found[u] < 0:
                parent[u] = v
                stack.append(u)
            elif u != parent[v]:
                low[v] = min(low[v], found[u])
            continue
        stack.pop()
        p = parent[v]
        if p >= 0:
            low[p] = min(low[p], low[v])
            below[p] += below[v]
            if low[v] >= found[p]:
                cut_off[p] += below[v]
                largest[p] = max(largest[p], below[v])
                pieces[p] += 1
    for v in range(count):
        rest = total - weight[v] - cut_off[v]
        if pieces[v] + (parent[v] >= 0) > 1 or weight[v] > 1:
            yield v, max(largest[v], rest if parent[v] >= 0 else 0, min(weight[v], 1))
