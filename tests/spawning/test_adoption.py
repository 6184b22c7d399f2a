"""What a body that is repeated takes over from its earlier attempts."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import ended, statuses
from tests.properties.recount import check_counters
from tests.spawning.repeated import fetch, flaky, recorded, starts
from treetask import (
    JOIN,
    Child,
    Registry,
    Return,
    SpawnError,
    Spawns,
    SyncSpawns,
    TaskFailed,
    TaskNode,
)
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_a_body_retried_after_500_of_1000_children_were_done_runs_500() -> None:
    """What is done is adopted by its key at once, without a node or an event, and its result is there."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False, max_parallel=100)
    async def parent(node: TaskNode) -> Spawns[list[int]]:
        for number in range(1000):
            if number == 500 and not node.retry_count:
                yield JOIN
                raise OSError("in the middle")
            yield fetch.child(number)
            if number % 100 == 0:
                check_counters(tree, node)
        results = yield JOIN
        yield Return(results)

    tree = parent.build()
    recorder = await recorded(tree)

    assert starts(recorder) == [f"fetch[{number}]" for number in range(1000)]
    assert tree.root.result == list(range(1000))
    assert (tree.get_stats()["done"], tree.get_stats()["total"]) == (1001, 1001)
    check_counters(tree, tree.root)


async def test_adopted_children_stand_where_the_new_attempt_has_asked_for_them() -> None:
    """Results of a JOIN and children come in the order of the yields, whatever ran when."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False, on_failure="continue")
    async def parent() -> Spawns[list[object]]:
        yield [flaky.child(0), fetch.child(1), flaky.child(2), fetch.child(3)]
        yield Return((yield JOIN))

    tree = parent.build()
    recorder = await recorded(tree)

    assert tree.root.result == ["flaky 0", 1, "flaky 2", 3]
    assert [child.name for child in tree.root.children] == ["flaky[0]", "fetch[1]", "flaky[2]", "fetch[3]"]
    assert [child.result for child in tree.root.children] == ["flaky 0", 1, "flaky 2", 3]
    assert starts(recorder) == ["flaky[0]", "fetch[1]", "flaky[2]", "fetch[3]", "flaky[0]", "flaky[2]"]


async def test_group_is_adopted_with_all_that_is_below_it() -> None:
    """A child that is done stays as it is, whatever became of the children that its body took responsibility for."""
    registry = Registry("r")

    @registry.group(static=False, on_failure="continue")
    async def site(name: str) -> Spawns[str]:
        yield fetch.child(1)
        try:
            yield (child := flaky_always.child())
            await child
        except TaskFailed:
            yield Return(name)

    @registry.task(static=False, max_retries=0)
    async def flaky_always() -> None:
        raise OSError("no")

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[str]:
        yield (a := site.child("a"))
        result = await a
        if not node.retry_count:
            raise OSError("once")
        yield Return(result)

    tree = parent.build()
    recorder = await recorded(tree)

    assert tree.root.result == "a"
    assert statuses(tree) == {
        "r/parent": "done",
        "r/parent/site[a]": "done",
        "r/parent/site[a]/fetch[1]": "done",
        "r/parent/site[a]/flaky_always": "failed",
    }
    assert starts(recorder) == ["site[a]", "site[a]/fetch[1]", "site[a]/flaky_always"]
    check_counters(tree, tree.root)


async def test_child_of_another_declaration_is_another_child() -> None:
    """Two declarations may have the same name; then they give the same key."""
    registry, other = Registry("r"), Registry("other")

    @other.task(id="fetch", static=False)
    async def fetch_otherwise(number: int) -> str:
        return "otherwise"

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[object]:
        yield (child := fetch_otherwise.child(1) if node.retry_count else fetch.child(1))
        result = await child
        if not node.retry_count:
            raise OSError("once")
        yield Return(result)

    tree = parent.build()
    await recorded(tree)

    assert tree.root.result == "otherwise"


@pytest.mark.parametrize("parallel", [True, False])
async def test_plain_body_adopts_what_it_spawned(parallel: bool) -> None:
    """`node.spawn` in a body that does not yield gives the node that is done, under a sequence as well."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False, parallel=parallel)
    async def parent(node: TaskNode) -> list[int]:
        children = [node.spawn(fetch, number) for number in range(3)]
        results = [await child for child in children]
        if not node.retry_count:
            raise OSError("once")
        return results

    tree = parent.build()
    recorder = await recorded(tree)

    assert tree.root.result == [0, 1, 2]
    assert starts(recorder) == ["fetch[0]", "fetch[1]", "fetch[2]"]


async def test_sequence_goes_on_where_it_was(virtual_clock: VirtualClock) -> None:
    """Under a sequential parent what is done comes back at its yield at once, and the next one runs after it."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False, parallel=False)
    async def parent(node: TaskNode) -> Spawns[list[float]]:
        began = virtual_clock.now()
        times: list[float] = []
        for number in range(4):
            if number == 2 and not node.retry_count:
                raise OSError("in the middle")
            yield fetch.child(number)
            times.append(virtual_clock.now() - began)
        yield Return(times)

    tree = parent.build()
    recorder = await recorded(tree)

    assert tree.root.result == [0, 0, 1, 2]
    assert starts(recorder) == [f"fetch[{number}]" for number in range(4)]


async def test_plain_spawner_adopts() -> None:
    """A `def` body with `yield` is repeated like any other."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False)
    def parent(node: TaskNode) -> SyncSpawns[list[int]]:
        results: list[int] = []
        for number in range(3):
            child = fetch.child(number)
            yield child
            yield JOIN
            results.append(child.result)
        if not node.retry_count:
            raise OSError("once")
        return results

    tree = parent.build()
    recorder = await recorded(tree)

    assert tree.root.result == [0, 1, 2]
    assert starts(recorder) == ["fetch[0]", "fetch[1]", "fetch[2]"]


async def test_adopted_children_are_not_queued() -> None:
    """`max_queued` bounds what is unstarted; what is done is not."""
    registry = Registry("r")
    most = 0

    @registry.group(max_retries=1, static=False, max_queued=3, max_parallel=1)
    async def parent(node: TaskNode) -> Spawns[None]:
        nonlocal most
        for number in range(40):
            yield fetch.child(number)
            most = max(most, sum(child.status == "pending" for child in node.children))
            if number == 20 and not node.retry_count:
                yield JOIN
                raise OSError("once")
        assert not any(child.status == "done" for child in node.children[-2:])

    tree = parent.build()
    recorder = await recorded(tree)

    assert most == 3
    assert len(starts(recorder)) == 40


async def test_second_child_of_the_key_of_an_adopted_one_is_refused() -> None:
    """It was asked for; a second time is once too often."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        yield fetch.child(1)
        if node.retry_count:
            yield fetch.child(1)
        yield JOIN
        raise OSError("once")

    tree = parent.build()
    await ended(tree)

    assert tree.root.error == (
        "'r/parent' already has a child 'fetch[1]'; spawn it once, or tell the two apart: .child(...).keyed('...')"
    )


async def test_handle_of_an_earlier_attempt_is_used_up() -> None:
    """A body that keeps its handles has to make new ones."""
    registry = Registry("r")
    kept = fetch.child(1)

    @registry.group(max_retries=1, static=False)
    async def parent() -> Spawns[None]:
        yield kept
        yield JOIN
        raise OSError("once")

    tree = parent.build()
    await ended(tree)

    assert isinstance(tree.root.exception, SpawnError)
    assert tree.root.error == ("child 'r/parent/fetch[1]' was started before; make a second one with .child(...)")


async def test_others_get_their_turn_while_children_come_back() -> None:
    """Thousands that are adopted keep nobody waiting."""
    registry = Registry("r")
    turns_taken = 0

    async def tick() -> None:
        nonlocal turns_taken
        while True:
            turns_taken += 1
            await anyio.lowlevel.checkpoint()

    @registry.group(max_retries=1, static=False, max_queued=10_000)
    async def parent(node: TaskNode) -> Spawns[None]:
        async with anyio.create_task_group() as tasks:
            if node.retry_count:
                tasks.start_soon(tick)
            for number in range(2000):
                yield quick.child(number)
            assert not node.retry_count or turns_taken > 10
            tasks.cancel_scope.cancel()
        yield JOIN
        if not node.retry_count:
            raise OSError("once")

    @registry.task(static=False)
    async def quick(number: int) -> None: ...

    tree = parent.build()
    recorder = await recorded(tree)

    assert len(starts(recorder)) == 2000


async def test_child_that_is_awaited_is_its_own_again() -> None:
    """The handle of the new attempt gives node and result, and what the old one gave stays true."""
    registry = Registry("r")
    handles: list[Child[int]] = []

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        yield (child := fetch.child(7))
        handles.append(child)
        assert await child == child.result == 7
        if not node.retry_count:
            raise OSError("once")

    await recorded(parent.build())

    old, new = handles
    assert old.node is new.node
    assert old.result == new.result == 7
