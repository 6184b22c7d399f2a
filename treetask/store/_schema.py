"""The tables of a store, and how those of an earlier version become the ones of this.

Times are seconds since the epoch, what is JSON is text, results are bytes. Whoever opens a store calls `prepare`, which
touches nothing unless the database is empty or has tables of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from treetask.store._dialect import Connection
from treetask.store._errors import NewerSchemaError, StatementError, StoreCorruptedError

#: Takes the tables from one version to the next, in a transaction that has begun.
Step = Callable[[Connection], None]

_VERSION_1: Final = (
    "create table meta (name {text} primary key, value {text} not null)",
    """create table runs (
        id {identity}, root {text}, name {text}, target {text}, folder {text}, params {text}, options {text},
        status {text} not null, started_at {real}, ended_at {real}, error {text},
        host {text}, pid {integer}, process_started {real}, heartbeat_at {real},
        python {text}, version {text}, resumes {integer} not null default 0, counts {text})""",
    """create table nodes (
        run {integer} not null, key {text} not null, parent {text}, name {text}, declaration {text}, fingerprint {text},
        version {text}, code {text}, status {text}, attempts {integer}, started_at {real}, ended_at {real},
        result {blob}, is_stored {integer} not null default 0, error {text}, reason {text},
        primary key (run, key)) {without_rowid}""",
    """create table attempts (
        run {integer} not null, key {text} not null, number {integer} not null,
        status {text}, started_at {real}, ended_at {real}, error {text},
        primary key (run, key, number)) {without_rowid}""",
    """create table dependencies (
        run {integer} not null, key {text} not null, needs {text} not null, optional {integer} not null default 0,
        primary key (run, key, needs)) {without_rowid}""",
    """create table logs (
        run {integer} not null, key {text} not null, lines {text}, primary key (run, key)) {without_rowid}""",
    """create table durations (
        root {text} not null, declaration {text} not null, run {integer} not null, count {integer}, seconds {real},
        primary key (root, declaration, run)) {without_rowid}""",
    """create table cache (
        declaration {text} not null, digest {text} not null, result {blob}, stored_at {real},
        primary key (declaration, digest)) {without_rowid}""",
    """create table tasks (
        id {text} primary key, user_id {text}, parent_id {text}, name {text} not null, priority {integer},
        inputs {text}, dependencies {text}, status {text} not null, progress {real}, result {text}, error {text},
        created_at {real}, updated_at {real}, started_at {real}, completed_at {real}, claim {text})""",
    "create index tasks_by_parent on tasks (parent_id)",
    "create index tasks_by_user on tasks (user_id)",
    """create table claims (
        id {text} primary key, root {text}, host {text}, pid {integer}, process_started {real},
        claimed_at {real}, heartbeat_at {real})""",
)

#: Tables of ours, by which a database of somebody else is told that happens to use one of these names.
TABLES: Final = frozenset(
    {"meta", "runs", "nodes", "attempts", "dependencies", "logs", "durations", "cache", "tasks", "claims"}
)


def _create(connection: Connection) -> None:
    for statement in _VERSION_1:
        connection.execute(statement.format_map(connection.words))


#: The first makes the tables; each one after it takes them a version further.
STEPS: Final[tuple[Step, ...]] = (_create,)

SCHEMA_VERSION: Final = len(STEPS)


def prepare(connection: Connection, *, steps: Sequence[Step] = STEPS) -> None:
    """Have the tables of this version: made, brought up to date, or there already.

    Any number of processes may do so at once. Raises `NewerSchemaError` for those of a later version, and
    `StoreCorruptedError` where there are tables of somebody else.
    """
    if is_current(connection, steps=steps):
        return
    with connection.schema_change():
        found = version_of(connection)
        _refuse_newer(connection, found, len(steps))
        for step in steps[found:]:
            step(connection)
        connection.insert("meta", ("name", "value"), [("schema", str(len(steps)))], key=("name",), replace=("value",))


def is_current(connection: Connection, *, steps: Sequence[Step] = STEPS) -> bool:
    """Return whether the tables are those of this version; refuse those that never can be."""
    found = version_of(connection)
    _refuse_newer(connection, found, len(steps))
    return found == len(steps)


def version_of(connection: Connection) -> int:
    """Return the version of the tables that are there, 0 if there are none."""
    there = connection.tables()
    ours = there & TABLES
    if not (ours if connection.is_shared_with_others else there):
        return 0
    found = _recorded(connection) if ours >= {"meta", "runs"} else None
    if found is None:
        table = min(ours or there)
        raise StoreCorruptedError(
            connection.shown, f"it has a table '{table}' that is not TreeTask's", connection.alien_fix
        )
    return found


def _recorded(connection: Connection) -> int | None:
    try:
        row = connection.row("select value from meta where name = 'schema'")
    except StatementError:  # somebody else's table has other columns
        return None
    return int(row[0]) if row is not None and str(row[0]).isdecimal() else None


def _refuse_newer(connection: Connection, found: int, known: int) -> None:
    if found > known:
        raise NewerSchemaError(connection.shown, found, known)
