"""The pipes between a run and its processes: what comes out of one is handed on as it comes, what goes in is written.

The event loop waits for pipes where it can, so that what is in one is read without waiting for more. On Windows it can
wait for none but its own kind, and a thread reads.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Final, Protocol

import anyio

#: As much as a pipe of Linux holds, so that one read empties it.
_CHUNK: Final = 64 * 1024
#: What a pipe holds at most, where nobody has raised the system's limit. Of what is in one at the end no more is read,
#: since something in the background may go on writing.
_MOST_HELD: Final = 1024 * 1024
#: Seconds that a thread gets at the end, to read what is in the pipe.
_LAST_READ: Final = 1.0
#: Chunks that a thread may be ahead of the event loop.
_CHUNKS_AHEAD: Final = 4

#: Whether the event loop cannot wait for a pipe.
READS_IN_THREADS: Final = sys.platform == "win32"


class OutputPipe(Protocol):
    """A pipe that a process, and whatever it starts, writes to."""

    #: For the process; whoever hands it on closes it here.
    write_end: int

    async def read(self) -> None:
        """Hand on what comes, until nobody has the pipe open any more."""
        ...

    async def drain(self) -> None:
        """Hand on what is in the pipe, without waiting for more."""
        ...

    def close(self) -> None:
        """Let whoever still writes write in vain."""
        ...


class LoopPipe:
    """A pipe that the event loop waits for."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._take: Final = take
        self._has_ended = False

    async def read(self) -> None:
        while not self._has_ended:
            await anyio.wait_readable(self._read_end)
            self._read_once()

    async def drain(self) -> None:
        left = _MOST_HELD
        while left > 0 and (count := self._read_once()):
            left -= count

    def _read_once(self) -> int:
        if self._has_ended:
            return 0
        try:
            chunk = os.read(self._read_end, _CHUNK)
        except BlockingIOError:
            return 0
        if chunk:
            self._take(chunk)
        else:
            self._has_ended = True
        return len(chunk)

    def close(self) -> None:
        os.close(self._read_end)


class ThreadPipe:
    """A pipe that a thread reads. It may be blocked there as long as somebody has the pipe open, and nobody waits."""

    def __init__(
        self,
        take: Callable[[bytes], None],
        post: Callable[[Callable[[], None]], None],
        within: Callable[[float], AbstractContextManager[object]],
    ) -> None:
        self._read_end, self.write_end = os.pipe()
        self._take: Final = take
        self._post: Final = post
        self._within: Final = within
        self._room: Final = threading.Semaphore(_CHUNKS_AHEAD)
        self._ended: Final = anyio.Event()
        self._has_begun = False
        self._is_closed = False

    def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            threading.Thread(target=self._work, name="treetask-output", daemon=True).start()

    def _work(self) -> None:
        while (chunk := os.read(self._read_end, _CHUNK)) and not self._is_closed:
            self._room.acquire()
            self._post(partial(self._receive, chunk))
        os.close(self._read_end)
        self._post(self._ended.set)

    def _receive(self, chunk: bytes) -> None:
        if not self._is_closed:
            self._take(chunk)
        self._room.release()

    async def read(self) -> None:
        self._begin()
        await self._ended.wait()

    async def drain(self) -> None:
        self._begin()
        with self._within(_LAST_READ):
            await self._ended.wait()

    def close(self) -> None:
        self._is_closed = True
        self._room.release()
        if not self._has_begun:
            os.close(self._read_end)


def fed_by_thread(data: bytes) -> int:
    """Return the read end of a pipe into which all of some data is written; whoever hands it on closes it here.

    Who ends without reading all has read enough.
    """
    read_end, write_end = os.pipe()
    threading.Thread(target=_write, args=(write_end, data), name="treetask-input", daemon=True).start()
    return read_end


def _write(write_end: int, data: bytes) -> None:
    with suppress(OSError), os.fdopen(write_end, "wb") as pipe:
        pipe.write(data)
