"""The runs of a store: what is known of each, who drives it, and the lease that keeps a second driver away.

A run is driven by one process at a time. That one says every few seconds that it is there; whether a driver still lives
is known at once on its own host, by its number and the time of its start, and from elsewhere once it has said nothing
for half a minute.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from treetask import _clock
from treetask.store._dialect import Connection, Row
from treetask.store._errors import RunOwnedError, UnknownRunError
from treetask.store._process import Owner, current_process, is_alive
from treetask.store._text import id_of_key, whole_text

#: Seconds between two signs of life of a driver.
HEARTBEAT_EVERY: Final = 5.0
#: Seconds after which a driver on another host counts as dead; it may have missed a few signs under load.
LEASE: Final = 30.0
#: Runs that an error names.
_NAMED: Final = 5


class RunStatus(str, Enum):
    """How a run stands."""

    RUNNING = "running"
    """A process drives it."""
    DONE = "done"
    """All went well."""
    FAILED = "failed"
    """Something failed that nobody handled."""
    CANCELLED = "cancelled"
    """It was stopped, in order."""
    TIMED_OUT = "timed_out"
    """It took longer than it may."""
    LOST = "lost"
    """Its process died before it could end the run. Never stored: it follows from who drives it."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run came from: what it takes to build its tree again. None of it for runs of a program's own."""

    #: `module:attribute` or `path/file.py:attribute`, seen from the folder.
    target: str | None = None
    folder: str | None = None
    #: The parameters as the text of a JSON object.
    params: str | None = None
    #: What else the command said that decides what runs, as JSON.
    options: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it is on record. Times are seconds since the epoch."""

    id: int
    #: The id of the tree's root.
    root: str
    name: str | None
    origin: Origin
    status: RunStatus
    started_at: float
    ended_at: float | None
    error: str | None
    #: Who drives it, or did last.
    owner: Owner
    heartbeat_at: float
    python: str
    #: TreeTask's; None for a run that was lost in its first seconds.
    version: str | None
    #: How often it was gone on with.
    resumes: int
    #: How many nodes there are in each status, with the total; None as long as it lasts.
    counts: Mapping[str, int] | None


_COLUMNS: Final = (
    *("id", "root", "name", "target", "folder", "params", "options", "status", "started_at", "ended_at", "error"),
    *("host", "pid", "process_started", "heartbeat_at", "python", "version", "resumes", "counts"),
)
_SELECT: Final = f"select {', '.join(_COLUMNS)} from runs"


def create_run(connection: Connection, root: str, name: str | None, origin: Origin) -> int:
    """Enter a new run that this process drives; return its number."""
    owner, now = current_process(), _clock.wall()
    options = None if origin.options is None else json.dumps(dict(origin.options))
    values: dict[str, object] = {
        "root": root,
        "name": name,
        "target": None if origin.target is None else whole_text(origin.target),
        "folder": None if origin.folder is None else whole_text(origin.folder),  # on Linux its name is any bytes
        "params": origin.params,
        "options": options,
        "status": RunStatus.RUNNING.value,
        "started_at": now,
        "heartbeat_at": now,
        "host": owner.host,
        "pid": owner.pid,
        "process_started": owner.started,
        "python": python_version(),
        "resumes": 0,
    }
    return connection.insert_new("runs", tuple(values), tuple(values.values()))


def find_run(connection: Connection, run: int | None = None) -> RunRecord:
    """Return a run by its number, by default the newest. Raises `UnknownRunError`."""
    where, values = (" order by id desc", ()) if run is None else (" where id = ?", (run,))
    row = connection.row(f"{_SELECT}{where} limit 1", values)
    if row is None:
        newest = [str(each.id) for each in list_runs(connection, _NAMED)]
        raise UnknownRunError("at all" if run is None else str(run), connection.shown, newest)
    return _record(row)


def list_runs(connection: Connection, limit: int | None = None) -> list[RunRecord]:
    """Return the runs, the newest first."""
    bound = "" if limit is None else f" limit {limit:d}"
    return [_record(row) for row in connection.rows(f"{_SELECT} order by id desc{bound}")]


def take_run(connection: Connection, run: int) -> RunRecord:
    """Let this process drive a run that nobody drives; return it as it was. In a transaction.

    Raises `UnknownRunError`, and `RunOwnedError` naming who drives it.
    """
    found = find_run(connection, run)
    if found.status is RunStatus.RUNNING:
        raise RunOwnedError(f"run {run}", found.owner.host, found.owner.pid, found.started_at)
    owner, now = current_process(), _clock.wall()
    taken = connection.execute(
        "update runs set status = ?, host = ?, pid = ?, process_started = ?, heartbeat_at = ?, resumes = resumes + 1,"
        " ended_at = null, error = null, python = ? where id = ? and resumes = ?",
        (
            *(RunStatus.RUNNING.value, owner.host, owner.pid, owner.started, now),
            *(python_version(), run, found.resumes),
        ),
    )
    if not taken:  # another one was quicker
        found = find_run(connection, run)
        raise RunOwnedError(f"run {run}", found.owner.host, found.owner.pid, found.started_at)
    return found


def beat(connection: Connection, run: int, resumes: int, *, tells_version: bool = True) -> None:
    """Say that the driver of a run is there. Raises `RunOwnedError` if it is another one by now."""
    touched = connection.execute(
        "update runs set heartbeat_at = ?, version = coalesce(?, version) where id = ? and resumes = ?",
        (_clock.wall(), _own_version() if tells_version else None, run, resumes),
    )
    if not touched:
        raise _taken(connection, run)


def _taken(connection: Connection, run: int) -> RunOwnedError:
    found = find_run(connection, run)
    return RunOwnedError(f"run {run}", found.owner.host, found.owner.pid, found.heartbeat_at)


def end_run(
    connection: Connection,
    run: int,
    resumes: int,
    *,
    status: RunStatus,
    error: str | None,
    counts: Mapping[str, int],
) -> None:
    """Enter how a run has ended. Raises `RunOwnedError` if somebody else drives it by now."""
    touched = connection.execute(
        "update runs set status = ?, ended_at = ?, error = ?, counts = ?, version = ? where id = ? and resumes = ?",
        (status.value, _clock.wall(), error, json.dumps(dict(counts)), _own_version(), run, resumes),
    )
    if not touched:
        raise _taken(connection, run)


#: Runs that this process has begun, or gone on with for so many times, and drives no more though it could not enter
#: their end. Not told by their stores, as one has many names.
_given_up: Final[set[tuple[int, int, float]]] = set()


def give_up_run(run: int, resumes: int, started_at: float) -> None:
    """Let a run count as lost that this process drives no more."""
    _given_up.add((run, resumes, started_at))


def keep_attempts(connection: Connection, run: int) -> dict[str, int]:
    """Enter how nodes have ended that are about to run again, as attempts; return how many attempts of each are known.

    What is entered is the end itself, so it is there once however often a run is gone on with.
    """
    # Of the last attempts there is only the beginning, which stands with the node from now on.
    connection.execute("delete from attempts where run = ? and status = 'working'", (run,))
    connection.execute(
        "insert into attempts (run, key, number, status, started_at, ended_at, error)"
        " select n.run, n.key, 1 + coalesce("
        "(select max(a.number) from attempts a where a.run = n.run and a.key = n.key), 0),"
        " n.status, n.started_at, n.ended_at, n.error from nodes n"
        " where n.run = ? and n.attempts > 0 and n.status in ('failed', 'timed_out', 'cancelled') and not exists"
        " (select 1 from attempts a where a.run = n.run and a.key = n.key and a.ended_at = n.ended_at)",
        (run,),
    )
    rows = connection.rows("select key, max(number) from attempts where run = ? group by key", (run,))
    return {row[0]: row[1] for row in rows}


#: What is kept of a run, in the order in which it goes.
_OF_RUNS: Final = ("nodes", "attempts", "dependencies", "logs", "durations")


def prune_runs(connection: Connection, keep: int) -> list[int]:
    """Delete the oldest runs with all that is known of them, but for the `keep` newest and what runs; return which."""
    old = [each.id for each in list_runs(connection)[keep:] if each.status is not RunStatus.RUNNING]
    for run in old:
        for table in _OF_RUNS:
            connection.execute(f"delete from {table} where run = ?", (run,))
        connection.execute("delete from runs where id = ?", (run,))
    return old


def _record(row: Row) -> RunRecord:
    found = dict(zip(_COLUMNS, row, strict=True))
    owner = Owner(found["host"], found["pid"], found["process_started"])
    status = RunStatus(found["status"])
    if status is RunStatus.RUNNING:
        is_given_up = (found["id"], found["resumes"], found["started_at"]) in _given_up and owner == current_process()
        if is_given_up or not _is_driven(owner, found["heartbeat_at"]):
            status = RunStatus.LOST
    options = None if found["options"] is None else json.loads(found["options"])
    return RunRecord(
        id=found["id"],
        root=found["root"],
        name=found["name"],
        origin=Origin(_read(found["target"]), _read(found["folder"]), found["params"], options),
        status=status,
        started_at=found["started_at"],
        ended_at=found["ended_at"],
        error=found["error"],
        owner=owner,
        heartbeat_at=found["heartbeat_at"],
        python=found["python"],
        version=found["version"],
        resumes=found["resumes"],
        counts=None if found["counts"] is None else json.loads(found["counts"]),
    )


def _read(text: str | None) -> str | None:
    return None if text is None else id_of_key(text)


def _is_driven(owner: Owner, heartbeat_at: float) -> bool:
    lives = is_alive(owner)
    return _clock.wall() - heartbeat_at < LEASE if lives is None else lives


def python_version() -> str:
    """Return the version of this Python, by which it is told whether the digests of functions can be compared."""
    return ".".join(map(str, sys.version_info[:3]))


def _own_version() -> str:
    # Asked for when the run has begun: to find it takes longer than all else that a run is entered with.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("treetask")
    except PackageNotFoundError:
        return "unknown"
