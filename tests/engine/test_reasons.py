"""The reason of who waits: `node.reason` of what has not begun says what keeps it back, while the tree runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import anyio
import pytest

from tests.engine.desk import Desk
from tests.engine.places import awaits, branch, leaf
from tests.engine.support import Log, ended, fails_times, forever, node_of, ok, reasons, sleeps, turns, until
from treetask import (
    AsyncExecutor,
    Limit,
    Registry,
    Retry,
    Spawns,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeTaskConfig,
    optional,
)
from treetask.testing import VirtualClock

ONE = Limit("api", max_concurrency=1)


def plain(node: TaskNode) -> None:
    """Do nothing, in a thread."""


async def reasons_after(tree: TaskTree, seconds: float = 1) -> dict[str, str]:
    """Return the reasons of a tree that has run for a while, and cancel it."""
    executor = AsyncExecutor(tree)
    found: dict[str, str] = {}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(seconds)
        found = reasons(tree)
        executor.cancel()
    return found


# -- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_before_and_after_the_run_nobody_waits(virtual_clock: VirtualClock) -> None:
    """A tree that does not run has no reasons but those of what was skipped or cancelled."""
    tree = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=ok, depends_on=["a"]).build()
    assert reasons(tree) == {}

    await AsyncExecutor(tree).run()
    assert reasons(tree) == {}


@pytest.mark.anyio
async def test_dependencies_are_named(virtual_clock: VirtualClock) -> None:
    """Those that have not ended; more than three are counted."""
    tree = TreeBuilder("root").add_child("done", task=ok)
    for number in range(5):
        tree.add_child(f"{number}", task=forever)
    tree.add_child("one", task=ok, depends_on=["done", "3"])
    tree.add_child("two", task=ok, depends_on=["1", optional("2")])
    tree.add_child("five", task=ok, depends_on=[f"{number}" for number in range(5)])

    assert await reasons_after(tree.build()) == {
        "one": "waits for '3'",
        "two": "waits for '1', '2'",
        "five": "waits for '0', '1', '2' and 2 more",
    }


@pytest.mark.anyio
async def test_parent_is_named(virtual_clock: VirtualClock) -> None:
    """Its body runs, or it has not begun itself."""
    tree = (
        TreeBuilder("root")
        .add_node("body", task=forever)
        .add_child("child", task=ok)
        .up()
        .add_node("group", depends_on=["body"])
        .add_child("deep", task=ok)
        .build()
    )

    assert await reasons_after(tree) == {
        "child": "waits for 'body'",
        "group": "waits for 'body'",
        "deep": "waits for 'group'",
    }


@pytest.mark.anyio
async def test_turn_in_a_sequence(virtual_clock: VirtualClock) -> None:
    """And that of what goes last."""
    tree = (
        TreeBuilder("root")
        .add_node("steps", parallel=False)
        .add_child("first", task=forever)
        .add_child("second", task=ok)
        .up()
        .add_child("tidy", task=ok, always=True)
        .build()
    )

    assert await reasons_after(tree) == {
        "second": "waits for its turn in 'steps'",
        "tidy": "waits for its siblings in 'root'",
    }


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (TreeTaskConfig(max_concurrency=1), "waits for a slot"),
        (TreeTaskConfig(max_threads=1), "waits for a thread"),
    ],
)
async def test_slot_and_thread(config: TreeTaskConfig, reason: str, virtual_clock: VirtualClock) -> None:
    """What the run as a whole has too few of."""
    release = threading.Event()

    def wait(node: TaskNode) -> None:
        release.wait(5)

    tree = TreeBuilder("root", config=config).add_child("runs", task=wait)
    executor = AsyncExecutor(tree.add_child("waits", task=plain).build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await until(lambda: node_of(executor.tree, "runs").status == "working")
        assert reasons(executor.tree) == {"waits": reason}
        release.set()


@pytest.mark.anyio
async def test_limits_and_places(virtual_clock: VirtualClock) -> None:
    """The one that keeps the node back."""
    rate = Limit("rate", per_second=0.1)
    tree = (
        TreeBuilder("root").add_child("holds", task=forever, limits=[ONE]).add_child("started", task=ok, limits=[rate])
    )
    tree.add_child("limited", task=ok, limits=[ONE]).add_child("rated", task=ok, limits=[rate])
    tree.add_node("group", max_parallel=1).add_child("has a place", task=forever).add_child("has none", task=ok)
    tree.add_node("inner").add_child("deep", task=ok)

    assert await reasons_after(tree.build()) == {
        "limited": "waits for limit 'api'",
        "rated": "waits for limit 'rate'",
        "has none": "waits for a place in 'group'",
        "inner": "waits for a place in 'group'",
        "deep": "waits for 'inner'",
    }


def test_place_that_a_group_has_given_up() -> None:
    """Who is below it waits for it, whatever it has beside."""
    desk = Desk(TaskTree(branch("root", branch("a", leaf("body"), task_fn=None), leaf("b"), max_parallel=1)))
    assert desk.begin_all() == ["body"]
    awaits(desk, "body", "b")
    assert desk.begin_all() == ["b"]

    desk.add(leaf("late"), "a")
    assert desk.scheduler.waits_for(desk.node("late"), 0.0) == "a place in 'root'"


def test_who_keeps_a_limit_waits_for_the_other() -> None:
    """It is named what it lacks, not what it has."""
    other = Limit("z", max_concurrency=1)
    desk = Desk(
        TaskTree(
            branch("root", leaf("holds", limits=[other]), leaf("both", limits=[ONE, other]), leaf("api", limits=[ONE]))
        )
    )
    assert desk.begin_all() == ["holds"]

    assert desk.scheduler.waits_for(desk.node("both"), 0.0) == "limit 'z'"
    assert desk.scheduler.waits_for(desk.node("api"), 0.0) == "limit 'api'"


@pytest.mark.anyio
async def test_pause(virtual_clock: VirtualClock) -> None:
    """Nobody starts, whatever is free."""
    tree = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=ok, depends_on=["a"]).build()
    executor = AsyncExecutor(tree)
    executor.pause()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await turns()
        assert reasons(tree) == {"a": "waits for the run to be resumed", "b": "waits for 'a'"}
        executor.resume()


@pytest.mark.anyio
async def test_next_attempt(virtual_clock: VirtualClock) -> None:
    """In the time between two; and what it needs when that has passed."""
    tree = TreeBuilder("root")
    tree.add_child(
        "flaky", task=fails_times(1), retry=Retry(on=OSError, wait_initial=3, wait_jitter=0, timeout=None), limits=[ONE]
    )
    built = tree.add_child("holds", task=sleeps(100), limits=[ONE]).build()
    executor = AsyncExecutor(built)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(1)
        assert reasons(built) == {"flaky": "waits for its next attempt"}
        await anyio.sleep(50)
        assert (node_of(built, "flaky").status, reasons(built)) == ("retrying", {"flaky": "waits for limit 'api'"})


@pytest.mark.anyio
async def test_reason_goes_when_the_node_begins(virtual_clock: VirtualClock) -> None:
    """Nothing of it is kept; that of one that is stopped takes its place."""
    log = Log()
    tree = TreeBuilder("root", max_parallel=1).add_child("a", task=log.body(2)).add_child("b", task=log.body(2))
    executor = AsyncExecutor(tree.add_child("c", task=ok).build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(3)
        assert reasons(executor.tree) == {"c": "waits for a place in 'root'"}
        executor.cancel("enough")

    assert reasons(executor.tree)["c"] == "enough"
    assert node_of(executor.tree, "a")._trouble is None


@pytest.mark.anyio
async def test_spawned_children_have_reasons(virtual_clock: VirtualClock) -> None:
    """As all others have."""
    registry = Registry("root")
    found: dict[str, str] = {}

    @registry.task
    async def page(number: int) -> None:
        await anyio.sleep(1)

    @registry.group(max_parallel=1)
    async def crawl(node: TaskNode) -> Spawns[None]:
        yield [page.child(number) for number in range(2)]
        await anyio.sleep(0.5)
        found.update({child.id: child.reason for child in node.children if child.reason is not None})

    await registry.run()
    assert found == {"root/crawl/page[1]": "waits for a place in 'root/crawl'"}


def test_snapshot_tells_the_reasons() -> None:
    """`to_dict`, also of a tree that runs."""

    async def take() -> dict[str, object]:
        tree = TreeBuilder("root", max_parallel=1).add_child("a", task=forever).add_child("b", task=ok).build()
        executor = AsyncExecutor(tree)
        taken: dict[str, object] = {}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await turns()
            taken.update((node["id"], node["reason"]) for node in tree.to_dict()["nodes"])
            executor.cancel()
        return taken

    assert anyio.run(take) == {"root": None, "a": None, "b": "waits for a place in 'root'"}


# -- from other threads ----------------------------------------------------------------------------------------------


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads that take turns far more often than they would, in the middle of more things."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.000_05)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.anyio
@pytest.mark.usefixtures("restless_threads")
async def test_reasons_may_be_read_from_any_thread(virtual_clock: VirtualClock) -> None:
    """Whatever the run does meanwhile, nothing is raised, and nothing changes by it."""
    stop, failures, read = threading.Event(), list[Exception](), set[str | None]()
    tree = TreeBuilder("root", config=TreeTaskConfig(max_concurrency=7, on_failure="continue"))
    limits = [Limit(f"{number}", max_concurrency=1 + number, per_second=100) for number in range(4)]
    for group in range(10):
        tree.add_node(f"{group}", max_parallel=2, parallel=group % 3 > 0)
        for number in range(50):
            depends_on = [f"{group - 1}.{number}"] if group and number % 7 == 0 else []
            used = [limits[number % 4], limits[group % 4]]
            body: Callable[[TaskNode], object] = ok if number % 5 else plain
            tree.add_child(f"{group}.{number}", task=body, limits=used, depends_on=depends_on)
        tree.up()
    built = tree.build()
    nodes = list(built.walk())

    def look() -> None:
        try:
            while not stop.is_set():
                read.update(node.reason for node in nodes)
        except Exception as error:  # noqa: BLE001 - whatever it is
            failures.append(error)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        await AsyncExecutor(built).run()
    finally:
        stop.set()
        for reader in readers:
            reader.join()

    assert failures == []
    assert built.get_stats()["done"] == len(nodes)
    assert len(read) > 10
