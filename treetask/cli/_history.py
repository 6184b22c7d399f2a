"""The runs on record: `runs`, `prune`, and what tools read of them.

The JSON of `runs` is one object: `version` (of this form, 1) and `runs`, the newest first. A run has `id`, `target`,
`folder`, `root`, `name`, `status`, `started_at`, `ended_at`, `error`, `resumes`, `host`, `pid`, `python`, `treetask`
(the version) and `counts` (of nodes by their status). Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from treetask import _clock
from treetask.cli._listing import aligned
from treetask.cli._on_record import NOTHING_YET
from treetask.cli._options import Options
from treetask.cli._place import StorePlace
from treetask.cli._problem import ExitCode
from treetask.cli._streams import put_out, say, width_of_output
from treetask.text import duration, safe_text

if TYPE_CHECKING:
    from treetask.store import RunRecord, Store

JSON_VERSION: Final = 1
#: Runs that are shown, and kept, if nobody says how many.
_SHOWN: Final = 20
_KEPT: Final = 50
#: The order in which counts are told; what is not listed goes without saying.
_TOLD: Final = ("done", "failed", "timed_out", "cancelled", "skipped", "working", "retrying")


def show_runs(options: Options, place: StorePlace) -> int:
    """Put out which runs there are, the newest first."""
    from treetask.store import list_runs

    limit = _SHOWN if options.limit is None else options.limit
    store = place.opened_if_there()
    found: list[tuple[RunRecord, Mapping[str, int]]] = []
    more = False
    if store is not None:
        with store:
            with store.reading() as connection:
                records = list_runs(connection, limit + 1)
            more = len(records) > limit
            found = [(record, counts_of(store, record)) for record in records[:limit]]
    if options.format == "json":
        put_out(_as_json(found))
    elif not found:
        say([f"treetask: {NOTHING_YET}"] if store is None else [f"treetask: store {store.url} has no runs yet"])
    else:
        put_out(_table(found))
        if more:
            say([f"treetask: there are older ones; --limit {limit * 5} shows more"])
    return ExitCode.ALL_WELL


def prune(options: Options, place: StorePlace) -> int:
    """Delete the oldest runs."""
    from treetask.store import prune_runs

    keep = _KEPT if options.keep is None else options.keep
    store = place.opened_if_there()
    if store is None:
        say([f"treetask: {NOTHING_YET}"])
        return ExitCode.ALL_WELL
    with store, store.transaction() as connection:
        gone = prune_runs(connection, keep)
    count = "no run is" if not gone else "1 run is" if len(gone) == 1 else f"{len(gone):,} runs are"
    say([f"treetask: {count} deleted, and the newest {keep:,} kept"])
    return ExitCode.ALL_WELL


def counts_of(store: Store, record: RunRecord) -> Mapping[str, int]:
    """Return how many nodes a run has in each status, as far as it has come."""
    from treetask.store import status_counts

    if record.counts is not None:
        return record.counts
    with store.reading() as connection:
        return status_counts(connection, record.id)


def told_counts(counts: Mapping[str, int]) -> str:
    """Return how many nodes there are in each status, in words."""
    return ", ".join(f"{counts[each]:,} {each.replace('_', ' ')}" for each in _TOLD if counts.get(each))


def title_of(record: RunRecord) -> str:
    """Return what a run is one of: its target, or the root's id where a program of its own began it."""
    return safe_text(record.root if record.origin.target is None else record.origin.target)


def when(seconds: float) -> str:
    """Return a time of day with its date."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def took(record: RunRecord) -> str:
    """Return how long a run took; of one that was lost, as long as it is known to have lived."""
    from treetask.store import RunStatus

    end = record.ended_at
    if end is None:
        end = _clock.wall() if record.status is RunStatus.RUNNING else record.heartbeat_at
    return duration(max(0.0, end - record.started_at))


def _table(found: Sequence[tuple[RunRecord, Mapping[str, int]]]) -> Iterator[str]:
    columns = max(3, *(len(str(record.id)) for record, _ in found))
    rows = [(f"{'run':>{columns}}", "what", "when", "took", "status", "tasks")]
    for record, counts in found:
        rows.append(
            (
                f"{record.id:>{columns}}",
                title_of(record),
                when(record.started_at)[:-3],
                took(record),
                record.status.value.replace("_", " "),
                told_counts(counts),
            )
        )
    return aligned(rows, width_of_output())


def _as_json(found: Sequence[tuple[RunRecord, Mapping[str, int]]]) -> Iterator[str]:
    yield f'{{"version": {JSON_VERSION}, "runs": ['
    for place, (record, counts) in enumerate(found):
        yield json.dumps(run_as_json(record, counts)) + ("," if place + 1 < len(found) else "")
    yield "]}"


def run_as_json(record: RunRecord, counts: Mapping[str, int]) -> dict[str, Any]:
    """Return what a tool reads of a run."""
    return {
        "id": record.id,
        "target": record.origin.target,
        "folder": record.origin.folder,
        "root": record.root,
        "name": record.name,
        "status": record.status.value,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "error": record.error,
        "resumes": record.resumes,
        "host": record.owner.host,
        "pid": record.owner.pid,
        "python": record.python,
        "treetask": record.version,
        "counts": dict(counts),
    }
