"""A progress bar for long transfers, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lineal.storage.transfer import Progress

_WORTH_SHOWING_BYTES = 64 << 20


@contextmanager
def shown(what: str, total_bytes: int) -> Iterator[Progress | None]:
    """Something to call with the bytes that are done; None where nobody watches or it won't take long."""
    if total_bytes < _WORTH_SHOWING_BYTES or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total_bytes)
        yield lambda count: bar.advance(task, count)
