"""Has what is printed shown by a display: lines, in batches, as long as it paints on the terminal of the streams.

Knows streams that can be taken over, and who shows lines; not how they look.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

from treetask.display._prints import STREAMS, Proxy, Said, original, settle, stand_in, withdraw
from treetask.model import TaskNode

#: The least time between two batches of lines, in seconds: a body that prints ten thousand of them costs few frames.
_BATCH_SECONDS: Final = 0.05
#: So many batches of lines may wait to be shown; who prints more of them waits a little each time, in seconds.
_MOST_WAITING: Final = 50_000
_PATIENCE: Final = 0.05
#: How long the end of the process waits for a batch that is being shown, in seconds.
_LAST_WAIT: Final = 0.2


class Capture:
    """Has lines shown by a display, in batches by a thread of its own, while the streams are taken over."""

    def __init__(self, is_shared: Callable[[TextIO], bool], show: Callable[[list[Said], Said | None], None]) -> None:
        self._is_shared: Final = is_shared
        self._show: Final = show
        self._waiting: Final[deque[Said]] = deque()
        #: The lines that were begun, the one that was written to last comes last; and whether one has changed.
        self._begun: Final[dict[TaskNode | None, bytes]] = {}
        self._has_changed = False
        self._is_paused = False
        self._some: Final = threading.Event()
        self._room: Final = threading.Event()
        #: Whoever shows a batch holds it, so that batches keep their order.
        self._turn: Final = threading.RLock()
        self._closing: Final = threading.Event()
        self._placed: list[Proxy] = []
        self._taken: list[Proxy] = []
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Take over those of the standard streams that are shared."""
        for name in STREAMS:
            stream: TextIO | None = getattr(sys, name)
            if stream is None or not self._is_shared(original(stream)):
                continue
            placed = stand_in(name)
            if placed is not None:
                self._placed.append(placed)
            proxy: Proxy = getattr(sys, name)
            if proxy not in self._taken and proxy.show is None:
                proxy.take_over(self.add, self._note_begun)
                self._taken.append(proxy)

    def add(self, node: TaskNode | None, lines: bytes) -> None:
        """Have lines shown soon. Where too many wait, this takes a moment, but never waits for who shows them."""
        self._waiting.append((node, lines))
        self._wake()
        if len(self._waiting) > _MOST_WAITING:
            self._is_paused = False
        if len(self._waiting) > _MOST_WAITING and threading.current_thread() is not self._thread:
            self._room.clear()
            self._room.wait(_PATIENCE)

    def _note_begun(self, node: TaskNode | None, line: bytes) -> None:
        before = self._begun.pop(node, b"")
        if line:
            self._begun[node] = line
        if line != before:
            self._has_changed = True
            self._wake()

    def _wake(self) -> None:
        if not self._some.is_set():
            self._some.set()
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._work, name="treetask-prints", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Give the streams back, and show what is left before this returns."""
        for proxy in self._taken:
            proxy.take_over(None)
        for proxy in self._placed:
            withdraw(proxy)
        self._taken, self._placed = [], []
        self._closing.set()
        self._is_paused = False
        self._some.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.show_all()

    def pause(self) -> None:
        """Show what waits, then nothing more until `resume`, unless that becomes too much."""
        settle()
        self.show_all()
        self._is_paused = True

    def resume(self, answer: str) -> None:
        """Note down an answer behind its question, and go on."""
        for proxy in self._taken:
            proxy.take_answer(answer)
        self._is_paused = False
        self._wake()

    def show_all(self) -> None:
        """Show what waits."""
        if self._is_paused:
            return
        with self._turn:
            batch = self._drain()
            if batch or self._has_changed:
                self._has_changed = False
                self._show(batch, next(reversed(list(self._begun.items())), None))

    def unsaid(self) -> list[Said]:
        """Return what was not shown, lines without an end included: for who ends the process at once."""
        for proxy in self._taken:
            proxy.end_voices()
        held = self._turn.acquire(timeout=_LAST_WAIT)
        try:
            return self._drain()
        finally:
            if held:
                self._turn.release()

    def _drain(self) -> list[Said]:
        batch: list[Said] = []
        with suppress(IndexError):
            while True:
                batch.append(self._waiting.popleft())
        self._room.set()
        return batch

    def _work(self) -> None:
        while not self._closing.is_set():
            self._some.wait()
            self._some.clear()
            self.show_all()
            self._closing.wait(_BATCH_SECONDS)
