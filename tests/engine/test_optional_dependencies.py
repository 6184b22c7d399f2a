"""Dependencies that need only have ended, however they did: `optional`."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import (
    AsyncBody,
    Log,
    ended,
    fail,
    fails_after,
    forever,
    node_of,
    ok,
    reasons,
    sleeps,
    statuses,
)
from tests.sentences import exactly
from treetask import (
    JOIN,
    AsyncExecutor,
    DependencyCycleError,
    OnFailure,
    Registry,
    Spawns,
    TaskNode,
    TreeBuilder,
    TreeFailed,
    TreeTaskConfig,
    UnknownDependencyError,
    optional,
)
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

CONTINUE = TreeTaskConfig(max_retries=0, on_failure="continue")


# -- whatever the end --------------------------------------------------------------------------------------------------


def never(node: TaskNode) -> bool:
    """Answer no."""
    return False


def broken(node: TaskNode) -> bool:
    """Answer nothing."""
    raise OSError("no answer")


ENDS: list[tuple[AsyncBody, dict[str, object], str]] = [
    (ok, {}, "done"),
    (fail, {}, "failed"),
    (fail, {"allow_failure": True}, "failed"),
    (forever, {"timeout": 3}, "timed_out"),
    (ok, {"when": never}, "skipped"),
    (ok, {"when": broken}, "failed"),
    (ok, {"depends_on": ["broken"]}, "skipped"),
]


@pytest.mark.parametrize(("body", "options", "status"), ENDS)
async def test_any_end_will_do(body: AsyncBody, options: dict[str, object], status: str) -> None:
    """It is an order, and no need."""
    log = Log()
    tree = TreeBuilder("root", config=CONTINUE).add_child("broken", task=fail).build()
    first = TaskNode("first", task_fn=body, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tree.root.add_child(first)
    tree.root.add_child(TaskNode("then", task_fn=log.body(), depends_on=[optional("first")]))
    await ended(tree)

    assert (first.status, node_of(tree, "then").status) == (status, "done")
    assert node_of(tree, "then").started_at == (3 if status == "timed_out" else 0)


async def test_node_that_is_cancelled_alone_lets_others_go_on(virtual_clock: VirtualClock) -> None:
    """While it runs, and before it has begun."""
    log = Log()
    tree = (
        TreeBuilder("root", config=CONTINUE)
        .add_child("runs", task=forever)
        .add_child("waits", task=ok, depends_on=["runs"])
        .add_child("after one", task=log.body(), depends_on=[optional("runs")])
        .add_child("after both", task=log.body(), depends_on=[optional("runs"), optional("waits")])
        .add_child("needs one", task=log.body(), depends_on=["runs", optional("waits")])
        .build()
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, tree)
        await anyio.sleep(1)
        node_of(tree, "waits").cancel()
        await anyio.sleep(1)
        node_of(tree, "runs").cancel()

    assert statuses(tree) == {
        "root": "cancelled",
        "runs": "cancelled",
        "waits": "cancelled",
        "after one": "done",
        "after both": "done",
        "needs one": "skipped",
    }
    assert reasons(tree)["needs one"] == "'runs' was cancelled"
    assert virtual_clock.now() == 2


async def test_node_under_a_skipped_parent_lets_others_go_on() -> None:
    """It ends with its parent, without having been looked at."""
    tree = (
        TreeBuilder("root", config=CONTINUE)
        .add_child("broken", task=fail)
        .add_node("skipped", depends_on=["broken"])
        .add_node("inner")
        .add_child("below", task=ok)
        .up()
        .up()
        .add_child("then", task=ok, depends_on=[optional("below")])
        .add_child("too", task=ok, depends_on=[optional("inner"), optional("skipped")])
        .build()
    )
    await ended(tree)

    assert [node_of(tree, name).status for name in ("below", "then", "too")] == ["skipped", "done", "done"]


async def test_node_that_was_never_let_go_ahead_lets_others_go_on() -> None:
    """Its parent's body failed, or was stopped."""
    tree = (
        TreeBuilder("root", config=CONTINUE)
        .add_node("failed", task=fail)
        .add_child("below", task=ok)
        .up()
        .add_node("late", task=forever, timeout=3)
        .add_child("below that", task=ok)
        .up()
        .add_child("then", task=ok, depends_on=[optional("below"), optional("below that")])
        .build()
    )
    await ended(tree)

    assert node_of(tree, "then").status == "done"
    assert node_of(tree, "then").started_at == 3


async def test_end_of_a_group_is_the_end_of_all_below_it() -> None:
    """Also where the group has failed long before, and its children clean up."""

    async def clean_up(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(5)

    tree = (
        TreeBuilder("root", config=CONTINUE)
        .add_node("group", on_failure="cancel")
        .add_child("broken", task=fails_after(1))
        .add_child("cleans up", task=clean_up)
        .up()
        .add_child("then", task=ok, depends_on=[optional("group")])
        .build()
    )
    await ended(tree)

    assert node_of(tree, "then").started_at == 1 + 5


async def test_order_is_kept_where_all_goes_well() -> None:
    """It is waited for like any other."""
    log = Log()
    tree = (
        TreeBuilder("root")
        .add_child("then", task=log.body(), depends_on=[optional("first"), "second"])
        .add_child("first", task=log.body(2))
        .add_child("second", task=log.body(1))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert log[-2:] == ["then begins", "then ends"]


# -- beside other rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [OnFailure.CANCEL, OnFailure.FINISH])
async def test_policy_of_the_group_comes_first(policy: OnFailure) -> None:
    """It relaxes the edge, not the policy: what is not started then is cancelled."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0, on_failure=policy.value))
        .add_child("broken", task=fail)
        .add_child("then", task=ok, depends_on=[optional("broken")])
        .add_node("bodiless", depends_on=[optional("broken")])
        .add_child("below", task=ok)
        .up()
        .add_child("asks", task=ok, depends_on=[optional("broken")], when=lambda node: True)
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {
        "root": "failed",
        "broken": "failed",
        "then": "cancelled",
        "bodiless": "cancelled",
        "below": "cancelled",
        "asks": "cancelled",
    }
    assert reasons(tree)["then"] == "'broken' failed"


async def test_outside_of_the_group_its_policy_is_not_felt() -> None:
    """Only the group itself has failed; who waits for one of its children goes on."""
    tree = (
        TreeBuilder("root", config=CONTINUE)
        .add_node("group", on_failure="cancel")
        .add_child("broken", task=fail)
        .add_child("stopped", task=forever)
        .up()
        .add_child("then", task=ok, depends_on=[optional("broken"), optional("stopped")])
        .build()
    )
    error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert node_of(tree, "then").status == "done"


async def test_hard_dependency_decides_beside_optional_ones() -> None:
    """One that is needed and failed skips the node at once, whatever else it would have waited for."""
    tree = (
        TreeBuilder("root", config=CONTINUE)
        .add_child("broken", task=fail)
        .add_child("slow", task=sleeps(9))
        .add_child("then", task=ok, depends_on=[optional("slow"), "broken"])
        .build()
    )
    await ended(tree)

    assert (node_of(tree, "then").status, node_of(tree, "then").ended_at) == ("skipped", 0)


async def test_dependency_that_is_said_both_ways_is_needed() -> None:
    """Of the two the stricter counts."""
    tree = (
        TreeBuilder("root", config=CONTINUE)
        .add_child("broken", task=fail)
        .add_child("then", task=ok, depends_on=[optional("broken"), "broken"])
        .add_child("too", task=ok, depends_on=["broken", optional("broken")])
        .add_child("well", task=ok, depends_on=[optional("broken"), optional("broken")])
        .build()
    )
    await ended(tree)

    assert [node_of(tree, name).status for name in ("then", "too", "well")] == ["skipped", "skipped", "done"]


async def test_nodes_that_ended_before_the_run_are_waited_for_no_more() -> None:
    """A tree may come with nodes that have ended, however they did."""
    tree = TreeBuilder("root", config=CONTINUE).build()
    for status in ("done", "failed", "cancelled", "skipped", "timed_out"):
        tree.root.add_child(TaskNode(status, status=status))
        tree.root.add_child(TaskNode(f"after {status}", task_fn=ok, depends_on=[optional(status)]))
        tree.root.add_child(TaskNode(f"needs {status}", task_fn=ok, depends_on=[status]))
    await ended(tree)

    for status in ("done", "failed", "cancelled", "skipped", "timed_out"):
        assert node_of(tree, f"after {status}").status == "done"
        assert node_of(tree, f"needs {status}").status == ("done" if status == "done" else "skipped")


def test_thousands_of_optional_dependents_cost_little() -> None:
    """Each is told once."""
    builder = TreeBuilder("root", config=CONTINUE).add_child("broken", task=ok).add_child("other", task=ok)
    for number in range(5_000):
        builder.add_child(f"{number}", task=ok, depends_on=[optional("broken"), optional("other")])
    run = ByHand(builder.build())

    assert run.start() == ["broken", "other"]
    assert run.fail("broken") == []
    assert len(run.fail("other")) == 5_000


# -- late --------------------------------------------------------------------------------------------------------------


async def test_late_node_may_have_them() -> None:
    """On what has ended, on what runs, and on what was discarded since."""
    log = Log()

    async def add(node: TaskNode) -> None:
        await anyio.sleep(1)
        for wanted in ("broken", "slow", "skipped"):
            tree.root.add_child(TaskNode(f"after {wanted}", task_fn=log.body(), depends_on=[optional(wanted)]))

    tree = (
        TreeBuilder("root", config=CONTINUE)
        .add_child("broken", task=fail)
        .add_child("skipped", task=ok, depends_on=["broken"])
        .add_child("slow", task=sleeps(5))
        .add_child("adds", task=add)
        .build()
    )
    await ended(tree)

    starts = {wanted: node_of(tree, f"after {wanted}").started_at for wanted in ("broken", "slow", "skipped")}
    assert starts == {"broken": 1, "slow": 5, "skipped": 1}


async def test_late_node_with_an_unknown_one_is_refused() -> None:
    """Optional is how it may end, not whether there is one."""
    told: list[str] = []

    async def add(node: TaskNode) -> None:
        with pytest.raises(UnknownDependencyError) as caught:
            node.add_child(TaskNode("late", task_fn=ok, depends_on=[optional("rooot")]))
        told.append(str(caught.value))

    tree = TreeBuilder("root").add_child("adds", task=add).build()
    await AsyncExecutor(tree).run()

    assert told == ["task 'late' depends on unknown task 'rooot' (did you mean 'root'?)"]


async def test_child_of_a_failed_attempt_is_waited_for_no_more() -> None:
    """It is discarded before it ever ran, and the next attempt adds none."""
    log = Log()

    async def add_and_fail(node: TaskNode) -> None:
        if not node.retry_count:
            node.add_child(TaskNode("added", task_fn=log.body()))
            tree.root.add_child(TaskNode("waits", task_fn=log.body(), depends_on=[optional("added")]))
            await anyio.sleep(1)
            raise OSError("broken")

    tree = TreeBuilder("root").add_child("adds", task=add_and_fail, max_retries=1).build()
    await AsyncExecutor(tree).run()

    assert log == ["waits begins", "waits ends"]
    assert statuses(tree) == {"root": "done", "adds": "done", "waits": "done"}


async def test_spawned_child_that_would_be_waited_for_in_vain_is_refused() -> None:
    """A body holds its static children back until it is over; who waits for them, in any way, would never start."""
    told: list[str] = []
    registry = Registry("root")

    @registry.group(id="group")
    async def group(node: TaskNode) -> Spawns[None]:
        child = late.child().with_options(depends_on=[static.optional])
        yield child
        try:
            await child
        except DependencyCycleError as error:
            told.append(str(error))
        yield JOIN

    @group.task
    async def static() -> None:
        raise OSError("broken")

    @group.task(static=False)
    async def late() -> None:
        pass

    tree = registry.build(CONTINUE)
    await ended(tree)

    problem = (
        "'root/group/late' depends on itself: root/group/late -> root/group/static -> root/group -> root/group/late; "
        "'root/group/static' starts after the body of 'root/group', which would wait for 'root/group/late'; "
        "let it go ahead first: yield JOIN"
    )
    assert told == [problem]
    assert statuses(tree)["root/group/late"] == "done"


# -- refused -----------------------------------------------------------------------------------------------------------

CYCLES: list[tuple[Callable[[], TreeBuilder], str]] = [
    (
        lambda: TreeBuilder("root").add_child("a", task=ok, depends_on=[optional("a")]),
        "'a' depends on itself: a -> a; remove one of these dependencies",
    ),
    (
        lambda: (
            TreeBuilder("root")
            .add_child("a", task=ok, depends_on=[optional("b")])
            .add_child("b", task=ok, depends_on=[optional("a")])
        ),
        "'a' depends on itself: a -> b -> a; remove one of these dependencies",
    ),
    (
        lambda: TreeBuilder("root").add_node("group").add_child("a", task=ok, depends_on=[optional("group")]),
        "'a' depends on itself: a -> group -> a; 'group' ends after its child 'a'; remove one of these dependencies",
    ),
    (
        lambda: (
            TreeBuilder("root", parallel=False)
            .add_child("a", task=ok, depends_on=[optional("b")])
            .add_child("b", task=ok)
        ),
        (
            "'a' depends on itself: a -> b -> a; 'b' starts after 'a' because 'root' is sequential; "
            "remove one of these dependencies"
        ),
    ),
]


@pytest.mark.parametrize(("build", "problem"), CYCLES)
def test_cycle_is_one_however_it_is_said(build: Callable[[], TreeBuilder], problem: str) -> None:
    """What is waited for has to end first, whether it may fail or not."""
    with pytest.raises(DependencyCycleError, match=exactly(problem)):
        build().build()


def test_unknown_one_is_refused_before_the_run() -> None:
    """With the closest that there is."""
    builder = TreeBuilder("root").add_child("fetch", task=ok).add_child("a", task=ok, depends_on=[optional("fetsh")])

    problem = "task 'a' depends on unknown task 'fetsh' (did you mean 'fetch'?)"
    with pytest.raises(UnknownDependencyError, match=exactly(problem)):
        builder.build()


@pytest.mark.parametrize("wrong", ["", None, 3, TaskNode("a")])
def test_optional_takes_an_id(wrong: object) -> None:
    """A node in its place is a frequent slip."""
    with pytest.raises(TypeError, match=exactly(f"optional() takes the id of a node, not {wrong!r}")):
        optional(wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
