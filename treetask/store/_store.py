"""A store that is open: where journals, histories and the task manager keep what must outlive the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from typing_extensions import Self

from treetask.store._dialect import Connection
from treetask.store._errors import StoreUnavailableError
from treetask.store._schema import is_current, prepare
from treetask.store._sqlite import SQLiteConnection
from treetask.store._url import Address, Kind, address_of

#: Seconds; what others do in one transaction takes milliseconds.
BUSY_TIMEOUT: Final = 10.0


class Store:
    """A file of SQLite's or a database of PostgreSQL's with the tables of TreeTask, made where there are none yet.

    `url` is a path, a URL (`sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` for one in memory,
    `postgresql://user@host:5432/database`), or None for `.treetask/journal.db` in the folder of the project: the
    nearest one upwards with a pyproject.toml or .git, else the current one. With `create=False` a file must be there
    already. `busy_timeout` is how many seconds to wait for what another process holds.

    Any thread may use it: there is one connection, and who uses it has it alone. Raises `StoreError` for what cannot be
    opened, and never shows a password.
    """

    def __init__(
        self, url: str | os.PathLike[str] | None = None, *, create: bool = True, busy_timeout: float = BUSY_TIMEOUT
    ) -> None:
        self._address = address_of(url)
        self._create = create
        self._busy_timeout = busy_timeout
        self._lock = threading.RLock()
        self._connection = self._opened()

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
        if isinstance(self._connection, SQLiteConnection) and self._address.kind is Kind.MEMORY:
            return self._connection.shared()
        return self._opened()

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        with self._lock:
            self._connection.close()

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
