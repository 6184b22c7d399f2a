"""Calls plain functions in worker threads. A thread cannot be stopped: one whose body was cancelled is abandoned."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread


class BusyThreads:
    """How many calls in threads an event loop waits for; abandoned ones do not count."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


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

    def __init__(self, *, on_abandon: Callable[[], None], on_return: Callable[[], None]) -> None:
        self._limiter: anyio.CapacityLimiter | None = None
        self._busy: Final = busy_threads()
        self._on_abandon: Final = on_abandon
        self._on_return: Final = on_return

    async def call(self, context: Context, function: Callable[..., Any], *args: object) -> Any:
        """Call a function in a thread and a context; return what it returns.

        On cancellation the call is abandoned: its outcome is dropped, and its thread is counted until it returns
        (`on_abandon` now, on the loop; `on_return` then, in the thread).
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(math.inf)
        lock = threading.Lock()
        state = _Call()

        def run() -> Any:
            try:
                return context.run(_as_a_thread, function, *args)
            except StopIteration as error:
                # Futures refuse it, and it would end a generator that is none of its own.
                raise RuntimeError("the body raised StopIteration") from error
            finally:
                with lock:
                    state.has_returned = True
                if state.is_abandoned:
                    self._on_return()

        self._busy.count += 1
        try:
            return await anyio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._limiter)
        finally:
            self._busy.count -= 1
            with lock:
                state.is_abandoned = not state.has_returned
            if state.is_abandoned:
                self._on_abandon()


class _Call:
    __slots__ = ("has_returned", "is_abandoned")

    def __init__(self) -> None:
        self.has_returned = False
        self.is_abandoned = False


def _as_a_thread(function: Callable[..., Any], *args: object) -> Any:
    """Call a function as in any thread: the context says on which event loop the run is, the thread is on none."""
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None:
        sniffio.current_async_library_cvar.set(None)
    return function(*args)
