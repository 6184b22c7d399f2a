"""Brings lines to a file or a pipe without keeping a run from its work: a thread of its own writes what has come.

What cannot be written is told once, and nothing more is written then. Knows bytes, not what they say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

#: Seconds between two writes: a run of many events makes few of them, and nobody who looks on waits for long.
_BATCH_SECONDS: Final = 0.05
#: Bytes that may wait for a slow reader, as of a pipe, before the run does so too.
_MOST_WAITING: Final = 64 * 1024 * 1024


class ByteStream(Protocol):
    """Where bytes go, as to a binary file."""

    def write(self, data: bytes, /) -> object:
        """Write some bytes."""
        ...

    def flush(self) -> object:
        """Bring them to where they go."""
        ...


class Sink:
    """Takes bytes from any thread and has them written; `on_error` is told, on another thread, what that raised."""

    def __init__(self, stream: ByteStream, on_error: Callable[[Exception], object]) -> None:
        self._stream: Final = stream
        self._on_error: Final = on_error
        self._lock: Final = threading.Condition()
        self._waiting: list[bytes] = []
        self._size = 0
        #: Whether the thread holds what it has not written yet.
        self._is_writing = False
        self._has_failed = False
        self._closing: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._work, name="treetask-events", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Have some bytes written, soon. Waits only where far too many do so already."""
        with self._lock:
            while self._size > _MOST_WAITING and not self._has_failed:
                self._lock.wait()
            if not self._has_failed:
                self._waiting.append(data)
                self._size += len(data)
                self._lock.notify_all()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that came is written, at most so many seconds; return whether it is."""
        with self._lock:
            return self._lock.wait_for(lambda: not (self._waiting or self._is_writing), timeout)

    def close(self) -> None:
        """Write what is left, before this returns. The stream stays open."""
        self._closing.set()
        with self._lock:
            self._lock.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._waiting or self._closing.is_set())
                data, self._waiting, self._size = b"".join(self._waiting), [], 0
                self._is_writing = True
                self._lock.notify_all()
            if data:
                self._write(data)
            with self._lock:
                self._is_writing = False
                self._lock.notify_all()
                if self._closing.is_set() and not self._waiting:
                    return
            self._closing.wait(_BATCH_SECONDS)

    def _write(self, data: bytes) -> None:
        if self._has_failed:
            return
        try:
            self._stream.write(data)
            self._stream.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end a run
            with self._lock:
                self._has_failed = True
                self._lock.notify_all()
            self._on_error(error)
