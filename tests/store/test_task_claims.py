"""No task runs twice at once: claims on the tasks of a tree, and what becomes of those of the dead."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

import anyio
import pytest

from tests.store.tasks import Desk, needs, of, statuses
from treetask import Registry
from treetask.store import JournalError, RunOwnedError, Store, TaskManager, TaskRepository, TaskState
from treetask.store._process import current_process

pytestmark = pytest.mark.anyio

OTHER = textwrap.dedent(
    """
    import sys
    import anyio
    from treetask import Registry
    from treetask.store import TaskManager, create_session

    tree = Registry("tree")

    @tree.task
    async def quick() -> str:
        return "kept"

    @tree.task
    async def slow() -> None:
        print("running", flush=True)
        await anyio.sleep_forever()

    async def main():
        manager = TaskManager(create_session(sys.argv[1]), executors=tree)
        await manager.distribute_task_tree(await manager.task_repository.get_task_tree(sys.argv[2]))

    anyio.run(main)
    """
)


@contextmanager
def other_process(url: str, root_id: str) -> Generator[subprocess.Popen[str]]:
    """Another process that distributes a tree, once it has come to the task that never ends."""
    process = subprocess.Popen([sys.executable, "-c", OTHER, url, root_id], stdout=subprocess.PIPE, encoding="utf-8")
    try:
        stdout: IO[str] | None = process.stdout
        assert stdout is not None
        assert stdout.readline() == "running\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def again(log: list[str]) -> Registry:
    """Executors of the same names, which end."""
    tree = Registry("tree")

    @tree.task
    async def quick() -> str:
        log.append("quick")
        return "again"

    @tree.task
    async def slow() -> str:
        log.append("slow")
        return "done"

    return tree


def claims(store: Store) -> list[Any]:
    """What is claimed."""
    with store.reading() as connection:
        rows = connection.rows("select claim from tasks where claim is not null")
        return rows + connection.rows("select id from claims")


def owned(root: str, pid: int, host: str) -> str:
    """The pattern of the error that names the owner."""
    return (
        f"^the tree of {re.escape(root)} is already driven by process {pid} on {re.escape(host)} since "
        r"[0-9-]{10} [0-9:]{8}; wait until it has ended, or end it there$"
    )


async def test_tree_that_is_distributed_is_refused(store: Store) -> None:
    """Row 29: as a whole, in part, and for changes; the first goes on as if nothing had been asked."""
    tree = Registry("tree")
    begun, go_on = anyio.Event(), anyio.Event()
    runs: list[str] = []

    @tree.task
    async def wait() -> None:
        runs.append("wait")
        begun.set()
        await go_on.wait()

    tasks = (manager := TaskManager(store, executors=tree)).task_repository
    root = await tasks.create_task(name="folder", id="r")
    child = await tasks.create_task(name="wait", id="c", parent_id=root.id)
    first = await tasks.get_task_tree(root.id)
    here = current_process()
    async with anyio.create_task_group() as group:
        group.start_soon(manager.distribute_task_tree, first)
        await begun.wait()
        with pytest.raises(RunOwnedError, match=owned("task 'folder' (r)", here.pid, here.host)):
            await manager.distribute_task_tree(await tasks.get_task_tree(root.id))
        with pytest.raises(RunOwnedError, match=owned("task 'wait' (c)", here.pid, here.host)):
            await manager.distribute_task_tree(await tasks.get_task_tree(child.id))
        for change in (tasks.update_task(child.id, priority=1), tasks.delete_task(root.id, subtree=True)):
            with pytest.raises(RunOwnedError):
                await change
        go_on.set()

    assert statuses(first) == [("folder", "completed"), ("wait", "completed")]
    assert runs == ["wait"]
    assert claims(store) == []


async def test_one_of_two_that_begin_at_once_is_refused(store: Store) -> None:
    """And the tasks run once."""
    desk = Desk(store)
    root = await desk.make("folder")
    for number in range(20):
        await desk.make("note", root, word=str(number))
    outcomes: list[object] = []

    async def distribute() -> None:
        tree = await desk.tasks.get_task_tree(root.id)
        try:
            outcomes.append(await desk.manager.distribute_task_tree(tree))
        except RunOwnedError as error:
            outcomes.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(distribute)
        group.start_soon(distribute)

    assert len(desk.log) == 20
    assert claims(store) == []


@pytest.mark.slow
async def test_tree_of_another_process_is_refused_until_it_is_killed(store_url: str) -> None:
    """What it completed is kept, what it was at runs again."""
    with Store(store_url) as store:
        log: list[str] = []
        tasks = (manager := TaskManager(store, executors=again(log))).task_repository
        root = await tasks.create_task(name="folder", id="r")
        quick = await tasks.create_task(name="quick", parent_id=root.id)
        slow = await tasks.create_task(name="slow", parent_id=root.id, dependencies=needs(quick))
        with other_process(store_url, root.id) as process:
            with anyio.fail_after(20):
                status = TaskState.PENDING
                while status is not TaskState.IN_PROGRESS:
                    status = (await tasks.get_task_by_id(slow.id)).status
            with pytest.raises(RunOwnedError, match=owned("task 'folder' (r)", process.pid, current_process().host)):
                await manager.distribute_task_tree(await tasks.get_task_tree(root.id))
        done = await manager.distribute_task_tree(await tasks.get_task_tree(root.id))

        assert (of(done, quick).result, of(done, slow).result) == ("kept", "done")
        assert log == ["slow"]
        assert claims(store) == []


def claim_elsewhere(store: Store, task_id: str, host: str, *, beat_ago: float) -> None:
    """Let another host have a task."""
    with store.transaction() as connection:
        now = time.time()
        columns = ("id", "root", "host", "pid", "process_started", "claimed_at", "heartbeat_at")
        connection.insert("claims", columns, [("x", "r", host, 5, 1.0, now, now - beat_ago)])
        connection.execute("update tasks set claim = 'x', status = 'in_progress' where id = ?", [task_id])


async def test_owner_on_another_host_is_believed_for_as_long_as_it_gives_signs(store: Store) -> None:
    """After 30 seconds without one it is taken for dead."""
    desk = Desk(store)
    task = await desk.make("note", id="a")
    claim_elsewhere(store, "a", "far.away", beat_ago=29)
    with pytest.raises(RunOwnedError, match=owned("task 'note' (a)", 5, "far.away")):
        await desk.run(task)

    with store.transaction() as connection:
        connection.execute("update claims set heartbeat_at = heartbeat_at - 2")
    assert (await desk.run(task)).task.status == "completed"
    assert claims(store) == []


async def test_owner_of_this_host_that_is_gone_is_dead_at_once(store: Store) -> None:
    """Its number may be in use again, by another process that began at another time."""
    desk = Desk(store)
    task = await desk.make("note", id="a")
    claim_elsewhere(store, "a", current_process().host, beat_ago=0)

    assert (await desk.run(task)).task.status == "completed"
    assert socket.gethostname() in current_process().host


async def test_claim_that_could_not_be_given_back_holds_nobody_up(store: Store) -> None:
    """Nobody in this process runs these tasks any more, though the process lives."""
    desk = Desk(store)
    task = await desk.make("note", id="a")
    claim_elsewhere(store, "a", current_process().host, beat_ago=0)
    with store.transaction() as connection:
        here = current_process()
        connection.execute("update claims set pid = ?, process_started = ?", [here.pid, here.started])

    assert (await desk.run(task)).task.status == "completed"


async def test_run_whose_tasks_were_taken_over_is_stopped(store: Store) -> None:
    """It writes nothing any more, as another one does."""
    tree = Registry("tree")
    ended: list[str] = []

    @tree.task
    async def first() -> None:
        with store.transaction() as connection:
            connection.execute("delete from claims")

    @tree.task
    async def second() -> None:
        ended.append("second")

    tasks: TaskRepository = (manager := TaskManager(store, executors=tree)).task_repository
    root = await tasks.create_task(name="first")
    await tasks.create_task(name="second", parent_id=root.id, dependencies=needs(root))
    message = (
        f"the run was stopped, as its journal cannot be written: store {store.url}: the tasks were taken over by "
        "another process, as this one gave no sign of life for 30 s"
    )
    with pytest.raises(JournalError, match=f"^{re.escape(message)}$"):
        await manager.distribute_task_tree(await tasks.get_task_tree(root.id))

    assert ended == []


async def test_store_that_is_lost_stops_the_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 32: with that error. What was at work has failed, and can be distributed again."""
    tree = Registry("tree")
    ran: list[str] = []
    is_broken = True

    @tree.task
    async def first() -> None:
        ran.append("first")
        if is_broken:
            with store.transaction() as connection:
                connection.execute("alter table claims rename to lost")

    @tree.task
    async def second() -> None:
        ran.append("second")

    tasks = (manager := TaskManager(store, executors=tree)).task_repository
    root = await tasks.create_task(name="first", id="a")
    await tasks.create_task(name="second", parent_id=root.id, dependencies=needs(root))
    with pytest.raises(JournalError, match=r"^the run was stopped, as its journal cannot be written: store .*claims"):
        await manager.distribute_task_tree(await tasks.get_task_tree(root.id))
    assert ran == ["first"]

    with store.transaction() as connection:
        connection.execute("alter table lost rename to claims")
    is_broken = False
    done = await manager.distribute_task_tree(await tasks.get_task_tree(root.id))
    assert done.calculate_status() == "completed"
    assert ran == ["first", "first", "second"]
