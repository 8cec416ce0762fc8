"""Whether links speak of the pictures that are there: of their pixels and ids, not of what is said of them.

Wrong while green would be: a label that is corrected makes the links unknown; a picture that is exchanged does not.
"""

from __future__ import annotations

import pyarrow as pa
import pytest

from xqdata import compared


def table(**changes: object) -> pa.Table:
    columns: dict[str, object] = {"image_id": ["a", "b", "c"], "pixel_hash": ["1", "2", "3"],
                                  "missing": [False, False, True], "object": ["x", "y", "z"]}  # fmt: skip
    return pa.table({**columns, **changes})


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"object": ["y", "y", "y"]}, True),
        ({"pixel_hash": ["1", "2", "4"]}, True),  # of a file that is gone
        ({"pixel_hash": ["1", "4", "3"]}, False),
        ({"image_id": ["a", "d", "c"]}, False),
        ({"missing": [False, False, False]}, False),
        ({"missing": [False, True, True]}, False),
        ({"pixel_hash": ["12", "", "3"]}, False),
    ],
)
def test_pictures_are_told_by_ids_and_pixels_alone(changes: dict[str, object], same: bool) -> None:
    assert (compared.pictures(table(**changes)) == compared.pictures(table())) == same


def test_the_order_of_rows_does_not_matter() -> None:
    assert compared.pictures(table().take([2, 1, 0])) == compared.pictures(table())
