"""Who is told what of a run, when, and what happens to those that raise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio
import pytest

from tests.engine.support import ended, fail, fails_times, node_of, ok, sleeps, statuses
from tests.sentences import exactly
from treetask import AsyncExecutor, Event, TaskNode, TaskTree, TreeBuilder, TreeTaskConfig
from treetask.model import NodeAdded, NodeRemoved, ProgressChanged, RunEnded, RunStarted, StatusChanged
from treetask.testing import Recorder, VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_on_update_is_called_at_most_once_a_turn() -> None:
    """A thousand changes in one turn of the loop are one update; the last state is always told."""
    seen: list[int] = []
    builder = TreeBuilder("root")
    for number in range(1_000):
        builder.add_child(f"{number}", task=ok)

    def look(tree: TaskTree) -> None:
        seen.append(tree.get_stats()["done"])

    await AsyncExecutor(builder.build(), on_update=look).run()

    assert len(seen) < 100
    assert seen == sorted(seen)
    assert seen[-1] == 1_001


async def test_on_update_is_called_while_others_wait(virtual_clock: VirtualClock) -> None:
    """Each change is told before the loop goes to sleep."""
    seen: list[tuple[float, int]] = []

    def look(tree: TaskTree) -> None:
        seen.append((virtual_clock.now(), tree.get_stats()["done"]))

    builder = TreeBuilder("root")
    for seconds in (1, 2, 3):
        builder.add_child(f"{seconds}", task=sleeps(seconds))
    await AsyncExecutor(builder.build(), on_update=look).run()

    assert {(1, 1), (2, 2), (3, 4)} <= set(seen)


async def test_on_update_sees_progress_alone() -> None:
    """A body that sets its progress, and nothing else, is worth an update."""
    seen: list[tuple[int, int] | None] = []

    async def work(node: TaskNode) -> None:
        for done in range(3):
            node.progress = (done, 3)
            await anyio.sleep(1)

    tree = TreeBuilder("root").add_child("work", task=work).build()
    await AsyncExecutor(tree, on_update=lambda tree: seen.append(node_of(tree, "work").progress)).run()

    assert {(0, 3), (1, 3), (2, 3)} <= set(seen)


async def test_every_node_is_told_once_at_its_start_and_once_at_its_end() -> None:
    """Starts before the body runs, once even when there are several attempts; ends however they come."""
    started: list[str] = []
    completed: list[tuple[str, str]] = []

    async def look(node: TaskNode) -> None:
        assert started[-1] == node.id

    tree = (
        TreeBuilder("root", parallel=False, on_failure="continue", config=TreeTaskConfig(max_retries=1))
        .add_child("looks", task=look)
        .add_child("flaky", task=fails_times(1))
        .add_child("fails", task=fail)
        .add_child("skipped", task=ok, depends_on=["fails"])
        .build()
    )
    executor = AsyncExecutor(
        tree,
        on_node_start=lambda node: started.append(node.id),
        on_node_complete=lambda node: completed.append((node.id, str(node.status))),
    )
    await ended(executor)

    assert started == ["root", "looks", "flaky", "fails"]
    assert completed == [
        ("looks", "done"),
        ("flaky", "done"),
        ("fails", "failed"),
        ("skipped", "skipped"),
        ("root", "failed"),
    ]


async def test_callbacks_may_be_given_by_position() -> None:
    """The printed signature: tree, on_update, on_node_start, on_node_complete."""
    calls: list[str] = []
    tree = TreeBuilder("root").build()

    await AsyncExecutor(
        tree,
        lambda tree: calls.append("update"),
        lambda node: calls.append("start"),
        lambda node: calls.append("complete"),
    ).run()

    assert calls == ["start", "complete", "update"]


async def async_look(_: object) -> None:
    """Look at nothing, later."""


class AsyncLooker:
    """A callable, and an observer, of which nobody would await what it returns."""

    async def __call__(self, _: object) -> None: ...

    async def on_event(self, event: Event) -> None: ...

    def __repr__(self) -> str:
        return "<AsyncLooker>"


@pytest.mark.parametrize("name", ["on_update", "on_node_start", "on_node_complete"])
@pytest.mark.parametrize("callback", [async_look, partial(async_look), AsyncLooker(), 42])
async def test_callback_that_is_no_plain_function_is_refused(name: str, callback: object) -> None:
    """When the executor is made: nobody would await what an `async def` returns."""
    tree = TreeBuilder("root").build()
    message = f"AsyncExecutor: {name} is {callback!r}; expected a plain function of one argument"
    with pytest.raises(TypeError, match=exactly(message)):
        AsyncExecutor(tree, **{name: callback})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_observer_without_a_plain_function_is_refused() -> None:
    """When it subscribes."""
    executor = AsyncExecutor(TreeBuilder("root").build())
    looker = AsyncLooker()
    message = (
        f"AsyncExecutor: on_event of <AsyncLooker> is {looker.on_event!r}; expected a plain function of one argument"
    )
    with pytest.raises(TypeError, match=exactly(message)):
        executor.subscribe(looker)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    message = "AsyncExecutor: on_event of 42 is None; expected a plain function of one argument"
    with pytest.raises(TypeError, match=exactly(message)):
        executor.subscribe(42)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["on_update", "on_node_start", "on_node_complete"])
async def test_callback_that_raises_is_logged_by_name_and_removed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The run goes on as if it had never been there; the log has its traceback."""
    calls: list[object] = []

    def fail(_: object) -> None:
        calls.append(1)
        raise OSError("broken callback")

    tree = TreeBuilder("root", parallel=False).add_child("a", task=sleeps(1)).add_child("b", task=sleeps(1)).build()
    await AsyncExecutor(tree, **{name: fail}).run()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    assert statuses(tree) == {"root": "done", "a": "done", "b": "done"}
    assert len(calls) == 1
    assert caplog.messages == [f"{name} of 'root' raised and was removed; the run goes on"]
    assert caplog.records[0].exc_info is not None
    assert str(caplog.records[0].exc_info[1]) == "broken callback"


async def test_observer_that_raises_is_logged_by_name_and_removed(caplog: pytest.LogCaptureFixture) -> None:
    """Others that observe the same run miss nothing."""

    class Broken:
        def on_event(self, event: Event, /) -> None:
            raise OSError("broken observer")

    tree = TreeBuilder("root").add_child("a", task=ok).build()
    executor, recorder = AsyncExecutor(tree), Recorder()
    executor.subscribe(Broken())
    executor.subscribe(recorder)
    await executor.run()

    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("observer ")
    assert caplog.messages[0].endswith(".Broken of 'root' raised and was removed; the run goes on")
    assert recorder.statuses("a") == ["pending", "working", "done"]


async def test_observer_is_told_when_the_tree_is_at_rest() -> None:
    """The statuses and counters that an observer reads are never halfway through a change."""
    seen: list[bool] = []

    class Reader:
        def on_event(self, event: Event, /) -> None:
            if isinstance(event, StatusChanged) and event.new.is_terminal:
                below = [node for node in event.node.walk() if node is not event.node]
                seen.append(all(node.is_done() for node in below))

    tree = (
        TreeBuilder("root", config=TreeTaskConfig(max_retries=0))
        .add_node("group")
        .add_child("fails", task=fail)
        .add_child("waits", task=ok, depends_on=["fails"])
        .build()
    )
    executor = AsyncExecutor(tree)
    executor.subscribe(Reader())
    await ended(executor)

    assert seen == [True] * 4


async def test_observer_may_subscribe_while_the_run_lasts() -> None:
    """It is told what happens from then on."""
    recorder = Recorder()

    async def subscribe(node: TaskNode) -> None:
        executor.subscribe(recorder)

    tree = (
        TreeBuilder("root", parallel=False).add_child("subscribes", task=subscribe).add_child("after", task=ok).build()
    )
    executor = AsyncExecutor(tree)
    await executor.run()

    assert recorder.starts == ["after"]
    assert recorder.ends == ["subscribes", "after", "root"]


async def test_callback_may_ask_for_a_cancel() -> None:
    """A callback that stops the run on a certain node is not a reason for disorder."""

    def stop(node: TaskNode) -> None:
        if node.id == "1":
            executor.cancel("seen enough")

    tree = TreeBuilder("root", parallel=False)
    for number in range(4):
        tree.add_child(f"{number}", task=sleeps(1))
    executor = AsyncExecutor(tree.build(), on_node_complete=stop)
    await ended(executor)

    assert statuses(executor.tree) == {
        "root": "cancelled",
        "0": "done",
        "1": "done",
        "2": "cancelled",
        "3": "cancelled",
    }


async def test_callback_may_add_nodes() -> None:
    """What a callback adds is checked and runs like what a body adds."""

    def add(node: TaskNode) -> None:
        if node.id == "a":
            tree.root.add_child(TaskNode("added", task_fn=ok))

    tree = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=sleeps(1)).build()
    await AsyncExecutor(tree, on_node_complete=add).run()

    assert statuses(tree) == {"root": "done", "a": "done", "b": "done", "added": "done"}


async def test_stamps_are_the_runs_own_clock(virtual_clock: VirtualClock) -> None:
    """Times of events and of nodes are on one scale, virtual when that is."""
    recorder = Recorder()
    tree = TreeBuilder("root", parallel=False).add_child("a", task=sleeps(2)).add_child("b", task=sleeps(3)).build()
    executor = AsyncExecutor(tree)
    executor.subscribe(recorder)
    await executor.run()

    assert recorder.times("b") == [2, 5]
    assert (node_of(tree, "b").started_at, node_of(tree, "b").ended_at, node_of(tree, "b").elapsed) == (2, 5, 3)
    assert [event.at for event in recorder.events][-1] == 5


async def test_nobody_is_told_after_the_run() -> None:
    """A progress that is set later is the tree's affair alone."""
    seen: list[int] = []
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    await AsyncExecutor(tree, on_update=lambda tree: seen.append(tree.version)).run()
    count = len(seen)

    node_of(tree, "a").progress = (1, 2)
    for _ in range(10):
        await anyio.sleep(0)

    assert len(seen) == count


async def test_run_started_is_told_before_anything_has_happened() -> None:
    """Who takes note of the tree that a run begins with sees it as it was, and hears of all that changes."""
    seen: list[str] = []

    class Notes:
        def on_event(self, event: Event, /) -> None:
            if isinstance(event, RunStarted):
                seen.extend(node.status for node in event.tree.walk())

    executor = AsyncExecutor(TreeBuilder("root").add_child("a", task=ok).build())
    executor.subscribe(Notes())
    await executor.run()

    assert seen == ["pending", "pending"]


async def test_a_change_is_told_with_what_the_node_said_then() -> None:
    """An attempt that is repeated at once is told with its error, though the node has none any more by then."""
    seen: list[tuple[str, str | None, str, str | None]] = []

    class Notes:
        def on_event(self, event: Event, /) -> None:
            if isinstance(event, StatusChanged) and event.node.id == "flaky":
                seen.append((event.new, event.error, repr(event.exception), event.node.error))

    executor = AsyncExecutor(TreeBuilder("root").add_child("flaky", task=fails_times(1), max_retries=1).build())
    executor.subscribe(Notes())
    await executor.run()

    assert seen[1][:3] == ("retrying", "attempt 1", "OSError('attempt 1')")
    assert seen[-1] == ("done", None, "None", None)


async def test_what_an_attempt_has_added_is_told_to_leave_with_it() -> None:
    """Each with the parent that it came to, which it has not any more when that is told."""
    recorder = Recorder()

    async def add_and_fail(node: TaskNode) -> None:
        node.add_child(TaskNode(f"added {node.retry_count}", children=[TaskNode("below")] * (not node.retry_count)))
        if not node.retry_count:
            raise OSError("broken")

    executor = AsyncExecutor(TreeBuilder("root").add_child("adds", task=add_and_fail, max_retries=1).build())
    executor.subscribe(recorder)
    await executor.run()

    told = [event for event in recorder.events if isinstance(event, (NodeAdded, NodeRemoved))]
    assert [(type(event).__name__, event.node.id) for event in told] == [
        ("NodeAdded", "added 0"),
        ("NodeAdded", "below"),
        ("NodeRemoved", "added 0"),
        ("NodeAdded", "added 1"),
    ]
    assert [(event.parent and event.parent.id, event.status) for event in recorder.of(NodeAdded)] == [
        ("adds", "pending"),
        ("added 0", "pending"),
        ("adds", "pending"),
    ]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The kinds of events that have been built, whoever did it."""
    names: set[str] = set()

    def noting(name: str, make: Callable[..., None]) -> Callable[..., None]:
        def make_and_note(event: Event, *fields: object) -> None:
            names.add(name)
            make(event, *fields)

        return make_and_note

    for kind in (NodeAdded, ProgressChanged, RunEnded, RunStarted, StatusChanged):
        monkeypatch.setattr(kind, "__init__", noting(kind.__name__, vars(kind)["__init__"]))
    return names


def observed(tree: TaskTree) -> AsyncExecutor:
    """Return an executor with an observer."""
    executor = AsyncExecutor(tree)
    executor.subscribe(Recorder())
    return executor


def look(_: object) -> None:
    """Look, and do nothing."""


@pytest.mark.parametrize(
    ("executor_of", "expected"),
    [
        (AsyncExecutor, ()),
        (partial(AsyncExecutor, on_update=look), ()),
        (partial(AsyncExecutor, on_node_start=look), ("StatusChanged",)),
        (partial(AsyncExecutor, on_node_complete=look), ("StatusChanged",)),
        (observed, ("NodeAdded", "ProgressChanged", "RunEnded", "RunStarted", "StatusChanged")),
    ],
    ids=["nobody", "on_update", "on_node_start", "on_node_complete", "observer"],
)
async def test_no_event_is_built_for_nobody(
    executor_of: Callable[[TaskTree], AsyncExecutor], expected: tuple[str, ...], built: set[str]
) -> None:
    """Each kind of event is built only if somebody is to be told of it."""

    async def work(node: TaskNode) -> None:
        node.progress = (1, 2)
        node.add_child(TaskNode("added", task_fn=ok))

    tree = TreeBuilder("root").add_child("flaky", task=fails_times(1)).add_child("works", task=work).build()
    await executor_of(tree).run()

    assert built == set(expected)
