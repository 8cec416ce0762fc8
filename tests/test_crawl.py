"""Listing in threads.

Wrong while green would be: a folder that is listed twice or never; an end that comes before the last page; an exception
that nobody hears of, so that what was not listed counts as gone; a thread that goes on when nobody listens.
"""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata.crawl import Crawl

TREES = st.recursive(st.just({}), lambda below: st.dictionaries(st.integers(0, 4), below, max_size=4), max_leaves=20)


@given(TREES, st.integers(1, 8))
def test_every_folder_once(tree, threads):
    def visit(folder):
        place, below = folder
        for number, inner in below.items():
            yield [((*place, number), inner)], [place]

    def expected(place, below):
        for number, inner in below.items():
            yield place
            yield from expected((*place, number), inner)

    with Crawl(visit, ((), tree), threads) as crawl:
        streamed = list(crawl.stream())
        assert crawl.wait()
        assert sorted(crawl.items) == sorted(expected((), tree))
        assert streamed == crawl.items[: len(streamed)]


def test_a_stream_ends_with_the_listing_however_much_is_left():
    go_on = threading.Event()

    def visit(folder):
        yield [], range(1000)
        go_on.wait(30)

    with Crawl(visit, "", 1) as crawl:
        coming = crawl.stream()
        assert next(coming) == 0
        go_on.set()
        assert crawl.wait()
        assert list(coming) == []
        assert len(crawl.items) == 1000


def test_items_are_used_while_the_listing_goes_on():
    go_on = threading.Event()

    def visit(folder):
        yield [], range(5)
        go_on.wait(30)
        yield [], range(5, 9)

    with Crawl(visit, "", 2) as crawl:
        assert not crawl.wait(0.01)
        coming = crawl.stream()
        assert [next(coming) for _ in range(5)] == list(range(5))
        go_on.set()
        rest = list(coming)
        assert crawl.wait()
        assert crawl.items == list(range(9))
        assert rest in ([], list(range(5, 9)))


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_ends_it(threads):
    def visit(folder):
        yield [folder + 1, folder + 1], [folder]
        if folder == 3:
            raise OSError("no answer")

    with Crawl(visit, 0, threads) as crawl:
        for _ in range(2):
            with pytest.raises(OSError, match="no answer"):
                crawl.wait()
        list(crawl.stream())  # ends, too


def test_closing_ends_the_threads():
    before = threading.active_count()

    def visit(folder):
        time.sleep(0.001)
        yield [folder + 1, folder + 2], [folder]

    with Crawl(visit, 0, 8) as crawl:
        next(crawl.stream())
    end = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before
