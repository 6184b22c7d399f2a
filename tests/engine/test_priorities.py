"""Which of those that are ready goes first: by priority, then by the work behind it, then as declared."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.support import Log, ended, ok
from treetask import AsyncExecutor, Limit, Registry, Spawns, TaskNode, TreeBuilder, TreeTaskConfig
from treetask.testing import VirtualClock


def plain(node: TaskNode) -> None:
    """Do nothing, in a thread."""


# -- priority ------------------------------------------------------------------------------------------------------


def test_lower_number_goes_first() -> None:
    """0 is urgent, 1 high, 2 what is meant where nothing is said, 3 low; any integer from 0 will do."""
    tree = TreeBuilder("root").add_child("none", task=ok)
    for priority in (9, 3, 2, 1, 0):
        tree.add_child(f"{priority}", task=ok, priority=priority)

    assert Desk(tree).one_by_one() == ["0", "1", "none", "2", "3", "9"]


def test_priority_is_that_of_the_nearest_that_says_one() -> None:
    """A group's priority is that of all below it, unless something below says another."""
    tree = (
        TreeBuilder("root", priority=3)
        .add_child("low", task=ok)
        .add_node("group", priority=1)
        .add_node("inner")
        .add_child("high", task=ok)
        .add_child("urgent", task=ok, priority=0)
        .build()
    )

    assert Desk(tree).one_by_one() == ["urgent", "high", "low"]


def test_priority_goes_across_groups() -> None:
    """What is urgent in the last group goes before what is not in the first one."""
    tree = TreeBuilder("root")
    for group in ("a", "b", "c"):
        tree.add_node(group).add_child(f"{group}1", task=ok, priority=1).add_child(f"{group}0", task=ok, priority=0)
        tree.up()

    assert Desk(tree).one_by_one() == ["a0", "b0", "c0", "a1", "b1", "c1"]


def test_priority_is_no_barrier() -> None:
    """What is less urgent starts in a slot that nothing more urgent needs now."""
    tree = (
        TreeBuilder("root")
        .add_child("first", task=ok, priority=0)
        .add_child("urgent", task=ok, priority=0, depends_on=["first"])
        .add_child("low", task=ok, priority=3)
        .build()
    )
    desk = Desk(tree, max_concurrency=2)

    assert desk.begin_all() == ["first", "low"]
    desk.end("first")
    assert desk.begin_all() == ["urgent"]


def test_running_body_is_not_stopped_for_one_that_is_more_urgent() -> None:
    """Priority is an order of starts."""
    desk = Desk(TreeBuilder("root").add_child("low", task=ok, priority=3), max_concurrency=1)
    assert desk.begin() == "low"

    desk.add(TaskNode("urgent", task_fn=ok, priority=0), "root")

    assert (desk.begin(), desk.interrupted) == (None, [])


def test_those_that_lack_a_thread_wait_in_the_same_order() -> None:
    """Who was passed over because no thread was free is no later for that, nor earlier."""
    tree = TreeBuilder("root")
    for node_id, priority, body in (("p3", 3, plain), ("p2", 2, plain), ("a2", 2, ok), ("p0", 0, plain)):
        tree.add_child(node_id, task=body, priority=priority)
    desk = Desk(tree, max_threads=1)

    assert desk.begin_all() == ["p0", "a2"]
    desk.add(TaskNode("late", task_fn=plain, priority=1), "root")
    order = ["p0"]
    for _ in range(3):
        desk.end(order[-1])
        order += desk.begin_all()

    assert order == ["p0", "late", "p2", "p3"]


def test_late_node_goes_before_those_that_wait() -> None:
    """Also one whose priority comes from a group."""
    tree = TreeBuilder("root").add_node("urgent", priority=0).add_child("u", task=ok).up()
    tree.add_child("a", task=ok).add_child("b", task=ok)
    desk = Desk(tree, max_concurrency=1)
    assert desk.begin() == "u"

    desk.add(TaskNode("own", task_fn=ok, priority=1), "root")
    desk.add(TaskNode("inherited", task_fn=ok), "urgent")
    desk.end("u")

    assert desk.one_by_one() == ["inherited", "own", "a", "b"]


def test_first_priority_of_a_run_may_come_late() -> None:
    """Those that queued before anybody had a priority are sorted anew."""
    tree = TreeBuilder("root").add_child("runs", task=ok)
    for node_id in ("a", "b"):
        tree.add_child(node_id, task=ok)
    tree.add_node("later").add_child("c", task=ok, depends_on=["runs"])
    desk = Desk(tree, max_concurrency=1)
    assert desk.begin() == "runs"

    desk.add(TaskNode("low", task_fn=ok, priority=3), "root")
    desk.add(TaskNode("urgent", task_fn=ok, priority=1), "root")
    desk.end("runs")

    assert desk.one_by_one() == ["urgent", "a", "b", "c", "low"]


def test_priority_of_those_that_wait_for_a_limit() -> None:
    """A unit that comes free goes to the most urgent, not to the first that came."""
    api = Limit("api", max_concurrency=1)
    tree = TreeBuilder("root")
    for node_id, priority in (("runs", 0), ("p3", 3), ("p2", 2), ("p1", 1)):
        tree.add_child(node_id, task=ok, priority=priority, limits=[api])
    desk = Desk(tree)
    assert desk.begin_all() == ["runs"]

    desk.add(TaskNode("late", task_fn=ok, priority=2, limits=[api]), "root")
    desk.end("runs")

    assert desk.one_by_one() == ["p1", "p2", "late", "p3"]


def test_priority_of_those_that_wait_for_a_place() -> None:
    """The same in a group with `max_parallel`."""
    tree = TreeBuilder("root", max_parallel=1)
    for node_id, priority in (("runs", 0), ("p3", 3), ("p1", 1)):
        tree.add_child(node_id, task=ok, priority=priority)
    desk = Desk(tree)
    assert desk.begin_all() == ["runs"]

    desk.add(TaskNode("late", task_fn=ok, priority=2), "root")
    desk.end("runs")

    assert desk.one_by_one() == ["p1", "late", "p3"]


def test_repeated_node_keeps_its_priority() -> None:
    """A second attempt stands where the first did."""
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=1))
    for node_id, priority in (("urgent", 0), ("normal", 2)):
        tree.add_child(node_id, task=ok, priority=priority)
    desk = Desk(tree, max_concurrency=1)
    assert desk.begin() == "urgent"

    desk.end("urgent", status=desk.tree.root.status.FAILED)

    assert desk.one_by_one() == ["urgent", "normal"]


@pytest.mark.anyio
async def test_spawned_children_go_by_their_priority(virtual_clock: VirtualClock) -> None:
    """By the options of the child, of its declaration, or of the body that spawned it."""
    registry = Registry("root")
    order: list[str] = []

    @registry.task
    async def page(name: str) -> None:
        order.append(name)

    @registry.task(priority=1)
    async def high(name: str) -> None:
        order.append(name)

    @registry.group(priority=3)
    async def crawl() -> Spawns[None]:
        yield [page.child("low"), high.child("high"), page.child("urgent").with_options(priority=0)]

    @registry.task
    async def normal() -> None:
        order.append("normal")

    await AsyncExecutor(registry.build(TreeTaskConfig(max_concurrency=1))).run()

    assert order == ["normal", "urgent", "high", "low"]


@pytest.mark.anyio
async def test_priorities_on_the_event_loop(virtual_clock: VirtualClock) -> None:
    """Workers take nodes in that order, whatever they await."""
    log = Log()
    tree = TreeBuilder("root", config=TreeTaskConfig(max_concurrency=1))
    for number in (3, 1, 2, 0):
        tree.add_child(f"{number}", task=log.body(1), priority=number)

    assert await ended(tree.build()) is None
    assert [line for line in log if "begins" in line] == [f"{number} begins" for number in range(4)]


@pytest.mark.anyio
async def test_threads_go_by_priority(virtual_clock: VirtualClock) -> None:
    """Plain functions, in the one thread that there is."""
    order: list[str] = []
    tree = TreeBuilder("root", config=TreeTaskConfig(max_threads=1))

    def note(node: TaskNode) -> None:
        order.append(node.id)

    for number in (3, 1, 2, 0):
        tree.add_child(f"{number}", task=note, priority=number)

    with anyio.fail_after(5):
        assert await ended(tree.build()) is None
    assert order == ["0", "1", "2", "3"]


# -- cost ----------------------------------------------------------------------------------------------------------


def by_cost(**costs: float) -> TreeBuilder:
    """Return a tree with these nodes below the root."""
    tree = TreeBuilder("root")
    for node_id, cost in costs.items():
        tree.add_child(node_id, task=ok, cost=cost)
    return tree


def test_most_work_goes_first() -> None:
    """The longest is begun first, equal ones in the order in which they were declared."""
    assert Desk(by_cost(a=1, b=5, c=0, d=5, e=2.5)).one_by_one() == ["b", "d", "e", "a", "c"]


def test_priority_goes_before_cost_and_cost_before_declaration() -> None:
    """In this order."""
    tree = TreeBuilder("root")
    for node_id, priority, cost in (("a", 2, 1), ("b", 2, 9), ("c", 1, 1), ("d", 3, 99), ("e", 2, 9)):
        tree.add_child(node_id, task=ok, priority=priority, cost=cost)

    assert Desk(tree).one_by_one() == ["c", "b", "e", "a", "d"]


def test_path_through_dependencies_counts() -> None:
    """A short node goes first where long work waits for it: the longest path, not the sum of all."""
    tree = by_cost(alone=10, start=1, wide=2)
    tree.add_child("long", task=ok, cost=10, depends_on=["start"])
    for number in range(9):
        tree.add_child(f"wide{number}", task=ok, cost=5, depends_on=["wide"])
    desk = Desk(tree)

    assert desk.begin_all() == ["start", "alone", "wide"]


def test_path_through_a_sequence_counts() -> None:
    """What comes later in a sequence waits for its first."""
    tree = by_cost(alone=5)
    tree.add_node("steps", parallel=False)
    for number in range(3):
        tree.add_child(f"step{number}", task=ok, cost=2)
    desk = Desk(tree, max_concurrency=1)

    assert desk.one_by_one() == ["step0", "alone", "step1", "step2"]


def test_path_through_subtrees_counts() -> None:
    """Who depends on a group waits for all below it; who is below a body waits for that."""
    tree = by_cost(alone=7)
    tree.add_node("group").add_node("inner").add_child("deep", task=ok, cost=1).up().up()
    tree.add_node("body", task=ok, cost=1).add_child("below", task=ok, cost=5.5).up()
    tree.add_child("after", task=ok, cost=7, depends_on=["group"])

    assert Desk(tree).begin_all() == ["deep", "alone", "body"]


@pytest.mark.parametrize(
    ("known", "unknown_is"), [([1, 2, 9], 2), ([1, 2, 4, 9], 3), ([5], 5)], ids=["odd", "even", "one"]
)
def test_unknown_cost_is_the_median_of_the_known(known: list[float], unknown_is: float) -> None:
    """Of a body; a group without one takes no time by itself."""
    tree = TreeBuilder("root")
    tree.add_child("less", task=ok, cost=unknown_is - 0.5)
    tree.add_node("group").add_child("unknown", task=ok).up()
    tree.add_child("more", task=ok, cost=unknown_is + 0.5)
    for number, cost in enumerate(known):
        tree.add_child(f"known{number}", task=ok, cost=cost, priority=3)

    assert Desk(tree).begin_all()[:3] == ["more", "unknown", "less"]


def test_cost_of_a_group_counts() -> None:
    """What a group without a body says is believed: time that passes before its children begin."""
    tree = TreeBuilder("root").add_child("first", task=ok, cost=1).add_child("second", task=ok, cost=3)
    tree.add_node("group", cost=5, depends_on=["first"]).add_child("child", task=ok, cost=1)

    assert Desk(tree).begin_all() == ["first", "second"]


def test_spawned_node_has_its_own_and_what_waits_for_its_parent() -> None:
    """It is not in the plan, but what waits for its parent waits for it."""
    tree = by_cost(alone=6)
    tree.add_node("first", task=ok, cost=1).up().add_child("after", task=ok, cost=5, depends_on=["first"])
    desk = Desk(tree, max_concurrency=1)
    assert desk.begin() == "alone"

    for node_id, cost in (("short", 0.5), ("long", 2)):
        desk.add(TaskNode(node_id, task_fn=ok, cost=cost), "root")
    desk.end("alone")
    assert desk.begin() == "first"
    desk.add(TaskNode("below", task_fn=ok), "first")
    desk.end("first")

    assert desk.begin() == "below"


def test_branch_that_comes_late_is_measured() -> None:
    """Dependencies and sequences within it count as in the plan."""
    desk = Desk(by_cost(runs=1, alone=4), max_concurrency=1)
    assert desk.begin() == "alone"

    branch = TaskNode("branch", parallel=False)
    for number in range(3):
        branch.add_child(TaskNode(f"step{number}", task_fn=ok, cost=2))
    desk.add(branch, "root")
    desk.add(TaskNode("single", task_fn=ok, cost=5), "root")
    desk.end("alone")

    assert desk.one_by_one() == ["step0", "single", "step1", "step2", "runs"]


def test_first_cost_of_a_run_may_come_late() -> None:
    """Also where priorities were there before: all that wait are measured, and sorted anew."""
    tree = TreeBuilder("root").add_child("runs", task=ok, priority=0).add_child("a", task=ok)
    tree.add_child("b", task=ok).add_child("c", task=ok, depends_on=["b"])
    desk = Desk(tree, max_concurrency=1)
    assert desk.begin() == "runs"

    desk.add(TaskNode("late", task_fn=ok, cost=3), "root")
    desk.end("runs")

    assert desk.one_by_one() == ["b", "a", "c", "late"]


def test_what_always_runs_last_counts_for_its_siblings() -> None:
    """A clean-up of a group waits for all in it."""
    tree = by_cost(alone=4)
    tree.add_node("group").add_child("short", task=ok, cost=1).add_child("tidy", task=ok, cost=5, always=True)

    assert Desk(tree).begin_all() == ["short", "alone"]
