"""Bodies that would wait for ever: refused before they do, by name."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.places import awaits, branch, desk_of, goes_on, leaf
from tests.engine.support import ended, node_of, ok, statuses
from tests.sentences import exactly
from treetask import JOIN, AsyncExecutor, Child, DependencyCycleError, Registry, Spawns, TaskNode, TreeFailed
from treetask.testing import VirtualClock

THERE = "do not wait for it there"


def refused(desk: Desk, body: str, awaited: str) -> str:
    """Return in which words a body is told that it may not wait for a node."""
    with pytest.raises(DependencyCycleError) as caught:
        desk.scheduler.refuse_to_wait(desk.node(body), desk.node(awaited))
    return str(caught.value)


# -- what is refused -------------------------------------------------------------------------------------------------


def test_two_that_wait_for_each_other() -> None:
    """The second of them is told; the first goes on when that one has ended."""
    desk = desk_of(leaf("a"), leaf("b"))
    awaits(desk, "a", "b")

    assert refused(desk, "b", "a") == (
        "'a' depends on itself: a -> b -> a; "
        f"the body of 'a' waits for 'b'; the body of 'b' would wait for 'a'; {THERE}"
    )


def test_ring_of_many() -> None:
    """However long it is."""
    desk = desk_of(*(leaf(f"{number}") for number in range(4)))
    for number in range(3):
        awaits(desk, f"{number}", f"{number + 1}")

    assert refused(desk, "3", "0") == (
        "'0' depends on itself: 0 -> 1 -> 2 -> 3 -> 0; the body of '0' waits for '1'; the body of '1' waits for '2'; "
        f"the body of '2' waits for '3'; the body of '3' would wait for '0'; {THERE}"
    )


def test_itself() -> None:
    """By a handle that somebody has passed to it."""
    desk = desk_of(leaf("a"))

    assert refused(desk, "a", "a") == f"'a' depends on itself: a -> a; the body of 'a' would wait for 'a'; {THERE}"


@pytest.mark.parametrize(
    ("above", "why"),
    [("inner", "'inner' ends after its child 'a'"), ("root", "'root' ends after 'a', which is below it")],
)
def test_one_above(above: str, why: str) -> None:
    """It ends after all that is below it."""
    desk = desk_of(branch("inner", leaf("a")))

    assert refused(desk, "a", above) == (
        f"'{above}' depends on itself: {above} -> a -> {above}; {why}; "
        f"the body of 'a' would wait for '{above}'; {THERE}"
    )


def test_one_that_depends_on_the_body_or_one_above() -> None:
    """It has not begun, and begins only after them."""
    desk = desk_of(branch("inner", leaf("a")), leaf("needs a", "a"), leaf("needs inner", "inner"))

    assert refused(desk, "a", "needs a") == (
        f"'needs a' depends on itself: needs a -> a -> needs a; the body of 'a' would wait for 'needs a'; {THERE}"
    )
    assert refused(desk, "a", "needs inner") == (
        "'needs inner' depends on itself: needs inner -> inner -> a -> needs inner; "
        f"'inner' ends after its child 'a'; the body of 'a' would wait for 'needs inner'; {THERE}"
    )


def test_one_later_in_a_sequence() -> None:
    """It begins after all before it, with what is below them."""
    desk = desk_of(branch("first", leaf("a")), leaf("second"), branch("third", leaf("deep")), parallel=False)

    assert refused(desk, "a", "deep") == (
        "'deep' depends on itself: deep -> third -> second -> first -> a -> deep; "
        "'deep' starts after its parent 'third'; 'third' starts after 'second' because 'root' is sequential; "
        "'second' starts after 'first' because 'root' is sequential; 'first' ends after its child 'a'; "
        f"the body of 'a' would wait for 'deep'; {THERE}"
    )


def test_one_that_goes_last() -> None:
    """What always runs waits for its siblings."""
    desk = desk_of(leaf("a"), leaf("tidy", always=True))

    assert refused(desk, "a", "tidy") == (
        "'tidy' depends on itself: tidy -> a -> tidy; 'tidy' goes after all its siblings because it says always=True; "
        f"the body of 'a' would wait for 'tidy'; {THERE}"
    )


def test_clean_up_of_its_own() -> None:
    """It goes after the body that it cleans up after; so does what is below it."""
    desk = desk_of(branch("a", branch("tidy", leaf("deep"), always=True), task_fn=ok))
    desk.scheduler.let_children_go(desk.node("a"), 0.0)

    assert refused(desk, "a", "deep") == (
        "'deep' depends on itself: deep -> tidy -> a -> deep; 'deep' starts after its parent 'tidy'; "
        f"'tidy' starts after the body of 'a', which would wait for 'deep'; {THERE}"
    )


def test_one_that_would_come_back_with_what_is_repeated() -> None:
    """'later' needs the body in every attempt of the group, though it was stopped in this one."""
    desk = desk_of(branch("group", leaf("x"), leaf("later", "a"), max_retries=1), leaf("a"))
    desk.scheduler.cancel_subtree(desk.node("later"), "asked", 0.0)

    assert refused(desk, "a", "group") == (
        "'group' depends on itself: group -> later -> a -> group; 'group' ends after its child 'later'; "
        f"the body of 'a' would wait for 'group'; {THERE}"
    )


def test_one_below_somebody_who_waits_for_the_body() -> None:
    """Also through the end of what is below it."""
    desk = desk_of(branch("group", leaf("x"), leaf("y")), leaf("a"))
    awaits(desk, "y", "a")

    assert refused(desk, "a", "group") == (
        "'group' depends on itself: group -> y -> a -> group; 'group' ends after its child 'y'; "
        f"the body of 'y' waits for 'a'; the body of 'a' would wait for 'group'; {THERE}"
    )


def test_one_that_starts_after_a_body_that_waits() -> None:
    """A child that begins only after its parent's body, which waits for somebody else."""
    desk = desk_of(branch("parent", leaf("child"), task_fn=ok), leaf("a"))
    awaits(desk, "parent", "a")

    assert refused(desk, "a", "child") == (
        "'child' depends on itself: child -> parent -> a -> child; 'child' starts after the body of 'parent'; "
        f"the body of 'parent' waits for 'a'; the body of 'a' would wait for 'child'; {THERE}"
    )


def test_own_child_that_is_held_back() -> None:
    """It begins only after the body that would wait for it."""
    desk = desk_of(branch("a", task_fn=ok))
    desk.add(leaf("child"), "a")

    assert refused(desk, "a", "child") == (
        "'child' depends on itself: child -> a -> child; 'child' starts after the body of 'a', "
        "which would wait for 'child'; let it go ahead first: yield JOIN"
    )


# -- what is not -----------------------------------------------------------------------------------------------------


def test_who_waits_aside_may_stop_waiting_any_time() -> None:
    """A sub-task of a body that waits holds nothing up for sure, so that others may wait for the body."""
    desk = desk_of(leaf("a"), leaf("b"))
    awaits(desk, "a", "b", aside=True)

    desk.scheduler.refuse_to_wait(desk.node("b"), desk.node("a"))


def test_who_has_stopped_waiting_may_be_waited_for() -> None:
    """A wait counts while it lasts."""
    desk = desk_of(leaf("a"), leaf("b"))
    assert goes_on(desk, "a", awaits(desk, "a", "b"))

    desk.scheduler.refuse_to_wait(desk.node("b"), desk.node("a"))


def test_many_may_wait_for_one() -> None:
    """And that one for others."""
    desk = desk_of(*(leaf(f"{number}") for number in range(5)), leaf("last"))
    for number in range(5):
        awaits(desk, f"{number}", "last" if number % 2 else f"{number + 1}" if number < 4 else "last")
    assert desk.running.keys() == {"last"}


def test_earlier_in_a_sequence() -> None:
    """Children that a body lets go at once overtake those that begin after it."""
    desk = desk_of(branch("a", leaf("static"), task_fn=ok, parallel=False))
    for number in range(2):
        desk.add(leaf(f"spawned{number}"), "a", at_once=True)
    assert desk.begin_all() == ["spawned0"]

    awaits(desk, "a", "spawned1")
    desk.end("spawned0")
    assert desk.begin_all() == ["spawned1"]


# -- nodes that come in ----------------------------------------------------------------------------------------------


def test_late_node_that_needs_who_waits_for_it() -> None:
    """Checked as it is added, through bodies that wait now."""
    desk = desk_of(leaf("a"), branch("group", leaf("runs")))
    awaits(desk, "a", "group")

    with pytest.raises(
        DependencyCycleError,
        match=exactly(
            "'late' depends on itself: late -> a -> group -> late; the body of 'a' waits for 'group'; "
            "'group' ends after its child 'late'; remove one of these dependencies"
        ),
    ):
        desk.add(leaf("late", "a"), "group")
    assert desk.tree.find("late") is None
    desk.add(leaf("late"), "group")


def test_late_node_that_needs_one_that_was_overtaken() -> None:
    """Its parent goes before that one in the sequence, though it came later."""
    desk = desk_of(branch("a", leaf("static"), task_fn=ok, parallel=False))
    desk.add(branch("spawned", task_fn=ok), "a", at_once=True)
    desk.end("a")
    assert desk.begin_all() == ["spawned"]

    with pytest.raises(
        DependencyCycleError,
        match=exactly(
            "'late' depends on itself: late -> static -> spawned -> late; "
            "'static' starts after 'spawned' because 'a' is sequential; 'spawned' ends after its child 'late'; "
            "remove one of these dependencies"
        ),
    ):
        desk.add(leaf("late", "static"), "spawned")
    desk.end("spawned")
    assert desk.one_by_one() == ["static"]


# -- on the event loop -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_siblings_that_await_each_other_fail_by_name(virtual_clock: VirtualClock) -> None:
    """Nothing hangs: the one that closed the ring fails, the other one with it."""
    registry = Registry("root")
    handles: dict[str, Child[None]] = {}

    @registry.task
    async def meet(me: str, other: str) -> None:
        await anyio.sleep(1)
        await handles[other]

    @registry.group
    async def group(node: TaskNode) -> None:
        for me, other in (("a", "b"), ("b", "a")):
            handles[me] = node.spawn(meet, me, other)

    with anyio.fail_after(100):
        error = await ended(registry.build())

    assert isinstance(error, TreeFailed)
    ids = "root/group/meet[{}]"
    a, b = ids.format("a,b"), ids.format("b,a")
    first = next(str(leaf) for leaf in error.exceptions if isinstance(leaf, DependencyCycleError))
    assert first in {
        f"'{one}' depends on itself: {one} -> {other} -> {one}; the body of '{one}' waits for '{other}'; "
        f"the body of '{other}' would wait for '{one}'; {THERE}"
        for one, other in ((a, b), (b, a))
    }


@pytest.mark.anyio
async def test_refusal_can_be_caught(virtual_clock: VirtualClock) -> None:
    """The body goes on, and the one that waits for it gets its result."""
    registry = Registry("root")
    handles: dict[str, Child[str]] = {}

    @registry.task
    async def first(number: int) -> str:
        return f"first after {await handles['second']}"

    @registry.task
    async def second(number: int) -> str:
        await anyio.sleep(1)
        try:
            return await handles["first"]
        except DependencyCycleError:
            return "second"

    @registry.group
    async def group(node: TaskNode) -> None:
        handles["first"] = node.spawn(first, 1)
        handles["second"] = node.spawn(second, 1)

    tree = registry.build()
    with anyio.fail_after(100):
        await AsyncExecutor(tree).run()

    assert node_of(tree, "root/group/first[1]").result == "first after second"


@pytest.mark.anyio
async def test_body_that_awaits_its_own_parent_fails_by_name(virtual_clock: VirtualClock) -> None:
    """By a handle of the group that it was spawned in."""
    registry = Registry("root")
    handles: list[Child[None]] = []

    @registry.task
    async def child(number: int) -> None:
        await handles[0]

    @registry.group(static=False)
    async def inner() -> Spawns[None]:
        yield child.child(1)
        yield JOIN

    @registry.group
    async def outer(node: TaskNode) -> None:
        handles.append(node.spawn(inner))

    tree = registry.build()
    with anyio.fail_after(100):
        await ended(tree)

    assert statuses(tree)["root/outer/inner"] == "failed"
    assert node_of(tree, "root/outer/inner/child[1]").error == (
        "'root/outer/inner' depends on itself: root/outer/inner -> root/outer/inner/child[1] -> root/outer/inner; "
        "'root/outer/inner' ends after its child 'root/outer/inner/child[1]'; "
        f"the body of 'root/outer/inner/child[1]' would wait for 'root/outer/inner'; {THERE}"
    )


@pytest.mark.anyio
async def test_child_of_a_sequence_that_awaits_what_its_parent_holds_back(virtual_clock: VirtualClock) -> None:
    """A yielding body waits at its yield, and its static children with it."""
    registry = Registry("root")
    handles: list[Child[int]] = []

    @registry.group(parallel=False)
    async def steps() -> Spawns[None]:
        yield ask.child(1)

    @steps.task
    async def static() -> int:
        return 1

    @steps.task
    async def ask(number: int) -> None:
        await anyio.sleep(1)
        await handles[0]

    @registry.task
    async def needs(number: int) -> int:
        return number

    @registry.group
    async def other() -> Spawns[None]:
        handles.append((yield needs.child(1).with_options(depends_on=[static])))

    tree = registry.build()
    with anyio.fail_after(100):
        error = await ended(tree)

    assert isinstance(error, TreeFailed)
    assert str(error.exceptions[0]) == (
        "'root/other/needs[1]' depends on itself: root/other/needs[1] -> root/steps/static -> root/steps/ask[1] -> "
        "root/other/needs[1]; 'root/steps/static' starts after 'root/steps/ask[1]' because 'root/steps' is sequential; "
        f"the body of 'root/steps/ask[1]' would wait for 'root/other/needs[1]'; {THERE}"
    )
