"""The event loop as the engine sees it: the few things that anyio does not offer, or not cheaply enough.

What runs when is not decided here but in `Crew._work` and `Slots.take`. Here alone private state of asyncio, anyio and
trio is read, to notice a body that left its task in another state than it found it in. Where such a read is not
possible, the body is trusted.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeAlias, cast

import anyio

from treetask import _clock

if TYPE_CHECKING:
    import asyncio

    import trio

Worker: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Post:
    """A task that works for the engine, with the scope that it has opened first."""

    __slots__ = ("_state", "_task", "scope")

    #: Shielded.
    scope: Any
    # The loop's own: the task, as `running_task` gives it, and what tells its innermost scope, where that can be read.
    _task: Any
    _state: Any


class Loop(Protocol):
    """One of the event loops that the engine runs on."""

    #: What a cancelled body sees raised.
    cancelled: type[BaseException]
    #: The loop's clock, in seconds.
    now: Callable[[], float]

    @property
    def identity(self) -> object:
        """What is the same object for all who run on this loop."""
        ...

    def running_task(self) -> object:
        """Return the task whose code runs now, from any thread; None between two tasks, or where that is not seen."""
        ...

    def context_of(self, task: object) -> Context | None:
        """Return the context that a task runs in, where that is seen."""
        ...

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

    def occupy(self, post: Post) -> None:
        """Make a post that of the current task, and open its scope."""

    def is_intact(self, post: Post) -> bool:
        """Whether the task is as it was: in its first scope, with no cancellation of its own pending."""
        ...

    def is_innermost(self, post: Post) -> bool:
        """Whether its first scope is the one that the task is in."""
        ...

    def is_here(self, post: Post) -> bool:
        """Whether the task is the one that runs now."""
        ...


def is_on_loop() -> bool:
    """Return whether the caller runs on an event loop of either kind."""
    running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return _is_on_trio() or (running_loop is not None and running_loop() is not None)


def current_loop() -> Loop:
    """Return the event loop that the caller runs on."""
    return TrioLoop() if _is_on_trio() else AsyncioLoop()


def _is_on_trio() -> bool:
    # Another thread may be importing it at this moment. As long as the function is missing, none of its loops runs.
    in_trio_run = getattr(sys.modules.get("trio.lowlevel"), "in_trio_run", None)
    return in_trio_run is not None and in_trio_run()


class AsyncioLoop:
    """asyncio, with plain tasks as workers: an anyio task costs four times as much."""

    def __init__(self) -> None:
        import asyncio

        self._asyncio: Final = asyncio
        self._loop: Final = asyncio.get_running_loop()
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        #: Those that have not begun, each with what it is to run.
        self._fresh: Final[dict[asyncio.Task[None], Worker]] = {}
        self.cancelled: type[BaseException] = asyncio.CancelledError
        # What asyncio's own loops read; another one, or a clock that somebody has put in its place, is asked itself.
        is_plain = getattr(self._loop.time, "__func__", None) is asyncio.BaseEventLoop.time
        self.now: Callable[[], float] = _clock.monotonic if is_plain else self._loop.time

    @property
    def identity(self) -> object:
        return self._loop

    def running_task(self) -> object:
        return self._asyncio.current_task(self._loop)

    def context_of(self, task: object) -> Context | None:
        if sys.version_info >= (3, 12):
            return cast("asyncio.Task[Any]", task).get_context()
        # A task of these versions does not say, but the garbage collector knows what it holds.
        return next((held for held in gc.get_referents(task) if isinstance(held, Context)), None)

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
                # The run is over and these are on their way out; who cancels, perhaps in every turn, is told after it.
                with suppress(self._asyncio.CancelledError):
                    await self._asyncio.wait(self._tasks)

    def start(self, worker: Worker) -> None:
        # Not create_task: an eager task factory would run the worker at once, inside the one that starts it.
        task = self._asyncio.Task(worker(), loop=self._loop)
        self._tasks.add(task)
        self._fresh[task] = worker
        task.add_done_callback(self._start_again)

    def leave(self) -> None:
        # Not by a done callback: that would be one more turn of the loop for each worker.
        task = self._asyncio.current_task()
        assert task is not None
        self._note_begun(task)
        self._tasks.discard(task)

    def _note_begun(self, task: asyncio.Task[None]) -> None:
        """Keep nothing more to start a task again: as many may wait as there are bodies, and each object counts."""
        if self._fresh.pop(task, None) is not None:
            task.remove_done_callback(self._start_again)

    def _start_again(self, task: asyncio.Task[None]) -> None:
        """A task was cancelled before its first step, by somebody who cancels all there are: it is not theirs."""
        self._tasks.discard(task)
        self.start(self._fresh.pop(task))

    def occupy(self, post: Post) -> None:
        task = self._asyncio.current_task()
        assert task is not None
        self._note_begun(task)
        post.scope = anyio.CancelScope(shield=True)
        post.scope.__enter__()
        post._task = task
        post._state = _anyio_state(task)

    if sys.version_info >= (3, 11):

        def is_intact(self, post: Post) -> bool:
            return not post._task.cancelling() and (post._state is None or post._state.cancel_scope is post.scope)

    else:

        def is_intact(self, post: Post) -> bool:
            return not post._task._must_cancel and (post._state is None or post._state.cancel_scope is post.scope)

    def is_innermost(self, post: Post) -> bool:
        return post._state is None or post._state.cancel_scope is post.scope

    def is_here(self, post: Post) -> bool:
        return self._asyncio.current_task() is post._task


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
        self._running: Final = _trio_context()

    @property
    def identity(self) -> object:
        return self._token

    def running_task(self) -> object:
        return self._running.get("task")

    def context_of(self, task: object) -> Context | None:
        return cast("trio.lowlevel.Task", task).context

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

    def occupy(self, post: Post) -> None:
        # trio's own: anyio's is a wrapper around one.
        post.scope = self._trio.CancelScope(shield=True)
        post.scope.__enter__()
        post._task = self._trio.lowlevel.current_task()
        post._state = getattr(post._task, "_cancel_status", None)

    def is_intact(self, post: Post) -> bool:
        return post._state is None or post._task._cancel_status is post._state

    is_innermost = is_intact

    def is_here(self, post: Post) -> bool:
        return self._trio.lowlevel.current_task() is post._task


def _trio_context() -> dict[str, object]:
    """Return where trio keeps, for each thread apart, what runs there now."""
    try:
        from trio._core._run import GLOBAL_RUN_CONTEXT
    except ImportError:
        return {}
    return vars(GLOBAL_RUN_CONTEXT)
