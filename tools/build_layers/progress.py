"""Shows progress: bars on a terminal, nothing for programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from tools.command import ERR


class Progress(Protocol):
    """Receives the progress of work."""

    def begin(self, what: str, total: int) -> None:
        """Work of that many steps begins."""

    def advance(self, steps: int = 1) -> None:
        """So many steps are done."""


class Silent:
    """Shows nothing."""

    def begin(self, what: str, total: int) -> None:
        """Show nothing."""

    def advance(self, steps: int = 1) -> None:
        """Show nothing."""


class _Shown:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = TaskID(0)

    def begin(self, what: str, total: int) -> None:
        self._task = self._bars.add_task(what, total=total)

    def advance(self, steps: int = 1) -> None:
        self._bars.advance(self._task, steps)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Show a bar for each piece of work."""
    if quiet:
        yield Silent()
        return
    columns = (TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Drawing takes time from the work, also if it is not shown.
    with Bars(*columns, console=ERR, auto_refresh=ERR.is_terminal, refresh_per_second=4) as bars:
        yield _Shown(bars)
