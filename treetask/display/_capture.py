"""What bodies print and log: whole lines for the logs of their nodes, and above what a display paints.

A proxy stands for `sys.stdout` or `sys.stderr`. It knows by a ContextVar whose body speaks, in the body's own threads
and tasks too, and makes lines of each one's text apart, so that those of two never mix. The text itself goes on to the
stream, untouched and at once; but where a display paints on that very terminal, lines are shown by that instead.

A print only notes down what was said. Lines are made of it soon (`_Settling`): by the next print, by a thread that
looks after what nobody else does, before a log is read, and when the body ends.

Knows streams and nodes; nothing of how lines are shown.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TextIO, TypeAlias, cast

from treetask import _clock
from treetask.engine import body_ends, current_node
from treetask.model import LineCutter, TaskNode, before_reading

#: The least time between two batches of lines, in seconds: a body that prints ten thousand of them costs few frames.
_BATCH_SECONDS: Final = 0.05
#: What was said is noted down no longer than that, in seconds, while more is said; and no more pieces of it than that.
_SETTLE_SECONDS: Final = 0.02
_MOST_PENDING: Final = 1_000
#: So many batches of lines may wait to be shown; who prints more of them waits a little each time, in seconds.
_MOST_WAITING: Final = 50_000
_PATIENCE: Final = 0.05
#: How long the end of the process waits for a batch that is being shown, in seconds.
_LAST_WAIT: Final = 0.2
_STREAMS: Final = ("stdout", "stderr")

#: Whole lines, each with its end, and whose they are; None where nobody knows.
Said: TypeAlias = "tuple[TaskNode | None, bytes]"
#: Is given what was said. May be called by any thread, in the midst of a `print`: it has to be quick.
Show: TypeAlias = Callable[["TaskNode | None", bytes], None]

#: What was said and is still to be made lines of, in order.
_pending: Final[list[tuple[_Voice, str]]] = []
#: Reentrant: what a garbage collection or a signal's handler prints comes in the midst of another print.
_lock = threading.RLock()
#: The proxies that there are.
_standing: Final[list[Proxy]] = []


class _Voice:
    """What one body writes to one stream."""

    __slots__ = ("_cutter", "_node", "_proxy")

    def __init__(self, proxy: Proxy, node: TaskNode | None) -> None:
        self._proxy = proxy
        self._node = node
        self._cutter = LineCutter()

    def say(self, text: str) -> None:
        """Hand on the lines that have an end."""
        self._give(self._cutter.cut(text.encode("utf-8", "backslashreplace")))
        self._hint()

    def end(self) -> None:
        """Hand on what has none as well."""
        self._give(self._cutter.end())
        self._hint()

    def _hint(self) -> None:
        hint = self._proxy.hint
        if hint is not None:
            hint(self._node, self._cutter.begun)

    def take_answer(self, answer: str) -> None:
        """Note down what somebody has typed behind the line that was begun, who sees it there."""
        if self._cutter.begun:
            self._give(self._cutter.cut(f"{answer.rstrip()}\n".encode("utf-8", "backslashreplace")), is_seen=True)
            self._hint()

    def _give(self, lines: bytes, *, is_seen: bool = False) -> None:
        if not lines:
            return
        node = self._node
        if node is not None:
            tree = node._tree
            if tree is None:
                node.extend_log(lines)
            else:
                tree.extend_log(node, lines)
        show = self._proxy.show
        if show is not None and not is_seen:
            show(node, lines)


class _Settling:
    """Makes lines of what was said; in a thread of its own, where nobody else does so soon."""

    def __init__(self) -> None:
        self.due = 0.0
        self._is_busy = False
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def now(self) -> None:
        """Make lines of all that is pending. What is printed in the midst of this is next."""
        with _lock:
            if self._is_busy:
                return
            self._is_busy = True
            try:
                while _pending:
                    said = _pending[:]
                    del _pending[: len(said)]
                    for voice, pieces in groupby(said, _voice_of):
                        voice.say("".join([text for _, text in pieces]))
            finally:
                self._is_busy = False
                self.due = _clock.monotonic() + _SETTLE_SECONDS

    def soon(self) -> None:
        """See to it that lines are made, now or soon."""
        if len(_pending) > _MOST_PENDING or _clock.monotonic() >= self.due:
            self.now()
        elif not self._some.is_set():
            self._some.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="treetask-lines", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Let the thread go."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._some.set()

    def _work(self) -> None:
        pause = threading.Event()
        while self._thread is threading.current_thread():
            self._some.wait()
            pause.wait(_BATCH_SECONDS)
            self._some.clear()
            self.now()


_voice_of: Final = itemgetter(0)
_settling = _Settling()


class Proxy:
    """Stands for a text stream of this process."""

    def __init__(self, original: TextIO) -> None:
        self.original: Final = original
        #: Who shows the lines instead of the stream, while somebody does.
        self.show: Show | None = None
        #: Who is told how the line stands that a body has begun; nothing, if it has begun none.
        self.hint: Show | None = None
        self._voices: dict[TaskNode | None, _Voice] = {}

    def write(self, text: str, /) -> int:
        node = current_node.get(None)
        show = self.show
        if node is None and show is None:
            return self.original.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        _pending.append((self._voices.get(node) or self._begin(node), text))
        if show is not None or "\n" in text or len(_pending) > _MOST_PENDING:
            _settling.soon()
        return len(text) if show is not None else self.original.write(text)

    def _begin(self, node: TaskNode | None) -> _Voice:
        with _lock:
            voice = self._voices.setdefault(node, _Voice(self, node))
            if node is not None:
                body_ends[node] = _end_voices
            return voice

    def end_voice(self, node: TaskNode | None) -> None:
        """Hand on what a body has begun to write, if it has: no more comes."""
        voice = self._voices.pop(node, None)
        if voice is not None:
            voice.end()

    def end_voices(self) -> None:
        """The same for all bodies."""
        with _lock:
            _settling.now()
            for node in list(self._voices):
                self.end_voice(node)
                if node is not None:
                    body_ends.pop(node, None)

    def take_answer(self, answer: str) -> None:
        """Note down what was typed behind the line that a body has begun."""
        with _lock:
            _settling.now()
            voice = self._voices.get(current_node.get(None))
            if voice is not None:
                voice.take_answer(answer)

    def take_over(self, show: Show | None, hint: Show | None = None) -> None:
        """From now on have lines shown by somebody, or by the stream again."""
        with _lock:
            self.end_voices()
            with suppress(OSError, ValueError):
                self.original.flush()
            self.show, self.hint = show, hint

    def forget(self) -> None:
        """Be nothing but the stream: in a process that was forked, where nobody shows lines."""
        self.show = self.hint = None
        self._voices = {}

    def writelines(self, lines: Iterable[str], /) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self.original.flush()

    def isatty(self) -> bool:
        # Whoever asks to move the cursor or to choose colours has to do without while somebody else paints.
        return self.show is None and self.original.isatty()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        # All that has nothing to do with lines: fileno, encoding, buffer, reconfigure.
        return getattr(self.original, name)


def original(stream: TextIO) -> TextIO:
    """Return the stream itself, which a proxy may stand for."""
    proxy: object = stream
    return proxy.original if isinstance(proxy, Proxy) else stream


def _settle() -> None:
    if _pending:
        _settling.now()


def _end_voices(node: TaskNode) -> None:
    with _lock:
        _settling.now()
        for proxy in _standing:
            proxy.end_voice(node)


# -- standing in ---------------------------------------------------------------------------------------------------


@contextmanager
def printed_by_nodes() -> Generator[None]:
    """While inside, what bodies print goes to the logs of their nodes as well."""
    placed = [proxy for name in _STREAMS if (proxy := _stand_in(name)) is not None]
    try:
        yield
    finally:
        for proxy in placed:
            _withdraw(proxy)


def _stand_in(name: str) -> Proxy | None:
    """Put a proxy in a stream's place, if none is there; for handlers of `logging` that hold the stream as well."""
    stream: TextIO | None = getattr(sys, name)
    checked: object = stream
    if stream is None or isinstance(checked, Proxy):
        return None
    proxy = Proxy(stream)
    _standing.append(proxy)
    before_reading[:] = [_settle]
    setattr(sys, name, proxy)
    _repoint(stream, cast("TextIO", proxy))
    return proxy


def _withdraw(proxy: Proxy) -> None:
    """Put the stream back wherever the proxy still is; who has kept it elsewhere has as good as the stream."""
    proxy.take_over(None)
    _standing.remove(proxy)
    if not _standing:
        _settling.stop()
        before_reading.clear()
    for name in _STREAMS:
        if getattr(sys, name) is proxy:
            setattr(sys, name, proxy.original)
    _repoint(cast("TextIO", proxy), proxy.original)


def _repoint(old: TextIO, new: TextIO) -> None:
    """Let handlers that write to one stream write to another."""
    logging = sys.modules.get("logging")
    if logging is None:
        return
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for handler in {handler for logger in loggers for handler in getattr(logger, "handlers", ())}:
        if isinstance(handler, logging.StreamHandler) and handler.stream is old:
            with suppress(OSError, ValueError):  # a stream that a body has closed cannot be flushed
                handler.flush()
            handler.stream = new


def _forget_all() -> None:
    global _lock, _settling  # noqa: PLW0603 - a thread that is not here may have held it
    _lock = threading.RLock()
    _settling = _Settling()
    _pending.clear()
    for proxy in _standing:
        proxy.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


@contextmanager
def shown_instead(name: str, show: Show) -> Generator[None]:
    """While inside, give the lines that are written to a standard stream to somebody, and not to the stream."""
    placed = _stand_in(name)
    stream: object = getattr(sys, name)
    if isinstance(stream, Proxy):
        stream.take_over(show)
    try:
        yield
    finally:
        if isinstance(stream, Proxy):
            stream.take_over(None)
        if placed is not None:
            _withdraw(placed)


# -- being shown ---------------------------------------------------------------------------------------------------


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
        for name in _STREAMS:
            stream: TextIO | None = getattr(sys, name)
            if stream is None or not self._is_shared(original(stream)):
                continue
            placed = _stand_in(name)
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
            _withdraw(proxy)
        self._taken, self._placed = [], []
        self._closing.set()
        self._is_paused = False
        self._some.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.show_all()

    def pause(self) -> None:
        """Show what waits, then nothing more until `resume`, unless that becomes too much."""
        _settle()
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
