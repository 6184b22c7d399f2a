"""A connection to a database, the same for SQLite and PostgreSQL: one set of statements, with `?` where a value goes.

What the two have in common is here: transactions, bulk inserts, the words that a table is declared with. What differs
is in `_sqlite` and `_postgresql`, which also turn what their drivers raise into errors of ours. Knows no table.

Statements keep to what both understand. True and false are 1 and 0 in a column `{integer}`; text is ordered by code
points; in PostgreSQL a value must be of its column's type, an int in a `{real}` column excepted.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, ClassVar, Final

from typing_extensions import Self

from treetask.store._errors import StatementError, StoreError, StoreUnavailableError

#: A row, or the values for a statement.
Row = tuple[Any, ...]
Values = Sequence[Any]

#: How many rows one `INSERT ... VALUES` has: one of few numbers, so that the driver knows the statement again.
_SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1_024)


class Connection(ABC):
    """A connection to a store. Not for several threads at once."""

    #: What a table is declared with: `{text}`, `{integer}`, `{real}`, `{blob}`, `{identity}`, `{without_rowid}`.
    words: ClassVar[dict[str, str]]
    #: How many values one statement may have.
    most_values: int
    #: Whether a row may be there twice in one statement. Then rows are repeated to make up one of the sizes above:
    #: while the event loop is busy, each statement waits for the GIL, which costs more than rows do.
    takes_repeats: bool
    #: Whether tables of others may stand beside ours, and what to do where they have our names.
    is_shared_with_others: bool
    alien_fix: str

    def __init__(self, shown: str, lock: threading.RLock) -> None:
        self.shown = shown
        self._lock = lock
        self._in_transaction = False
        #: The first statement of the transaction that failed.
        self._failure: StoreError | None = None

    @property
    def is_lost(self) -> bool:
        """Whether it has ended by itself; the next transaction begins with another one."""
        return False

    @abstractmethod
    def check_place(self) -> None:
        """Raise `StoreUnavailableError` if nobody else would find what is written, where the database does not tell."""

    @abstractmethod
    def execute(self, sql: str, parameters: Values = ()) -> int:
        """Run a statement; return how many rows it has inserted, changed or deleted."""

    @abstractmethod
    def rows(self, sql: str, parameters: Values = ()) -> list[Row]:
        """Return all rows that a statement yields."""

    @abstractmethod
    def row(self, sql: str, parameters: Values = ()) -> Row | None:
        """Return the first row that a statement yields, None if there is none."""

    @abstractmethod
    def insert_new(self, table: str, columns: Sequence[str], values: Values) -> int:
        """Insert a row into a table with an `{identity}`, and return the `id` that it was given."""

    @abstractmethod
    def tables(self) -> set[str]:
        """Return the names of the tables that are there."""

    @abstractmethod
    def close(self) -> None:
        """End the connection; what was not committed is undone. Closing twice is fine."""

    @abstractmethod
    def _begin(self) -> None:
        """Begin a transaction that writes."""

    @abstractmethod
    def _begin_schema(self) -> None:
        """Keep every other process from changing the tables until the transaction ends."""

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Values],
        *,
        key: Sequence[str] = (),
        replace: Sequence[str] = (),
    ) -> None:
        """Insert rows, each with a value for each of the columns.

        Where a row with the same `key` is there, its columns in `replace` are overwritten; if these are none, the row
        is left as it is. Without a `key`, such a row raises `ConflictError`. Rows with the same key among those given
        come one after the other. All rows are inserted or none: outside a transaction, in one of their own.
        """
        if key:
            rows = merged(columns, rows, key, replace)
        if not rows:
            return
        if self._in_transaction:
            self._insert(table, columns, rows, conflict_clause(key, replace))
        else:
            with self.transaction():
                self._insert(table, columns, rows, conflict_clause(key, replace))

    def _insert(self, table: str, columns: Sequence[str], rows: Sequence[Values], on_conflict: str) -> None:
        most = _SIZES[bisect_right(_SIZES, self.most_values // len(columns)) - 1]
        may_pad = self.takes_repeats and on_conflict
        start = 0
        while start < len(rows):
            left = min(len(rows) - start, most)
            size = _SIZES[bisect_left(_SIZES, left) if may_pad else bisect_right(_SIZES, left) - 1]
            chunk = [*rows[start : start + size], *[rows[-1]] * (size - left)]
            self.execute(insert_statement(table, tuple(columns), size, on_conflict), list(chain.from_iterable(chunk)))
            start += size

    @contextmanager
    def transaction(self) -> Generator[Self]:
        """Do all or nothing: commit at the end of the block, undo everything if it raises.

        In SQLite no other connection writes meanwhile. In PostgreSQL others do, as READ COMMITTED has it: a claim is
        one conditional UPDATE whose count of rows tells who got it. After a statement that failed nothing is committed,
        caught or not: PostgreSQL would not do it.
        """
        with self._lock:
            if self._in_transaction:
                raise StoreError(
                    f"store {self.shown}: a transaction has already begun on this connection; do all of it in one block"
                )
            self._begin()
            self._in_transaction = True
            self._failure = None
            try:
                yield self
                if self._failure is not None:
                    raise StatementError(
                        self.shown, "nothing is committed, as a statement of the transaction has failed"
                    ) from self._failure
                self.execute("commit")
            except BaseException:
                with suppress(StoreError):  # what went wrong is told by the first error, and this undoes it as well
                    self._rollback()
                raise
            finally:
                self._in_transaction = False

    @contextmanager
    def schema_change(self) -> Generator[Self]:
        """Return a transaction that keeps every other process from changing the tables as well."""
        with self.transaction():
            self._begin_schema()
            yield self

    def _rollback(self) -> None:
        self.execute("rollback")

    def _closed(self) -> StoreUnavailableError:
        return StoreUnavailableError(self.shown, "it is closed", "open it again")


def merged(
    columns: Sequence[str], rows: Sequence[Values], key: Sequence[str], replace: Sequence[str]
) -> Sequence[Values]:
    """Return rows of which no two have the same key, with what inserting them one by one would leave.

    PostgreSQL refuses a statement that meets one row twice, and neither database has to write it twice.
    """
    places = [columns.index(name) for name in key]
    key_of = itemgetter(*places)
    last = {key_of(row): row for row in rows}
    if len(last) == len(rows):
        return rows
    first: dict[Any, Values] = {}
    for row in rows:
        first.setdefault(key_of(row), row)
    if not replace:
        return list(first.values())
    from_last = [name in replace for name in columns]
    return [
        [new if is_new else old for old, new, is_new in zip(row, last[its_key], from_last, strict=True)]
        for its_key, row in first.items()
    ]


def conflict_clause(key: Sequence[str], replace: Sequence[str]) -> str:
    """Return what an INSERT does where the key is there already."""
    if not key:
        return ""
    if not replace:
        return f" on conflict ({', '.join(key)}) do nothing"
    return f" on conflict ({', '.join(key)}) do update set {', '.join(f'{each} = excluded.{each}' for each in replace)}"


@lru_cache(maxsize=256)
def insert_statement(table: str, columns: tuple[str, ...], count: int, on_conflict: str) -> str:
    """Return an INSERT of so many rows."""
    row = f"({', '.join('?' * len(columns))})"
    names = ", ".join(columns)
    return f"insert into {table} ({names}) values {', '.join([row] * count)}{on_conflict}"
