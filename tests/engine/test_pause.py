"""Holding back starts: before the run, during it, more than once, with others waiting."""

from __future__ import annotations

import threading

import anyio
import pytest

from tests.engine.support import Log, ended, forever, node_of, sleeps, statuses, turns
from treetask import AsyncExecutor, TreeBuilder, TreeTaskConfig
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


async def test_pause_before_the_run_holds_back_the_first_body(virtual_clock: VirtualClock) -> None:
    """A paused executor's run begins, and starts nothing until it is resumed."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=log.body()).build()
    executor = AsyncExecutor(tree)
    executor.pause()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(100)
        assert (log, statuses(tree), executor.is_paused) == ([], {"root": "working", "a": "pending"}, True)
        executor.resume()

    assert (log, executor.is_paused) == (["a begins", "a ends"], False)


async def test_resume_before_the_run_takes_a_pause_back() -> None:
    """Pausing and resuming without a run leaves nothing behind."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=log.body()).build()
    executor = AsyncExecutor(tree)
    executor.pause()
    executor.resume()

    await executor.run()

    assert log == ["a begins", "a ends"]


async def test_what_runs_goes_on_while_paused(virtual_clock: VirtualClock) -> None:
    """Pause holds back starts only: running bodies end, what follows them waits."""
    log = Log()
    tree = TreeBuilder("root", parallel=False).add_child("a", task=log.body(5)).add_child("b", task=log.body()).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(1)
        executor.pause()
        await anyio.sleep(50)
        assert log == ["a begins", "a ends"]
        executor.resume()

    assert log == ["a begins", "a ends", "b begins", "b ends"]


async def test_second_pause_keeps_waiting_nodes_waiting() -> None:
    """Pausing twice is pausing once, and one resume ends it; nobody waits for ever."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=log.body()).add_child("b", task=log.body()).build()
    executor = AsyncExecutor(tree)
    executor.pause()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await turns()
        executor.pause()
        await turns()
        assert log == []
        executor.resume()
        executor.resume()

    assert sorted(log) == ["a begins", "a ends", "b begins", "b ends"]


async def test_pause_while_nodes_wait_for_slots() -> None:
    """A slot that comes free while paused is handed out after the resume."""
    log = Log()
    builder = TreeBuilder("root", config=TreeTaskConfig(max_concurrency=2))
    for number in range(4):
        builder.add_child(f"{number}", task=log.body(2))
    executor = AsyncExecutor(builder.build())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(1)
        executor.pause()
        await anyio.sleep(50)
        assert sorted(log) == ["0 begins", "0 ends", "1 begins", "1 ends"]
        executor.resume()

    assert sorted(log[4:]) == ["2 begins", "2 ends", "3 begins", "3 ends"]


async def test_pause_and_resume_from_another_thread() -> None:
    """Both reach a loop that has nothing to do."""
    log = Log()
    tree = TreeBuilder("root").add_child("a", task=log.body()).build()
    executor = AsyncExecutor(tree)
    executor.pause()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await turns()
        threading.Thread(target=executor.resume).start()

    assert log == ["a begins", "a ends"]


async def test_cancel_while_paused_ends_the_run() -> None:
    """A paused run can be stopped; what never started is cancelled."""
    tree = TreeBuilder("root").add_child("runs", task=forever).build()
    executor = AsyncExecutor(tree)
    executor.pause()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await turns()
        executor.cancel()

    assert statuses(tree) == {"root": "cancelled", "runs": "cancelled"}


async def test_time_of_an_attempt_goes_on_while_paused() -> None:
    """What runs is bounded as ever."""
    tree = TreeBuilder("root", config=TreeTaskConfig(max_retries=0)).add_child("a", task=sleeps(99), timeout=5).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ended, executor)
        await anyio.sleep(1)
        executor.pause()

    assert node_of(tree, "a").status == "timed_out"


async def test_repeated_attempt_is_a_start(virtual_clock: VirtualClock) -> None:
    """A node that failed while the run was paused waits with its next attempt."""

    async def fail_once(node: object) -> None:
        await anyio.sleep(5)
        if not node_of(tree, "flaky").retry_count:
            raise OSError("not yet")

    tree = TreeBuilder("root").add_child("flaky", task=fail_once).build()
    executor = AsyncExecutor(tree)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run)
        await anyio.sleep(1)
        executor.pause()
        await anyio.sleep(50)
        assert node_of(tree, "flaky").status == "retrying"
        executor.resume()

    assert (node_of(tree, "flaky").status, virtual_clock.now()) == ("done", 56)


async def test_cancel_of_the_root_ends_a_paused_run() -> None:
    """It is the end of the run by another name: what is left to start cleans up, and does not wait for `resume`."""
    tree = TreeBuilder("root").add_child("a", task=forever).add_child("z", task=sleeps(1), always=True).build()
    executor = AsyncExecutor(tree)

    with anyio.fail_after(50):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended, executor)
            await anyio.sleep(1)
            executor.pause()
            await anyio.sleep(1)
            tree.root.cancel()

    assert statuses(tree) == {"root": "cancelled", "a": "cancelled", "z": "done"}
