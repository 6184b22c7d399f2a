"""What depends on a node from outside of a group that is repeated: told of its final end only."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.places import awaits, branch, leaf
from tests.engine.support import ended, fail, ok, reasons, sleeps, statuses
from treetask import (
    AsyncExecutor,
    Child,
    OnFailure,
    Outcome,
    Registry,
    Retry,
    Spawns,
    TaskFailed,
    TaskNode,
    TaskStatus,
    TaskTree,
    TreeBuilder,
    TreeTaskConfig,
    optional,
)
from treetask.testing import VirtualClock

FAILED = TaskStatus.FAILED

AGAIN = Retry(on=OSError, attempts=3, wait_initial=0, wait_jitter=0)
ONCE = TreeTaskConfig(max_retries=0, on_failure="continue")


async def fails_at_first(node: TaskNode) -> int:
    """Fail while the group around is in its first attempt."""
    assert node.parent is not None
    if not node.parent.retry_count:
        raise OSError("at first")
    return node.parent.retry_count + 1


def desk_of(*children: TaskNode, config: TreeTaskConfig = ONCE) -> Desk:
    """Return a desk with these below the root, where nothing has begun."""
    return Desk(TaskTree(branch("root", *children, parallel=True), config))


def repeated(*children: TaskNode, attempts: int = 2) -> TaskNode:
    """Return a group with these that has so many attempts."""
    return branch("group", *children, parallel=True, max_retries=attempts - 1)


def optionally(node_id: str, *wanted: str) -> TaskNode:
    """Return a node that waits for others, however they end."""
    return TaskNode(node_id, task_fn=ok, depends_on=[optional(one) for one in wanted])


# -- on the event loop -------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_result_of_the_attempt_that_ends_well_arrives() -> None:
    """An end that was taken back is no end, whichever way it is asked for."""
    tree = Registry("r")
    calls: list[int] = []

    @tree.group(retry=AGAIN)
    async def group() -> None: ...

    @group.task
    async def load() -> int:
        calls.append(1)
        if len(calls) < 2:
            raise OSError("at first")
        return len(calls)

    @tree.task
    async def needs(number: int = load.output) -> int:
        return number

    @tree.task
    async def may_use(number: int | None = load.maybe) -> int | None:
        return number

    @tree.task
    async def looks_at(outcome: Outcome[int] = load.outcome) -> str:
        return str(outcome.status.value)

    def has_number(number: int | None = load.maybe) -> bool:
        return number is not None

    @tree.task(when=has_number)
    async def is_wanted() -> None: ...

    result = await tree.run()

    assert (result[needs], result[may_use], result[looks_at]) == (2, 2, "done")
    assert statuses(result.tree)["r/is_wanted"] == "done"


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_clock")
async def test_sibling_that_was_only_cancelled_in_the_first_attempt() -> None:
    """What a failing sibling has stopped runs in the next attempt; who depends on it waits for that."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_node("group", retry=AGAIN)
        .add_child("flaky", task=fails_at_first)
        .add_child("slow", task=sleeps(1))
        .up()
        .add_child("after", task=ok, depends_on=["slow"])
        .build()
    )

    await AsyncExecutor(tree).run()

    assert set(statuses(tree).values()) == {"done"}


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_clock")
async def test_news_come_when_the_last_attempt_has_ended(virtual_clock: VirtualClock) -> None:
    """Who needs what has failed for good is skipped for that, though its parent's policy stops it as well."""
    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_node("group", retry=Retry(on=OSError, attempts=3, wait_initial=5, wait_exp_base=1, wait_jitter=0))
        .add_child("broken", task=fail)
        .up()
        .add_child("after", task=fail, depends_on=["broken"])
        .build()
    )

    await ended(tree)

    assert reasons(tree) == {
        "root": "'group' failed",
        "group": "'broken' failed",
        "after": "'broken' failed",
    }
    assert virtual_clock.now() == 10


# -- by hand: when it is told ------------------------------------------------------------------------------------------


def test_outside_waits_for_the_end_of_the_group() -> None:
    """What it waits for is still the node, in the words for those who look."""
    desk = desk_of(repeated(leaf("broken"), leaf("other")), leaf("needs", "broken"), optionally("wants", "broken"))
    assert desk.begin_all() == ["broken", "other"]

    desk.end("broken", status=FAILED)

    assert desk.begin_all() == []
    assert desk.scheduler.waits_for(desk.node("wants"), 0) == "'broken'"
    desk.end("other")
    assert desk.begin_all() == ["broken"]
    desk.end("broken")
    assert desk.begin_all() == ["needs", "wants"]


def test_group_that_waits_for_outside_no_more() -> None:
    """Its child waited for who is to hear, and was cancelled: so the news may well wait for the end of the group."""
    desk = desk_of(repeated(leaf("broken"), leaf("long"), leaf("waits", "needs"), attempts=2), leaf("needs", "broken"))
    assert desk.begin_all() == ["broken", "long"]
    desk.scheduler.cancel_subtree(desk.node("waits"), None, 0)

    desk.end("broken", status=FAILED)

    assert desk.node("needs").status == "pending"
    desk.end("long")
    assert desk.begin_all() == ["broken"]
    desk.end("broken")
    assert desk.begin_all() == ["needs"]
    desk.end("needs")
    assert desk.begin_all() == ["waits"]


def test_inside_is_told_at_once() -> None:
    """Who begins anew together with what has failed has nothing to wait for."""
    desk = desk_of(repeated(leaf("broken"), leaf("needs", "broken"), optionally("wants", "broken")))
    assert desk.begin_all() == ["broken"]

    desk.end("broken", status=FAILED)

    assert desk.begin_all() == ["wants"]
    assert desk.node("needs").reason == "'broken' failed"


def test_last_attempt_is_final() -> None:
    """A group that is not going to be repeated again is as one that never was."""
    desk = desk_of(repeated(leaf("broken"), leaf("other")), optionally("wants", "broken"))
    desk.begin_all()
    desk.end("broken", status=FAILED)
    desk.end("other")
    assert desk.begin_all() == ["broken"]

    desk.end("broken", status=FAILED)

    assert desk.begin_all() == ["wants"]


def test_failure_that_its_group_bears_is_final_with_the_group() -> None:
    """What is done is not repeated, nor what failed below it; the end of the repeated one is not waited for."""
    kept = branch("kept", leaf("broken", allow_failure=True), leaf("other"), parallel=True)
    desk = desk_of(repeated(kept, leaf("long")), optionally("wants", "broken"))
    assert desk.begin_all() == ["broken", "other", "long"]
    desk.end("broken", status=FAILED)
    assert desk.begin_all() == []

    desk.end("other")

    assert desk.begin_all() == ["wants"]


def test_group_in_a_repeated_group() -> None:
    """The next one above is looked at when the inner one has ended for good."""
    inner = branch("inner", leaf("broken"), parallel=True, max_retries=1)
    desk = desk_of(repeated(inner, leaf("long")), optionally("wants", "broken"))
    assert desk.begin_all() == ["broken", "long"]
    desk.end("broken", status=FAILED)
    assert desk.begin_all() == ["broken"]

    desk.end("broken", status=FAILED)

    assert desk.begin_all() == []
    desk.end("long")
    assert desk.begin_all() == ["broken"]
    desk.end("broken")
    assert desk.begin_all() == ["wants"]


def test_late_one_waits_as_well() -> None:
    """It makes no difference when who depends on a node came in."""
    desk = desk_of(repeated(leaf("broken"), leaf("other")), leaf("body"))
    desk.begin_all()
    desk.end("broken", status=FAILED)

    desk.add(leaf("needs", "broken"), "root")
    desk.add(optionally("wants", "broken"), "root")

    assert desk.begin_all() == []
    desk.end("other")
    assert desk.begin_all() == ["broken"]
    desk.end("broken")
    assert desk.begin_all() == ["needs", "wants"]


def test_stopped_group_is_not_repeated() -> None:
    """What was stopped ends for good, also what has failed in it before."""
    desk = desk_of(repeated(leaf("broken"), leaf("other")), optionally("wants", "broken"))
    desk.begin_all()
    desk.end("broken", status=FAILED)

    desk.scheduler.cancel_subtree(desk.node("group"), "enough", 0.0)
    desk.end("other", status=TaskStatus.CANCELLED)

    assert desk.begin_all() == ["wants"]


def test_child_that_was_discarded_is_waited_for_no_more() -> None:
    """What a failed attempt has added is gone with it."""
    desk = desk_of(repeated(leaf("body"), leaf("other")), leaf("beside"))
    desk.begin_all()
    desk.add(leaf("added"), "body")
    desk.end("body")
    assert desk.begin_all() == ["added"]
    desk.end("added", status=FAILED)
    desk.add(optionally("wants", "added"), "root")
    assert desk.begin_all() == []

    desk.end("other")

    assert desk.begin_all() == ["body", "wants"]


# -- by hand: who keeps waiting what it waits for ----------------------------------------------------------------------


def test_one_that_the_group_waits_for_is_told_at_once() -> None:
    """It would wait for the end of a group that waits for it."""
    group = repeated(leaf("broken"), leaf("behind", "wants"))
    desk = desk_of(group, optionally("wants", "broken"))
    assert desk.begin_all() == ["broken"]

    desk.end("broken", status=FAILED)

    assert desk.begin_all() == ["wants"]
    desk.end("wants")
    assert desk.begin_all() == ["behind"]


def test_one_that_the_group_waits_for_is_below_who_is_told_at_once() -> None:
    """Nothing waits for that one itself, but for what begins only after it."""
    desk = desk_of(
        branch("group", leaf("b"), leaf("c", "inner"), max_retries=1),
        branch("outside", leaf("inner"), depends_on=["b"]),
    )
    assert desk.begin_all() == ["b"]

    desk.end("b", status=FAILED)

    assert reasons(desk.tree)["outside"] == "'b' failed"
    assert desk.begin_all() == ["b"]
    desk.end("b")
    assert statuses(desk.tree)["group"] == "done"


def test_two_groups_that_wait_for_each_other_by_what_is_held() -> None:
    """The second of the news closes the circle, and is told at once."""
    one = branch("one", leaf("a"), leaf("b", "after_c"), parallel=True, max_retries=1)
    two = branch("two", leaf("c"), leaf("d", "after_a"), parallel=True, max_retries=1)
    desk = desk_of(one, two, optionally("after_a", "a"), optionally("after_c", "c"))
    assert desk.begin_all() == ["a", "c"]
    desk.end("a", status=FAILED)
    assert desk.begin_all() == []

    desk.end("c", status=FAILED)

    assert desk.begin_all() == ["after_c"]
    desk.end("after_c")
    assert desk.begin_all() == ["b"]


def test_late_one_inside_that_waits_for_who_waits() -> None:
    """Since it comes, the group waits for the one that waits for the group."""
    desk = desk_of(repeated(leaf("broken"), leaf("other")), optionally("wants", "broken"))
    desk.begin_all()
    desk.end("broken", status=FAILED)
    assert desk.begin_all() == []

    desk.add(leaf("late", "wants"), "group")

    assert desk.begin_all() == ["wants"]


@pytest.mark.parametrize("aside", [False, True])
def test_body_inside_that_awaits_who_waits(aside: bool) -> None:
    """It is not refused: there is no circle but by what is held."""
    desk = desk_of(repeated(leaf("broken"), leaf("body")), optionally("wants", "broken"))
    desk.begin_all()
    desk.end("broken", status=FAILED)
    assert desk.begin_all() == []

    awaits(desk, "body", "wants", aside=aside)

    assert desk.begin_all() == ["wants"]


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_clock")
async def test_awaited_one_that_is_told_because_of_that() -> None:
    """The body hears that it was skipped, and does not wait for what has ended."""
    tree = Registry("r")
    handles: list[Child[None]] = []
    heard: list[str] = []

    @tree.group(retry=AGAIN, on_failure=OnFailure.CONTINUE)
    async def group() -> None: ...

    @group.task
    async def broken() -> None:
        raise ValueError("for good")

    @group.task
    async def body() -> None:
        await anyio.sleep(1)
        try:
            await handles[0]
        except TaskFailed as error:
            heard.append(str(error))

    @tree.task(static=False)
    async def needs(nothing: None = broken.output) -> None: ...

    @tree.task
    async def spawner() -> Spawns[None]:
        handles.append(needs.child())
        yield handles[0]

    await ended(tree.build())

    assert heard == ["child 'r/spawner/needs' was skipped: 'r/group/broken' failed"]


def test_place_that_is_kept_for_news_is_given_up() -> None:
    """A group whose only node waits for the end of another one keeps no place that this one needs."""
    quiet = branch("quiet", optionally("first", "broken"), parallel=True)
    narrow = branch("narrow", branch("waiting", quiet, parallel=True), leaf("next"), parallel=True, max_parallel=1)
    desk = desk_of(repeated(leaf("broken"), leaf("behind", "next")), narrow)
    assert desk.begin_all() == ["broken"]

    desk.end("broken", status=FAILED)

    begun = desk.begin_all()
    assert begun == ["next"]
    desk.end("next")
    assert desk.begin_all() == ["behind"]
