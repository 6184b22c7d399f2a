"""The thread that writes: batches, their order, a heartbeat, what becomes of failures. Nothing here waits for time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import psycopg
import pytest

from tests.sentences import exactly
from tests.store.conftest import SERVER
from treetask.store import Connection, StatementError, Store, StoreError, StoreUnavailableError
from treetask.store._writer import Writer

PATIENCE = 20.0
"""Seconds after which what a test waits for does not come."""


@dataclass
class Notes:
    """A writer of numbers as keys of nodes, what it was told to do, and what it has told."""

    store: Store
    batches: list[list[int]] = field(default_factory=list[list[int]])
    errors: list[BaseException] = field(default_factory=list[BaseException])
    #: Set when something was written.
    told: threading.Event = field(default_factory=threading.Event)
    #: Set by whoever lets writing go on, and when it has come so far.
    go_on: threading.Event = field(default_factory=threading.Event)
    is_writing: threading.Event = field(default_factory=threading.Event)

    def write(self, connection: Connection, entries: list[int]) -> None:
        """Write the numbers when it may go on; fail if one is below zero, after all of them were inserted."""
        self.is_writing.set()
        assert self.go_on.wait(PATIENCE)
        rows = [(1, str(entry)) for entry in entries]
        connection.insert("nodes", ("run", "key"), rows, key=("run", "key"))
        if min(entries) < 0:
            connection.insert("nodes", ("run", "key"), rows)

    def written(self, batch: list[int]) -> None:
        """Note a batch."""
        self.batches.append(batch)
        self.told.set()

    def rows(self) -> list[int]:
        """The numbers in the store."""
        with self.store.reading() as connection:
            return sorted(int(key) for (key,) in connection.rows("select key from nodes"))

    @contextmanager
    def writer(
        self,
        write: Callable[[Connection, list[int]], None] | None = None,
        idle: Callable[[Connection], None] | None = None,
        every: float = 5.0,
    ) -> Generator[Writer[int]]:
        """A writer that is closed at the end."""
        writer = Writer(
            self.store.connect, write or self.write, self.written, self.errors.append, idle=idle, every=every
        )
        with closing(writer):
            yield writer


@pytest.fixture
def notes(store: Store) -> Notes:
    """Notes of a store of each kind."""
    return Notes(store)


def test_entries_are_written_in_order(notes: Notes) -> None:
    """Each once, each told once, and `close` waits for the last."""
    notes.go_on.set()
    with notes.writer() as writer:
        for number in range(3_000):
            writer.put(number)

    assert [number for batch in notes.batches for number in batch] == notes.rows() == list(range(3_000))
    assert (writer.backlog, notes.errors) == (0, [])


def test_what_comes_while_a_batch_is_written_is_the_next_one(notes: Notes) -> None:
    """Nobody waits for a batch to become large, and none has more than a thousand entries."""
    with notes.writer() as writer:
        writer.put(0)
        assert notes.is_writing.wait(PATIENCE)
        for number in range(1, 1_012):
            writer.put(number)
        assert writer.backlog == 1_012
        notes.go_on.set()

    assert [len(batch) for batch in notes.batches] == [1, 1_000, 11]
    assert writer.backlog == 0


def test_entry_wakes_a_writer_that_sleeps(notes: Notes) -> None:
    """Each one is written without another one after it, and without an end."""
    notes.go_on.set()
    with notes.writer() as writer:
        for number in range(20):
            notes.told.clear()
            writer.put(number)
            assert notes.told.wait(PATIENCE)

    assert notes.batches == [[number] for number in range(20)]


def test_failure_is_told_once_and_ends_it(notes: Notes) -> None:
    """The batch that failed leaves nothing, nothing comes after it, what was told as written is there."""
    notes.go_on.set()
    writer = Writer(notes.store.connect, notes.write, notes.written, notes.errors.append)
    writer.put(1)
    assert notes.told.wait(PATIENCE)
    notes.go_on.clear()
    for number in (2, -3, 4):
        writer.put(number)
    notes.go_on.set()

    for _ in range(2):
        with pytest.raises(StatementError) as raised:
            writer.close()
        assert notes.errors == [raised.value]
    assert notes.batches[0] == [1]
    assert notes.rows() == sorted(number for batch in notes.batches for number in batch)
    assert writer.backlog == 4 - len(notes.rows()) > 0


def test_entry_after_a_failure_is_let_go(notes: Notes) -> None:
    """The run is being stopped; what it puts meanwhile is neither kept nor counted."""

    def told(error: BaseException) -> None:
        notes.errors.append(error)
        notes.told.set()

    writer: Writer[int] = Writer(refuse, notes.write, notes.written, told)
    assert notes.told.wait(PATIENCE)
    writer.put(1)

    assert writer.backlog == 0
    with pytest.raises(StoreUnavailableError, match=exactly("store x: it is away; wait")):
        writer.close()
    assert [str(error) for error in notes.errors] == ["store x: it is away; wait"]


def test_entry_after_the_end_is_refused(notes: Notes) -> None:
    """Nobody would write it, and nobody would be told."""
    with notes.writer() as writer:
        pass

    with pytest.raises(StoreError, match=exactly("nothing can be written any more: the writer is closed")):
        writer.put(1)


def refuse() -> Connection:
    """A store that cannot be opened."""
    raise StoreUnavailableError("x", "it is away", "wait")


def test_observer_that_fails_is_a_failure(notes: Notes) -> None:
    """Whoever is told of a batch and raises ends the writer as well."""

    def fail(batch: list[int]) -> None:
        raise ZeroDivisionError

    notes.go_on.set()
    writer = Writer(notes.store.connect, notes.write, fail, notes.errors.append)
    writer.put(1)

    with pytest.raises(ZeroDivisionError):
        writer.close()
    assert [type(error) for error in notes.errors] == [ZeroDivisionError]


def test_heart_beats_while_nothing_is_put(notes: Notes) -> None:
    """Again and again, each time in a transaction that is committed."""
    beats: list[int] = []

    def beat(connection: Connection) -> None:
        beats.append(len(beats))
        connection.insert("nodes", ("run", "key"), [(2, str(len(beats)))])
        if len(beats) == 3:
            notes.told.set()

    with notes.writer(idle=beat, every=0.001):
        assert notes.told.wait(PATIENCE)

    assert len(notes.rows()) == len(beats) >= 3


def test_heart_beats_between_batches(notes: Notes) -> None:
    """A writer that never rests beats all the same."""
    story: list[str] = []

    def write(connection: Connection, entries: list[int]) -> None:
        story.append("write")
        assert notes.go_on.wait(PATIENCE)

    with notes.writer(write, lambda connection: story.append("beat"), every=1e-9) as writer:
        for number in range(2_500):
            writer.put(number)
        notes.go_on.set()

    assert story[0] == "beat"
    assert all("beat" in (before, after) for before, after in pairwise(story)), (
        "two batches without a beat between them"
    )


def test_failing_heart_ends_the_writer(notes: Notes) -> None:
    """Who cannot say that it lives must not go on writing: another process may have taken over."""

    def beat(connection: Connection) -> None:
        raise StoreError("the lease is gone")

    writer = Writer(notes.store.connect, notes.write, notes.written, notes.errors.append, idle=beat)
    with pytest.raises(StoreError, match=exactly("the lease is gone")):
        writer.close()
    assert len(notes.errors) == 1


@pytest.mark.parametrize(("losses", "is_written"), [(1, True), (2, False)])
def test_batch_whose_connection_was_lost_is_tried_once_more(postgresql_url: str, losses: int, is_written: bool) -> None:
    """A server that cut the connection and is there again costs nothing; one that does so again ends the writer."""
    with Store(postgresql_url) as store:
        notes = Notes(store)
        notes.go_on.set()
        lost: list[int] = []

        def write(connection: Connection, entries: list[int]) -> None:
            notes.write(connection, entries)
            if len(lost) < losses:
                lost.append(cut(connection))
                connection.execute("select 1")

        writer = Writer(store.connect, write, notes.written, notes.errors.append)
        writer.put(1)
        if is_written:
            writer.close()
        else:
            with pytest.raises(StoreUnavailableError, match=r"terminating connection due to administrator command"):
                writer.close()

        assert (notes.rows(), notes.batches) == (([1], [[1]]) if is_written else ([], []))
        assert (len(notes.errors), writer.backlog) == ((0, 0) if is_written else (1, 1))


def cut(connection: Connection) -> int:
    """End the server's side of a connection, and wait until it has gone."""
    row = connection.row("select pg_backend_pid()")
    assert row is not None
    with psycopg.connect(SERVER, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 10000)", row)
    return int(row[0])
