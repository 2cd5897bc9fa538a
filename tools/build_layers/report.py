"""What the builder shows to people."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from layers import Layer
from tools.build_layers.build import Progress, Silent
from tools.command import ERR, OUT

LIMIT_ZIPPED = 50 * 1024 * 1024
"""Bytes that Lambda takes of one zip in a direct upload."""

LIMIT_UNZIPPED = 262_144_000
"""Bytes, unzipped, of the function and all its layers together (Lambda quotas)."""


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar that lives as long as the work; none where it would be noise."""
    if quiet:
        yield Silent()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=ERR) as bars:
        yield _Bar(bars)


class _Bar:
    def __init__(self, bars: object) -> None:
        self._bars = bars

    def begin(self, what: str, total: int) -> None:
        self._task = self._bars.add_task(what, total=total)

    def advance(self, steps: int = 1) -> None:
        self._bars.advance(self._task, steps)


def sizes(stack: Sequence[Layer]) -> None:
    """Print what the layers weigh, and against which limits."""
    from rich.table import Table

    manifests = [layer.read_manifest() for layer in stack]
    table = Table("layer", "distributions", "zipped MB", "unzipped MB", box=None)
    for manifest in manifests:
        table.add_row(
            manifest["name"],
            str(len(manifest["distributions"])),
            _megabytes(manifest["bytes_zipped"]),
            _megabytes(manifest["bytes_unzipped"]),
        )
    totals = [sum(manifest[key] for manifest in manifests) for key in ("bytes_zipped", "bytes_unzipped")]
    table.add_section()
    table.add_row("both", "", *map(_megabytes, totals))
    table.add_row("limit", "", f"{_megabytes(LIMIT_ZIPPED)} each", _megabytes(LIMIT_UNZIPPED))
    for column in table.columns[1:]:
        column.justify = "right"
    OUT.print(table)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def breaches(found: Sequence[object]) -> int:
    return 0
