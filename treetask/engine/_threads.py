"""Calls plain functions in worker threads. A thread cannot be stopped: one whose body was cancelled is abandoned."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final

import anyio
import anyio.to_thread


class Threads:
    """The way into worker threads, and the count of those that were left behind.

    The scheduler decides how many bodies run in threads at once; anyio's own limit would only hide its decisions.
    """

    def __init__(self, *, on_abandon: Callable[[], None], on_return: Callable[[], None]) -> None:
        self._limiter: anyio.CapacityLimiter | None = None
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

        try:
            return await anyio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._limiter)
        finally:
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
