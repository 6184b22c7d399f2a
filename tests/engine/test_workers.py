"""What one body must not do to the next: bodies share workers, and some of them are hostile (design of the engine)."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import AsyncGenerator, Generator

import anyio
import anyio.lowlevel
import pytest

from tests.engine.misbehaving import KEEP_GOING, after
from tests.engine.support import Log, ended, node_of, ok, sleeps, statuses, turns
from treetask import (
    AsyncExecutor,
    LeakedScopeError,
    Registry,
    Spawns,
    TaskNode,
    TreeBuilder,
    TreeFailed,
    TreeTaskConfig,
)
from treetask.engine import _workers
from treetask.model import TaskFunction
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

LEAKED = (
    "the body of 'leaks' left a cancel scope open or cancelled its own task; close what it opens "
    "(`async with aclosing(generator)`, `with move_on_after(...)` inside one function) and cancel a scope instead"
)


# -- the five breakages of the first design ----------------------------------------------------------------------------


kept_alive: list[object] = []


async def counting() -> AsyncGenerator[int, None]:
    """Count, under a deadline that stays open while the generator is."""
    with anyio.move_on_after(1):
        for number in range(3):
            yield number


async def leave_a_generator_open(node: TaskNode) -> int:
    """Take one from a generator that holds a scope open, and forget it."""
    generator = counting()
    kept_alive.append(generator)
    return await generator.__anext__()


async def leave_a_scope_open(node: TaskNode) -> None:
    """Enter a scope and never leave it."""
    scope = anyio.CancelScope()
    kept_alive.append(scope)
    scope.__enter__()
    scope.cancel()


@pytest.mark.parametrize("body", [leave_a_generator_open, leave_a_scope_open])
async def test_scope_that_a_body_leaves_open_stops_no_other_body(body: TaskFunction) -> None:
    """The node fails with the fix in the message; the next bodies are not cancelled by what it left behind."""
    kept_alive.clear()
    tree = after(body)

    error = await ended(tree)

    if node_of(tree, "leaks").status == "failed":
        assert isinstance(error, TreeFailed)
        assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [(LeakedScopeError, LEAKED)]
    assert {node_of(tree, f"next {number}").status for number in range(3)} == {"done"}


async def test_scope_left_open_is_the_bodys_failure() -> None:
    """Nobody but the body can close it, so it is never a success."""
    kept_alive.clear()
    tree = after(leave_a_scope_open)

    await ended(tree)

    assert (node_of(tree, "leaks").status, node_of(tree, "leaks").error) == ("failed", LEAKED)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_body_that_cancels_its_own_task_stops_no_other_body() -> None:
    """`current_task().cancel()` would hit whoever runs next on that worker."""

    async def cancel_own_task(node: TaskNode) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    tree = after(cancel_own_task)
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [(type(leaf), str(leaf)) for leaf in error.exceptions] == [(LeakedScopeError, LEAKED)]
    assert statuses(tree) == {
        "root": "failed",
        "leaks": "failed",
        "next 0": "done",
        "next 1": "done",
        "next 2": "done",
    }


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_body_that_cancels_its_own_task_and_waits_has_failed() -> None:
    """It is hit itself; nobody asked for that from outside, so it is a failure and no cancellation."""

    async def cancel_own_task(node: TaskNode) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    tree = after(cancel_own_task)
    await ended(tree)

    assert node_of(tree, "leaks").status == "failed"
    assert node_of(tree, "next 2").status == "done"


async def test_many_bodies_that_wake_together_do_not_starve_the_loop(
    monkeypatch: pytest.MonkeyPatch, virtual_clock: VirtualClock
) -> None:
    """Other tasks get their turn every few bodies, however many workers have work to do.

    Each body takes a fifth of a turn of the loop, in virtual time; all of them wake at the same moment.
    """
    slow = _workers.TURN / 5
    since_the_last_turn: list[int] = []
    ran = 0

    async def wake_and_work(node: TaskNode) -> None:
        nonlocal ran
        await anyio.sleep(1)
        ran += 1

    async def work(node: TaskNode) -> None:
        nonlocal ran
        virtual_clock.advance(slow)
        ran += 1

    async def tick() -> None:
        seen = 0
        await anyio.sleep(1)
        while not tree.root.is_done():
            await anyio.sleep(0)
            since_the_last_turn.append(ran - seen)
            seen = ran

    builder = TreeBuilder("root")
    for number in range(100):
        builder.add_node(f"wakes {number}", task=wake_and_work)
        for below in range(10):
            builder.add_child(f"{number}.{below}", task=work)
        builder.up()
    tree = builder.build()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(AsyncExecutor(tree).run)
        tasks.start_soon(tick)

    assert ran == 100 + 1_000
    # The hundred that wake are tasks of their own; what follows them is begun in portions of six. On trio, which runs
    # tasks in any order, the ticker may come before one portion and after the next.
    assert max(since_the_last_turn) <= 100 + 2 * 6
    assert sorted(since_the_last_turn)[-3] <= 2 * 6


async def test_bodies_that_never_wait_leave_the_loop_alive(virtual_clock: VirtualClock) -> None:
    """With nothing but bodies that never await, a ticker runs every few of them, and a cancel is heard."""
    ran: list[int] = []

    async def work(node: TaskNode) -> None:
        virtual_clock.advance(_workers.TURN / 5)
        ran.append(1)

    builder = TreeBuilder("root")
    for number in range(10_000):
        builder.add_child(f"{number}", task=work)
    executor = AsyncExecutor(builder.build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await turns(20)
        executor.cancel()

    assert 0 < len(ran) < 20 * 10
    assert executor.tree.get_stats()["cancelled"] > 9_000


async def test_outer_cancel_leaves_no_body_without_its_clean_up() -> None:
    """Hundreds of bodies at once, cancelled from outside: each `finally` has run when `run()` raises."""
    log = Log()

    async def clean_up(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            await anyio.lowlevel.cancel_shielded_checkpoint()
            log.append(node.id)

    builder = TreeBuilder("root")
    for number in range(300):
        builder.add_child(f"{number}", task=clean_up)
    tree = builder.build()

    with anyio.move_on_after(5) as scope:
        await AsyncExecutor(tree).run()

    assert scope.cancelled_caught
    assert len(log) == 300


async def test_deadline_that_races_with_the_end_never_hits_the_next_body(virtual_clock: VirtualClock) -> None:
    """Bodies that end exactly at their deadline are done or timed out; who is next on the worker is not touched."""
    builder = TreeBuilder("root", parallel=False, config=KEEP_GOING)
    for number in range(20):
        builder.add_child(f"races {number}", task=sleeps(5), timeout=5)
        builder.add_child(f"next {number}", task=sleeps(5))
    tree = builder.build()

    await ended(tree)

    assert {node_of(tree, f"next {number}").status for number in range(20)} == {"done"}
    assert {node_of(tree, f"races {number}").status for number in range(20)} <= {"done", "timed_out"}
    assert virtual_clock.now() == 200


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_eager_task_factory_does_not_recurse() -> None:
    """Workers are plain tasks that start in the next turn, whatever factory the loop has."""
    loop = asyncio.get_running_loop()
    builder = TreeBuilder("root")
    for number in range(5_000):
        builder.add_child(f"{number}", task=sleeps(0) if number % 2 else ok)
    tree = builder.build()

    # By name, since the type checkers read this as Python 3.10.
    loop.set_task_factory(vars(asyncio)["eager_task_factory"])
    try:
        await AsyncExecutor(tree).run()
    finally:
        loop.set_task_factory(None)

    assert tree.get_stats()["done"] == 5_001


# -- contexts ----------------------------------------------------------------------------------------------------------


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def test_context_variables_of_a_body_are_its_own() -> None:
    """What a body sets is gone with it: the next one on that worker sees the caller's value."""
    seen: list[str] = []

    async def set_and_look(node: TaskNode) -> None:
        seen.append(variable.get())
        variable.set(node.id)
        await anyio.sleep(1)
        assert variable.get() == node.id

    def set_in_a_thread(node: TaskNode) -> None:
        seen.append(variable.get())
        variable.set(node.id)

    token = variable.set("caller")
    try:
        builder = TreeBuilder("root", parallel=False)
        for number in range(3):
            builder.add_child(f"async {number}", task=set_and_look).add_child(f"plain {number}", task=set_in_a_thread)
        await AsyncExecutor(builder.build()).run()
        assert variable.get() == "caller"
    finally:
        variable.reset(token)

    assert seen == ["caller"] * 6


async def test_context_of_a_spawner_lasts_over_its_yields() -> None:
    """A generator, on the loop or in threads, has one context from its first step to its last; its children do not."""
    registry = Registry("r")
    seen: list[str] = []

    @registry.task
    async def leaf(number: int) -> None:
        seen.append(variable.get())

    @registry.group(parallel=False)
    async def on_loop() -> Spawns[None]:
        variable.set("mine")
        yield leaf.child(1)
        seen.append(variable.get())

    @registry.group(parallel=False)
    def in_threads() -> Generator[object, object, None]:
        variable.set("mine")
        yield leaf.child(1)
        seen.append(variable.get())

    await AsyncExecutor(registry.build(TreeTaskConfig(max_concurrency=1))).run()

    assert sorted(seen) == ["mine", "mine", "unset", "unset"]
