"""What the body of a node has put out: the last 64 KB, as whole lines.

Takes bytes as they come from a process, and keeps bytes, since most of them are never read; they become text when
somebody asks. Knows nothing of where they come from.
"""

from __future__ import annotations

from typing import Final

#: What is kept for each node. A screenful of long lines is a tenth of it, and ten thousand nodes still fit in memory.
LOG_BYTES: Final = 64 * 1024
#: A line without an end is cut into lines of this length; nobody reads a longer one, and its beginning has to be kept.
LINE_BYTES: Final = 8 * 1024


class Log:
    """The last lines of one node; older ones make room for new ones."""

    __slots__ = ("_text",)

    def __init__(self) -> None:
        self._text = bytearray()

    def add(self, lines: bytes, *, keeps_more: bool = False) -> bytes:
        """Add whole lines, each with its end, and return the old ones that make room for them.

        With `keeps_more`, room is made seldom, for many lines at once: for who writes them to a file.
        """
        text = self._text
        text += lines
        if len(text) <= (LOG_BYTES * 2 if keeps_more else LOG_BYTES):
            return b""
        start = _start_of_kept(text)
        left = bytes(text[:start])
        del text[:start]
        return left

    def lines(self) -> list[str]:
        """Return the lines, without their ends. From any thread."""
        text = bytes(self._text)
        return text_lines(text[_start_of_kept(text) :])

    def text(self) -> bytes:
        """Return all that was added and not returned yet."""
        return bytes(self._text)


class LineCutter:
    """Makes whole lines of a stream of bytes.

    A carriage return goes back to the beginning of its line, as a progress bar does: what is written there last is the
    line.
    """

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        #: The beginning of a line whose end has not come.
        self._begun = b""

    def cut(self, data: bytes) -> bytes:
        """Return the lines that some more bytes complete, each with its end; what is left waits for the rest."""
        if not self._begun and len(data) <= LINE_BYTES and data.endswith(b"\n") and b"\r" not in data:
            return data
        *lines, begun = (self._begun + data).split(b"\n")
        if b"\r" in data or b"\r" in self._begun:
            lines = [_last_written(line) for line in lines]
            # Whatever is written next, this much is overwritten or was before.
            begun = begun[begun.rstrip(b"\r").rfind(b"\r") + 1 :]
        if len(data) > LINE_BYTES or len(begun) > LINE_BYTES:
            lines = [piece for line in lines for piece in _pieces(line)]
            *full, begun = _pieces(begun)
            lines += full
        self._begun = begun
        return b"\n".join((*lines, b"")) if lines else b""

    @property
    def begun(self) -> bytes:
        """What was written last of the line that has no end yet."""
        return _last_written(self._begun)

    def end(self) -> bytes:
        """Return the line that was begun, now that no more will come; nothing if there is none."""
        begun, self._begun = _last_written(self._begun), b""
        return begun + b"\n" if begun else b""


def _start_of_kept(text: bytes | bytearray) -> int:
    """Return where the lines begin that fit into a log."""
    excess = len(text) - LOG_BYTES
    return text.index(b"\n", excess - 1) + 1 if excess > 0 else 0


def text_lines(lines: bytes) -> list[str]:
    """Return whole lines as texts without their ends; what is no UTF-8 is written as in Python's own literals."""
    return lines.decode("utf-8", "backslashreplace").split("\n")[:-1]


def _last_written(line: bytes) -> bytes:
    line = line.rstrip(b"\r")
    return line[line.rfind(b"\r") + 1 :]


def _pieces(line: bytes) -> list[bytes]:
    """Cut what is longer than a line may be, between two characters."""
    pieces: list[bytes] = []
    while len(line) > LINE_BYTES:
        end = LINE_BYTES
        while line[end] & 0xC0 == 0x80 and end > LINE_BYTES - 3:  # noqa: PLR2004 - the later bytes of a character
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]
