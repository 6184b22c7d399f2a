"""SQLite, by the standard library. Every call gives the GIL away and has to get it back, so there are few of them."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from treetask.store._dialect import Connection, Row, Values, insert_statement
from treetask.store._errors import (
    ConflictError,
    StatementError,
    StoreCorruptedError,
    StoreError,
    StoreUnavailableError,
)
from treetask.store._text import clean
from treetask.store._url import Address

#: SQLite's own default, and what it was before version 3.32.
_MOST_VALUES: Final = 32_000 if sqlite3.sqlite_version_info >= (3, 32) else 999
#: Between two looks at whether others still hold the file, where SQLite does not wait by itself.
_BUSY_SECONDS: Final = 0.01
#: What SQLite says, whether the file is damaged, what to say, and what to do about it.
_TROUBLES: Final = (
    ("is not a database", True, "the file is no SQLite database", "name another file; this one is left as it is"),
    ("malformed", True, "the file is damaged", "put a copy in its place, or name another file"),
    ("locked", False, "another process has held it for longer than {busy:g} s", "end that one, or name another file"),
    ("is full", False, "no more can be written: {text}", "make room, then start again"),
    ("readonly", False, "it cannot be written", "give yourself the right to write the file and its folder"),
    ("unable to open", False, "the file cannot be opened", "check the path, and the rights on the file and its folder"),
    ("disk I/O error", False, "the disk fails: {text}", "check the disk, and whether the file is still there"),
)


class SQLiteConnection(Connection):
    """A connection to a file, or to what the process has in memory."""

    words: ClassVar[dict[str, str]] = {
        "text": "text",
        "integer": "integer",
        "real": "real",
        "blob": "blob",
        "identity": "integer primary key autoincrement",
        "without_rowid": "without rowid",
    }
    most_values = _MOST_VALUES
    takes_repeats = True
    is_shared_with_others = False
    alien_fix = "name another file; this one is left as it is"

    def __init__(
        self,
        shown: str,
        busy_timeout: float,
        connection: sqlite3.Connection,
        lock: threading.RLock,
        *,
        path: Path | None = None,
        is_owner: bool,
    ) -> None:
        super().__init__(shown, lock)
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = connection
        self._is_owner = is_owner
        self._path = path
        #: Which file of the disk it is.
        self._file: tuple[int, int] | None = None

    @classmethod
    def open(cls, address: Address, busy_timeout: float, *, create: bool) -> SQLiteConnection:
        """Return a connection, not yet ready to write: whose file it is, is for others to find out."""
        where = ":memory:" if address.path is None else _checked(address, address.path, create=create)
        try:
            connection = sqlite3.connect(
                where, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except sqlite3.Error as error:
            raise _translated(address.shown, busy_timeout, error) from error
        return cls(address.shown, busy_timeout, connection, threading.RLock(), path=address.path, is_owner=True)

    def shared(self) -> SQLiteConnection:
        """Return another connection to what is in memory: the same one, which takes turns."""
        return SQLiteConnection(self.shown, self._busy_timeout, self._open_connection(), self._lock, is_owner=False)

    def prepare_to_write(self) -> None:
        """Have what is committed survive a loss of power, and readers not wait for the one that writes."""
        self._patiently("pragma journal_mode = wal", unless=("wal", "memory"))
        self.execute("pragma synchronous = full")
        self._file = self._found()

    def check_place(self) -> None:
        if self._file is not None and self._found() != self._file:
            problem = "the file was deleted, or another one was put in its place, while it was open"
            raise StoreUnavailableError(self.shown, problem, "leave it where it is, then start again")

    def _found(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _patiently(self, pragma: str, *, unless: Sequence[str]) -> None:
        """Change how the file is kept, which SQLite refuses at once while others hold it."""
        deadline = time.monotonic() + self._busy_timeout
        while (self.row(pragma.partition(" =")[0]) or ("",))[0] not in unless:
            try:
                self.rows(pragma)
                return
            except StoreUnavailableError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_BUSY_SECONDS)

    def execute(self, sql: str, parameters: Values = ()) -> int:
        with self._translating():
            return max(self._open_connection().execute(sql, parameters).rowcount, 0)

    def rows(self, sql: str, parameters: Values = ()) -> list[Row]:
        with self._translating():
            return self._open_connection().execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Values = ()) -> Row | None:
        with self._translating():
            cursor = self._open_connection().execute(sql, parameters)
            try:
                first: Row | None = cursor.fetchone()
                return first
            finally:
                cursor.close()  # what was not fetched would keep the statement open

    def insert_new(self, table: str, columns: Sequence[str], values: Values) -> int:
        with self._translating():
            sql = insert_statement(table, tuple(columns), 1, "")
            return self._open_connection().execute(sql, values).lastrowid or 0

    def _begin_schema(self) -> None:
        """Do nothing: the transaction itself keeps everybody else from writing."""

    def tables(self) -> set[str]:
        found = self.rows("select name from sqlite_master where type in ('table', 'view')")
        return {name for (name,) in found if not name.startswith("sqlite_")}

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._is_owner:
                connection.close()

    def _begin(self) -> None:
        self.execute("begin immediate")

    def _rollback(self) -> None:
        if self._open_connection().in_transaction:  # a full disk, for one, has undone it already
            self.execute("rollback")

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise self._closed()
        return self._connection

    @contextmanager
    def _translating(self) -> Generator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
                self._failure = _translated(self.shown, self._busy_timeout, error)
                raise self._failure from error


def _checked(address: Address, path: Path, *, create: bool) -> Path:
    """Return the path of the file, after all that is better said before SQLite says less about it."""
    shown = address.shown
    try:
        if path.is_dir():
            raise StoreUnavailableError(shown, "it is a folder", "name a file in it")
        if not path.exists():
            if not create:
                raise StoreUnavailableError(
                    shown, "there is no such file", "check the path, or start a run that keeps a journal"
                )
            if address.is_default:
                if path.parent.exists() and not path.parent.is_dir():
                    problem = f"'{path.parent.name}' is there already, and no folder"
                    raise StoreUnavailableError(shown, problem, "move it away, or name another file")
                _make_folder(path.parent)
            elif not path.parent.is_dir():
                raise StoreUnavailableError(shown, "its folder does not exist", "make that, or name another file")
    except OSError as error:
        problem = f"its folder cannot be used: {clean(error.strerror or str(error))}"
        raise StoreUnavailableError(shown, problem, "give yourself the right to, or name another file") from error
    return path


def _make_folder(folder: Path) -> None:
    """Make the folder of the default place: for this user alone, and not for git."""
    folder.mkdir(mode=0o700, exist_ok=True)
    ignored = folder / ".gitignore"
    if not ignored.exists() or not ignored.stat().st_size:  # it is empty if the disk was full
        ignored.write_text("*\n", encoding="utf-8")


def _translated(shown: str, busy_timeout: float, error: Exception) -> StoreError:
    """Return our error for one of SQLite's."""
    text = clean(str(error))
    if isinstance(error, sqlite3.IntegrityError):
        return ConflictError(shown, text)
    for word, is_damage, problem, fix in _TROUBLES:
        if isinstance(error, sqlite3.DatabaseError) and word in text:
            kind = StoreCorruptedError if is_damage else StoreUnavailableError
            return kind(shown, problem.format(text=text, busy=busy_timeout), fix)
    return StatementError(shown, text)
