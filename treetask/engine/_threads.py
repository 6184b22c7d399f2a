"""Calls plain functions in worker threads. A thread cannot be stopped: one whose body was cancelled is abandoned."""

from __future__ import annotations

import inspect
import math
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread

from treetask.engine._step import current_node
from treetask.model import TaskNode, left_behind


class BusyThreads:
    """How many threads work for the runs of an event loop, those that were left behind included, and processes."""

    __slots__ = ("_lock", "count")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def add(self, number: int) -> None:
        """Count more of them, or less. From any thread."""
        with self._lock:
            self.count += number


_busy_threads: Final[anyio.lowlevel.RunVar[BusyThreads]] = anyio.lowlevel.RunVar("treetask_busy_threads")


def busy_threads() -> BusyThreads:
    """Return the counter of the running event loop, which all runs on it share. A virtual clock stands still by it."""
    busy = _busy_threads.get(None)
    if busy is None:
        busy = BusyThreads()
        _busy_threads.set(busy)
    return busy


class Threads:
    """The way into worker threads, and the count of those that were left behind.

    The scheduler decides how many bodies run in threads at once; anyio's own limit would only hide its decisions.
    """

    def __init__(
        self, *, on_abandon: Callable[[object, TaskNode | None], None], on_return: Callable[[object], None]
    ) -> None:
        self._limiter: anyio.CapacityLimiter | None = None
        self._busy: Final = busy_threads()
        self._on_abandon: Final = on_abandon
        self._on_return: Final = on_return
        #: The calls that were abandoned and have not returned, each with its node.
        self.left_behind: Final[dict[object, TaskNode | None]] = {}

    async def call(self, context: Context, function: Callable[..., Any], *args: object) -> Any:
        """Call a function in a thread and a context; return what it returns.

        On cancellation the call is abandoned: its outcome is dropped, and its thread is counted until it returns
        (`on_abandon` now, on the loop, with the node; `on_return` then, in the thread; both with the same call).
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(math.inf)
        state = _Call()
        node = context.get(current_node)

        def run() -> None:
            if not state.begin():
                return
            try:
                state.result = context.run(_as_a_thread, state, node, function, *args)
            except StopIteration as error:
                # Futures refuse it, and it would end a generator that is none of its own.
                raise RuntimeError("the body raised StopIteration") from error
            finally:
                if state.end():
                    state.drop_result()
                    self.left_behind.pop(state, None)
                    self._on_return(state)
                    # Last: a virtual clock that sees no busy thread takes it that the loop was told.
                    self._busy.add(-1)

        self._busy.add(1)
        try:
            await anyio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._limiter)
            result, state.result = state.result, None
            return result
        finally:
            # First this: the thread may return at any moment, and takes itself off the list.
            self.left_behind[state] = node
            if state.give_up():
                self._on_abandon(state, node)
            else:
                del self.left_behind[state]
                self._busy.add(-1)
                state.drop_result()


class _Call:
    """How far a call is: the thread and the event loop each tell it, and are told of the other."""

    __slots__ = ("_has_begun", "_has_ended", "_is_given_up", "_lock", "result")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._has_begun = False
        self._has_ended = False
        self._is_given_up = False
        self.result: Any = None

    def drop_result(self) -> None:
        """Nobody takes what the function returned. A coroutine would warn that it was never awaited."""
        if inspect.iscoroutine(self.result):
            self.result.close()
        self.result = None

    def begin(self) -> bool:
        """Return whether the function is still to be called. Told by the thread."""
        with self._lock:
            self._has_begun = not self._is_given_up
            return self._has_begun

    def is_given_up(self) -> bool:
        """Return whether nobody waits for the function any more."""
        return self._is_given_up

    def end(self) -> bool:
        """Return whether nobody waits for the end any more. Told by the thread."""
        with self._lock:
            self._has_ended = True
            return self._is_given_up

    def give_up(self) -> bool:
        """Return whether the function still runs, and will be told as ended late. Told by the event loop."""
        with self._lock:
            self._is_given_up = True
            return self._has_begun and not self._has_ended


def _as_a_thread(call: _Call, node: TaskNode | None, function: Callable[..., Any], *args: object) -> Any:
    """Call a function as in any thread: the context says on which event loop the run is, the thread is on none."""
    if node is not None:
        left_behind.set((node, call.is_given_up))
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None:
        sniffio.current_async_library_cvar.set(None)
    return function(*args)
