"""The event loop as the engine sees it: the few things that anyio does not offer, or not cheaply enough.

Here alone private state of asyncio, anyio and trio is read, to notice a body that left its task in another state than
it found it in. Where such a read is not possible, the body is trusted.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeAlias, cast

import anyio

if TYPE_CHECKING:
    import asyncio

    import trio

Worker: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Guard(Protocol):
    """What is known of a worker's task and its own scope."""

    def is_intact(self) -> bool:
        """Whether the task is as it was: in the worker's scope, with no cancellation of its own pending."""
        ...

    def is_innermost(self) -> bool:
        """Whether the worker's scope is the one that the task is in."""
        ...

    def is_here(self) -> bool:
        """Whether the task is the one that runs now."""
        ...


class Loop(Protocol):
    """One of the event loops that the engine runs on."""

    #: What a cancelled body sees raised.
    cancelled: type[BaseException]
    #: The loop's clock, in seconds.
    now: Callable[[], float]

    def protect(self, engine: Iterable[Callable[..., object]], bodies: Iterable[Callable[..., object]]) -> None:
        """Keep KeyboardInterrupt out of the engine's functions and what they call, but not out of the bodies."""

    def call_soon(self, act: Callable[[], None]) -> None:
        """Call a function in the next turn of the loop; from the loop's own thread."""

    def call_from_anywhere(self, act: Callable[[], None]) -> None:
        """Call a function on the loop soon; from any thread and from signal handlers."""

    def workers(self) -> AbstractAsyncContextManager[None]:
        """Return the context in which workers can be started; its end waits for all of them."""
        ...

    def start(self, worker: Worker) -> None:
        """Start a task. It runs in the next turn at the earliest."""

    def leave(self) -> None:
        """To be called by a worker as the last thing it does."""

    def guard(self, scope: anyio.CancelScope) -> Guard:
        """Return the guard of the current task, which has just entered `scope`."""
        ...


def is_on_loop() -> bool:
    """Return whether the caller runs on an event loop of either kind."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def current_loop() -> Loop:
    """Return the event loop that the caller runs on."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return TrioLoop()
    return AsyncioLoop()


class AsyncioLoop:
    """asyncio, with plain tasks as workers: an anyio task costs four times as much."""

    def __init__(self) -> None:
        import asyncio

        self._asyncio: Final = asyncio
        self._loop: Final = asyncio.get_running_loop()
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self.cancelled: type[BaseException] = asyncio.CancelledError
        self.now: Callable[[], float] = self._loop.time

    def protect(self, engine: Iterable[Callable[..., object]], bodies: Iterable[Callable[..., object]]) -> None:
        # asyncio turns Ctrl-C into a cancellation of its main task.
        pass

    def call_soon(self, act: Callable[[], None]) -> None:
        self._loop.call_soon(act)

    def call_from_anywhere(self, act: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(act)

    @asynccontextmanager
    async def workers(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            while self._tasks:
                try:
                    await self._asyncio.wait(self._tasks)
                except self._asyncio.CancelledError:
                    # The run is over and these are on their way out; who cancels is told as soon as they are.
                    await self._asyncio.sleep(0)

    def start(self, worker: Worker) -> None:
        # Not create_task: an eager task factory would run the worker at once, inside the one that starts it.
        task = self._asyncio.Task(worker(), loop=self._loop)
        self._tasks.add(task)

    def leave(self) -> None:
        # Not a done callback: that would be one more turn of the loop for each worker.
        task = self._asyncio.current_task()
        assert task is not None
        self._tasks.discard(task)

    def guard(self, scope: anyio.CancelScope) -> Guard:
        task = self._asyncio.current_task()
        assert task is not None
        return _AsyncioGuard(task, scope)


class _AsyncioGuard:
    __slots__ = ("_before", "_scope", "_state", "_task")

    def __init__(self, task: asyncio.Task[Any], scope: anyio.CancelScope) -> None:
        self._task = task
        self._scope = scope
        self._state = _anyio_state(task)
        self._before = self._pending()

    def _pending(self) -> int:
        """How many cancellations are pending; before Python 3.11, whether one is."""
        if sys.version_info >= (3, 11):
            return self._task.cancelling()
        return int(getattr(self._task, "_must_cancel", False))

    def is_intact(self) -> bool:
        return self._pending() == self._before and (self._state is None or self._state.cancel_scope is self._scope)

    def is_innermost(self) -> bool:
        return self._state is None or self._state.cancel_scope is self._scope

    def is_here(self) -> bool:
        import asyncio

        return asyncio.current_task() is self._task


def _anyio_state(task: asyncio.Task[Any]) -> Any:
    """Return anyio's own record of a task, whose `cancel_scope` is the innermost; None if anyio keeps it elsewhere."""
    try:
        from anyio._backends import _asyncio

        state: Any = cast("Any", _asyncio)._task_states[task]
    except (ImportError, AttributeError, KeyError):
        return None
    return state if hasattr(state, "cancel_scope") else None


class TrioLoop:
    """trio, with the tasks of one nursery as workers."""

    #: Marks are set on functions, once for all runs.
    _is_protected: ClassVar[bool] = False

    def __init__(self) -> None:
        import trio

        self._trio: Final = trio
        self._token: Final = trio.lowlevel.current_trio_token()
        self._nursery: trio.Nursery | None = None
        self.cancelled: type[BaseException] = trio.Cancelled
        self.now: Callable[[], float] = trio.lowlevel.current_clock().current_time

    def protect(self, engine: Iterable[Callable[..., object]], bodies: Iterable[Callable[..., object]]) -> None:
        # trio raises it wherever the program is, unless a frame on the way is marked; its main task gets it then.
        if TrioLoop._is_protected:
            return
        TrioLoop._is_protected = True
        for function in engine:
            self._trio.lowlevel.enable_ki_protection(function)
        for function in bodies:
            self._trio.lowlevel.disable_ki_protection(function)

    def call_soon(self, act: Callable[[], None]) -> None:
        self._token.run_sync_soon(act)

    def call_from_anywhere(self, act: Callable[[], None]) -> None:
        self._token.run_sync_soon(act)

    @asynccontextmanager
    async def workers(self) -> AsyncGenerator[None, None]:
        async with self._trio.open_nursery() as self._nursery:
            yield

    def start(self, worker: Worker) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(worker)

    def leave(self) -> None:
        pass

    def guard(self, scope: anyio.CancelScope) -> Guard:
        return _TrioGuard(self._trio.lowlevel.current_task())


class _TrioGuard:
    __slots__ = ("_status", "_task")

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self._task: Any = task
        self._status = getattr(task, "_cancel_status", None)

    def is_intact(self) -> bool:
        return self._status is None or self._task._cancel_status is self._status

    is_innermost = is_intact

    def is_here(self) -> bool:
        import trio

        return trio.lowlevel.current_task() is self._task
