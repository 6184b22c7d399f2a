"""Tables that are made, brought up to date, or refused and left as they were found."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest

from tests.sentences import exactly
from treetask.store import Connection, NewerSchemaError, Store, StoreCorruptedError, StoreError
from treetask.store._schema import SCHEMA_VERSION, STEPS, TABLES, prepare, version_of


def test_new_store_has_all_tables(store: Store) -> None:
    """And records their version."""
    with store.reading() as connection:
        assert connection.tables() == TABLES
        assert version_of(connection) == SCHEMA_VERSION == 1


def test_newer_tables_are_refused(store_url: str) -> None:
    """With both versions, and nothing is changed."""
    with Store(store_url) as store:
        url = store.url
        with store.transaction() as connection:
            connection.execute("update meta set value = '7'")

    message = (
        f"store {url}: its tables have version 7, this TreeTask knows them up to version 1; "
        "upgrade TreeTask, or name another store"
    )
    with pytest.raises(NewerSchemaError, match=exactly(message)) as raised:
        Store(store_url)
    assert (raised.value.found, raised.value.known) == (7, 1)


def add_column(connection: Connection) -> None:
    """A step of a version to come."""
    connection.execute("alter table runs add column note {text}".format_map(connection.words))
    connection.execute("update runs set note = 'old'")


def test_earlier_tables_are_brought_up_to_date(store: Store) -> None:
    """What is in them stays; a second time there is nothing to do."""
    with store.transaction() as connection:
        connection.insert_new("runs", ("status",), ("done",))

    with store.reading() as connection:
        for _ in range(2):
            prepare(connection, steps=(*STEPS, add_column))

        assert version_of(connection) == 2
        assert connection.rows("select status, note from runs") == [("done", "old")]


def test_step_that_fails_leaves_the_tables_as_they_were(store: Store) -> None:
    """All steps are one transaction."""

    def fail(connection: Connection) -> None:
        connection.execute("create table half (a {text})".format_map(connection.words))
        raise ZeroDivisionError

    with store.reading() as connection:
        with pytest.raises(ZeroDivisionError):
            prepare(connection, steps=(*STEPS, add_column, fail))

        assert version_of(connection) == 1
        assert connection.tables() == TABLES
        assert connection.rows("select * from runs") == []
        prepare(connection, steps=(*STEPS, add_column))
        assert version_of(connection) == 2


def test_several_at_once_make_one_store(store_url: str) -> None:
    """Whoever comes second finds the tables of the first, and writes to them."""
    count = 6
    barrier = threading.Barrier(count)
    failures: list[BaseException] = []

    def open_and_write(number: int) -> None:
        try:
            barrier.wait()
            with Store(store_url) as store, store.transaction() as connection:
                connection.insert_new("runs", ("status", "pid"), ("running", number))
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=open_and_write, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with Store(store_url) as store, store.reading() as connection:
        assert sorted(connection.rows("select pid from runs")) == [(number,) for number in range(count)]


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("create table invoices (a)", "invoices"),
        ("create table meta (a); create table runs (a)", "meta"),
        ("create table meta (name, value); create table runs (a)", "meta"),
        (
            "create table meta (name, value); create table runs (a); insert into meta values ('schema', 'public')",
            "meta",
        ),
        ("create table a (a); create view tasks as select * from a", "tasks"),
    ],
)
def test_file_of_somebody_else_is_refused(statement: str, table: str, tmp_path: Path) -> None:
    """And left as it was, to the last bit."""
    path = tmp_path / "app.db"
    other = sqlite3.connect(path)
    other.executescript(statement)
    other.close()
    before = path.read_bytes()

    message = f"it has a table '{table}' that is not TreeTask's; name another file; this one is left as it is"
    with pytest.raises(StoreCorruptedError, match=exactly(f"store {path}: {message}")):
        Store(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["app.db"]


def test_schema_with_a_table_of_ours_by_somebody_else_is_refused(postgresql_url: str) -> None:
    """Other tables may stand beside ours: a database is often one for everything."""
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute("create table invoices (a int)")
        with Store(postgresql_url):
            pass
        for table in TABLES:
            other.execute(f"drop table {table}".encode())
        other.execute("create table tasks (title text)")

        with pytest.raises(StoreError) as raised:
            Store(postgresql_url)
        assert str(raised.value).endswith(
            ": it has a table 'tasks' that is not TreeTask's; "
            "name another database, or a schema of its own: add ?options=-csearch_path%3DNAME to the URL"
        )
        other.execute("select title from tasks")
