"""Work in threads whose results come as a stream."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Results that wait to be taken, for each worker: few, since each may be large.
_AHEAD = 2
_PATIENCE = 0.1


def in_threads(function: Callable[[T], Iterable[R]], tasks: Iterable[T], workers: int) -> Iterator[R]:
    """All that `function` yields for each task, in any order, as `workers` threads find it; 1 works in this thread.

    For work that mostly runs without Python's lock. An exception of the function is raised here and ends the work, as
    does closing the stream.
    """
    if workers == 1:
        return (result for task in tasks for result in function(task))
    return _Threads(function, tasks, workers).results()


class _Threads(Generic[T, R]):
    def __init__(self, function: Callable[[T], Iterable[R]], tasks: Iterable[T], workers: int) -> None:
        self._function = function
        self._tasks = iter(tasks)
        self._taking = threading.Lock()
        self._results: queue.Queue[R | _End] = queue.Queue(workers * _AHEAD)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def results(self) -> Iterator[R]:
        for thread in self._threads:
            thread.start()
        try:
            running = len(self._threads)
            while running:
                item = self._results.get()
                if not isinstance(item, _End):
                    yield item
                elif item.error:
                    raise item.error
                else:
                    running -= 1
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        end = _End()
        try:
            while self._one_task():
                pass
        except BaseException as error:  # noqa: BLE001 - raised again by whoever reads the results
            end.error = error
        self._hand_over(end)

    def _one_task(self) -> bool:
        with self._taking:
            task = list(next(zip(self._tasks, strict=False), ()))
        return bool(task) and all(self._hand_over(result) for result in self._function(task[0]))

    def _hand_over(self, item: R | _End) -> bool:
        """Whether somebody still wants it."""
        while not self._stop.is_set():
            try:
                self._results.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return True
        return False


class _End:
    error: BaseException | None = None
