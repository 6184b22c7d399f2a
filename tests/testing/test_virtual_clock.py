"""Virtual time on both event loops: what it jumps over, what it stands still for, and where it is refused."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from tests.engine.support import ended, turns, until
from treetask import TaskNode, TreeBuilder, TreeTaskConfig
from treetask.engine import AsyncExecutor
from treetask.testing import VirtualClock, VirtualClockError, run_virtual

DAY = 86_400
BACKENDS = ["asyncio", "trio"]


@pytest.mark.anyio
async def test_a_day_passes_at_once(virtual_clock: VirtualClock) -> None:
    """A sleep takes its time on the loop's clock and none in the world."""
    began = time.monotonic()

    await anyio.sleep(DAY)

    assert (virtual_clock.now(), anyio.current_time()) == (DAY, DAY)
    assert time.monotonic() - began < 60


@pytest.mark.anyio
async def test_sleeps_of_several_days_pass_too(virtual_clock: VirtualClock) -> None:
    """Event loops look at the clock once a day at least; that bounds no sleep."""
    await anyio.sleep(3.5 * DAY)

    assert virtual_clock.now() == 3.5 * DAY


@pytest.mark.anyio
async def test_deadlines_pass_in_their_order(virtual_clock: VirtualClock) -> None:
    """Who sleeps shorter wakes first, whoever began first, and sees the time of its own deadline."""
    woken: list[tuple[int, float]] = []

    async def sleep(seconds: int) -> None:
        await anyio.sleep(seconds)
        woken.append((seconds, virtual_clock.now()))

    async with anyio.create_task_group() as tasks:
        for seconds in (30, 10, 20):
            tasks.start_soon(sleep, seconds)

    assert woken == [(10, 10), (20, 20), (30, 30)]


@pytest.mark.anyio
async def test_timeout_of_a_day_cancels(virtual_clock: VirtualClock) -> None:
    """A deadline far away is met as soon as nothing else is to be done."""
    with pytest.raises(TimeoutError):
        with anyio.fail_after(DAY):
            await anyio.sleep_forever()

    assert virtual_clock.now() == DAY


@pytest.mark.anyio
async def test_time_stands_while_something_is_ready(virtual_clock: VirtualClock) -> None:
    """A task that yields to others without waiting loses no time by it."""
    with anyio.move_on_after(0.001) as scope:
        for _ in range(1_000):
            await anyio.sleep(0)

    assert (scope.cancelled_caught, virtual_clock.now()) == (False, 0)


@pytest.mark.anyio
async def test_time_stands_while_a_thread_works(virtual_clock: VirtualClock) -> None:
    """A timeout does not pass because a thread needs a while in the world."""
    thread_may_end = threading.Event()
    times: list[float] = []

    async def wait_in_thread() -> None:
        with anyio.fail_after(1):
            await anyio.to_thread.run_sync(thread_may_end.wait)
        times.append(virtual_clock.now())

    def let_end_from_thread(turns: int) -> None:
        for _ in range(turns):
            anyio.from_thread.run(anyio.sleep, 0)
        thread_may_end.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait_in_thread)
        await anyio.to_thread.run_sync(let_end_from_thread, 20)
    await anyio.sleep(5)

    assert times == [0]
    assert virtual_clock.now() == 5


@pytest.mark.anyio
async def test_time_stands_while_a_plain_body_works(virtual_clock: VirtualClock) -> None:
    """The engine's own threads hold the time, too: a plain body is not timed out by a jump."""

    def count_turns(node: TaskNode) -> int:
        time.sleep(0.01)
        return 1

    async def sleep(node: TaskNode) -> None:
        await anyio.sleep(3)

    tree = TreeBuilder("root").add_child("plain", task=count_turns, timeout=1).add_child("sleep", task=sleep).build()
    await AsyncExecutor(tree).run()

    plain = tree.find("plain")
    assert plain is not None
    assert (plain.status, plain.elapsed, virtual_clock.now()) == ("done", 0, 3)


@pytest.mark.anyio
async def test_advance_moves_time_while_a_thread_works(virtual_clock: VirtualClock) -> None:
    """Time that stands still for a thread can be moved by hand, from that thread as well."""
    thread_may_end = threading.Event()

    def work() -> None:
        virtual_clock.advance(10)
        thread_may_end.wait()

    with anyio.move_on_after(10) as scope:
        await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    now = virtual_clock.now()
    thread_may_end.set()

    assert (scope.cancelled_caught, now) == (True, 10)


@pytest.mark.anyio
async def test_time_stands_while_a_body_that_was_left_behind_works(virtual_clock: VirtualClock) -> None:
    """What waits for the thread to be free must not be timed out because the world is slow."""
    thread_may_end = threading.Event()

    def stuck(node: TaskNode) -> None:
        thread_may_end.wait()

    def quick(node: TaskNode) -> None:
        pass

    config = TreeTaskConfig(max_retries=0, max_threads=1, on_failure="continue", global_timeout=DAY)
    tree = TreeBuilder("root", config=config).add_child("stuck", task=stuck, timeout=5).add_child("next", task=quick)
    executor = AsyncExecutor(tree.build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await until(lambda: bool(executor.running))
        virtual_clock.advance(5)
        await until(lambda: bool(executor.tree.failed))
        await turns()
        thread_may_end.set()

    following = executor.tree.find("next")
    assert following is not None
    assert (following.status, following.started_at) == ("done", 5)


@pytest.mark.anyio
async def test_advance_wakes_what_is_due_and_no_more(virtual_clock: VirtualClock) -> None:
    """Sleepers whose time has come by an advance go on in the next turns of the loop; the rest sleep on."""
    woken: list[int] = []

    async def sleep(seconds: int) -> None:
        await anyio.sleep(seconds)
        woken.append(seconds)

    async with anyio.create_task_group() as tasks:
        for seconds in (1, 2, 5):
            tasks.start_soon(sleep, seconds)
        for _ in range(5):
            await anyio.sleep(0)
        virtual_clock.advance(2)
        for _ in range(5):
            await anyio.sleep(0)
        assert sorted(woken) == [1, 2]

    assert woken[2:] == [5]
    assert virtual_clock.now() == 5


@pytest.mark.anyio
@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
async def test_advance_backwards_is_refused(virtual_clock: VirtualClock, seconds: float) -> None:
    """Time goes forward, by a finite amount."""
    with pytest.raises(ValueError, match=r"^VirtualClock: advance\(.*\); expected a finite number of seconds from 0$"):
        virtual_clock.advance(seconds)


@pytest.mark.anyio
async def test_call_soon_from_thread_is_seen_before_time_jumps(virtual_clock: VirtualClock) -> None:
    """What a thread has handed to the loop happens before the next deadline."""
    events: list[str] = []

    async def sleep() -> None:
        await anyio.sleep(1)
        events.append("slept")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleep)
        await anyio.to_thread.run_sync(lambda: anyio.from_thread.run_sync(events.append, "thread"))
        events.append("back")

    assert events == ["thread", "back", "slept"]


@pytest.mark.anyio
async def test_who_waits_for_idle_comes_before_time_jumps(virtual_clock: VirtualClock) -> None:
    """`wait_all_tasks_blocked` sees the sleepers asleep."""
    woken: list[str] = []

    async def sleep() -> None:
        await anyio.sleep(1)
        woken.append("sleeper")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleep)
        await anyio.wait_all_tasks_blocked()
        assert woken == []

    assert woken == ["sleeper"]


async def a_day_later(answer: str) -> tuple[str, float]:
    """Return the answer and the time, after a day."""
    await anyio.sleep(DAY)
    return answer, anyio.current_time()


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_virtual_returns_what_the_function_returns(backend: str) -> None:
    """The plain function needs no fixture, on either loop, and passes arguments on."""
    assert run_virtual(a_day_later, "yes", backend=backend) == ("yes", DAY)


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_virtual_raises_what_the_function_raises(backend: str) -> None:
    """An error comes out as it is."""

    async def fail() -> None:
        await anyio.sleep(DAY)
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match=r"^nothing there$"):
        run_virtual(fail, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_same_program_gives_the_same_times(backend: str) -> None:
    """Two runs see the same stamps to the last bit."""

    async def program() -> list[float]:
        times: list[float] = []
        for seconds in (0.1, 0.2, 0.7):
            await anyio.sleep(seconds)
            times.append(anyio.current_time())
        return times

    assert run_virtual(program, backend=backend) == run_virtual(program, backend=backend)


def test_asyncio_to_thread_holds_the_time() -> None:
    """The loop's own executor counts as well."""

    async def program() -> float:
        with anyio.fail_after(1):
            await asyncio.to_thread(time.sleep, 0.01)
        return anyio.current_time()

    assert run_virtual(program) == 0


def test_the_loops_own_clock_comes_back() -> None:
    """After the clock was left, the loop's time is the world's again."""

    async def program() -> tuple[float, float]:
        before = anyio.current_time()
        with VirtualClock():
            await anyio.sleep(100 * DAY)
        return before, anyio.current_time()

    for backend in BACKENDS:
        before, after = anyio.run(program, backend=backend)
        assert 0 <= after - before < 60


def test_outside_of_an_event_loop_is_refused() -> None:
    """Without a loop there is no clock to replace."""
    message = r"^a virtual clock needs a running event loop; enter it in an async function or a fixture$"
    with pytest.raises(VirtualClockError, match=message):
        VirtualClock().__enter__()


@pytest.mark.anyio
async def test_second_clock_on_a_loop_is_refused(virtual_clock: VirtualClock) -> None:
    """There is one time on a loop."""
    with pytest.raises(VirtualClockError, match=r"^the clock of this event loop is virtual already$"):
        VirtualClock().__enter__()
    with pytest.raises(VirtualClockError, match=r"^this virtual clock is in charge already; make a second one "):
        virtual_clock.__enter__()


def test_loop_of_another_make_is_refused() -> None:
    """A loop without a selector of asyncio's kind is named."""

    class OtherLoop(asyncio.SelectorEventLoop):
        """A loop that hides its selector once it runs."""

    async def program() -> None:
        loop: Any = asyncio.get_running_loop()
        selector = loop._selector
        loop._selector = object()
        try:
            VirtualClock().__enter__()
        finally:
            loop._selector = selector

    loop = OtherLoop()
    try:
        with pytest.raises(
            VirtualClockError, match=r"^no virtual clock on <.*OtherLoop .*>; expected an event loop of "
        ):
            loop.run_until_complete(program())
    finally:
        loop.close()


def test_clock_can_be_used_again() -> None:
    """Entered a second time, it begins at 0 again."""
    clock = VirtualClock()
    seen: list[float] = []

    async def program() -> None:
        with clock:
            seen.append(clock.now())
            await anyio.sleep(5)
            seen.append(clock.now())

    for backend in BACKENDS:
        anyio.run(program, backend=backend)

    assert seen == [0, 5, 0, 5]


def test_importing_it_loads_no_event_loop() -> None:
    """As little is loaded for the testing package: the event loops come with the first clock."""
    code = "import sys, treetask.testing; print(*sorted({'asyncio', 'trio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout.split(), done.stderr) == ([], "")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sleepers", [1, 100])
def test_many_jumps_are_cheap(backend: str, sleepers: int) -> None:
    """A thousand deadlines for each of many sleepers take no noticeable time."""

    async def sleep_often() -> None:
        for _ in range(1_000 // sleepers):
            await anyio.sleep(1)

    async def program() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(sleepers):
                tasks.start_soon(sleep_often)

    began = time.monotonic()
    run_virtual(program, backend=backend)

    assert time.monotonic() - began < 10
