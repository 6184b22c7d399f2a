"""A command in a terminal of its own, as somebody would see it: for tests, on systems that have pseudo-terminals."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parents[2]

#: Seconds of silence after which a command is taken for hung.
SILENCE = 20


class Command:
    """A running command and the screen that it writes to."""

    def __init__(self, words: list[str], folder: Path, columns: int, rows: int) -> None:
        import fcntl
        import pty
        import termios

        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        unwanted = {"CI", "GITHUB_ACTIONS", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONUNBUFFERED"}
        unwanted |= {"TREETASK_STORE"}
        environment = {name: value for name, value in os.environ.items() if name not in unwanted}
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # Its own controlling terminal: what makes a typed Ctrl-C a signal.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(slave)
        self.screen = pyte.HistoryScreen(columns, rows, history=1_000)
        self._stream = pyte.ByteStream(self.screen)

    def frames(self) -> Iterator[list[str]]:
        """Yield what the screen shows each time that something was written, without empty rows below; then it ends."""
        while select.select([self._master], [], [], SILENCE)[0]:
            try:
                written = os.read(self._master, 65_536)
            except OSError:
                written = b""
            if not written:
                return
            self._stream.feed(written)
            yield self.rows()
        raise AssertionError("nothing was written for a long time; the screen shows:\n" + "\n".join(self.rows()))

    def rows(self) -> list[str]:
        """What the screen shows now, without empty rows below."""
        return "\n".join(row.rstrip() for row in self.screen.display).rstrip().splitlines()

    def everything(self) -> list[str]:
        """What the screen shows now, below what has left it."""
        above = [
            "".join(row[column].data for column in range(self.screen.columns)).rstrip()
            for row in self.screen.history.top
        ]
        return [*above, *self.rows()]

    def wait_for(self, text: str, *, gone: bool = False) -> None:
        """Return when the screen shows a text, or does not show it any more."""
        for rows in self.frames():
            if any(text in row for row in rows) is not gone:
                return
        raise AssertionError(f"the command ended without {text!r}; the screen shows:\n" + "\n".join(self.rows()))

    def finish(self) -> int:
        """Watch the command to its end and return its exit code."""
        for _ in self.frames():
            pass
        return self.process.wait(SILENCE)

    def modes(self) -> list[object]:
        """How the terminal is set, as `stty -a` tells it."""
        import termios

        return list(termios.tcgetattr(self._master))

    def type(self, text: str) -> None:
        """Type a text, and the terminal hands it on; control characters too."""
        os.write(self._master, text.encode())

    def close(self) -> None:
        """End what is left of it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)


@contextmanager
def in_terminal(folder: Path, *words: str, columns: int = 80, rows: int = 24) -> Generator[Command]:
    """Give a command to `python -m treetask` in a terminal of that size."""
    with program_in_terminal(folder, sys.executable, "-m", "treetask", *words, columns=columns, rows=rows) as command:
        yield command


@contextmanager
def program_in_terminal(folder: Path, *words: str, columns: int = 80, rows: int = 24) -> Generator[Command]:
    """Start any program in a terminal of that size."""
    command = Command(list(words), folder, columns, rows)
    try:
        yield command
    finally:
        command.close()
