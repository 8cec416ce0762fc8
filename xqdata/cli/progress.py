"""The progress bar of long work: how far, how fast, how long yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


@contextmanager
def bars(console: Console, unit: str) -> Iterator[Callable[[str, int, int], None]]:
    """A function of (what is being done, done, total) that moves one bar for each kind of work, on a terminal only."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    off = console.quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=off) as progress:
        tasks: dict[str, TaskID] = {}

        def move(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = progress.add_task(doing, total=total, rate="")
            task = tasks[doing]
            progress.update(task, completed=done, total=total, visible=done < total)
            speed = progress.tasks[progress.task_ids.index(task)].speed
            progress.update(task, rate=f"{speed:,.0f} {unit}/s" if speed else "")

        yield move
