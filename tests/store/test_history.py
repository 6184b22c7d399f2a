"""The next run knows how long things take."""

from __future__ import annotations

import pytest

from tests.engine.support import ended, fail, ok
from treetask import AsyncExecutor, TaskNode, TaskTree, TreeBuilder, TreeFailed
from treetask.model import Forecast, remaining_seconds
from treetask.store import NewRun, RunStatus, Store

pytestmark = pytest.mark.anyio


def two_tasks() -> TaskTree:
    """Return a tree that is made anew for each run."""
    return TreeBuilder("root").add_child("a", task=ok).add_child("b", task=ok).build()


def lasts(store: Store, run: int, seconds: float, **work: float) -> None:
    """Let a run have lasted so long, and each of its tasks."""
    with store.transaction() as connection:
        connection.execute("update runs set ended_at = started_at + ? where id = ?", (seconds, run))
        for declaration, each in work.items():
            connection.execute(
                "update durations set seconds = ? where run = ? and declaration = ?", (each, run, declaration)
            )


async def test_forecast_is_the_middle_of_the_last_runs(store: Store) -> None:
    """Of the whole and of each task; without an earlier run there is none."""
    first = two_tasks()
    await AsyncExecutor(first, store=store).run()
    assert first.forecast is None
    for _ in range(2):
        await AsyncExecutor(two_tasks(), store=store).run()
    for run, seconds in ((1, 10.0), (2, 12.0), (3, 1000.0)):
        lasts(store, run, seconds, a=seconds * 0.25, b=seconds * 0.75)

    seen: list[float | None] = []

    async def look(node: TaskNode) -> None:
        assert tree.forecast is not None
        seen.append(tree.forecast.share)

    tree = (
        TreeBuilder("root")
        .add_child("a", task=ok)
        .add_child("b", task=ok, depends_on=["a"])
        .add_child("c", task=look, depends_on=["a"])
        .add_child("d", task=look, depends_on=["b"])
        .build()
    )
    await AsyncExecutor(tree, store=store).run()
    assert tree.forecast is not None
    assert (tree.forecast.seconds, seen[0]) == (12.0, 0.25)
    assert tree.forecast.share == 1.0


async def test_run_that_failed_says_nothing_of_the_next(store: Store) -> None:
    """It may have stopped early."""

    async def fail(node: TaskNode) -> None:
        raise OSError

    tree = TreeBuilder("root").add_child("a", task=fail, max_retries=0).build()
    with pytest.raises(TreeFailed):
        await AsyncExecutor(tree, store=store).run()
    again = two_tasks()
    await AsyncExecutor(again, store=store).run()
    assert again.forecast is None


async def test_what_was_done_before_is_not_expected_again() -> None:
    """A run that is gone on with takes as long as the rest."""
    forecast = Forecast(100.0, {"a": (1.0, 10), "b": (3.0, 10)})
    assert (forecast.seconds, forecast.share) == (100.0, 0.0)
    for _ in range(10):
        forecast.leave_out("b")
    assert forecast.seconds == 25.0
    for _ in range(5):
        forecast.note_done("a")
    assert forecast.share == 0.5
    forecast.note_done("unheard of")
    assert forecast.share == 0.5


@pytest.mark.parametrize(
    ("elapsed", "share", "expected"),
    [(0.5, 0.5, None), (10.0, 0.01, None), (10.0, 0.25, 30.0), (10.0, 1.0, 0.0), (0.0, 0.0, None)],
)
def test_own_pace_counts_where_nothing_else_is_known(elapsed: float, share: float, expected: float | None) -> None:
    """As soon as there is something to go by."""
    assert remaining_seconds(elapsed, share, None) == expected


def test_own_pace_counts_the_more_the_more_is_done() -> None:
    """At first the history does alone."""
    forecast = Forecast(100.0, {"a": (1.0, 10)})
    assert remaining_seconds(0.0, 0.0, forecast) == 100.0
    for _ in range(5):
        forecast.note_done("a")
    # By the history 50 s are left, by its own pace 80 s.
    assert remaining_seconds(80.0, 0.5, forecast) == 65.0
    for _ in range(5):
        forecast.note_done("a")
    assert remaining_seconds(160.0, 1.0, forecast) == 0.0


def test_history_without_work_leaves_its_own_pace() -> None:
    """Tasks that took no time say nothing."""
    assert remaining_seconds(10.0, 0.5, Forecast(1.0, {})) == 10.0


async def test_tree_that_is_reset_expects_all_of_it_again(store: Store) -> None:
    """With a store and without one: what the run before has done is none of the next one's."""
    tree = two_tasks()
    await AsyncExecutor(tree, store=store).run()
    tree.reset()
    await AsyncExecutor(tree, store=store).run()
    assert tree.forecast is not None
    assert tree.forecast.share == 1.0
    tree.reset()
    assert tree.forecast is None


async def test_task_with_a_long_id_has_a_history(store: Store) -> None:
    """An index of PostgreSQL takes 2,704 bytes."""
    name = "".join(map(str, range(1200)))  # which no compression makes short enough
    for _ in range(2):
        tree = TreeBuilder("root").add_child(name, task=ok).build()
        await AsyncExecutor(tree, store=store).run()
    assert store.run().status is RunStatus.DONE


async def test_what_has_failed_is_expected_again(store: Store) -> None:
    """When a run is gone on with: only what was done is left out."""
    await AsyncExecutor(two_tasks(), store=store).run()
    lasts(store, 1, 10.0, a=2.5, b=7.5)
    broken = TreeBuilder("root").add_child("a", task=ok).add_child("b", task=fail).build()
    await ended(AsyncExecutor(broken, store=store))
    tree = two_tasks()
    journal = store.resume().open_journal(tree)
    assert tree.forecast is not None
    assert tree.forecast.seconds == pytest.approx(7.5)
    journal.close()


async def test_part_of_a_run_says_nothing_of_the_whole(store: Store) -> None:
    """Neither one that took over what another has done, nor one of a selection."""
    await AsyncExecutor(two_tasks(), store=store).run()
    lasts(store, 1, 10.0)
    rest = two_tasks()
    await AsyncExecutor(rest, store=NewRun(store, past_of=store.run())).run()
    selected = two_tasks()
    selected.select(only=["a"])
    await AsyncExecutor(selected, store=store).run()
    again = two_tasks()
    await AsyncExecutor(again, store=store).run()
    assert again.forecast is not None
    assert again.forecast.seconds == 10.0
