"""One thread that writes, so that the event loop never waits for a disk or a server.

What is put while a batch is being written makes up the next one: nobody waits for a batch to become large, and under
load it does so by itself. Knows neither what is written nor the loop; both are functions that it is given.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from treetask._clock import monotonic
from treetask.store._dialect import Connection
from treetask.store._errors import StoreError, StoreUnavailableError

T = TypeVar("T")

#: More entries in one transaction cost no less each, and would be told as written later.
_MOST_ENTRIES: Final = 1_000


class Writer(Generic[T]):
    """Writes entries in the order in which they are put, in batches of one transaction each.

    `write` is given a connection in a transaction and up to 1,000 entries; where the connection is lost it is
    called again with the same ones on another, so it must leave the same whether called once or twice. `on_written` is
    told each batch once, when it is safe. `idle` is called in a transaction of its own `every` so many seconds, busy or
    not: a heartbeat. After the first error nothing more is written; `on_error` is told it, once. All of them are called
    in the writer's thread.
    """

    def __init__(
        self,
        open_connection: Callable[[], Connection],
        write: Callable[[Connection, list[T]], None],
        on_written: Callable[[list[T]], None],
        on_error: Callable[[BaseException], None],
        *,
        idle: Callable[[Connection], None] | None = None,
        every: float = 5.0,
    ) -> None:
        self._open_connection = open_connection
        self._write = write
        self._on_written = on_written
        self._on_error = on_error
        self._idle = idle
        self._every = every
        self._queue: deque[T] = deque()
        self._count_put = 0
        self._count_written = 0
        self._error: BaseException | None = None
        self._is_closing = False
        self._is_asleep = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="treetask writer", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """How many entries were put and are not written yet."""
        return self._count_put - self._count_written

    def put(self, entry: T) -> None:
        """Have an entry written after those before it. Only one thread may do so; it does not wait.

        After an error this does nothing: `on_error` was told, and `close` raises it.
        """
        if self._is_closing:
            raise StoreError("nothing can be written any more: the writer is closed")
        if self._error is None:
            self._count_put += 1
            self._queue.append(entry)
            if self._is_asleep:
                self._is_asleep = False
                self._wake.set()

    def close(self) -> None:
        """Wait until everything is written and the thread has ended; raise what has failed, each time."""
        self._is_closing = True
        self._wake.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            connection = self._open_connection()
            try:
                self._write_until_closed(connection)
            finally:
                connection.close()
        except BaseException as error:  # noqa: BLE001 - whoever closes the writer raises it
            self._error = error
            self._on_error(error)

    def _write_until_closed(self, connection: Connection) -> None:
        beat = monotonic() if self._idle is not None else float("inf")
        while True:
            if monotonic() >= beat:
                self._in_transaction(connection, self._beat)
                beat = monotonic() + self._every
            if self._queue:
                self._write_batch(connection)
            elif self._is_closing:
                return
            else:
                self._sleep(beat)

    def _write_batch(self, connection: Connection) -> None:
        queue = self._queue
        batch = [queue.popleft() for _ in range(min(len(queue), _MOST_ENTRIES))]
        self._in_transaction(connection, lambda connection: self._write(connection, batch))
        self._count_written += len(batch)
        self._on_written(batch)

    def _beat(self, connection: Connection) -> None:
        if self._idle is not None:
            self._idle(connection)

    def _in_transaction(self, connection: Connection, write: Callable[[Connection], None]) -> None:
        try:
            with connection.transaction():
                write(connection)
        except StoreUnavailableError:
            if not connection.is_lost:
                raise
            with connection.transaction():
                write(connection)

    def _sleep(self, until: float) -> None:
        """Wait for an entry, for the end, or for the next beat."""
        self._wake.clear()
        self._is_asleep = True
        # Whoever puts an entry looks at the flag after it, and here the queue is looked at after the flag.
        if not self._queue and not self._is_closing:
            self._wake.wait(None if until == float("inf") else max(until - monotonic(), 0))
        self._is_asleep = False
