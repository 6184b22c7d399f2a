"""Runs on record: who drives them, which are history, and which may go."""

from __future__ import annotations

import pytest

from tests.engine.support import ok
from treetask import AsyncExecutor, TreeBuilder
from treetask.store import NewRun, RunOwnedError, RunStatus, Store

pytestmark = pytest.mark.anyio


def driven_elsewhere(store: Store, *, beat_ago: float) -> int:
    """Enter a run that another host drives, which has said so many seconds ago that it is there."""
    run = NewRun(store).open_journal(TreeBuilder("root").build()).run
    with store.transaction() as connection:
        connection.execute(
            "update runs set host = 'elsewhere', heartbeat_at = heartbeat_at - ? where id = ?", (beat_ago, run)
        )
    return run


async def test_driver_elsewhere_is_there_as_long_as_it_says_so(store: Store) -> None:
    """It may have missed a few signs of life; after half a minute without one the run can be gone on with."""
    run = driven_elsewhere(store, beat_ago=25.0)
    assert store.run(run).status is RunStatus.RUNNING
    with pytest.raises(RunOwnedError, match=rf"^run {run} is already driven by process \d+ on elsewhere since "):
        await AsyncExecutor(TreeBuilder("root").build(), store=store.resume(run)).run()
    run = driven_elsewhere(store, beat_ago=31.0)
    assert store.run(run).status is RunStatus.LOST
    await AsyncExecutor(TreeBuilder("root").build(), store=store.resume(run)).run()
    assert store.run(run).status is RunStatus.DONE


async def test_run_that_lasts_is_not_pruned(store: Store) -> None:
    """However old it is; one whose driver is lost goes like the others."""
    lasting, lost = driven_elsewhere(store, beat_ago=0.0), driven_elsewhere(store, beat_ago=31.0)
    await AsyncExecutor(TreeBuilder("root").build(), store=store).run()
    assert store.prune(0) == [lost + 1, lost]
    assert [run.id for run in store.runs()] == [lasting]


async def test_run_that_was_gone_on_with_is_no_history(store: Store) -> None:
    """How long it took in all says nothing of one without a break."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    journal = NewRun(store).open_journal(tree)
    with store.transaction() as connection:
        connection.execute("update runs set status = 'cancelled' where id = ?", (journal.run,))
    await AsyncExecutor(tree, store=store.resume()).run()
    assert store.run().status is RunStatus.DONE
    again = TreeBuilder("root").add_child("a", task=ok).build()
    await AsyncExecutor(again, store=store).run()
    assert again.forecast is None


async def test_end_is_not_entered_by_one_that_drives_no_more(store: Store) -> None:
    """Somebody else has taken the run, and says how it ends."""
    tree = TreeBuilder("root").add_child("a", task=ok).build()
    first = NewRun(store).open_journal(tree)
    with store.transaction() as connection:
        connection.execute("update runs set resumes = resumes + 1, error = 'of another' where id = ?", (first.run,))
    with pytest.raises(RunOwnedError):
        first.close()
    assert (store.run().status, store.run().error) == (RunStatus.RUNNING, "of another")
