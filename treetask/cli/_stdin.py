"""Stands for a standard input that is a terminal, so that it can be told when somebody reads it.

While keys are obeyed, what is typed goes to the display. A task that reads standard input ends that: from then on, and
beginning with what was typed and no key of the display's, it is the task's. Knows streams; nothing of displays.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final, TextIO, cast

from typing_extensions import Buffer

#: What tells something about a stream and reads nothing of it.
_HARMLESS: Final = frozenset({"closed", "encoding", "errors", "isatty", "line_buffering", "mode", "name", "newlines"})


class Asked:
    """Stands for a text stream that is read: tells somebody before the first time."""

    def __init__(self, original: TextIO) -> None:
        #: The terminal.
        self.descriptor: Final = original.fileno()
        self._original = original
        self._before_reading: Callable[[], bytes] | None = None
        #: Told when somebody begins to wait for a line, and the line that came.
        self._on_waiting: Callable[[str | None], None] | None = None
        #: The process that watches: a child that was forked closes its input at once, and has nothing to tell.
        self._watching = 0
        #: The stream was replaced by one that begins with what was typed before.
        self._has_rest = False

    def watch(self, before_reading: Callable[[], bytes], on_waiting: Callable[[str | None], None]) -> None:
        """Call a function before the stream is read next; what it returns is read first.

        Another one is called each time somebody waits for what is typed, with None, and then with what was.
        """
        self._before_reading = before_reading
        self._on_waiting = on_waiting
        self._watching = os.getpid()

    def unwatch(self) -> None:
        """Call them no more."""
        self._before_reading = self._on_waiting = None

    def _read(self) -> TextIO:
        """Return the stream for somebody who reads it."""
        before_reading, self._before_reading = self._before_reading, None
        rest = b"" if before_reading is None or os.getpid() != self._watching else before_reading()
        if rest:
            self._original = _beginning_with(rest, self._original)
            self._has_rest = True
        return self._original

    def fileno(self) -> int:
        stream = self._read()
        if self._has_rest:
            # Who reads the terminal itself would miss the beginning; `input` then reads this stream.
            raise io.UnsupportedOperation("fileno")
        return stream.fileno()

    def readline(self, size: int = -1, /) -> str:
        return self._waited(lambda stream: stream.readline(size))

    def read(self, size: int = -1, /) -> str:
        return self._waited(lambda stream: stream.read(size))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return self._waited(next)

    def _waited(self, read: Callable[[TextIO], str]) -> str:
        stream, on_waiting = self._read(), self._on_waiting
        if on_waiting is None or os.getpid() != self._watching:
            return read(stream)
        on_waiting(None)
        said = ""
        try:
            said = read(stream)
        finally:
            on_waiting(said)
        return said

    def __getattr__(self, name: str) -> object:
        return getattr(self._original if name in _HARMLESS else self._read(), name)


class _Joined(io.RawIOBase):
    """Some bytes, then what a stream has."""

    def __init__(self, first: bytes, stream: io.BufferedReader) -> None:
        self._first = first
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        room = memoryview(buffer)
        data, self._first = self._first[: len(room)], self._first[len(room) :]
        data = data or self._stream.read1(len(room))
        room[: len(data)] = data
        return len(data)


def _beginning_with(rest: bytes, stream: TextIO) -> TextIO:
    joined = _Joined(rest, cast("io.BufferedReader", stream.buffer))
    return io.TextIOWrapper(io.BufferedReader(joined), encoding=stream.encoding, errors=stream.errors)


@contextmanager
def asked_input() -> Generator[None]:
    """Let an `Asked` stand for the standard input, where that is a terminal."""
    before: object = sys.stdin
    if sys.platform == "win32" or not isinstance(before, io.TextIOWrapper) or not before.isatty():
        yield
        return
    sys.stdin = cast("TextIO", Asked(cast("TextIO", before)))
    try:
        yield
    finally:
        sys.stdin = before
