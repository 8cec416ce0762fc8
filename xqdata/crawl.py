"""Listing folders with several threads: what is found can be used while the listing goes on.

Nothing here knows what a folder is: a local one takes a system call, one of an object store a request over the network,
and of both many can be under way at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

F = TypeVar("F")
T = TypeVar("T")

Visit = Callable[[F], Iterable[tuple[Iterable[F], Iterable[T]]]]


class Crawl(Generic[F, T]):
    """A listing under way. `visit(folder)` gives pages: (folders below, items) each.

    `items` grows while threads list, in no certain order. An exception of `visit` ends the listing and is raised by
    whoever waits for it.
    """

    def __init__(self, visit: Visit[F, T], start: F, threads: int) -> None:
        self.items: list[T] = []
        self._visit = visit
        self._waiting = deque([start])
        self._open = 1  # folders that wait or are being listed
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        for _ in range(threads):
            # Of a process that ends, nobody waits for an answer of the network.
            threading.Thread(target=self._run, daemon=True).start()

    def __enter__(self) -> Crawl[F, T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the listing, at most `timeout` seconds; whether it came. Raises what `visit` raised."""
        with self._changed:
            ended = self._changed.wait_for(lambda: not self._open, timeout)
            if self._error:
                raise self._error
            return ended

    def stream(self) -> Iterator[T]:
        """The items as they are found, until the listing ends: then at once, and what is left stands in `items`."""
        taken = 0
        while not self._step(taken):
            yield self.items[taken]
            taken += 1

    def _step(self, taken: int) -> bool:
        """Wait for more than `taken` items; whether the listing ended instead."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open or len(self.items) > taken)
            return not self._open

    def close(self) -> None:
        """End the listing, whatever is left of it."""
        with self._changed:
            self._waiting.clear()
            self._open = 0
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or not self._open)
                if not self._open:
                    return
                folder = self._waiting.pop()
            try:
                for below, items in self._visit(folder):
                    if not self._add(below, items):
                        return
            except BaseException as error:  # noqa: BLE001 - raised where somebody waits for the listing
                self._error = self._error or error
                self.close()
                return
            with self._changed:
                self._open = max(0, self._open - 1)
                if not self._open:
                    self._changed.notify_all()

    def _add(self, below: Iterable[F], items: Iterable[T]) -> bool:
        """Add what one page holds; whether the listing still goes on."""
        folders = list(below)
        with self._changed:
            if not self._open:
                return False
            self.items.extend(items)
            self._waiting.extend(folders)
            self._open += len(folders)
            self._changed.notify_all()
        return True
