"""A run on record as the lines that tell of it, for whoever shows it again or makes a report of it. Reads only.

A journal has how things ended, not all that happened: nodes are there from the beginning, nothing is known of progress,
logs come with the end of what did not end well, and of an error what it said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from treetask.events import (
    FORMAT_VERSION,
    EndLine,
    Fault,
    Line,
    LogLine,
    NodeLine,
    StartLine,
    StatusLine,
)
from treetask.model import FAILURES, TaskStatus
from treetask.store._dialect import Connection
from treetask.store._records import name_of
from treetask.store._runs import RunRecord, find_run
from treetask.store._text import id_of_key

_PENDING: Final = TaskStatus.PENDING
_WORKING: Final = TaskStatus.WORKING
_RETRYING: Final = TaskStatus.RETRYING
_DIGITS: Final = 6


#: When a line is of, in seconds since the epoch; its kind and its fields.
_Told: TypeAlias = "tuple[float, Callable[..., Line], dict[str, Any]]"
#: When something happened to a node; where times are equal, its place among all that happened to that node, and its
#: depth, so that parents begin before their children and end after them.
_Happened: TypeAlias = "tuple[tuple[float, int, int], Callable[..., Line], dict[str, Any]]"


@dataclass(slots=True)
class _Attempt:
    """An attempt on record, which is not the last one."""

    status: TaskStatus
    started_at: float | None
    ended_at: float | None
    error: str | None


@dataclass(slots=True)
class _Row:
    """A node on record. Times are seconds since the epoch."""

    id: str
    parent: str | None
    name: str | None
    code: str | None
    status: TaskStatus
    started_at: float | None
    ended_at: float | None
    error: str | None
    reason: str | None
    depth: int = 0
    children: list[_Row] = field(default_factory=list["_Row"])
    attempts: list[_Attempt] = field(default_factory=list[_Attempt])
    needs: list[str] = field(default_factory=list[str])
    optional: list[str] = field(default_factory=list[str])
    log: tuple[str, ...] = ()
    #: When its last attempt began, if that was a repetition.
    last_began: float | None = None


def run_lines(connection: Connection, run: int | None = None) -> Iterator[Line]:
    """Return the lines of a run, by default of the newest, in the order of their times. Raises `UnknownRunError`."""
    record = find_run(connection, run)
    return _numbered(record, _told(record, _rows(connection, record)))


def _numbered(record: RunRecord, told: list[_Told]) -> Iterator[Line]:
    for seq, (wall, kind, fields) in enumerate(told, 1):
        yield kind(seq=seq, at=round(wall - record.started_at, _DIGITS), wall=wall, **fields)


def _told(record: RunRecord, rows: list[_Row]) -> list[_Told]:
    begun = record.started_at
    start = {
        "version": FORMAT_VERSION,
        "root": rows[0].id,
        "name": record.name or rows[0].id,
        "run": record.id,
        "target": record.origin.target,
    }
    told: list[_Told] = [(begun, StartLine, start)]
    told += [(begun, NodeLine, _node(row)) for row in rows]
    happened = [each for row in rows for each in _life(row)]
    happened.sort(key=lambda each: each[0])
    told += [(place[0], kind, fields) for place, kind, fields in happened]
    if record.ended_at is not None:
        counts = {status: count for status, count in (record.counts or {}).items() if count and status != "total"}
        elapsed = round(record.ended_at - begun, _DIGITS)
        told.append((record.ended_at, EndLine, {"status": record.status.value, "elapsed": elapsed, "counts": counts}))
    return told


# -- what happened to a node ------------------------------------------------------------------------------------------


def _node(row: _Row) -> dict[str, Any]:
    return {
        "node": row.id,
        "name": name_of(row.id, row.parent) if row.name is None else row.name,
        "parent": row.parent,
        "has_body": row.code is not None or not row.children,
        "depends_on": tuple(row.needs),
        "optional": tuple(row.optional),
        "max_retries": None,
    }


def _life(row: _Row) -> Iterator[_Happened]:
    """Yield what happened to a node, in order: its attempts, what it put out, and its end."""
    steps = _steps(row)
    before = float("-inf")
    for place, (at, kind, fields) in enumerate(steps):
        # The times of two lives of a run may be of two clocks.
        before = max(before, at)
        is_end = fields.get("new") not in (None, _WORKING.value)
        yield (before, place, -row.depth if is_end else row.depth), kind, {"node": row.id, **fields}


def _steps(row: _Row) -> Iterator[_Told]:
    status, number, last = _PENDING, 0, row.started_at

    def change(at: float, new: TaskStatus, **fields: object) -> _Told:
        nonlocal status
        old, status = status, new
        return at, StatusLine, {"attempt": max(number, 1), "old": old.value, "new": new.value, **fields}

    for attempt in row.attempts:
        ended = _first(attempt.ended_at, row.ended_at, row.started_at)
        began = _first(attempt.started_at, None if last is None else min(last, ended), ended)
        number += 1
        if status.is_terminal:
            yield change(began, _PENDING)
        yield change(began, _WORKING)
        yield change(ended, attempt.status, **_why(attempt.status, attempt.error, None))
        last = ended
    if row.status is _RETRYING or row.status is _PENDING:
        return
    has_begun = row.started_at is not None or row.status in {_WORKING, TaskStatus.TIMED_OUT}
    began = max(_first(row.last_began, row.started_at, row.ended_at), _first(last, row.started_at, row.ended_at))
    ended = _first(row.ended_at, began)
    if status.is_terminal:
        yield change(began, _PENDING)
    if has_begun:
        number += 1
        yield change(began, _WORKING)
    if row.log:
        yield ended, LogLine, {"lines": row.log, "attempt": max(number, 1)}
    if row.status is not _WORKING:
        yield change(ended, row.status, **_why(row.status, row.error, row.reason))


def _first(*times: float | None) -> float:
    """Return the first time that is known."""
    return next((time for time in times if time is not None), 0.0)


def _why(status: TaskStatus, error: str | None, reason: str | None) -> dict[str, object]:
    """Return what is known of why a node came to a status."""
    fault = () if error is None or status is TaskStatus.DONE else (Fault(kind="", message=error),)
    return {"reason": reason, "faults": fault, "failed_below": status in FAILURES and error is None}


# -- reading ----------------------------------------------------------------------------------------------------------


def _rows(connection: Connection, record: RunRecord) -> list[_Row]:
    """Return the nodes of a run, parents before children, siblings in the order in which they began."""
    found = connection.rows(
        "select key, parent, name, code, status, started_at, ended_at, error, reason from nodes"
        " where run = ? order by coalesce(started_at, 1e300), coalesce(ended_at, 1e300), key",
        (record.id,),
    )
    rows = {
        key: _Row(id_of_key(key), None if parent is None else id_of_key(parent), name, code, TaskStatus(status), *rest)
        for key, parent, name, code, status, *rest in found
    }
    root = rows.get(record.root)
    if root is None:
        root = _Row(id_of_key(record.root), None, record.name, None, _PENDING, None, None, None, None)
    root.parent = None
    _add_details(connection, record.id, rows)
    by_id = {row.id: row for row in rows.values()}
    for row in rows.values():
        if row is not root:
            # Of a run that was lost, the row of a parent may have been on its way.
            above = by_id.get(row.parent or "", root)
            row.parent = above.id
            above.children.append(row)
    ordered: list[_Row] = []
    waiting = [root]
    while waiting:
        row = waiting.pop()
        ordered.append(row)
        for child in reversed(row.children):
            child.depth = row.depth + 1
            waiting.append(child)
    return ordered


def _add_details(connection: Connection, run: int, rows: Mapping[str, _Row]) -> None:
    for key, status, *rest in connection.rows(
        "select key, status, started_at, ended_at, error from attempts where run = ? order by key, number", (run,)
    ):
        if key in rows and status == _WORKING.value:
            rows[key].last_began = rest[0]
        elif key in rows:
            rows[key].attempts.append(_Attempt(TaskStatus(status), *rest))
    for key, needs, optional in connection.rows(
        "select key, needs, optional from dependencies where run = ? order by key, needs", (run,)
    ):
        if key in rows:
            rows[key].needs.append(id_of_key(needs))
            if optional:
                rows[key].optional.append(id_of_key(needs))
    for key, lines in connection.rows("select key, lines from logs where run = ?", (run,)):
        if key in rows and lines:
            rows[key].log = tuple(lines.splitlines())
