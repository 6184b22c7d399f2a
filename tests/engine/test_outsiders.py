"""What outsiders do to a run: cancel its tasks, leave from a callback, or say words that are ours."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from tests.engine.support import ended, fail, ok, sleeps, statuses
from treetask import (
    JOIN,
    AsyncExecutor,
    Retry,
    Spawns,
    TaskFailed,
    TaskNode,
    TreeBuilder,
    TreeFailed,
    TreeTaskConfig,
    optional,
)
from treetask.engine._scheduler import Scheduler
from treetask.testing import run_virtual

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("seconds", [0, 1])
def test_who_cancels_all_tasks_of_the_loop_ends_the_run(seconds: float) -> None:
    """A worker that has not begun and the task of the timers are among them; the run ends in order all the same."""

    async def stop_all(node: TaskNode) -> None:
        await anyio.sleep(seconds)
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    config = TreeTaskConfig(max_retries=0, global_timeout=60)
    tree = (
        TreeBuilder("root", config=config).add_child("stops", task=stop_all).add_child("other", task=sleeps(9)).build()
    )
    with pytest.raises(asyncio.CancelledError):
        run_virtual(AsyncExecutor(tree).run)
    assert not [node.id for node in tree.walk() if not node.is_done()]


@pytest.mark.timeout(10)
def test_who_cancels_the_caller_in_every_turn_does_not_keep_it_from_being_told() -> None:
    """A scope of anyio's does so: the run leaves no task behind, and raises what comes first all the same."""

    async def exit_when_stopped(node: TaskNode) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise SystemExit(3)

    async def run_and_see() -> None:
        with pytest.raises(SystemExit, match=r"^3$"):
            await AsyncExecutor(TreeBuilder("root").add_child("a", task=exit_when_stopped).build()).run()

    async def cancel_and_cancel() -> None:
        caller = asyncio.create_task(run_and_see())
        await asyncio.sleep(1)
        while not caller.done():
            caller.cancel()
            await asyncio.sleep(0)
        await caller
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(cancel_and_cancel)


@pytest.mark.parametrize("name", ["on_update", "on_node_start", "on_node_complete"])
async def test_exit_from_a_callback_ends_the_run(name: str) -> None:
    """It is raised by the run, once all has ended, on either loop."""

    def leave(_: object) -> None:
        raise SystemExit(3)

    tree = TreeBuilder("root").add_child("a", task=sleeps(1)).build()
    with pytest.raises(SystemExit):
        await AsyncExecutor(tree, **{name: leave}).run()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert tree.root.is_done()


async def test_fault_of_the_engine_at_a_timer_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot happen stops with a word, and does not hang."""

    def broken(scheduler: Scheduler, at: float) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Scheduler, "look_again", broken)
    tree = TreeBuilder("root").add_child("a", task=fail, retry=Retry(on=OSError, wait_jitter=0)).build()
    with pytest.raises(RuntimeError, match="a fault"):
        await AsyncExecutor(tree).run()


@pytest.mark.parametrize("again", ["attempt", "run"])
async def test_claim_lasts_no_longer_than_its_attempt(again: str) -> None:
    """Who has caught a child's failure once has not caught the next one."""
    told: list[str] = []

    async def body(node: TaskNode) -> Spawns[None]:
        try:
            yield JOIN
        except TaskFailed as error:
            told.append(str(error))
            if len(told) > 1:
                raise
            if again == "attempt":
                raise OSError("once more") from None

    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("body", task=body, max_retries=int(again == "attempt"))
        .add_child("bad", task=fail)
        .build()
    )
    if again == "run":
        assert await ended(tree) is None
        tree.reset()

    assert isinstance(await ended(tree), TreeFailed)
    assert told == ["child 'bad' failed: bad is broken"] * 2


async def test_kind_of_a_body_may_be_a_word_of_the_users() -> None:
    """Only a `BodyKind` says how a body is driven."""

    class Job:
        kind = "nightly"

        async def __call__(self, node: TaskNode) -> int:
            return 1

    tree = TreeBuilder("root").add_child("a", task=Job()).build()
    await AsyncExecutor(tree).run()

    assert tree.root.children[0].result == 1


async def test_late_children_with_equal_dependencies_all_wait() -> None:
    """The short way for nodes like one before is for those that need nothing."""
    order: list[str] = []

    async def say(node: TaskNode) -> None:
        await anyio.sleep(1)
        order.append(node.id)

    async def add(node: TaskNode) -> None:
        for name in ("x", "y"):
            node.add_child(TaskNode(name, task_fn=say, depends_on=["slow"]))

    await AsyncExecutor(TreeBuilder("root").add_child("slow", task=say).add_child("adds", task=add).build()).run()

    assert (order[0], sorted(order[1:])) == ("slow", ["x", "y"])


async def test_late_node_whose_optional_dependency_has_failed_runs() -> None:
    """It waits for an end, and that has been."""

    async def add(node: TaskNode) -> None:
        tree.root.add_child(TaskNode("late", task_fn=ok, depends_on=[optional("bad")]))

    tree = (
        TreeBuilder("root", on_failure="continue", config=ONCE)
        .add_child("bad", task=fail)
        .add_child("adds", task=add, depends_on=[optional("bad")])
        .build()
    )
    await ended(tree)

    assert statuses(tree)["late"] == "done"


async def test_condition_in_a_sequence_is_asked_of_a_body() -> None:
    """Its turn has come, and it still has no say."""
    tree = (
        TreeBuilder("root", parallel=False)
        .add_child("no", task=ok, when=lambda _: False)
        .add_child("next", task=ok)
        .build()
    )
    await ended(tree)

    assert statuses(tree) == {"root": "done", "no": "skipped", "next": "done"}
