"""A store that is open: where journals, histories and the task manager keep what must outlive the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final

from typing_extensions import Self

from treetask.model import TaskTree
from treetask.store._dialect import Connection
from treetask.store._errors import StoreUnavailableError
from treetask.store._schema import is_current, prepare
from treetask.store._sqlite import SQLiteConnection
from treetask.store._url import Address, Kind, address_of

if TYPE_CHECKING:
    from treetask.store._journal import ResumedRun, RunJournal
    from treetask.store._runs import RunRecord

#: Seconds; what others do in one transaction takes milliseconds.
BUSY_TIMEOUT: Final = 10.0


class Store:
    """A file of SQLite's or a database of PostgreSQL's with the tables of TreeTask, made where there are none yet.

    `url` is a path, a URL (`sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` for one in memory,
    `postgresql://user@host:5432/database`), or None for `.treetask/journal.db` in the folder of the project: the
    nearest one upwards with a pyproject.toml or .git, else the current one. With `create=False` a file must be there
    already. `busy_timeout` is how many seconds to wait for what another process holds. With `is_lazy` it is opened when
    it is first used, in the thread that does so: an event loop should not wait for it.

    Any thread may use it: there is one connection, and who uses it has it alone. Raises `StoreError` for what cannot be
    opened, and never shows a password.
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        *,
        create: bool = True,
        busy_timeout: float = BUSY_TIMEOUT,
        is_lazy: bool = False,
    ) -> None:
        self._address = address_of(url)
        self._create = create
        self._busy_timeout = busy_timeout
        self._lock = threading.RLock()
        self._is_closed = False
        self._open = None if is_lazy else self._opened()

    @property
    def _connection(self) -> Connection:
        """The connection; to be asked for with the lock held."""
        if self._open is None:
            if self._is_closed:
                raise StoreUnavailableError(self.url, "it is closed", "open it again")
            self._open = self._opened()
        return self._open

    @property
    def url(self) -> str:
        """Where it is, for people: without a password."""
        return self._address.shown

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """Do all or nothing on the connection, which nobody else has meanwhile; see `Connection.transaction`."""
        with self._lock, self._connection.transaction():
            yield self._connection

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Return the connection, which nobody else has meanwhile; each statement is a transaction of its own."""
        with self._lock:
            yield self._connection

    def connect(self) -> Connection:
        """Return a second connection, which whoever asked for it closes; of one in memory, the same by turns."""
        if self._address.kind is not Kind.MEMORY:
            return self._opened()
        with self._lock:
            connection = self._connection
        assert isinstance(connection, SQLiteConnection)
        return connection.shared()

    # What is kept in it: the modules that know it stand above this one, and are loaded when they are needed.

    def open_journal(self, tree: TaskTree, /) -> RunJournal:
        """Begin the record of a run of a tree. For the engine: `tree.run(store=store)` asks for it."""
        from treetask.store._journal import NewRun

        return NewRun(self).open_journal(tree)

    def resume(self, run: int | None = None) -> ResumedRun:
        """Return what lets a run go on, by default the newest: `tree.run(store=store.resume(3))`.

        What was done comes back as it was, with its results; all else runs again. The tree has to be built as it was.
        Raises `UnknownRunError` here, `RunOwnedError` from the run where another process drives it.
        """
        from treetask.store._journal import ResumedRun

        return ResumedRun(self, self.run(run))

    def run(self, run: int | None = None) -> RunRecord:
        """Return what is known of a run, by default the newest. Raises `UnknownRunError`."""
        from treetask.store._runs import find_run

        with self.reading() as connection:
            return find_run(connection, run)

    def runs(self, limit: int | None = None) -> list[RunRecord]:
        """Return what is known of the runs, the newest first."""
        from treetask.store._runs import list_runs

        with self.reading() as connection:
            return list_runs(connection, limit)

    def prune(self, keep: int) -> list[int]:
        """Delete all but the newest runs and those that run now; return the numbers of those that are gone."""
        from treetask.store._runs import prune_runs

        if keep < 0:
            raise ValueError(f"Store.prune: keep is {keep}; expected a number from 0")
        with self.transaction() as connection:
            return prune_runs(connection, keep)

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        with self._lock:
            self._is_closed = True
            if self._open is not None:
                self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def _opened(self) -> Connection:
        if self._address.kind is Kind.SERVER:
            return _open_postgresql(self._address, self._busy_timeout)
        return _open_sqlite(self._address, self._busy_timeout, create=self._create)


def _open_sqlite(address: Address, busy_timeout: float, *, create: bool) -> Connection:
    connection = SQLiteConnection.open(address, busy_timeout, create=create)
    try:
        is_current(connection)  # before anything is changed: the file may be of somebody else
        connection.prepare_to_write()
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_postgresql(address: Address, busy_timeout: float) -> Connection:
    try:
        from treetask.store._postgresql import PostgreSQLConnection
    except ImportError as error:
        raise StoreUnavailableError(
            address.shown, f"it needs psycopg, which cannot be loaded ({error})", "install 'treetask[postgres]'"
        ) from error
    connection = PostgreSQLConnection(address, busy_timeout)
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection
