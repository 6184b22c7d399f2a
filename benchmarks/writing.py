"""What a change of a node's status costs the thread that writes it down, alone and beside a loop that never rests.

Two entries a node, the second with a result of 100 bytes and a while after the first, as in a run with many nodes at
once. On PostgreSQL too, where TREETASK_TEST_POSTGRES names a server.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import psycopg

from benchmarks.measure import Figure, Row, figure, in_turn
from treetask.store import Connection, Store
from treetask.store._writer import Writer

SERVER = os.environ.get("TREETASK_TEST_POSTGRES", "")
SCHEMA = "treetask_benchmark"

#: Nodes of a measurement, and how many of them are under way at once.
NODES = 20_000
AT_ONCE = 2_000
#: Changes in one transaction of the bare driver: as many as the writer takes at most.
BATCH = 1_000

PLACE = ("run", "key", "parent", "name", "declaration", "fingerprint")
CHANGING = ("status", "attempts", "started_at", "ended_at", "result", "is_stored")

Entry = tuple[Any, ...]


def rows() -> Iterator[Row]:
    """Yield the lines of the table."""
    for name, is_server, goal, busy_goal in [("SQLite", False, 10, 50), ("PostgreSQL", True, 40, 150)]:
        if SERVER or not is_server:
            title = f"a change of status written, {name}"
            yield Row("", title, "µs", goal, partial(written, is_server=is_server, is_busy=False))
            yield Row("", f"{title}, loop busy", "µs", busy_goal, partial(written, is_server=is_server, is_busy=True))


def written(times: int, *, is_server: bool, is_busy: bool) -> Figure:
    """Measure what each of many changes costs, until all of them are safe; the note compares the bare driver."""
    ours_of = partial(microseconds, is_server=is_server, is_busy=is_busy)
    pairs = in_turn(ours_of, partial(raw_microseconds, is_server=is_server), times)
    ours, raw = ([pair[side] for pair in pairs] for side in (0, 1))
    driver = "psycopg" if is_server else "sqlite3"
    return figure(ours, f"{1e6 / median(ours):,.0f} a second, bare {driver} {1e6 / median(raw):,.0f}")


def microseconds(*, is_server: bool, is_busy: bool) -> float:
    """Return what one of many changes takes in a new store."""
    entries = list(changes())
    failures: list[BaseException] = []
    with on_server() if is_server else in_file() as url, Store(url) as store:
        writer = Writer(store.connect, write, lambda batch: None, failures.append)
        start = perf_counter()
        for entry in entries:
            writer.put(entry)
        while is_busy and writer.backlog and not failures:
            pass
        writer.close()
        return (perf_counter() - start) / len(entries) * 1e6


def raw_microseconds(*, is_server: bool) -> float:
    """Return what one of the same changes takes the bare driver, in the same batches, with nothing beside it."""
    entries = list(changes())
    with on_server() if is_server else in_file() as url:
        with Store(url):
            pass  # makes the tables
        connection: Any = psycopg.connect(url) if is_server else sqlite3.connect(url)
        if not is_server:
            connection.execute("pragma synchronous = full")
        names = ", ".join(PLACE + CHANGING)
        marks = ", ".join(["%s" if is_server else "?"] * len(PLACE + CHANGING))
        replaced = ", ".join(f"{name} = excluded.{name}" for name in CHANGING)
        statement = f"insert into nodes ({names}) values ({marks}) on conflict (run, key) do update set {replaced}"  # noqa: S608
        start = perf_counter()
        for first in range(0, len(entries), BATCH):
            connection.cursor().executemany(statement, entries[first : first + BATCH])
            connection.commit()
        seconds = perf_counter() - start
        connection.close()
        return seconds / len(entries) * 1e6


def write(connection: Connection, entries: list[Entry]) -> None:
    """Write changes as a journal would."""
    connection.insert("nodes", PLACE + CHANGING, entries, key=("run", "key"), replace=CHANGING)


def changes() -> Iterator[Entry]:
    """Yield what happens to the nodes: each begins, and ends when others have begun."""
    for number in range(NODES + AT_ONCE):
        if number < NODES:
            yield change(number, "working", None)
        if number >= AT_ONCE:
            yield change(number - AT_ONCE, "done", b"x" * 100)


def change(number: int, status: str, result: bytes | None) -> Entry:
    """Return what is written of a node at a time."""
    name, began = f"fetch[{number}]", 1.7e9 + number
    place = (1, f"nightly/crawl/{name}", "nightly/crawl", name, "app:fetch", "s:page")
    return (*place, status, 1, began, began + 1 if result else None, result, int(result is not None))


@contextmanager
def in_file() -> Generator[str]:
    """A new file."""
    with TemporaryDirectory() as folder:
        yield str(Path(folder) / "journal.db")


@contextmanager
def on_server() -> Generator[str]:
    """A new schema of the server's."""
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"create schema {SCHEMA}".encode())
        try:
            yield f"{SERVER}{'&' if '?' in SERVER else '?'}options=-csearch_path%3D{SCHEMA}"
        finally:
            connection.execute(f"set client_min_messages = warning; drop schema {SCHEMA} cascade".encode())
