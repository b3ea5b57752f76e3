"""What a person sees: progress bars on standard error, results on standard output."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

Progress = Callable[[str, int, int | None], None]


class Summary(Protocol):
    """What every long verb returns."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        ...

    def render(self) -> str:
        """For a terminal."""
        ...


def show(summary: Summary, *, as_json: bool) -> None:
    """Prints a result: a table for people, or one JSON object for scripts."""
    print(json.dumps(summary.to_dict(), ensure_ascii=False) if as_json else summary.render())


@contextmanager
def progress_bars(*, title: str = "") -> Iterator[Progress]:
    """A bar for each kind of work that reports itself; plain lines where standard error is no terminal.

    Yields:
        `report(what, done, total)`; total None for work of unknown length.
    """
    if not sys.stderr.isatty():
        yield _line_reporter(title)
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(f"{title} {what}".strip(), total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield report


def _line_reporter(title: str) -> Progress:
    tenths: dict[str, int] = {}

    def report(what: str, done: int, total: int | None) -> None:
        tenth = int(10 * done / total) if total else done.bit_length()
        if tenth > tenths.get(what, -1):
            tenths[what] = tenth
            amount = f"{done}/{total}" if total else str(done)
            print(f"{title} {what}: {amount}".strip(), file=sys.stderr, flush=True)

    return report
