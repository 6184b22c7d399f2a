"""What a body that is repeated does not take over from its earlier attempts, and what becomes of it."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.support import ended, node_of, reasons, statuses
from tests.properties.recount import check_counters
from tests.spawning.repeated import fetch, flaky, recorded, starts
from treetask import (
    JOIN,
    AsyncExecutor,
    Registry,
    Retry,
    Spawns,
    TaskFailed,
    TaskNode,
    TreeFailed,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_what_is_never_asked_for_goes_when_the_body_returns() -> None:
    """Until then it is in the tree, but no part of the new attempt."""
    registry = Registry("r")
    joined: list[object] = []

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        if not node.retry_count:
            yield [fetch.child(1), fetch.child(2), fetch.child(3)]
            yield JOIN
            raise OSError("once")
        yield fetch.child(3)
        joined.append((yield JOIN))
        assert len(node.children) == 3
        yield fetch.child(4)

    tree = parent.build()
    await recorded(tree)

    assert joined == [[3]]
    assert [child.id for child in tree.root.children] == ["r/parent/fetch[3]", "r/parent/fetch[4]"]
    assert tree.get_stats()["total"] == 3
    check_counters(tree, tree.root)


async def test_what_is_left_over_goes_while_children_run() -> None:
    """The body is over, and with it the time to ask; that its children still run changes nothing."""
    registry = Registry("r")
    seen: list[list[str]] = []

    @registry.task
    async def look(node: TaskNode) -> None:
        await anyio.sleep(1)
        assert node.parent is not None
        seen.append([child.id for child in node.parent.children])

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        if not node.retry_count:
            yield fetch.child(1)
            yield JOIN
            raise OSError("once")
        yield look.child()

    await recorded(parent.build())

    assert seen == [["r/parent/look"]]


async def test_attempt_that_fails_early_leaves_it_all_to_the_next_one() -> None:
    """A body that failed before it came to its children has not said that it does not want them."""
    registry = Registry("r")

    @registry.group(max_retries=2, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        if node.retry_count == 1:
            raise OSError("early")
        yield [fetch.child(number) for number in range(3)]
        yield JOIN
        if not node.retry_count:
            raise OSError("late")

    tree = parent.build()
    recorder = await recorded(tree)

    assert starts(recorder) == ["fetch[0]", "fetch[1]", "fetch[2]"]
    assert tree.get_stats()["done"] == 4


async def test_last_attempt_that_fails_keeps_only_what_it_has_asked_for() -> None:
    """What was left over when there is no further attempt is no part of the result."""
    registry = Registry("r")

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        yield fetch.child(1)
        if not node.retry_count:
            yield fetch.child(2)
        yield JOIN
        raise OSError("always")

    tree = parent.build()
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert statuses(tree) == {"r/parent": "failed", "r/parent/fetch[1]": "done"}
    check_counters(tree, tree.root)


async def test_body_that_is_cancelled_between_two_attempts_keeps_nothing() -> None:
    """There will be no attempt that could ask."""
    registry = Registry("r")

    @registry.group(static=False, retry=Retry(on=OSError, attempts=2, wait_initial=5, wait_jitter=0))
    async def parent() -> Spawns[None]:
        yield fetch.child(1)
        yield JOIN
        raise OSError("once")

    tree = parent.build()
    executor = AsyncExecutor(tree)

    async def cancel() -> None:
        await anyio.sleep(3)
        assert statuses(tree) == {"r/parent": "retrying", "r/parent/fetch[1]": "done"}
        executor.cancel("enough")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cancel)
        await ended(executor)

    assert statuses(tree) == {"r/parent": "cancelled"}
    check_counters(tree, tree.root)


async def test_spawner_below_a_repeated_group_adopts() -> None:
    """A spawner that is reset because its parent is repeated, and was not done, takes over what it has done."""
    registry = Registry("r")

    @registry.group(max_retries=1)
    async def crawl() -> None: ...

    @crawl.group(max_retries=0)
    async def parent(node: TaskNode) -> Spawns[None]:
        assert node.parent is not None
        yield [fetch.child(1), fetch.child(2)]
        yield JOIN
        if not node.parent.retry_count:
            raise OSError("once")

    tree = registry.build()
    recorder = await recorded(tree)

    assert starts(recorder, "r/crawl/parent") == ["fetch[1]", "fetch[2]"]
    assert tree.get_stats()["done"] == 5


async def test_spawner_that_was_not_done_is_discarded_with_all_that_it_had_done() -> None:
    """A spawned group that has failed runs again, as a new node, so below it nothing is left to take."""
    registry = Registry("r")

    @registry.group(static=False, max_retries=0)
    async def site(node: TaskNode) -> Spawns[None]:
        assert node.parent is not None
        yield fetch.child(1)
        yield JOIN
        if not node.parent.retry_count:
            raise OSError("once")

    @registry.group(max_retries=1, static=False)
    async def parent() -> Spawns[None]:
        yield site.child()

    recorder = await recorded(parent.build())

    assert starts(recorder) == ["site", "site/fetch[1]"] * 2


async def test_what_always_runs_does_so_in_each_attempt() -> None:
    """A clean-up belongs to the attempt that it has followed."""
    registry = Registry("r")

    @registry.task(static=False, always=True)
    async def clean_up() -> None: ...

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        yield fetch.child(1)
        yield clean_up.child()
        yield JOIN
        if not node.retry_count:
            raise OSError("once")

    recorder = await recorded(parent.build())

    assert starts(recorder).count("clean_up") == 2
    assert starts(recorder).count("fetch[1]") == 1


async def test_who_depends_on_an_adopted_child_finds_it_done() -> None:
    """Also before it is asked for: it is in the tree, and done."""
    registry = Registry("r")

    async def after(node: TaskNode) -> str:
        return "after"

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        if node.retry_count:
            node.add_child(TaskNode("after", task_fn=after, depends_on=["r/parent/fetch[1]"]))
        yield fetch.child(1)
        yield JOIN
        if not node.retry_count:
            raise OSError("once")

    tree = parent.build()
    await recorded(tree)

    assert node_of(tree, "after").result == "after"


async def test_who_depends_on_what_is_not_asked_for_again_is_skipped() -> None:
    """It waits for something that is discarded in the end."""
    registry = Registry("r")

    async def never(node: TaskNode) -> None: ...

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        if not node.retry_count:
            yield fetch.child(1)
            yield JOIN
            raise OSError("once")
        node.add_child(TaskNode("never", task_fn=never, depends_on=["r/parent/fetch[1]"]))

    tree = parent.build()
    await ended(tree)

    assert statuses(tree)["never"] == "skipped"
    assert reasons(tree)["never"] == "'r/parent/fetch[1]' was discarded"


async def test_children_added_as_nodes_run_in_each_attempt() -> None:
    """What `add_child` has added is discarded with the attempt, though it is done."""
    registry = Registry("r")
    begun: list[int] = []

    async def note(node: TaskNode) -> None:
        begun.append(1)

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        node.add_child(TaskNode("by hand", task_fn=note))
        yield fetch.child(1)
        yield JOIN
        if not node.retry_count:
            raise OSError("once")

    tree = parent.build()
    recorder = await recorded(tree)

    assert len(begun) == 2
    assert starts(recorder) == ["fetch[1]"]
    assert statuses(tree) == dict.fromkeys(["r/parent", "r/parent/fetch[1]", "by hand"], "done")


async def test_what_was_running_or_has_failed_runs_again() -> None:
    """Only a child that is done is adopted; one whose failure the body had claimed is not."""
    registry = Registry("r")

    @registry.task
    async def slow() -> None:
        await anyio.sleep(5)

    @registry.group(max_retries=1, static=False, on_failure="continue")
    async def parent(node: TaskNode) -> Spawns[None]:
        yield slow.child()
        yield fetch.child(1)
        try:
            yield (child := flaky.child(2))
            await child
        except TaskFailed:
            assert not node.retry_count
        await anyio.sleep(2)
        if not node.retry_count:
            raise OSError("once")

    tree = parent.build()
    recorder = await recorded(tree)

    assert starts(recorder) == ["slow", "fetch[1]", "flaky[2]", "slow", "flaky[2]"]
    assert statuses(tree) == dict.fromkeys(("r/parent", *(f"r/parent/{one}" for one in set(starts(recorder)))), "done")


async def test_children_of_other_keys_in_each_attempt_do_not_pile_up() -> None:
    """No more is left over than one attempt has asked for; before, each left its own till the body returned."""
    registry = Registry("r")
    seen: list[int] = []

    @registry.group(max_retries=20, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        seen.append(len(node.children))
        yield [fetch.child(100 * node.retry_count + number) for number in range(10 - node.retry_count % 2)]
        yield JOIN
        if node.retry_count < 20:
            raise OSError("once more")

    tree = parent.build()
    recorder = await recorded(tree)

    assert seen == [0, *[10] * 20]
    assert len(starts(recorder)) == 11 * 10 + 10 * 9
    assert tree.get_stats()["total"] == 11
    check_counters(tree, tree.root)


async def test_what_was_asked_for_the_longest_ago_goes_first() -> None:
    """A child of another key in each attempt costs one of the earlier ones: here that of the first, then `fetch[0]`."""
    registry = Registry("r")

    @registry.group(max_retries=3, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        yield (log_in := fetch.child(-1 - node.retry_count))
        await log_in
        if node.retry_count in (1, 2):
            raise OSError("early")
        yield [fetch.child(number) for number in range(5)]
        yield JOIN
        if not node.retry_count:
            raise OSError("late")

    recorder = await recorded(parent.build())

    assert starts(recorder) == [f"fetch[{number}]" for number in (-1, *range(5), -2, -3, -4, 0)]


async def test_node_that_is_added_takes_the_id_of_what_is_left_over() -> None:
    """What nobody has asked for is no sibling that keeps another one out; who waited for it is told."""
    registry = Registry("r")

    async def by_hand(node: TaskNode) -> str:
        return "by hand"

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        if not node.retry_count:
            yield [fetch.child(1), fetch.child(2)]
            yield JOIN
            raise OSError("once")
        node.add_child(TaskNode("r/parent/fetch[1]", task_fn=by_hand))
        yield fetch.child(2)

    tree = parent.build()
    recorder = await recorded(tree)

    assert [(child.id, child.result) for child in tree.root.children] == [
        ("r/parent/fetch[1]", "by hand"),
        ("r/parent/fetch[2]", 2),
    ]
    assert starts(recorder) == ["fetch[1]", "fetch[2]", "fetch[1]"]
    check_counters(tree, tree.root)


async def test_node_that_is_added_takes_an_id_from_below_what_is_left_over() -> None:
    """With it all goes that stands around it, and runs again when it is asked for."""
    registry = Registry("r")

    async def by_hand(node: TaskNode) -> None: ...

    @registry.group(static=False)
    async def site(node: TaskNode) -> None:
        node.add_child(TaskNode("index", task_fn=by_hand))

    @registry.group(max_retries=1, static=False)
    async def parent(node: TaskNode) -> Spawns[None]:
        if not node.retry_count:
            yield site.child()
            yield JOIN
            raise OSError("once")
        node.add_child(TaskNode("index", task_fn=by_hand))

    tree = parent.build()
    await recorded(tree)

    assert statuses(tree) == {"r/parent": "done", "index": "done"}
    check_counters(tree, tree.root)


async def test_child_below_another_node_belongs_to_that_one() -> None:
    """It is no part of the attempt that has started it: the next one finds its key taken, and is told by whom."""
    registry = Registry("r")

    @registry.task(max_retries=1)
    async def starts_it(node: TaskNode) -> None:
        assert node.parent is not None
        await node.parent.spawn(fetch, 1)
        raise OSError("once")

    tree = registry.build()
    await ended(tree)

    assert node_of(tree, "r/starts_it").error == (
        "'r' already has a child 'fetch[1]'; spawn it once, or tell the two apart: .child(...).keyed('...')"
    )
    assert statuses(tree) == {"r": "failed", "r/starts_it": "failed", "r/fetch[1]": "done"}
