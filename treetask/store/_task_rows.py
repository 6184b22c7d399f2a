"""The table of tasks: every statement on it, by a connection. Called in threads; knows neither loop nor executor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from treetask._errors import DefinitionError
from treetask.store._dialect import Connection
from treetask.store._task import COLUMNS, TaskRecord, UnknownTaskError, called, moment, record_of

_SELECT: Final = f"select {', '.join(COLUMNS)} from tasks"
#: The order in which tasks were made.
_IN_ORDER: Final = "order by created_at, id"
#: A task and all below it. UNION, not UNION ALL: it ends, whatever the parents say.
_BELOW: Final = (
    "with recursive below(id) as (select id from tasks where id = ? union "
    "select tasks.id from tasks join below on tasks.parent_id = below.id)"
)
#: So many ids are asked for at once.
_CHUNK: Final = 500


def chunks(ids: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield ids in parts, each with the markers for them: `?,?,?`."""
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        yield ",".join("?" * len(part)), part


def read(connection: Connection, ids: Sequence[str]) -> dict[str, TaskRecord]:
    """Return the tasks of these ids, as far as they are there."""
    rows: list[tuple[Any, ...]] = []
    for markers, part in chunks(ids):
        rows += connection.rows(f"{_SELECT} where id in ({markers})", part)
    return {row[0]: record_of(row) for row in rows}


def read_one(connection: Connection, task_id: str) -> TaskRecord:
    """Return one task. Raises `UnknownTaskError`."""
    row = connection.row(f"{_SELECT} where id = ?", [task_id])
    if row is None:
        raise UnknownTaskError(task_id, connection.shown, "create_task returns the id of the one that it makes")
    return record_of(row)


def read_below(connection: Connection, root_id: str) -> list[TaskRecord]:
    """Return a task and all below it, in the order in which they were made."""
    rows = connection.rows(f"{_BELOW} {_SELECT} where id in (select id from below) {_IN_ORDER}", [root_id])
    return [record_of(row) for row in rows]


def read_some(
    connection: Connection, conditions: Sequence[str], values: Sequence[object], limit: int | None, offset: int
) -> list[TaskRecord]:
    """Return the tasks that meet all conditions, in the order in which they were made."""
    where = f"where {' and '.join(conditions)}" if conditions else ""
    part = "" if limit is None and not offset else f" limit {_MOST if limit is None else limit} offset {offset}"
    return [record_of(row) for row in connection.rows(f"{_SELECT} {where} {_IN_ORDER}{part}", values)]


#: A limit that limits nothing: SQLite takes no offset without one.
_MOST: Final = 2**62


def ids_below(connection: Connection, root_id: str) -> list[str]:
    """Return the ids of a task and of all below it."""
    return [row[0] for row in connection.rows(f"{_BELOW} select id from below", [root_id])]


def insert(connection: Connection, rows: Sequence[Sequence[object]]) -> None:
    """Insert new tasks, as `COLUMNS`."""
    connection.insert("tasks", COLUMNS, rows)


def rewrite(connection: Connection, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Overwrite columns of many tasks that are there; the first of the columns is `id`."""
    # An upsert, which is one statement for many rows. It never inserts, but has to have what may not be NULL.
    fill = [name for name in ("name", "status") if name not in columns]
    values = [[*row, *("" for _ in fill)] for row in rows]
    connection.insert("tasks", [*columns, *fill], values, key=("id",), replace=columns[1:])


def delete(connection: Connection, ids: Sequence[str]) -> None:
    """Delete tasks."""
    for markers, part in chunks(ids):
        connection.execute(f"delete from tasks where id in ({markers})", part)


def refuse_unknown_parent(connection: Connection, owner: str, parent_id: str) -> None:
    """Raise `UnknownTaskError` for a parent that is no task."""
    if connection.row("select 1 from tasks where id = ?", [parent_id]) is None:
        raise UnknownTaskError(
            parent_id, connection.shown, f"{owner} cannot be below it: create the parent first and hand over its id"
        )


def refuse_parent_below(connection: Connection, task: TaskRecord, parent_id: str) -> None:
    """Raise `DefinitionError` for a parent that is the task itself, or below it."""
    if parent_id in ids_below(connection, task.id):
        parent = read_one(connection, parent_id)
        where = "itself" if parent.id == task.id else f"{parent}, which is below it"
        raise DefinitionError(f"{task} cannot be put below {where}; choose a parent elsewhere")


def refuse_ids_taken(connection: Connection, named: Sequence[tuple[str, str]]) -> None:
    """Raise `DefinitionError` for an id, given with the name of its task, that a task has already."""
    for markers, part in chunks([task_id for task_id, _ in named]):
        row = connection.row(f"select id, name from tasks where id in ({markers})", part)
        if row is not None:
            raise DefinitionError(
                f"there is {called(row[1], row[0])} already; give another id, or none to have one made"
            )


def times(connection: Connection, ids: Sequence[str]) -> dict[str, datetime]:
    """Return when each of these tasks was changed last."""
    found: dict[str, datetime] = {}
    for markers, part in chunks(ids):
        rows = connection.rows(f"select id, updated_at from tasks where id in ({markers})", part)
        found.update({task_id: moment(seconds) for task_id, seconds in rows})
    return found
