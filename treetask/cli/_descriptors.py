"""File descriptors 1 and 2 while a tree is painted on their terminal: what arrives there is shown above it, whole.

Programs that a body starts by itself, code in C, `os.write` and `sys.stdout.buffer` know nothing of `print`. Their
output goes through a pipe instead of to the terminal, where it would tear the rows; the display has a descriptor of its
own. On Windows a program's output does not follow descriptors, so there nothing is redirected.

Knows descriptors and lines; nothing of trees.
"""

from __future__ import annotations

import io
import os
import select
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from treetask.model import LineCutter

_OUT_AND_ERR: Final = (1, 2)
#: As much as a pipe of Linux holds, so that one read empties it.
_CHUNK: Final = 64 * 1024
#: What a pipe holds at most, where nobody has raised the system's limit. At the end no more is read at once, since a
#: program in the background may go on writing.
_MOST_HELD: Final = 1024 * 1024
#: How long the end waits for a line that is being read, in seconds. In a signal's handler it may wait for itself.
_LAST_WAIT: Final = 0.5


@contextmanager
def own_terminal(stream: TextIO | None) -> Generator[TextIO | None]:
    """Give a stream to the same terminal that stays there when the descriptor is redirected; others as they are."""
    if stream is None or sys.platform == "win32" or not _is_painted_on(stream):
        yield stream
        return
    copy = os.dup(stream.fileno())
    try:
        own = io.TextIOWrapper(io.FileIO(copy, "w", closefd=False), stream.encoding, stream.errors, write_through=True)
        yield own
    finally:
        os.close(copy)


def _is_painted_on(stream: TextIO) -> bool:
    checked: object = stream
    try:
        return isinstance(checked, io.TextIOWrapper) and stream.isatty()
    except (OSError, ValueError):
        return False


class Redirection:
    """The way of what is written to some descriptors, from `begin` to `end`."""

    def __init__(self, descriptors: list[int], take: Callable[[bytes], None]) -> None:
        self._take = take
        self._lines = LineCutter()
        self._read_end, write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._lock = threading.RLock()
        self._has_ended = False
        self._saved = {each: os.dup(each) for each in descriptors}
        #: Stays, for what programs in the background write when the run is over.
        self._terminal = os.dup(descriptors[0])
        _flush()
        for each in descriptors:
            os.dup2(write_end, each)
        os.close(write_end)
        self._crashes = _CrashReports(self._terminal)
        threading.Thread(target=self._read, name="treetask-descriptors", daemon=True).start()

    def end(self) -> None:
        """Put the descriptors back and hand on what is in the pipe. More than once, and in a signal's handler, too."""
        _flush()
        saved, self._saved = self._saved, {}
        for descriptor, before in saved.items():
            os.dup2(before, descriptor)
            os.close(before)
        self._crashes.end()
        held = self._lock.acquire(timeout=_LAST_WAIT)
        try:
            left = _MOST_HELD
            while left > 0 and (count := self._read_once()):
                left -= count
            self._hand_on(self._lines.end())
            self._take = self._write
        finally:
            if held:
                self._lock.release()

    def _read(self) -> None:
        """Hand on what comes, in a thread of its own, until nobody can write any more."""
        waiting = select.poll()
        waiting.register(self._read_end, select.POLLIN)
        while not self._has_ended:
            waiting.poll()
            with self._lock:
                self._read_once()
        os.close(self._read_end)

    def _read_once(self) -> int:
        if self._has_ended:
            return 0
        try:
            chunk = os.read(self._read_end, _CHUNK)
        except BlockingIOError:
            return 0
        self._has_ended = not chunk
        self._hand_on(self._lines.cut(chunk))
        return len(chunk)

    def _hand_on(self, lines: bytes) -> None:
        if lines:
            self._take(lines)

    def _write(self, lines: bytes) -> None:
        with suppress(OSError):
            os.write(self._terminal, lines)


class _CrashReports:
    """What `faulthandler` writes at a crash, when nobody reads a pipe any more: straight to the terminal."""

    def __init__(self, terminal: int) -> None:
        module: Any = sys.modules.get("faulthandler")
        self._module = module if module is not None and module.is_enabled() else None
        if self._module is not None:
            self._module.enable(file=terminal)

    def end(self) -> None:
        module, self._module = self._module, None
        if module is not None:
            module.enable(file=2)


def _flush() -> None:
    """Bring what was written to the streams themselves to where their descriptors lead now."""
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            with suppress(OSError, ValueError, RuntimeError):
                stream.flush()


@contextmanager
def redirected(
    is_shared: Callable[[TextIO], bool], take: Callable[[bytes], None] | None
) -> Generator[Callable[[], None]]:
    """While inside, hand on what is written to descriptors 1 and 2, where they are shared with a display.

    `take` gets whole lines, in another thread. Gives what ends this early, for who leaves the process.
    """
    descriptors = (
        [] if take is None or sys.platform == "win32" else [each for each in _OUT_AND_ERR if _leads(each, is_shared)]
    )
    if not descriptors or take is None:
        yield _nothing
        return
    redirection = Redirection(descriptors, take)
    try:
        yield redirection.end
    finally:
        redirection.end()


def _nothing() -> None:
    """Do nothing: nothing was redirected."""


def _leads(descriptor: int, is_shared: Callable[[TextIO], bool]) -> bool:
    try:
        with open(descriptor, "w", closefd=False) as stream:
            return is_shared(stream)
    except OSError:
        return False
