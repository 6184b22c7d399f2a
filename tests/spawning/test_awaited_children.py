"""Bodies that wait for a child by `await`."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest

from tests.engine.support import ended, node_of, until
from tests.spawning.spawned import run, work
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    DependencyCycleError,
    Registry,
    Spawns,
    TaskNode,
    TreeFailed,
    TreeTaskConfig,
    TreeTaskError,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_spawned_child_can_be_awaited() -> None:
    """`node.spawn` queues at once, like a yield, and the child's result is typed."""
    registry = Registry("r")

    @registry.task(static=False)
    async def parent(node: TaskNode) -> float:
        slow, quick = node.spawn(work, 2), node.spawn(work, 1)
        return await quick - await slow

    assert await run(parent.build()) == -1


async def test_awaiting_a_child_outside_of_its_run_waits_no_more() -> None:
    """The handle of a child still has its result when the run is over."""
    registry = Registry("r")
    children: list[Child[float]] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        children.append((yield work.child(1)))

    await AsyncExecutor(parent.build()).run()

    assert await children[0] == 1


async def test_somebody_else_may_wait_for_a_child() -> None:
    """A body may await the child of another one; it gives its own slot up, not the parent's."""
    registry = Registry("r")
    handed: list[Child[float]] = []

    @registry.task
    async def other() -> float:
        await until(lambda: bool(handed))
        return await handed[0]

    @registry.group
    async def parent() -> Spawns[None]:
        handed.append((yield work.child(5)))

    tree = registry.build(TreeTaskConfig(max_concurrency=2))
    await AsyncExecutor(tree).run()

    assert node_of(tree, "r/other").result == 5


def a_registry_of_vain_waits(*, parallel: bool, wait: str) -> Registry:
    """Return a group whose body waits for a child that needs a static child, which starts only after the body."""
    registry = Registry("r")

    @registry.group(parallel=parallel)
    async def crawl(node: TaskNode) -> Spawns[None]:
        if wait == "spawn":
            await node.spawn(fetch, 1)
            return
        if wait == "after a JOIN":
            yield JOIN
        child: Child[int] = yield fetch.child(1)
        if wait == "await":
            await child

    @crawl.task
    async def login() -> str:
        return "token"

    @crawl.task
    async def session(token: str = login.output) -> str:
        return token

    @crawl.task
    async def fetch(number: int, token: str = session.output) -> int:
        return number

    return registry


@pytest.mark.parametrize(("parallel", "wait"), [(False, "yield"), (True, "await"), (True, "spawn")])
async def test_body_that_would_wait_for_itself_is_told(parallel: bool, wait: str) -> None:
    """A child that needs what starts only after the body would be waited for without end; the fix is in the message."""
    tree = a_registry_of_vain_waits(parallel=parallel, wait=wait).build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert [type(leaf) for leaf in error.exceptions] == [DependencyCycleError]
    assert str(error.exceptions[0]) == (
        "'r/crawl/fetch[1]' depends on itself: r/crawl/fetch[1] -> r/crawl/session -> r/crawl -> r/crawl/fetch[1]; "
        "'r/crawl/session' starts after the body of 'r/crawl', which would wait for 'r/crawl/fetch[1]'; "
        "let it go ahead first: yield JOIN"
    )


@pytest.mark.parametrize(("parallel", "wait"), [(True, "yield"), (True, "after a JOIN"), (False, "after a JOIN")])
async def test_child_may_need_a_static_child_that_can_run(parallel: bool, wait: str) -> None:
    """A body that does not wait, or has let its static children go, holds nothing up."""
    tree = a_registry_of_vain_waits(parallel=parallel, wait=wait).build()
    await AsyncExecutor(tree).run()

    assert tree.get_stats()["done"] == 5


@pytest.mark.parametrize("has_loop", [True, False])
async def test_child_awaited_in_another_thread_is_refused(has_loop: bool) -> None:
    """It would wait for ever there, on an event loop of its own or on none."""
    tree = Registry("r")
    messages: list[str] = []

    @tree.task(static=False)
    async def slow() -> None:
        await anyio.sleep(1)

    @tree.task
    async def body(node: TaskNode) -> None:
        child = node.spawn(slow)

        async def wait() -> None:
            await child

        def elsewhere() -> None:
            try:
                if has_loop:
                    anyio.run(wait)
                else:
                    wait().send(None)
            except TreeTaskError as error:
                messages.append(str(error))

        await anyio.to_thread.run_sync(elsewhere)

    await tree.run()

    assert messages == [
        "child 'r/body/slow' is awaited in another thread than its run is in; "  # noqa: ISC004
        "await it in a body on the event loop, or from a thread by anyio.from_thread.run"
    ]
