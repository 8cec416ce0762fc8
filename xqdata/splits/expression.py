"""Conditions on images as people write them, `scan_type == 'multiple_carrier' and kvp > 150`, and what they select.

The text is parsed into Python's syntax tree and only these parts of it are carried out, by Arrow: names of columns,
constants, comparisons, `in`, `is None`, and, or, not. Nothing is ever evaluated as Python. Null is unknown, and a
condition on an unknown value is unknown.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import schema
from xqdata.errors import InputError

_LONGEST = 1000
_COMPARE: dict[type[ast.cmpop], Callable[..., Any]] = {
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}
_MIRRORED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}


def columns_of(text: str) -> list[str]:
    """The columns of images that `text` names. Raises InputError as `select` does."""
    return sorted({node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name)})


def select(images: pa.Table, text: str) -> pa.ChunkedArray:
    """For each row of `images` whether the condition `text` holds: true, false, or null where that is unknown.

    Raises InputError where `text` is no condition, names no column, or compares what cannot be compared.
    """
    found = _Condition(images, text).value(_parse(text))
    return found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])


def moment(text: str) -> datetime:
    """A day or a time as in `2024-05-17` or `2024-05-17 14:30`. Raises InputError."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{text!r} is no date", hint="write it as 2024-05-17 or 2024-05-17 14:30:05") from None
    return found.replace(tzinfo=None)


def _parse(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise _wrong(text[:40] + "…", f"is longer than {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _wrong(text, "is no condition") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in schema.IMAGES.names:
            close = difflib.get_close_matches(node.id, schema.IMAGES.names, n=1)
            guess = f"did you mean {close[0]}?" if close else "columns are those of images; put texts in quotes"
            raise InputError(f"images has no column {node.id}", where=text, hint=guess)
    return tree


def _wrong(text: str, why: str) -> InputError:
    return InputError(f"the condition {why}", where=text, hint="write it as in: scan_type == 'multiple_carrier'")


class _Condition:
    """One condition over one table."""

    def __init__(self, images: pa.Table, text: str) -> None:
        self.images = images
        self.text = text

    def value(self, node: ast.expr) -> Any:
        """The truth of `node` for each row."""
        match node:
            case ast.BoolOp(op=both, values=values):
                join = pc.and_kleene if isinstance(both, ast.And) else pc.or_kleene
                found = self.value(values[0])
                for other in values[1:]:
                    found = join(found, self.value(other))
                return found
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return pc.invert(self.value(operand))
            case ast.Compare(left=left, ops=ops, comparators=rights):
                found = None
                for a, op, b in zip([left, *rights], ops, rights, strict=False):
                    one = self._compare(a, op, b)
                    found = one if found is None else pc.and_kleene(found, one)
                return found
            case ast.Name(id=name) if pa.types.is_boolean(self.images[name].type):
                return self.images[name]
        raise _wrong(self.text, f"holds {ast.unparse(node)}, which is neither true nor false")

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(left, ast.Name) and isinstance(right, ast.Constant) and right.value is None):
                raise _wrong(self.text, "uses `is` with something else than None")
            return pc.is_null(self.images[left.id]) if isinstance(op, ast.Is) else pc.is_valid(self.images[left.id])
        if isinstance(op, ast.In | ast.NotIn):
            found = self._contained(left, right)
            return found if isinstance(op, ast.In) else pc.invert(found)
        if isinstance(right, ast.Name) and not isinstance(left, ast.Name):
            left, op, right = right, _MIRRORED[type(op)](), left
        if not isinstance(left, ast.Name):
            raise _wrong(self.text, f"compares {ast.unparse(left)}, which is no column")
        column = self.images[left.id]
        other = self.images[right.id] if isinstance(right, ast.Name) else self._constant(right, column.type)
        return self._carried_out(_COMPARE[type(op)], column, other)

    def _contained(self, left: ast.expr, right: ast.expr) -> Any:
        if isinstance(left, ast.Constant) and isinstance(right, ast.Name):
            column = self.images[right.id].combine_chunks()
            if not pa.types.is_list(column.type):
                raise _wrong(self.text, f"looks into {right.id}, which is no list")
            wanted = self._constant(left, column.type.value_type)
            holds = pc.fill_null(pc.equal(pc.list_flatten(column), wanted), False)
            rows = pc.list_parent_indices(column).filter(holds)
            found = pc.is_in(pa.array(range(len(column)), pa.int64()), rows.cast(pa.int64()))
            return pc.if_else(pc.is_valid(column), found, None)
        if isinstance(left, ast.Name) and isinstance(right, ast.List | ast.Tuple | ast.Set):
            column = self.images[left.id]
            wanted = [self._constant(item, column.type) for item in right.elts]
            return pc.if_else(pc.is_valid(column), pc.is_in(column, pa.array(wanted, column.type)), None)
        raise _wrong(self.text, "uses `in` otherwise than as in: 'egg' in objects, or: view in ['top', 'side']")

    def _constant(self, node: ast.expr, wanted: pa.DataType) -> Any:
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) and negative else node
        if not isinstance(inner, ast.Constant) or isinstance(inner.value, bytes | complex) or inner.value is Ellipsis:
            raise _wrong(self.text, f"compares with {ast.unparse(node)}, which is no value")
        given: Any = inner.value
        if given is None:
            raise _wrong(self.text, "compares with None: use `is None`")
        if pa.types.is_timestamp(wanted) and isinstance(given, str):
            return moment(given)
        try:
            return pa.scalar(-given if negative else given, wanted).as_py()
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise _wrong(self.text, f"compares with {given!r}, but the column holds {wanted}") from None

    def _carried_out(self, compare: Callable[..., Any], column: Any, other: Any) -> Any:
        try:
            return compare(column, other)
        except (pa.ArrowException, TypeError):
            raise _wrong(self.text, "compares two columns that cannot be compared") from None


def all_columns(texts: Sequence[str | None]) -> list[str]:
    """The columns that any of the conditions names."""
    return sorted({name for text in texts if text for name in columns_of(text)})
