"""Reads single keys from a terminal, in a thread of its own, and leaves the terminal as it was found.

The terminal still makes signals of Ctrl-C and Ctrl-Z. Keys are read only while our process group is the terminal's
foreground one: a job in the background that reads is stopped, and one that sets modes sets those of the shell. Knows
file descriptors and bytes; what the keys mean is known in `_browser`.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from treetask.display._keys import Decoder, Typed
from treetask.display._restore import forget, remember

#: The bytes of one key come together; after this silence, in seconds, a lone Esc is one.
_ESCAPE_SECONDS: Final = 0.05
#: How often a job in the background looks whether it is in the foreground again, in seconds: nobody tells it.
_LOOK_SECONDS: Final = 0.5
#: How long a signal handler waits for somebody who is just changing the modes, in seconds.
_LAST_WAIT: Final = 0.2
_JOIN_SECONDS: Final = 1.0


class Keyboard:
    """The keys of a terminal, given to `give` from a thread until `close`."""

    def __init__(self, fd: int, give: Callable[[Sequence[Typed]], None]) -> None:
        self._fd = fd
        self._give = give
        self._decoder = Decoder()
        #: The terminal's modes as they were, while ours are set.
        self._before: list[Any] | None = None
        #: Somebody has left the terminal, until `resume`.
        self._is_away = False
        self._is_closed = False
        #: Reentrant, so that a signal handler does not wait for itself.
        self._lock = threading.RLock()
        self._wake: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> bool:
        """Begin to read; return whether that is possible: on a terminal in whose foreground we are."""
        if sys.platform == "win32" or not _is_foreground(self._fd) or not self._take():
            return False
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._read, args=(self._wake,), name="treetask-keys", daemon=True)
        self._thread.start()
        return True

    def close(self) -> None:
        """Read no more; when this returns, the terminal is as it was. From any thread, more than once."""
        self._is_closed = True
        self.leave()
        self._nudge()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)

    def leave(self) -> None:
        """Leave the terminal as it was found, until `resume`. At any moment, in a signal handler too."""
        held = self._lock.acquire(timeout=_LAST_WAIT)
        try:
            self._is_away = True
            self._restore()
        finally:
            if held:
                self._lock.release()

    def resume(self) -> None:
        """Read again, as soon as we are in the foreground."""
        self._is_away = False
        self._nudge()

    # -- modes -----------------------------------------------------------------------------------------------------

    if sys.platform == "win32":

        def _take(self) -> bool:
            return False

        def _restore(self) -> None:
            pass

    else:

        def _take(self) -> bool:
            """Have keys handed over one by one and not echoed; return whether that worked."""
            import termios

            with self._lock:
                if self._is_away or self._is_closed:
                    return False
                try:
                    before = termios.tcgetattr(self._fd)
                    modes: list[Any] = [*before[:6], list(before[6])]
                    modes[3] &= ~(termios.ICANON | termios.ECHO)
                    modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
                    remember(self)
                    self._before = before
                    termios.tcsetattr(self._fd, termios.TCSANOW, modes)
                except (termios.error, OSError):
                    self._before = None
                    forget(self)
            return self._before is not None

        def _restore(self) -> None:
            import termios

            before, self._before = self._before, None
            forget(self)
            # In the background the modes are the shell's.
            if before is not None and _is_foreground(self._fd):
                with suppress(termios.error, OSError):
                    termios.tcsetattr(self._fd, termios.TCSANOW, before)

    # -- reading ---------------------------------------------------------------------------------------------------

    def _read(self, wake: tuple[int, int]) -> None:
        _block_job_signals()
        try:
            while not self._is_closed:
                self._read_once(wake[0])
        except (OSError, ValueError):
            self.leave()  # a terminal that hung up
        finally:
            with self._lock:
                self._wake = None
                for end in wake:
                    os.close(end)

    def _read_once(self, nudged: int) -> None:
        has_it = self._has_terminal()
        silence = _ESCAPE_SECONDS if self._decoder.waits else None
        watched = [nudged, self._fd] if has_it else [nudged]
        ready = select.select(watched, [], [], silence if has_it or self._is_away else _LOOK_SECONDS)[0]
        if nudged in ready:
            os.read(nudged, 64)
        elif self._fd in ready:
            if self._has_terminal():
                self._hand_over()
        elif has_it and self._decoder.waits:
            self._give(self._decoder.end())

    def _has_terminal(self) -> bool:
        """Whether the terminal is ours to read; taken again when it has come back."""
        if self._is_away or self._is_closed:
            return False
        if not _is_foreground(self._fd):
            self._before = None
            return False
        return self._before is not None or self._take()

    def _hand_over(self) -> None:
        with self._lock:
            # Whoever closes waits for this lock, and reads only afterwards.
            if self._is_away or self._is_closed or not select.select([self._fd], [], [], 0)[0]:
                return
            data = os.read(self._fd, 1024)
        if not data:
            raise OSError("the terminal hung up")
        typed = self._decoder.feed(data)
        if typed:
            self._give(typed)

    def _nudge(self) -> None:
        with self._lock:
            if self._wake is not None:
                with suppress(OSError):
                    os.write(self._wake[1], b".")


def _is_foreground(fd: int) -> bool:
    """Whether a descriptor is a terminal whose keys are meant for our process group."""
    if sys.platform == "win32":
        return False
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def _block_job_signals() -> None:
    """Let this thread be refused, not the process be stopped, where it reads just when it comes to the background."""
    if sys.platform != "win32":
        import signal

        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN, signal.SIGTTOU})
