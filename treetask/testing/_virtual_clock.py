"""Time that passes at once: the clock of the running event loop, turned by hand instead of by the world.

When nothing on the loop is ready, a virtual clock jumps to the next deadline, so that a timeout of a day takes no time
and what happens in which order depends on no machine. It stands still while a worker thread works, since what the
thread will do is not over yet.

Neither event loop lets its clock be changed while it runs, so its private parts are replaced as long as the virtual
clock is in charge: on asyncio `time` and the selector's `select` of that one loop, on trio the clock of that one run.
Knows nothing of trees: whatever reads the loop's clock sees virtual time.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

import anyio
import anyio.to_thread
from typing_extensions import Self, TypeVarTuple, Unpack

from treetask._errors import TreeTaskError
from treetask.engine import busy_threads

if TYPE_CHECKING:
    import asyncio

    import trio

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualClockError(TreeTaskError):
    """A virtual clock where there can be none: outside of an event loop, on a loop of another make, or a second one."""


class VirtualClock:
    """Makes the time of the running event loop virtual, from entering it to leaving it; it begins at 0, in seconds.

        async def test_patience() -> None:
            with VirtualClock() as clock:
                await anyio.sleep(86_400)
                assert clock.now() == 86_400

    Time stands still while something is ready to run, while a worker thread works (a plain `def` body, one that was
    left behind as well, or what was handed to `anyio.to_thread` or `asyncio.to_thread`) and while a process of
    `TaskNode.run_process` runs; else it jumps to the next deadline. `advance` moves it all the same. Sockets, processes
    and threads that you start yourself are not waited for. Deadlines that were set before the clock was entered are
    kept on the old clock's scale: set them inside.

    Raises `VirtualClockError` outside of an event loop, on one that is neither asyncio's own nor trio, or inside of
    another virtual clock.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._lock: Final = threading.Lock()
        self._hands: _Hands | None = None
        self._is_busy: Callable[[], bool] = bool

    def now(self) -> float:
        """Return the virtual time: seconds since the clock was entered."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass, now, whatever works meanwhile. From any thread; what is due runs in the loop's next turn."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"VirtualClock: advance({seconds!r}); expected a finite number of seconds from 0")
        with self._lock:
            self._now += seconds
        if self._hands is not None:
            self._hands.wake()

    @property
    def is_in_charge(self) -> bool:
        """Whether it was entered and not left."""
        return self._hands is not None

    def is_standing(self) -> bool:
        """Whether a worker thread or a process holds the time."""
        return self._is_busy()

    def jump_to(self, when: float) -> None:
        """Let the time be `when`, unless it is later already. For the event loop, when nothing is ready."""
        with self._lock:
            self._now = max(self._now, when)

    def __enter__(self) -> Self:
        if self._hands is not None:
            raise VirtualClockError("this virtual clock is in charge already; make a second one for another event loop")
        hands = _hands(self)
        busy, limiter = busy_threads(), anyio.to_thread.current_default_thread_limiter()
        self._is_busy = lambda: busy.count > 0 or limiter.borrowed_tokens > 0 or hands.executor_calls > 0
        self._now = 0.0
        hands.install()
        self._hands = hands
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        assert self._hands is not None
        self._hands.remove()
        self._hands = None


def run_virtual(async_fn: Callable[[Unpack[Ts]], Awaitable[T]], *args: Unpack[Ts], backend: str = "asyncio") -> T:
    """Run an async function to its end on a new event loop ("asyncio" or "trio") whose time is virtual.

    Returns what it returns: `anyio.run`, without the waiting.
    """

    async def run() -> T:
        with VirtualClock():
            return await async_fn(*args)

    return anyio.run(run, backend=backend)


class _Hands(Protocol):
    """What turns the clock of one event loop."""

    #: Calls in threads that the loop's own executor runs.
    executor_calls: int

    def install(self) -> None:
        """Put the virtual clock in charge."""

    def remove(self) -> None:
        """Put the loop's own clock back."""

    def wake(self) -> None:
        """Let the loop look at the clock; from any thread."""


def _hands(clock: VirtualClock) -> _Hands:
    # Another thread may be importing one of them just now. As long as the function is missing, no loop of it runs.
    in_trio_run = getattr(sys.modules.get("trio.lowlevel"), "in_trio_run", None)
    if in_trio_run is not None and in_trio_run():
        return _TrioHands(clock)
    running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    if running_loop is not None and running_loop() is not None:
        return _AsyncioHands(clock)
    raise VirtualClockError("a virtual clock needs a running event loop; enter it in an async function or a fixture")


class _AsyncioHands:
    """Replaces `time`, `run_in_executor` and the selector's `select` of one asyncio loop."""

    def __init__(self, clock: VirtualClock) -> None:
        import asyncio

        self.executor_calls = 0
        self._clock: Final = clock
        # Attributes of these two objects are replaced, which no type allows.
        self._loop: Final[Any] = asyncio.get_running_loop()
        selector: Any = getattr(self._loop, "_selector", None)
        if not isinstance(self._loop, asyncio.BaseEventLoop) or not hasattr(selector, "select"):
            raise VirtualClockError(f"no virtual clock on {self._loop!r}; expected an event loop of asyncio itself")
        if "time" in vars(self._loop):
            raise VirtualClockError("the clock of this event loop is virtual already")
        self._selector: Final[Any] = selector
        self._select: Final[Callable[[float | None], object]] = selector.select
        self._run_in_executor: Final[Callable[..., Any]] = self._loop.run_in_executor

    def install(self) -> None:
        self._loop.time = self._clock.now
        self._loop.run_in_executor = self._count_call
        self._selector.select = self._look

    def remove(self) -> None:
        del self._loop.time, self._loop.run_in_executor, self._selector.select

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(_nothing)

    def _look(self, timeout: float | None = None) -> object:
        """Look for events as `select` does, but let virtual time pass instead of waiting."""
        if timeout is not None and timeout <= 0:
            return self._select(timeout)
        due = None if timeout is None else self._clock.now() + timeout
        # Asked before looking: a thread tells the loop first and stops being busy then.
        is_standing = self._clock.is_standing()
        events = self._select(0)
        if events:
            return events
        if due is None or is_standing:
            return self._select(None)
        self._clock.jump_to(due)
        return events

    def _count_call(self, executor: Executor | None, function: Callable[..., T], *args: object) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._run_in_executor(executor, function, *args)
        self.executor_calls += 1
        future.add_done_callback(self._count_return)
        return future

    def _count_return(self, _: asyncio.Future[Any]) -> None:
        self.executor_calls -= 1


class _TrioHands:
    """Is the clock of one trio run, and an instrument of it, which notices when a task becomes ready.

    trio asks for the time to sleep only when no task is ready. The answer is first not to sleep but to look for events;
    when that has made nothing ready, time jumps.
    """

    def __init__(self, clock: VirtualClock) -> None:
        import trio
        from trio._core._run import GLOBAL_RUN_CONTEXT

        self.executor_calls = 0
        self._clock: Final = clock
        self._has_looked = False
        self._lowlevel: Final = trio.lowlevel
        self._token: Final = trio.lowlevel.current_trio_token()
        # trio has no public way to change the clock of a run.
        self._runner: Final[Any] = GLOBAL_RUN_CONTEXT.runner
        self._before: Final = trio.lowlevel.current_clock()
        if isinstance(self._before, _TrioHands):
            raise VirtualClockError("the clock of this event loop is virtual already")

    def install(self) -> None:
        self._runner.clock = self
        self._lowlevel.add_instrument(cast("trio.abc.Instrument", self))

    def remove(self) -> None:
        self._lowlevel.remove_instrument(cast("trio.abc.Instrument", self))
        self._runner.clock = self._before

    def wake(self) -> None:
        self._token.run_sync_soon(_nothing)

    # -- a clock of trio ---------------------------------------------------------------------------------------------

    def start_clock(self) -> None:
        """Do nothing: the run has begun before."""

    def current_time(self) -> float:
        return self._clock.now()

    def deadline_to_sleep_time(self, deadline: float) -> float:
        if deadline <= self._clock.now():
            return 0
        if deadline == math.inf or self._clock.is_standing():
            return math.inf
        if self._runner.waiting_for_idle:
            # Who waits for all tasks to be blocked comes first, and is told only where there is time to sleep.
            return math.inf
        if self._has_looked:
            self._has_looked = False
            self._clock.jump_to(deadline)
        else:
            self._has_looked = True
        return 0

    # -- an instrument of trio ---------------------------------------------------------------------------------------

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        self._has_looked = False


def _nothing() -> None:
    """Is called for the sake of a turn of the loop."""
