"""What is asked for when a run ends, or cannot begin: nothing is started any more, and nothing is lost in silence."""

from __future__ import annotations

import pytest

from tests.engine.support import ended, ok, statuses
from treetask import FinishedParentError, Registry, TaskNode, TreeBuilder, TreeTaskError
from treetask.engine._loop import Worker, current_loop
from treetask.engine._timers import Timers

pytestmark = pytest.mark.anyio


async def test_timers_that_are_closed_take_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for after the end starts no task: on trio there would be no place for it."""
    started: list[Worker] = []
    loop = current_loop()
    monkeypatch.setattr(loop, "start", started.append)
    timers = Timers(loop)
    timers.close()
    timers.at(0, started.clear)
    assert started == []


async def test_child_added_after_the_run_is_refused() -> None:
    """R6: under a finished parent nothing would ever start it, whether the run lasts or is over."""
    tree = TreeBuilder("t").add_node("a", task=ok).build()
    assert await ended(tree) is None
    with pytest.raises(FinishedParentError) as refused:
        tree.root.add_child(TaskNode("late", task_fn=ok))
    assert str(refused.value) == (
        "node 'late' cannot be added: its parent 't' is already done; add it before the parent ends, or to a node that "
        "still runs"
    )
    assert statuses(tree) == {"t": "done", "a": "done"}


async def test_run_sync_on_a_running_loop_is_refused_with_the_fix() -> None:
    """It would block the loop that it was called on; what to write instead is said."""
    with pytest.raises(TreeTaskError) as refused:
        Registry("t").run_sync()
    assert str(refused.value) == (
        "'t': run_sync was called on a running event loop, which it would block; write: await run()"
    )
