"""What tasks print while the tree is on the same terminal: shown above it, in whole lines, in order.

A relay stands for a terminal's stream from the start of the command, so that whoever keeps `sys.stderr` while a module
is imported, as handlers of `logging` do, keeps the relay. It hands everything on until a display takes over. Knows
streams and lines; nothing of trees.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Final, TextIO, cast

from treetask.text import without_colours

#: The least time between two batches of lines, in seconds: a body that prints ten thousand of them costs few frames.
_BATCH_SECONDS: Final = 0.05


class Relay:
    """Stands for a text stream: hands on what is written, or gives its lines to whoever took it over."""

    def __init__(self, original: TextIO) -> None:
        self.original: Final = original
        self._give: Callable[[str], None] | None = None
        #: The beginning of a line whose end was not written yet.
        self._begun = ""
        self._lock = threading.RLock()

    def take_over(self, give: Callable[[str], None]) -> None:
        """From now on give every whole line, without its end, to `give`."""
        with self._lock:
            self.original.flush()
            self._give = give

    def hand_back(self) -> None:
        """Give what is left and write to the stream again."""
        with self._lock:
            give, self._give = self._give, None
            begun, self._begun = self._begun, ""
            if give is not None and begun:
                give(_shown(begun))

    def write(self, text: str, /) -> int:
        with self._lock:
            if self._give is None:
                return self.original.write(text)
            *lines, rest = (self._begun + text).split("\n")
            # Of a line that is written over and over, as a progress bar is, the last state counts.
            self._begun = rest.rpartition("\r")[2] if not rest.endswith("\r") else rest
            for line in lines:
                self._give(_shown(line))
            return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self.original.flush()

    def isatty(self) -> bool:
        # Whoever asks to move the cursor or to choose colours has to do without while somebody else paints.
        return self._give is None and self.original.isatty()

    def __getattr__(self, name: str) -> object:
        # All that has nothing to do with lines: fileno, encoding, buffer, reconfigure.
        return getattr(self.original, name)


@contextmanager
def relayed_terminals() -> Generator[None]:
    """Let relays stand for the standard streams that are terminals."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_relay_for(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def original(stream: TextIO) -> TextIO:
    """Return the stream itself, which a relay may stand for."""
    relay: object = stream
    return relay.original if isinstance(relay, Relay) else stream


@contextmanager
def printed_above(print_message: Callable[[str], None], is_shared: Callable[[TextIO], bool]) -> Generator[None]:
    """While inside, what is written to the streams that are the display's own terminal is given to `print_message`."""
    streams: list[object] = [sys.stdout, sys.stderr]
    relays = [each for each in streams if isinstance(each, Relay) and is_shared(each.original)]
    if not relays:
        yield
        return
    batches = _Batches(print_message)
    for relay in relays:
        relay.take_over(batches.add)
    try:
        yield
    finally:
        for relay in relays:
            relay.hand_back()
        batches.close()


class _Batches:
    """Lines from any thread, given on in batches by a thread of its own."""

    def __init__(self, give: Callable[[str], None]) -> None:
        self._give = give
        self._lines: list[str] = []
        self._lock = threading.RLock()
        self._some = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="treetask-prints", daemon=True)
        self._thread.start()

    def add(self, line: str) -> None:
        with self._lock:
            self._lines.append(line)
        self._some.set()

    def close(self) -> None:
        """Give what is left, before this returns."""
        self._closing.set()
        self._some.set()
        self._thread.join()
        self._give_all()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._some.wait()
            self._some.clear()
            self._give_all()
            self._closing.wait(_BATCH_SECONDS)

    def _give_all(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._give("\n".join(lines))


def _relay_for(stream: TextIO) -> TextIO:
    checked: object = stream
    if not isinstance(checked, io.TextIOWrapper) or not stream.isatty():
        return stream
    return cast("TextIO", Relay(stream))


def _shown(line: str) -> str:
    """Return a line as it would stand there at last: without colours, its last state."""
    return without_colours(line.rstrip("\r").rpartition("\r")[2])
