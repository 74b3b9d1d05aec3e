"""Runs that were asked for, read page by page as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

from lineal.client import frames
from lineal.client.connection import Connection
from lineal.client.run_view import RunView
from lineal.core.errors import InvalidArgument
from lineal.core.names import texts
from lineal.tracking.model import Page, Run

_MOST = 10_000  # on a page
_AT_ONCE = 1000


class Runs(Sequence[RunView]):
    """The runs of one project, or of all, that meet the filter, in order. Pages are read as they are needed."""

    def __init__(
        self,
        conn: Connection,
        *,
        project: str | None,
        entity: str | None,
        filters: Mapping[str, Any],
        order: str,
        per_page: int,
    ) -> None:
        if not 1 <= per_page <= _MOST:
            raise InvalidArgument(f"per_page is {per_page}; a page has 1 to {_MOST:,} runs")
        self._connection, self._per_page = conn, per_page
        self._asked: dict[str, Any] = {"project": project, "entity": entity, "filters": dict(filters), "order": order}
        self._read: list[RunView] = []
        self._after: str | None = None
        self._whole = False
        self._count: int | None = None

    def __repr__(self) -> str:
        return f"<Runs {self._asked['entity'] or '*'}/{self._asked['project'] or '*'} by {self._asked['order']}>"

    def __len__(self) -> int:
        """How many there are: counted, not read."""
        if self._count is None:
            counted = self._connection.backend.runs.list(**self._asked, limit=0, count=True).total
            self._count = len(self._read) if self._whole else counted or 0
        return self._count

    def __bool__(self) -> bool:
        return self._reads(1) > 0

    def __iter__(self) -> Iterator[RunView]:
        place = 0
        while self._reads(place + 1) > place:
            yield self._read[place]
            place += 1

    @overload
    def __getitem__(self, place: int) -> RunView: ...
    @overload
    def __getitem__(self, place: slice) -> list[RunView]: ...
    def __getitem__(self, place: int | slice) -> RunView | list[RunView]:
        """The run there, or the list of those in the slice."""
        if isinstance(place, slice):
            ends = (place.start or 0, place.stop)
            from_the_end = place.stop is None or min(ends) < 0 or (place.step or 1) < 0
            self._reads(None if from_the_end else place.stop)
            return self._read[place]
        self._reads(place + 1 if place >= 0 else None)
        return self._read[place]

    def _reads(self, wanted: int | None) -> int:
        """How many are read, once there are as many as wanted (None: all), or no more."""
        while not self._whole and (wanted is None or len(self._read) < wanted):
            size = self._per_page if wanted is not None else max(self._per_page, _AT_ONCE)
            page: Page = self._connection.backend.runs.list(**self._asked, limit=size, after=self._after)
            self._read += [RunView(run, self._connection) for run in page.runs]
            self._after, self._whole = page.after, page.after is None
        return len(self._read)

    def _records(self) -> list[Run]:
        self._reads(None)
        return [run._record for run in self._read]

    # ---- tables ------------------------------------------------------------------------------------------------

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with a row for each run: facts, then `config.…` and `summary.…` by dotted key."""
        return frames.to_pandas(frames.of_runs(self._records()))

    def to_polars(self) -> Any:
        """The same in polars; a column with values of several kinds holds their JSON."""
        return frames.to_polars(frames.of_runs(self._records()))

    def to_arrow(self) -> Any:
        """The same in pyarrow; a column with values of several kinds holds their JSON."""
        return frames.to_arrow(frames.of_runs(self._records()))

    def history(
        self, keys: Sequence[str], samples: int = 500, *, pandas: bool = True, stream: str = "history"
    ) -> Any:
        """The keys of every run, each thinned out to at most `samples` points, in one question to the store.

        A DataFrame with the columns run (its id), key, _step, value, low, high, mean: a point stands for a bucket of
        steps, `value` is its last. Without `pandas`, the records themselves.
        """
        asked: Callable[..., Any] = self._connection.backend.runs.samples
        found = asked([run.id for run in self._records()], texts(keys, what="keys"), stream=stream, points=samples)
        return frames.to_pandas(frames.of_samples(found)) if pandas else found
