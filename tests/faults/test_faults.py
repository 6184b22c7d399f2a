"""What may befall a store in the middle of a run: the run stops with that error, and can be gone on with."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import anyio
import psycopg
import pytest

from tests.faults.lives import NOT_OURS, Lives
from tests.faults.pipeline import Notes
from tests.faults.test_kill import check_end
from tests.store.conftest import SERVER
from treetask import AsyncExecutor, Child, Event, Registry, StatusChanged, TaskNode, TaskStatus, TaskTree, TreeBuilder
from treetask.store import (
    Connection,
    JournalError,
    NewerSchemaError,
    RunOwnedError,
    RunStatus,
    Store,
    StoreCorruptedError,
)
from treetask.store import _journal as journal

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COUNT = 200


def pass_by(number: int) -> None:
    """Let nothing befall a run."""


class Crawl:
    """A body that yields children one by one, each of which waits a moment; notes which ran and which are done."""

    def __init__(self, at: Callable[[int], object] = pass_by) -> None:
        self.ran: list[str] = []
        self.done: list[str] = []
        self.error: BaseException | None = None
        self.ended_at = 0.0
        #: Called with the number of each child that begins.
        self.at = at

    def built(self) -> TaskTree:
        """Return a tree that is like those before it."""
        tree = Registry("t")

        @tree.task
        async def page(node: TaskNode, number: int) -> str:
            self.ran.append(node.id)
            self.at(number)
            await anyio.sleep(0.002)
            return str(number) * 500

        @tree.group(max_parallel=10)
        async def crawl() -> AsyncGenerator[Child[str], None]:
            for number in range(COUNT):
                yield page.child(number)

        return tree.build()

    async def run(self, store: Store, *, goes_on: bool = False) -> TaskTree:
        """Run it, or go on with the newest run; note how it ended."""
        tree = self.built()
        executor = AsyncExecutor(tree, store=store.resume() if goes_on else store)
        executor.subscribe(self)
        self.error = None
        try:
            await executor.run()
        except Exception as error:  # noqa: BLE001 - what it was is for the test to tell
            self.error = error
        self.ended_at = time.monotonic()
        return tree

    def on_event(self, event: Event) -> None:
        """Note what was acknowledged."""
        if isinstance(event, StatusChanged) and event.new is TaskStatus.DONE:
            self.done.append(event.node.id)

    async def goes_on(self, store: Store) -> None:
        """Check that nothing is lost that was acknowledged, and that the run can be gone on with here and now."""
        done = set(self.done)
        assert store.run().status in {RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.LOST}
        assert done <= on_record(store)
        self.ran, self.at = [], pass_by
        tree = await self.run(store, goes_on=True)
        assert self.error is None
        assert not done & set(self.ran)
        assert (tree.root.status, len(on_record(store)), store.run().status) == ("done", COUNT + 2, RunStatus.DONE)


def on_record(store: Store) -> set[str]:
    """Return the nodes that are done on record."""
    with store.reading() as connection:
        return {key for (key,) in connection.rows("select key from nodes where status = 'done'")}


class Small(Store):
    """A store on a disk that is soon full."""

    def connect(self) -> Connection:
        connection = super().connect()
        connection.rows("pragma max_page_count = 40")
        return connection


async def test_disk_that_is_full(tmp_path: Path) -> None:
    """The run stops at once; with more room it goes on, in the same process."""
    crawl = Crawl()
    with Small(tmp_path / "runs.db") as store:
        await crawl.run(store)
        assert isinstance(crawl.error, JournalError)
        assert str(crawl.error).endswith(
            "no more can be written: database or disk is full; make room, then start again"
        )
        assert len(crawl.done) < COUNT
    with Store(tmp_path / "runs.db") as store:
        await crawl.goes_on(store)


async def test_file_held_for_a_moment(tmp_path: Path) -> None:
    """Others may write as well: what is to be recorded waits, and the run with it."""
    path = tmp_path / "runs.db"
    crawl = Crawl(lambda number: hold(path, 0.3) if number == COUNT // 2 else None)
    with Store(path, busy_timeout=10) as store:
        await crawl.run(store)
        assert crawl.error is None
        assert len(on_record(store)) == COUNT + 2


async def test_file_held_for_too_long(tmp_path: Path) -> None:
    """Nobody waits for ever."""
    path = tmp_path / "runs.db"
    held: list[threading.Thread] = []
    crawl = Crawl(lambda number: held.append(hold(path, 1.5)) if number == COUNT // 2 else None)
    with Store(path, busy_timeout=0.3) as store:
        await crawl.run(store)
        assert isinstance(crawl.error, JournalError)
        assert "another process has held it for longer than 0.3 s" in str(crawl.error)
        await anyio.to_thread.run_sync(held[0].join)
        await crawl.goes_on(store)


def hold(path: Path, seconds: float) -> threading.Thread:
    """Keep everybody from writing a file for some time."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    other.execute("begin immediate")

    def let_go() -> None:
        time.sleep(seconds)
        other.execute("rollback")
        other.close()

    thread = threading.Thread(target=let_go)
    thread.start()
    return thread


@pytest.mark.skipif(os.name == "nt", reason="a file that is open cannot be deleted")
@pytest.mark.parametrize("is_replaced", [False, True])
async def test_file_that_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_replaced: bool) -> None:
    """SQLite writes on, into nowhere; the run notices with its next sign of life."""
    monkeypatch.setattr(journal, "HEARTBEAT_EVERY", 0.05)
    path, other = tmp_path / "runs.db", tmp_path / "other.db"
    Store(other).close()

    def delete(number: int) -> None:
        if number == 50:
            if is_replaced:
                other.replace(path)
            else:
                path.unlink()

    crawl = Crawl(delete)
    with Store(path) as store:
        await crawl.run(store)
    assert isinstance(crawl.error, JournalError)
    assert "the file was deleted, or another one was put in its place, while it was open" in str(crawl.error)
    assert len(crawl.ran) < COUNT


async def test_file_that_is_deleted_at_the_end(tmp_path: Path) -> None:
    """Before there was a sign of life: then with how the run has ended."""
    path = tmp_path / "runs.db"
    if os.name == "nt":
        pytest.skip("a file that is open cannot be deleted")
    crawl = Crawl(lambda number: path.unlink() if number == COUNT - 1 else None)
    with Store(path) as store:
        await crawl.run(store)
    assert isinstance(crawl.error, JournalError)
    assert "the file was deleted" in str(crawl.error)


async def test_run_that_another_host_has_taken(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This one stops, names the new owner, and does not touch how the run stands."""
    monkeypatch.setattr(journal, "HEARTBEAT_EVERY", 0.05)

    def take(number: int) -> None:
        if number == 50:
            with other.transaction() as connection:
                connection.execute("update runs set resumes = resumes + 1, host = 'elsewhere', pid = 77")

    crawl = Crawl(take)
    with Store(store_url) as store, Store(store_url) as other:
        await crawl.run(store)
        assert isinstance(crawl.error, RunOwnedError)
        assert (crawl.error.host, crawl.error.pid) == ("elsewhere", 77)
        assert len(crawl.ran) < COUNT
        record = store.run()
        assert (record.status, record.owner.host, record.resumes) == (RunStatus.RUNNING, "elsewhere", 1)
        with pytest.raises(RunOwnedError):
            await AsyncExecutor(crawl.built(), store=store.resume()).run()


async def test_run_that_was_taken_between_two_signs_of_life(store_url: str) -> None:
    """As by a machine that slept: nothing of this process comes over what the new owner has on record."""
    taken_at = 5

    def take(number: int) -> None:
        if number == taken_at:
            with other.transaction() as connection:
                connection.execute("update runs set resumes = resumes + 1, host = 'elsewhere', pid = 77")
                connection.execute("delete from nodes")

    crawl = Crawl(take)
    with Store(store_url) as store, Store(store_url) as other:
        await crawl.run(store)
        assert isinstance(crawl.error, RunOwnedError)
        assert (crawl.error.host, crawl.error.pid) == ("elsewhere", 77)
        with store.reading() as connection:
            assert connection.rows("select key from nodes") == []


async def test_server_that_ends_a_connection(postgresql_url: str) -> None:
    """Again and again, in the middle of anything: the run goes on, nothing is lost, and nothing counts twice."""
    name = f"t{uuid4().hex}"

    def cut(number: int) -> None:
        if number % 20 == 10:
            with psycopg.connect(SERVER, autocommit=True) as connection:
                command = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s"
                connection.execute(command, (name,))

    crawl = Crawl(cut)
    with Store(f"{postgresql_url}&application_name={name}") as store:
        await crawl.run(store)
        assert crawl.error is None
        assert len(on_record(store)) == COUNT + 2
        with store.reading() as connection:
            counts = connection.rows("select declaration, count from durations order by declaration")
        assert counts == [("t/crawl/page", COUNT)]


class Proxy:
    """Stands between a client and a server, until it goes away."""

    def __init__(self, host: str, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._to = host, port
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Take all connections, and accept no more."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def wait(self) -> None:
        """Wait until all threads have ended."""
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            self._open += [client, server]
            for one, other in ((client, server), (server, client)):
                self._threads.append(threading.Thread(target=pump, args=(one, other)))
                self._threads[-1].start()


def pump(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes, until the end."""
    with suppress(OSError):
        while data := one.recv(65_536):
            other.sendall(data)
        other.shutdown(socket.SHUT_RDWR)


@contextmanager
def through_proxy(url: str) -> Generator[tuple[str, Proxy]]:
    """Return the URL of a server behind a proxy, and that."""
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5432)
    user = f"{parts.username}@" if parts.username else ""
    try:
        yield urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{proxy.port}")), proxy
    finally:
        with suppress(OSError):
            proxy.close()
        proxy.wait()


async def test_server_that_stays_away(postgresql_url: str) -> None:
    """The run stops within a second, and goes on where the server is found again, in the same process."""
    closed_at = [0.0]

    def leave(number: int) -> None:
        if number == 100:
            closed_at[0] = time.monotonic()
            proxy.close()

    crawl = Crawl(leave)
    with through_proxy(postgresql_url) as (url, proxy), Store(url) as store:
        await crawl.run(store)
        assert isinstance(crawl.error, JournalError)
        assert "check that the server runs" in str(crawl.error)
        assert crawl.ended_at - closed_at[0] < 1
    with Store(postgresql_url) as store:
        await crawl.goes_on(store)


def test_two_processes_that_go_on_at_the_same_moment(lives: Lives, store_url: str, tmp_path: Path) -> None:
    """Exactly one of them does; the other is refused and has run nothing."""
    notes = tmp_path / "notes"
    lives.begin(store_url, notes, 1, statements=45)
    assert lives.end() == -signal.SIGKILL
    hold = Notes(notes).hold
    hold.touch()
    both = lives, Lives()
    ends: Queue[int] = Queue()
    threads = [threading.Thread(target=put_end, args=(each, ends)) for each in both]
    for each, thread in zip(both, threads, strict=True):
        each.begin(store_url, notes, 1)
        thread.start()
    assert ends.get(timeout=20) == NOT_OURS
    hold.unlink()
    assert ends.get(timeout=20) == 0
    both[1].close()
    check_end(store_url, notes)


def put_end(lives: Lives, ends: Queue[int]) -> None:
    """Pass on how a life ends."""
    ends.put(lives.end())


async def test_store_of_a_later_version(tmp_path: Path) -> None:
    """Nothing has run, and nothing is written."""
    path = tmp_path / "runs.db"
    with Store(path) as store, store.transaction() as connection:
        connection.execute("update meta set value = '7' where name = 'schema'")
    before = path.read_bytes()
    crawl = Crawl()
    with pytest.raises(NewerSchemaError):
        await AsyncExecutor(crawl.built(), store=path).run()
    assert (crawl.ran, path.read_bytes()) == ([], before)


async def test_damaged_store(tmp_path: Path) -> None:
    """It is refused, or the run stops with what was found; it never goes on as if nothing were wrong."""
    path = tmp_path / "runs.db"
    crawl = Crawl()
    with Store(path) as store:
        await crawl.run(store)
    whole = path.read_bytes()
    path.write_bytes(whole[:4_096] + b"\xa5" * (len(whole) - 4_096))
    crawl = Crawl()
    with pytest.raises((StoreCorruptedError, JournalError)):
        await AsyncExecutor(crawl.built(), store=path).run()


async def test_tree_that_is_run_twice_at_once(store_url: str) -> None:
    """The second is refused, and is on record nowhere."""
    tree = TreeBuilder("root").add_child("a", task=pause).build()
    errors: list[BaseException] = []

    async def run() -> None:
        try:
            await AsyncExecutor(tree, store=store).run()
        except Exception as error:  # noqa: BLE001 - what it was is checked below
            errors.append(error)

    with Store(store_url) as store:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(run)
        (error,) = errors
        assert str(error) == "tree 'root' is already running; build a second tree to run it twice"
        assert [each.status for each in store.runs()] == [RunStatus.DONE]


async def pause(node: TaskNode) -> None:
    """Wait a moment."""
    await anyio.sleep(0.01)
