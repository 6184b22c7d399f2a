"""What is asked for when a run ends, or cannot begin: nothing is started any more, and nothing is lost in silence."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest

from tests.engine.support import ended, ok, statuses
from tests.sentences import exactly
from treetask import (
    AsyncExecutor,
    FinishedParentError,
    Registry,
    TaskNode,
    TaskTree,
    TreeBuilder,
    TreeRunningError,
    TreeTaskError,
)
from treetask.engine._loop import Worker, current_loop
from treetask.engine._timers import Timers

pytestmark = pytest.mark.anyio


async def test_timers_that_are_closed_take_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for after the end starts no task: on trio there would be no place for it."""
    started: list[Worker] = []
    loop = current_loop()
    monkeypatch.setattr(loop, "start", started.append)
    timers = Timers(loop, lambda act: act())
    timers.close()
    timers.at(0, started.clear)
    assert started == []


async def test_child_added_after_the_run_is_refused() -> None:
    """Under a finished parent nothing would ever start it, whether the run lasts or is over."""
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


async def test_question_of_a_thread_that_comes_too_late_is_answered() -> None:
    """Asked in the last moment, when the loop will not come to it any more: refused, not left waiting for ever."""
    answers: list[str] = []
    threads: list[threading.Thread] = []

    def ask() -> None:
        try:
            tree.root.add_child(TaskNode("late", task_fn=ok))
        except TreeTaskError as refused:
            answers.append(str(refused))

    def when_done(tree: TaskTree) -> None:
        if tree.root.is_done() and not threads:
            threads.append(threading.Thread(target=ask))
            threads[0].start()
            assert executor._run is not None
            while not executor._run._questions.open:
                pass

    tree = TreeBuilder("t").add_child("a", task=ok).build()
    executor = AsyncExecutor(tree, on_update=when_done)
    assert await ended(executor) is None
    await anyio.to_thread.run_sync(threads[0].join)

    # The loop may come to it in its last turn, or not any more.
    (answer,) = answers
    assert answer in {"the run of 't' has ended", str(FinishedParentError("t", "done", "late"))}


async def test_question_to_a_run_that_is_over_is_answered() -> None:
    """A thread that reached the run before its end and asks after it hears so."""
    tree = TreeBuilder("t").add_child("a", task=ok).build()
    executor = AsyncExecutor(tree)
    assert await ended(executor) is None
    assert executor._run is not None

    with pytest.raises(TreeRunningError, match=exactly("the run of 't' has ended")):
        await anyio.to_thread.run_sync(executor._run.add, TaskNode("late", task_fn=ok), tree.root)
