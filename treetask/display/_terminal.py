"""Everything that touches the output: is it a terminal, how big is it, what can it encode, one write a frame.

Knows escape sequences and file descriptors; nothing of trees. An output that has gone away (a closed pipe, a terminal
that hung up) is quiet from then on: a display must never end a run.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import Final, NamedTuple, TextIO

from treetask.display._decisions import has_pictures, is_dumb, wants_colours

#: What a terminal is taken for that does not tell its size.
_USUAL_COLUMNS: Final = 80
_USUAL_ROWS: Final = 24
#: Signs that a display needs beyond ASCII; an output that lacks one gets none of them.
_OWN_SIGNS: Final = "⏳├─…━·"

HIDE_CURSOR: Final = "\x1b[?25l"
SHOW_CURSOR: Final = "\x1b[?25h"
#: Between these two a terminal shows nothing, then all at once (mode 2026); one that does not know them ignores them.
BEGIN_FRAME: Final = "\x1b[?2026h"
END_FRAME: Final = "\x1b[?2026l"
#: While a frame is painted, a line that the terminal finds wider than we do is cut, not continued on the next row.
WRAP_OFF: Final = "\x1b[?7l"
WRAP_ON: Final = "\x1b[?7h"
ERASE_LINE_END: Final = "\x1b[K"
ERASE_BELOW: Final = "\x1b[J"


def up(rows: int) -> str:
    """Return what moves the cursor up, in its column."""
    return f"\x1b[{rows}A" if rows > 0 else ""


def down(rows: int) -> str:
    """Return what moves the cursor down as far as there are rows."""
    return f"\x1b[{rows}B" if rows > 0 else ""


def right(columns: int) -> str:
    """Return what moves the cursor to the right, in its row."""
    return f"\x1b[{columns}C" if columns > 0 else ""


class Size(NamedTuple):
    """The size of a terminal, in characters."""

    columns: int
    rows: int


class Terminal:
    """One output stream. May be written to from any thread; whole frames are the caller's affair.

    `stream` may have a `terminal_size` of its own, a pair (columns, rows), which then is its size.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._fd = _descriptor(stream)
        #: The output is gone; nothing is written any more.
        self.is_gone = stream is None
        self.is_terminal = stream is not None and _is_terminal(stream)
        #: The encoding, where it lacks signs that a display needs; None for one that has them all.
        self.narrow_encoding = None if stream is None else _narrow_encoding(stream)

    @property
    def can_paint(self) -> bool:
        """Whether the output is a terminal that obeys escape sequences."""
        return not is_dumb(os.environ) and self._knows_escapes()

    @property
    def has_pictures(self) -> bool:
        """Whether signs beyond ASCII can be encoded and seen."""
        return self.narrow_encoding is None and has_pictures(os.environ, is_terminal=self.is_terminal)

    def wants_colours(self, choice: str = "auto") -> bool:
        """Whether colours are written, by an option (`auto`, `always`, `never`), the environment and the output."""
        return wants_colours(choice, os.environ, obeys_escapes=self._knows_escapes())

    def _knows_escapes(self) -> bool:
        if self._stream is None or not self.is_terminal:
            return False
        return self._own_size() is not None or _obeys_escapes(self._stream)

    def is_same_as(self, other: Terminal) -> bool:
        """Whether both write to one device, through the same stream or not."""
        if self._stream is other._stream:
            return True
        return self.is_terminal and other.is_terminal and _device(self._fd) == _device(other._fd) is not None

    def is_shared(self) -> bool:
        """Whether the standard streams write here too, so that anybody's `print` may appear at any moment."""
        return any(self.is_same_as(Terminal(stream)) for stream in (sys.stdout, sys.stderr))

    @property
    def is_anothers(self) -> bool:
        """Whether a job that is not ours has the terminal: we are in the background of a shell."""
        if sys.platform == "win32" or self._fd is None:
            return False
        try:
            return os.tcgetpgrp(self._fd) != os.getpgrp()
        except OSError:  # not the terminal of our session, so nobody else has it
            return False

    def size(self) -> Size:
        """Return the size now; where a terminal does not tell it, the environment's or the usual one."""
        columns, rows = self._own_size() or _asked_size(self._fd)
        return Size(
            columns if columns > 0 else _environment("COLUMNS", _USUAL_COLUMNS),
            rows if rows > 0 else _environment("LINES", _USUAL_ROWS),
        )

    def _own_size(self) -> tuple[int, int] | None:
        size: tuple[int, int] | None = getattr(self._stream, "terminal_size", None)
        return size

    def write(self, text: str) -> bool:
        """Write a text at once and return whether that worked; an output that is gone is never tried again."""
        if self.is_gone or self._stream is None:
            return False
        try:
            # What the user's own code left in the stream's buffer was said before.
            with suppress(RuntimeError):  # in a signal's handler, in the midst of such a flush
                self._stream.flush()
            if self._fd is None:
                self._stream.write(text)
                self._stream.flush()
            else:
                _write_all(self._fd, text.encode(self._stream.encoding, "backslashreplace"))
        except (OSError, ValueError):
            # A reader that closed its end, a terminal that hung up, a stream that was closed.
            self.is_gone = True
        return not self.is_gone


def _descriptor(stream: TextIO | None) -> int | None:
    """Return the file descriptor to write to directly: a frame is one call then, and no buffer is left half full.

    None where the stream has none, and on Windows, where the console takes text, not bytes.
    """
    if stream is None or sys.platform == "win32":
        return None
    try:
        fd = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return fd if isinstance(getattr(stream, "encoding", None), str) else None


def _device(fd: int | None) -> int | None:
    if fd is None:
        return None
    try:
        return os.fstat(fd).st_rdev
    except OSError:
        return None


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (OSError, ValueError, AttributeError):
        return False


def _narrow_encoding(stream: TextIO) -> str | None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        _OWN_SIGNS.encode(encoding)
    except UnicodeError:
        return encoding
    except LookupError:
        return "ascii"
    return None


def _asked_size(fd: int | None) -> tuple[int, int]:
    """Return the size of the terminal itself, else of the one that another standard stream is connected to."""
    for candidate in (fd, 2, 1, 0):
        if candidate is None:
            continue
        try:
            size = os.get_terminal_size(candidate)
        except (OSError, ValueError):
            continue
        if size.columns > 0 or size.lines > 0:
            return size.columns, size.lines
    return 0, 0


def _environment(name: str, usual: int) -> int:
    try:
        return max(0, int(os.environ[name])) or usual
    except (KeyError, ValueError):
        return usual


def _write_all(fd: int, data: bytes) -> None:
    """Write every byte: one call, unless the terminal takes only a part or somebody made it non-blocking."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            select.select([], [fd], [], 1.0)


if sys.platform == "win32":

    def _obeys_escapes(stream: TextIO) -> bool:
        """Turn on escape sequences in the Windows console and return whether it has them."""
        import ctypes
        import msvcrt

        virtual_terminal_processing = 0x0004
        mode = ctypes.c_ulong()
        try:
            handle = ctypes.c_void_p(msvcrt.get_osfhandle(stream.fileno()))
        except (OSError, ValueError):
            return False
        kernel32 = ctypes.windll.kernel32
        if not kernel32.GetConsoleMode(handle, ctypes.byref(mode)):
            return False
        if mode.value & virtual_terminal_processing:
            return True
        return bool(kernel32.SetConsoleMode(handle, mode.value | virtual_terminal_processing))

else:

    def _obeys_escapes(stream: TextIO) -> bool:
        return True
