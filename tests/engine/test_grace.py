"""Bodies that go on though they were stopped: named after the grace, once, and waited for."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial

import anyio
import pytest

from tests.engine.support import AsyncBody, ended, fails_after, forever, node_of, ok, sleeps, statuses, turns
from treetask import JOIN, AsyncExecutor, Registry, Spawns, TaskNode, TaskTree, TreeBuilder, TreeTaskConfig, optional
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

GRACE = 7
CONFIG = TreeTaskConfig(max_retries=0, grace=GRACE)


def stubborn(seconds: float = 60) -> AsyncBody:
    """Return a body that takes its time, whatever it is told."""

    async def body(node: TaskNode) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(seconds)

    return body


class Warnings(logging.Handler):
    """The warnings of a run, each with the time at which it came."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append((anyio.current_time(), record.getMessage()))


@pytest.fixture
def warnings() -> Warnings:
    """What is told while the test runs."""
    return Warnings()


async def told(warnings: Warnings, run: Callable[[], Awaitable[object]]) -> list[tuple[float, str]]:
    """Run something and return what was told meanwhile."""
    logger = logging.getLogger("treetask")
    logger.addHandler(warnings)
    try:
        await run()
    finally:
        logger.removeHandler(warnings)
    return warnings.told


def naming(*names: str) -> str:
    """Return the warning that names these bodies."""
    return f"still waiting for {', '.join(names)}, which did not end when cancelled"


# -- whatever has stopped them -----------------------------------------------------------------------------------------


async def cancel_run(tree: TaskTree) -> None:
    """Stop the run."""
    executor = AsyncExecutor(tree)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(10)
        executor.cancel()


async def cancel_node(tree: TaskTree) -> None:
    """Stop a part of the run."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await anyio.sleep(10)
        node_of(tree, "group").cancel()


async def cancel_caller(tree: TaskTree) -> None:
    """Stop the task that awaits the run."""
    with anyio.move_on_after(10):
        await AsyncExecutor(tree).run()


async def time_out(tree: TaskTree) -> None:
    """Give the run ten seconds."""
    tree.config = TreeTaskConfig(max_retries=0, grace=GRACE, global_timeout=10)
    await ended(tree)


async def fail_beside(tree: TaskTree) -> None:
    """Let a sibling of the group fail, whose policy stops it."""
    tree.root.add_child(TaskNode("fails", task_fn=fails_after(10)))
    await ended(tree)


async def interrupt_keyboard(tree: TaskTree) -> None:
    """Let a body raise what ends the run."""

    async def body(node: TaskNode) -> None:
        await anyio.sleep(10)
        raise KeyboardInterrupt

    tree.root.add_child(TaskNode("ctrl-c", task_fn=body))
    with pytest.raises(KeyboardInterrupt):
        await AsyncExecutor(tree).run()


@pytest.mark.parametrize("stop", [cancel_run, cancel_node, cancel_caller, time_out, fail_beside, interrupt_keyboard])
async def test_stubborn_body_is_named_once_whatever_has_stopped_it(
    stop: Callable[[TaskTree], Awaitable[None]], warnings: Warnings, virtual_clock: VirtualClock
) -> None:
    """After the grace; the run goes on waiting for it."""
    tree = (
        TreeBuilder("root", config=CONFIG)
        .add_node("group")
        .add_child("stubborn", task=stubborn(60))
        .add_child("obedient", task=forever)
        .up()
        .build()
    )

    assert await told(warnings, partial(stop, tree)) == [(10 + GRACE, naming("'stubborn'"))]
    assert virtual_clock.now() == 60
    assert statuses(tree)["obedient"] == "cancelled"


def out_of_time_alone() -> TaskTree:
    """A body with a timeout of its own."""
    return TreeBuilder("root", config=CONFIG).add_child("stubborn", task=stubborn(60), timeout=10).build()


def out_of_time_by_default() -> TaskTree:
    """A body that the config's timeout bounds."""
    config = TreeTaskConfig(max_retries=0, grace=GRACE, default_task_timeout=10)
    return TreeBuilder("root", config=config).add_child("stubborn", task=stubborn(60)).build()


def out_of_time_with_the_group() -> TaskTree:
    """A body in a group that is out of time."""
    builder = TreeBuilder("root", config=CONFIG).add_node("group", timeout=10)
    return builder.add_child("stubborn", task=stubborn(60)).build()


def out_of_time_with_its_children() -> TaskTree:
    """A body with children that has one timeout for all."""
    registry = Registry("root")

    @registry.task(static=False, id="child")
    async def child() -> None:
        await anyio.sleep_forever()

    @registry.group(id="stubborn", timeout=10, static=False)
    async def group(node: TaskNode) -> Spawns[None]:
        yield child.child()
        await stubborn(60)(node)
        yield JOIN

    tree = TaskTree(TaskNode("root"), CONFIG)
    node = group.make_node(group.child(), "stubborn")
    tree.root.add_child(node)
    return tree


@pytest.mark.parametrize(
    "build", [out_of_time_alone, out_of_time_by_default, out_of_time_with_the_group, out_of_time_with_its_children]
)
async def test_stubborn_body_is_named_when_its_time_is_up(build: Callable[[], TaskTree], warnings: Warnings) -> None:
    """A timeout is a stop like any other."""
    tree = build()

    assert await told(warnings, partial(ended, tree)) == [(10 + GRACE, naming("'stubborn'"))]
    assert node_of(tree, "stubborn").ended_at == 60


async def test_clean_up_that_takes_longer_than_its_grace_and_another(warnings: Warnings) -> None:
    """What always runs is stopped when the grace is over, and named when it does not mind that either."""
    tree = (
        TreeBuilder("root", config=CONFIG)
        .add_child("begun", task=ok)
        .add_child("work", task=forever)
        .add_child("frees", task=stubborn(60), always=True, depends_on=[optional("begun")])
        .build()
    )

    assert await told(warnings, partial(cancel_run, tree)) == [(10 + 2 * GRACE, naming("'frees'"))]


async def test_generator_that_is_closed_for_long_keeps_its_body_from_ending(warnings: Warnings) -> None:
    """What a body left open is closed before its node ends, and that may be stubborn, too."""

    async def rows() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(30)

    async def leaves_open(node: TaskNode) -> None:
        async for _ in rows():
            await anyio.sleep(1 if node.id == "fails" else 99)
            raise OSError("broken")

    tree = (
        TreeBuilder("root", config=CONFIG, on_failure="continue")
        .add_child("late", task=leaves_open, timeout=10)
        .add_child("fails", task=leaves_open, timeout=10)
        .build()
    )

    assert await told(warnings, partial(ended, tree)) == [(10 + GRACE, naming("'late'"))]


# -- each at its time, and once ----------------------------------------------------------------------------------------


async def test_each_is_named_when_its_own_grace_is_over(warnings: Warnings) -> None:
    """Who was stopped earlier is named earlier, and not again with the others."""
    tree = (
        TreeBuilder("root", config=CONFIG, on_failure="continue")
        .add_child("b", task=stubborn(90), timeout=14)
        .add_child("a", task=stubborn(90), timeout=10)
        .add_child("in time", task=stubborn(16), timeout=10)
        .add_child("a too", task=stubborn(90), timeout=10)
        .add_child("c", task=stubborn(90), timeout=50)
        .build()
    )

    assert await told(warnings, partial(ended, tree)) == [
        (17, naming("'a'", "'a too'")),
        (21, naming("'b'")),
        (57, naming("'c'")),
    ]


async def test_stop_that_comes_earlier_than_a_timeout_is_looked_at_first(warnings: Warnings) -> None:
    """A timeout that is hours away does not keep anybody from being named."""
    tree = TreeBuilder("root", config=CONFIG).add_child("stubborn", task=stubborn(90), timeout=80).build()

    assert await told(warnings, partial(cancel_run, tree)) == [(17, naming("'stubborn'"))]


async def test_timeout_that_is_followed_by_a_cancel_counts_from_the_first(warnings: Warnings) -> None:
    """It was told to end already; to be told again gives it no more time."""
    tree = TreeBuilder("root", config=CONFIG).add_child("stubborn", task=stubborn(90), timeout=5).build()

    assert await told(warnings, partial(cancel_run, tree)) == [(12, naming("'stubborn'"))]


async def test_parent_that_waits_for_a_stubborn_child_is_not_named(warnings: Warnings) -> None:
    """Nobody has told it to end yet: that comes when its children are down."""
    registry = Registry("root")

    @registry.task(static=False)
    async def child(node: TaskNode) -> None:
        await stubborn(60)(node)

    @registry.group
    async def spawns() -> Spawns[None]:
        yield child.child()
        yield JOIN

    @registry.task
    async def awaits(node: TaskNode) -> None:
        await node.spawn(child)

    tree = registry.build(CONFIG)

    names = ["'root/spawns/child'", "'root/awaits/child'"]
    assert [
        sorted(text.split(", which")[0].removeprefix("still waiting for ").split(", "))
        for _, text in (await told(warnings, partial(cancel_run, tree)))
    ] == [sorted(names)]


async def test_many_are_counted_rather_than_named(warnings: Warnings) -> None:
    """A warning has to be read."""
    builder = TreeBuilder("root", config=CONFIG)
    for number in range(13):
        builder.add_child(f"{number}", task=stubborn(60))
    tree = builder.build()

    ((_, text),) = await told(warnings, partial(cancel_run, tree))
    assert text.startswith("still waiting for '")
    assert text.endswith(" and 3 more, which did not end when cancelled")
    assert text.count("', '") == 9


async def test_grace_of_nothing_names_at_once(warnings: Warnings) -> None:
    """0 is zero: who does not end in the same moment is named."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=0))
        .add_child("obedient", task=forever)
        .add_child("stubborn", task=stubborn(60))
        .build()
    )

    ((at, text),) = await told(warnings, partial(cancel_run, tree))
    assert at == 10
    assert "'stubborn'" in text


async def test_who_ends_in_time_is_not_named(warnings: Warnings) -> None:
    """Neither who obeys nor who cleans up for less than the grace, nor a thread, which is not waited for."""
    go_on = threading.Event()

    def plain(node: TaskNode) -> None:
        go_on.wait(20)

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=GRACE))
        .add_child("obedient", task=forever)
        .add_child("cleans up", task=stubborn(10 + GRACE - 0.5))
        .build()
    )
    assert await told(warnings, partial(cancel_run, tree)) == []

    thread = TreeBuilder("root", config=TreeTaskConfig(max_retries=0, grace=0)).add_child("thread", task=plain).build()
    executor = AsyncExecutor(thread)

    async def cancel_soon() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await turns()
            executor.cancel()

    assert await told(warnings, cancel_soon) == []
    go_on.set()


# -- in haste ----------------------------------------------------------------------------------------------------------


async def test_hurry_names_who_was_stopped_and_no_one_else(warnings: Warnings) -> None:
    """At once; the grace has nothing to add to that."""
    registry = Registry("root")

    @registry.task(static=False)
    async def child(node: TaskNode) -> None:
        await stubborn(60)(node)

    @registry.group
    async def parent() -> Spawns[None]:
        yield child.child()
        yield JOIN

    tree = registry.build(CONFIG)
    executor = AsyncExecutor(tree)

    async def hurry() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await anyio.sleep(10)
            executor.cancel()
            await anyio.sleep(1)
            executor.hurry()

    assert await told(warnings, hurry) == [(11, naming("'root/parent/child'"))]


async def test_hurry_names_again_who_was_named_before(warnings: Warnings) -> None:
    """Who asks wants to know what the run waits for now."""
    tree = (
        TreeBuilder("root", config=CONFIG)
        .add_child("stubborn", task=stubborn(60))
        .add_child("less so", task=stubborn(30))
        .build()
    )
    executor = AsyncExecutor(tree)

    async def hurry() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await anyio.sleep(10)
            executor.cancel()
            await anyio.sleep(30)
            executor.hurry()

    first, second = await told(warnings, hurry)
    assert (first[0], second) == (17, (40, naming("'stubborn'")))


async def test_hurry_without_a_stop_names_nobody(warnings: Warnings) -> None:
    """Bodies that run as they should have done nothing wrong."""
    executor = AsyncExecutor(TreeBuilder("root").add_child("work", task=sleeps(5)).build())

    async def hurry() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(executor.run)
            await anyio.sleep(1)
            executor.hurry()

    assert await told(warnings, hurry) == []


# -- what it costs -----------------------------------------------------------------------------------------------------


async def test_run_in_which_nothing_is_stopped_sets_no_timer() -> None:
    """It costs nothing."""
    executor = AsyncExecutor(TreeBuilder("root").add_child("a", task=sleeps(1)).add_child("b", task=ok).build())
    await executor.run()

    assert executor._run is not None
    assert executor._run._timers._count == 0
