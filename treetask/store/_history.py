"""How long things took in the last runs of a tree: what the next one's forecast is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from treetask.model import Forecast
from treetask.store._dialect import Connection
from treetask.store._runs import RunStatus
from treetask.store._text import id_of_key

#: Runs that are looked at: enough that one odd one does not count, few enough that a change shows.
_RUNS: Final = 10


def forecast(connection: Connection, root: str) -> Forecast | None:
    """Return what the last runs of a tree that went well say of the next one; None if there was none."""
    rows = connection.rows(
        "select id, ended_at - started_at from runs"
        " where root = ? and status = ? and resumes = 0 and ended_at is not null"
        # Of a run that was only a part of one there are none.
        " and exists (select 1 from durations where durations.root = runs.root and durations.run = runs.id)"
        " order by id desc limit ?",
        (root, RunStatus.DONE.value, _RUNS),
    )
    if not rows:
        return None
    work: dict[str, list[tuple[int, float]]] = {}
    oldest, newest = rows[-1][0], rows[0][0]
    runs = {run for run, _ in rows}
    for run, declaration, count, seconds in connection.rows(
        "select run, declaration, count, seconds from durations where root = ? and run >= ? and run <= ?",
        (root, oldest, newest),
    ):
        if run in runs and count:
            work.setdefault(id_of_key(declaration), []).append((count, seconds / count))
    typical = {
        declaration: (median(each for _, each in found), median(count for count, _ in found))
        for declaration, found in work.items()
    }
    return Forecast(median(seconds for _, seconds in rows), typical)


def median(numbers: Iterable[float]) -> float:
    """Return the middle of at least one number. `statistics` takes longer to load than a run may take to begin."""
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
