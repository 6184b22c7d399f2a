"""How a body that yields children hears of their failures, and what it may do about them."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.failing import broken, forever, leaves_of
from tests.engine.support import ended, node_of, statuses
from tests.spawning.spawned import work
from treetask import (
    JOIN,
    AsyncExecutor,
    Child,
    OnFailure,
    Registry,
    Return,
    Spawns,
    SyncSpawns,
    TaskFailed,
    TaskNode,
    TreeFailed,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_sequential_failure_is_thrown_in_at_that_yield() -> None:
    """A `TaskFailed` whose cause is what the child raised; catching it claims it, and the group can be green."""
    registry = Registry("r")
    caught: list[TaskFailed] = []

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[str]:
        try:
            yield broken.child(1)
        except TaskFailed as error:
            caught.append(error)
        yield work.child(2)
        yield Return("went on")

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.root.result == "went on"
    assert [(str(error), str(error.__cause__), error.child.node.id) for error in caught] == [
        ("child 'r/parent/broken[1]' failed: broken after 1", "broken after 1", "r/parent/broken[1]")
    ]
    assert statuses(tree) == {"r/parent": "done", "r/parent/broken[1]": "failed", "r/parent/work[2]": "done"}


async def test_uncaught_failure_of_a_child_is_one_leaf() -> None:
    """The `TaskFailed` that a body let pass is no leaf of its own."""
    registry = Registry("r")

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[None]:
        yield broken.child(1)

    tree = parent.build()
    error = await ended(tree)

    assert leaves_of(error) == ["broken after 1"]
    assert statuses(tree) == {"r/parent": "failed", "r/parent/broken[1]": "failed"}
    assert tree.root.error == "child 'r/parent/broken[1]' failed: broken after 1"


async def test_parallel_failure_under_cancel_is_thrown_at_the_next_yield() -> None:
    """Siblings are cancelled at once; the body hears of it when it comes to a yield, never in a foreign await."""
    registry = Registry("r")
    log: list[tuple[str, float]] = []

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        yield [broken.child(1), forever.child(1)]
        await anyio.sleep(5)
        log.append(("slept", anyio.current_time()))
        try:
            yield work.child(1)
        except TaskFailed as error:
            log.append((str(error), anyio.current_time()))
        yield work.child(2)

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert log == [("slept", 5), ("child 'r/parent/broken[1]' failed: broken after 1", 5)]
    assert statuses(tree) == {
        "r/parent": "done",
        "r/parent/broken[1]": "failed",
        "r/parent/forever[1]": "cancelled",
        "r/parent/work[2]": "done",
    }
    assert node_of(tree, "r/parent/forever[1]").elapsed == 1


async def test_parallel_failure_reaches_a_body_that_waits_at_a_join() -> None:
    """Siblings are down before it is thrown; what the policy stopped is claimed with it."""
    registry = Registry("r")

    @registry.group(static=False)
    async def parent() -> Spawns[str]:
        yield [broken.child(1), forever.child(1), forever.child(2)]
        try:
            yield JOIN
        except TaskFailed as error:
            yield Return(str(error))

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.root.result == "child 'r/parent/broken[1]' failed: broken after 1"
    assert tree.get_stats()["cancelled"] == 2


async def test_unheard_failure_fails_the_group_in_the_end() -> None:
    """A body that never comes to a yield again has claimed nothing."""
    registry = Registry("r")

    @registry.group(static=False)
    async def parent() -> Spawns[None]:
        yield broken.child(1)

    tree = parent.build()
    error = await ended(tree)

    assert leaves_of(error) == ["broken after 1"]
    assert (tree.root.status, tree.root.reason) == ("failed", "'r/parent/broken[1]' failed")


async def test_continue_tells_at_a_join_alone() -> None:
    """Further children are welcome; all that failed is told there at once."""
    registry = Registry("r")
    told: list[str] = []

    @registry.group(on_failure="continue", static=False)
    async def parent() -> Spawns[None]:
        yield [broken.child(1), broken.child(2)]
        await anyio.sleep(5)
        yield work.child(1)
        try:
            yield JOIN
        except TaskFailed as error:
            told.extend([str(error), *(child.node.id for child in error.others)])
        yield work.child(2)

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert told == ["child 'r/parent/broken[1]' failed: broken after 1 (and 1 more)", "r/parent/broken[2]"]
    assert (tree.root.status, tree.get_stats()["done"]) == ("done", 3)


async def test_finish_refuses_a_further_child_with_the_failure() -> None:
    """What runs finishes; when the body has been told, it may go on."""
    registry = Registry("r")
    told: list[tuple[str, float]] = []

    @registry.group(on_failure="finish", static=False)
    async def parent() -> Spawns[None]:
        yield [broken.child(1), work.child(9)]
        await anyio.sleep(5)
        try:
            yield work.child(1)
        except TaskFailed as error:
            told.append((str(error), anyio.current_time()))
        yield work.child(2)

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert told == [("child 'r/parent/broken[1]' failed: broken after 1", 5)]
    assert statuses(tree) == {
        "r/parent": "done",
        "r/parent/broken[1]": "failed",
        "r/parent/work[9]": "done",
        "r/parent/work[2]": "done",
    }


@pytest.mark.parametrize("policy", OnFailure)
async def test_awaiting_a_child_in_a_try_claims_its_failure(policy: OnFailure) -> None:
    """Whatever the policy: who awaits a child has it raised there, and the group can still be green."""
    registry = Registry("r")

    @registry.group(on_failure=policy, static=False)
    async def parent() -> Spawns[str]:
        child: Child[None] = yield broken.child(1)
        try:
            await child
        except TaskFailed as error:
            yield Return(str(error.__cause__))

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert (tree.root.status, tree.root.result) == ("done", "broken after 1")


async def test_awaiting_a_child_that_has_failed_raises_at_once() -> None:
    """Later is as good, and claims as well."""
    registry = Registry("r")

    @registry.task(static=False)
    async def parent(node: TaskNode) -> str:
        child = node.spawn(broken, 1)
        await anyio.sleep(5)
        try:
            await child
        except TaskFailed as error:
            return str(error.__cause__)
        return "not told"

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert (tree.root.status, tree.root.result) == ("done", "broken after 1")


async def test_failure_that_a_body_lets_pass_is_not_claimed() -> None:
    """Awaiting without a `try` hands it on: the child's error is the run's."""
    registry = Registry("r")

    @registry.task(static=False)
    async def parent(node: TaskNode) -> None:
        await node.spawn(broken, 1)

    tree = parent.build()
    error = await ended(tree)

    assert leaves_of(error) == ["broken after 1"]
    assert statuses(tree) == {"r/parent": "failed", "r/parent/broken[1]": "failed"}


async def test_body_that_turns_a_failure_into_its_own_keeps_both() -> None:
    """The child's error was handled; what the body raised instead is the leaf."""
    registry = Registry("r")

    @registry.task(static=False)
    async def parent(node: TaskNode) -> None:
        try:
            await node.spawn(broken, 1)
        except TaskFailed as error:
            raise LookupError("no data") from error

    error = await ended(parent.build())

    assert leaves_of(error) == ["no data"]
    assert isinstance(error, TreeFailed)
    assert isinstance(error.exceptions[0].__cause__, TaskFailed)


async def test_timed_out_child_is_a_failure_like_any_other() -> None:
    """Its cause is the `TimeoutError`."""
    registry = Registry("r")

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[str]:
        try:
            yield forever.child(1).with_options(timeout=5)
        except TaskFailed as error:
            yield Return(repr(error.__cause__))

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.root.result == """TimeoutError("'r/parent/forever[1]' timed out after 5 s")"""


async def test_cancelled_child_of_a_sequence_is_told_at_its_yield() -> None:
    """Somebody else may cancel a child; the body hears of it and may claim it."""
    registry = Registry("r")

    @registry.group(parallel=False)
    async def parent() -> Spawns[str]:
        try:
            yield forever.child(1)
        except TaskFailed as error:
            yield Return(str(error))

    @registry.task
    async def canceller() -> None:
        await anyio.sleep(5)
        node_of(tree, "r/parent/forever[1]").cancel("by hand")

    tree = registry.build()
    await AsyncExecutor(tree).run()

    assert node_of(tree, "r/parent").result == "child 'r/parent/forever[1]' was cancelled"
    assert tree.root.status == "done"


async def test_failure_of_a_grandchild_is_the_childs() -> None:
    """The group in between fails, and its failure is what the body hears."""
    registry = Registry("r")

    @registry.task
    async def middle(number: int) -> Spawns[None]:
        yield broken.child(number)

    @registry.group(parallel=False, static=False)
    async def parent() -> Spawns[str]:
        try:
            yield middle.child(1)
        except TaskFailed as error:
            yield Return(str(error))

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.root.result == "child 'r/parent/middle[1]' failed"
    assert tree.root.status == "done"


async def test_static_child_that_fails_is_told_at_the_join() -> None:
    """Static children are children."""
    registry = Registry("r")

    @registry.group
    async def parent() -> Spawns[str]:
        try:
            yield JOIN
        except TaskFailed as error:
            yield Return(str(error))

    @parent.task
    async def static() -> None:
        raise OSError("broken")

    tree = registry.build()
    await AsyncExecutor(tree).run()

    assert node_of(tree, "r/parent").result == "child 'r/parent/static' failed: broken"


@pytest.mark.parametrize("policy", OnFailure)
async def test_join_of_a_sequence_ends_when_the_rest_is_skipped(policy: OnFailure) -> None:
    """A static child that fails, and one behind it that depends on it: the body is woken, whatever the policy."""
    registry = Registry("r")

    @registry.group(parallel=False, on_failure=policy)
    async def parent() -> Spawns[str]:
        try:
            yield JOIN
        except TaskFailed as error:
            yield Return(str(error))

    @parent.task
    async def first() -> None:
        raise OSError("broken")

    @parent.task(depends_on=[first])
    async def second() -> None:
        raise AssertionError

    tree = registry.build()
    await AsyncExecutor(tree).run()

    assert node_of(tree, "r/parent").result == "child 'r/parent/first' failed: broken"
    assert node_of(tree, "r/parent/second").status == "skipped"


async def test_sync_spawner_hears_of_failures_as_an_async_one_does() -> None:
    """Thrown in at the yield of a plain generator, too."""
    registry = Registry("r")

    @registry.group(parallel=False, static=False)
    def parent() -> SyncSpawns[str]:
        try:
            yield broken.child(1)
        except TaskFailed as error:
            return str(error)
        return "not told"

    tree = parent.build()
    await AsyncExecutor(tree).run()

    assert tree.root.result == "child 'r/parent/broken[1]' failed: broken after 1"
