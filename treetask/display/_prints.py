"""What bodies print and log: whole lines for the logs of their nodes, and for whoever shows them instead of the stream.

A proxy stands for `sys.stdout` or `sys.stderr`. It knows by a ContextVar whose body speaks, in the body's own threads
and tasks too, and makes lines of each one's text apart, so that those of two never mix. The text itself goes on to the
stream, untouched and at once; but where somebody has taken it over, that one shows the lines instead.

A print only notes down what was said. Lines are made of it soon (`_Settling`): by the next print, by a thread that
looks after what nobody else does, before a log is read, and when the body ends.

Knows streams and nodes; nothing of how lines are shown.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TextIO, TypeAlias, cast

from treetask import _clock
from treetask.engine import body_ends, current_node
from treetask.model import LineCutter, TaskNode, before_reading

#: What was said is noted down no longer than that, in seconds, while more is said; and no more pieces of it than that.
_SETTLE_SECONDS: Final = 0.02
_MOST_PENDING: Final = 1_000
#: And no longer than that where no more is said.
_SILENCE_SECONDS: Final = 0.05
STREAMS: Final = ("stdout", "stderr")

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
            pause.wait(_SILENCE_SECONDS)
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


def settle() -> None:
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
    placed = [proxy for name in STREAMS if (proxy := stand_in(name)) is not None]
    try:
        yield
    finally:
        for proxy in placed:
            withdraw(proxy)


def stand_in(name: str) -> Proxy | None:
    """Put a proxy in a stream's place, if none is there; for handlers of `logging` that hold the stream as well."""
    stream: TextIO | None = getattr(sys, name)
    checked: object = stream
    if stream is None or isinstance(checked, Proxy):
        return None
    proxy = Proxy(stream)
    _standing.append(proxy)
    before_reading[:] = [settle]
    setattr(sys, name, proxy)
    _repoint(stream, cast("TextIO", proxy))
    return proxy


def withdraw(proxy: Proxy) -> None:
    """Put the stream back wherever the proxy still is; who has kept it elsewhere has as good as the stream."""
    proxy.take_over(None)
    _standing.remove(proxy)
    if not _standing:
        _settling.stop()
        before_reading.clear()
    for name in STREAMS:
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
    placed = stand_in(name)
    stream: object = getattr(sys, name)
    if isinstance(stream, Proxy):
        stream.take_over(show)
    try:
        yield
    finally:
        if isinstance(stream, Proxy):
            stream.take_over(None)
        if placed is not None:
            withdraw(placed)
