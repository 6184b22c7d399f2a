"""The task manager: trees of stored tasks, run by the engine, with every outcome in the store."""

from __future__ import annotations

import asyncio
import math
import re
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.engine.support import turns
from tests.store.tasks import Desk, needs, of, shop, statuses
from treetask import (
    JOIN,
    Limit,
    Registry,
    Retry,
    Return,
    RunTimeoutError,
    Spawns,
    SyncSpawns,
    TaskNode,
    TreeFailed,
    TreeTaskConfig,
)
from treetask.store import Store, TaskManager, TaskState, TaskTreeNode, create_session

pytestmark = pytest.mark.anyio

ONE_AT_A_TIME = TreeTaskConfig(max_concurrency=1)


async def test_outcome_is_in_the_tree_and_in_the_store(store: Store) -> None:
    """The tree that was distributed shows what the store has; a folder is completed with its children."""
    desk = Desk(store)
    root = await desk.make("folder")
    child = await desk.make("note", root, word="hello", result={"n": [1, 2]})
    returned = await desk.run(root)

    assert statuses(returned) == [("folder", "completed"), ("note", "completed")]
    done = await desk.tasks.get_task_by_id(child.id)
    assert done == of(returned, child)
    assert (done.result, done.progress, done.error) == ({"n": [1, 2]}, 1.0, None)
    assert done.started_at is not None
    assert done.completed_at is not None
    assert child.created_at <= done.started_at <= done.completed_at
    assert await desk.tasks.get_task_by_id(root.id) == returned.task
    assert desk.log == ["hello"]


async def test_parents_only_file(store: Store) -> None:
    """A child may start before its parent's body has ended, and the parent goes on if it fails."""
    tree = Registry("tree")
    child_ran = anyio.Event()

    @tree.task
    async def parent() -> str:
        await child_ran.wait()
        return "after the child"

    @tree.task
    async def child() -> None:
        child_ran.set()
        raise ValueError("of the child")

    desk = TaskManager(store, executors=tree)
    root = await desk.task_repository.create_task(name="parent")
    await desk.task_repository.create_task(name="child", parent_id=root.id)
    done = await desk.distribute_task_tree(await desk.task_repository.get_task_tree(root.id))

    assert statuses(done) == [("parent", "completed"), ("child", "failed")]
    assert done.task.result == "after the child"
    assert done.children[0].task.error == "ValueError: of the child"
    assert done.calculate_status() == "failed"


async def test_dependency_on_an_own_ancestor_waits_for_its_body(store: Store) -> None:
    """A chain in which each task is below the one that it needs; of a folder there is no body to wait for."""
    desk = Desk(store)
    folder = await desk.make("folder")
    first = await desk.make("note", folder, word="1", result="one", dependencies=needs(folder))
    second = await desk.make("note", first, word="2", dependencies=needs(first))
    third = await desk.make("gather", second, dependencies=needs(first, second, folder))
    done = await desk.run(folder)

    assert desk.log == ["1", "2", "gather"]
    assert of(done, third).result == {first.id: "one", second.id: None, folder.id: None}


async def test_dependency_means_the_body_not_what_is_below(store: Store) -> None:
    """A task waits for another one's body, while a task below that one waits for it in turn."""
    desk = Desk(store)
    root = await desk.make("folder")
    first = await desk.make("note", root, word="first")
    after = await desk.make("note", root, word="after", dependencies=needs(first))
    await desk.make("note", first, word="below the first", dependencies=needs(after))
    done = await desk.run(root)

    assert desk.log == ["first", "after", "below the first"]
    assert done.calculate_status() == "completed"


async def test_dependency_on_a_folder_waits_for_all_in_it(store: Store) -> None:
    """It is completed with its children, and so is required to be."""
    desk = Desk(store)
    root = await desk.make("all")
    folder = await desk.make("folder", root)
    await desk.make("note", folder, word="1")
    await desk.make("note", folder, word="2")
    broken = await desk.make("broken folder", root)
    failing = await desk.make("fail", broken)
    last = await desk.make("note", root, word="last", dependencies=needs(folder))
    never = await desk.make("note", root, word="never", dependencies=needs(broken))
    done = await desk.run(root)

    assert desk.log[-1] == "last"
    assert sorted(desk.log) == ["1", "2", "fail", "last"]
    assert of(done, last).status == "completed"
    assert of(done, broken).error == f"not all tasks below it were completed: task 'fail' ({failing.id}) failed"
    assert of(done, never).error == (f"it did not run: it depends on task 'broken folder' ({broken.id}), which failed")


async def test_dependent_of_what_failed_is_cancelled_and_says_why(store: Store) -> None:
    """And so is who depends on it in turn; siblings go on."""
    desk = Desk(store)
    root = await desk.make("folder")
    bad = await desk.make("fail", root)
    second = await desk.make("note", root, word="second", dependencies=needs(bad))
    third = await desk.make("note", root, word="third", dependencies=needs(second))
    await desk.make("note", root, word="sibling")
    done = await desk.run(root)

    assert sorted(desk.log) == ["fail", "sibling"]
    assert statuses(done) == [
        ("folder", "failed"),
        ("fail", "failed"),
        ("note", "cancelled"),
        ("note", "cancelled"),
        ("note", "completed"),
    ]
    assert of(done, bad).error == "ValueError: fail went wrong"
    assert of(done, second).error == f"it did not run: it depends on task 'fail' ({bad.id}), which failed"
    assert of(done, third).error == f"it did not run: it depends on task 'note' ({second.id}), which was cancelled"
    assert await desk.tasks.get_task_by_id(third.id) == of(done, third)


async def test_optional_dependency_is_a_fallback(store: Store) -> None:
    """Who does not require another one runs after it, however it ended, and has its result only if there is one."""
    desk = Desk(store)
    primary = await desk.make("fail", word="primary")
    fallback = await desk.make("note", primary, word="fallback", result=2, dependencies=needs(primary, required=False))
    final = await desk.make("gather", primary, dependencies=needs(primary, fallback, required=False))
    done = await desk.run(primary)

    assert desk.log == ["primary", "fallback", "gather"]
    assert of(done, final).result == {fallback.id: 2}


async def test_priority_orders_those_that_may_start(store: Store) -> None:
    """0 is first; dependencies come before priorities."""
    desk = Desk(store, config=ONE_AT_A_TIME)
    root = await desk.make("folder")
    normal = await desk.make("note", root, word="normal")
    await desk.make("note", root, word="low", priority=3)
    await desk.make("note", root, word="waits", priority=0, dependencies=needs(normal))
    await desk.make("note", root, word="high", priority=1)
    await desk.make("note", root, word="urgent", priority=0)
    await desk.run(root)

    # It may be that 'low' begins while the end of 'normal' is being written.
    assert desk.log.index("waits") > desk.log.index("normal")
    assert [word for word in desk.log if word != "waits"] == ["urgent", "high", "normal", "low"]


async def test_results_become_inputs_by_id_or_by_a_name(store: Store) -> None:
    """A parameter of that name takes one, `inputs` takes all; what has no parameter orders only."""
    tree = Registry("tree")

    @tree.task
    async def number(value: int) -> int:
        return value

    @tree.task
    def add(left: int, right: int = 100) -> int:
        return left + right

    @tree.task
    async def everything(**values: int) -> list[tuple[str, int]]:
        return sorted(values.items())

    desk = TaskManager(store, executors=tree)
    tasks = desk.task_repository
    root = await tasks.create_task(name="folder")
    one = await tasks.create_task(name="number", parent_id=root.id, inputs={"value": 1})
    two = await tasks.create_task(name="number", parent_id=root.id, inputs={"value": 2}, id="right")
    first = await tasks.create_task(
        name="add", parent_id=root.id, dependencies=[{"id": one.id, "as": "left"}, {"id": two.id}]
    )
    second = await tasks.create_task(name="add", parent_id=root.id, inputs={"left": 5}, dependencies=[one.id])
    third = await tasks.create_task(
        name="everything", parent_id=root.id, inputs={"a": 0}, dependencies=[{"id": one.id, "as": "b"}, two.id]
    )
    done = await desk.distribute_task_tree(await tasks.get_task_tree(root.id))

    assert of(done, first).result == 3
    assert of(done, second).result == 105
    assert of(done, third).result == [["a", 0], ["b", 1], ["right", 2]]


async def test_executor_that_is_not_there_fails_its_task(store: Store) -> None:
    """By name, with the closest that there are; its siblings run."""
    desk = Desk(store)
    root = await desk.make("folder")
    wrong = await desk.make("noted", root)
    await desk.make("note", root, word="sibling")
    done = await desk.run(root)

    assert of(done, wrong).status == "failed"
    assert of(done, wrong).error == (
        f"task 'noted' ({wrong.id}): there is no executor 'noted' (did you mean 'note'?), and no task is below it"
    )
    assert desk.log == ["sibling"]


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"wrod": "a"}, "has no parameter 'wrod' (did you mean 'word'?); it takes (word, result=None)"),
        ({}, "needs 'word'; it takes (word, result=None)"),
    ],
)
async def test_inputs_that_do_not_fit_fail_their_task(store: Store, inputs: dict[str, Any], problem: str) -> None:
    """Before its body begins."""
    desk = Desk(store)
    task = await desk.tasks.create_task(name="note_in_thread", inputs=inputs)
    done = await desk.run(task)

    assert done.task.status == "failed"
    assert done.task.error == f"task 'note_in_thread' ({task.id}): executor 'note_in_thread' {problem}"
    assert desk.log == []


@pytest.mark.parametrize("name", ["note", "note_in_thread"])
async def test_result_that_is_no_json_fails_its_task(store: Store, name: str) -> None:
    """It could not be kept, nor handed to who depends on it."""
    tree = Registry("tree")

    @tree.task
    async def note() -> object:
        return {"a": {1, 2}}

    @tree.task
    def note_in_thread() -> object:
        return {"a": math.inf}

    desk = TaskManager(store, executors=tree)
    task = await desk.task_repository.create_task(name=name)
    done = await desk.distribute_task_tree(TaskTreeNode(task))

    found = {"note": "{1, 2} (a set)", "note_in_thread": "inf"}[name]
    assert done.task.error == (
        f"task '{name}' ({task.id}): its result['a'] is {found}, which has no form in JSON; use dicts with strings as "
        "keys, lists, strings, finite numbers, True, False and None"
    )


async def test_large_result_is_kept_whole(store: Store) -> None:
    """It is written down in a thread."""
    desk = Desk(store)
    result = {"rows": [[number, str(number)] for number in range(3_000)]}
    task = await desk.make("note", result=result)
    await desk.run(task)

    assert (await desk.tasks.get_task_by_id(task.id)).result == result


async def test_text_that_no_database_takes_is_kept(store: Store) -> None:
    """In a result as it is, in an error written out."""
    tree = Registry("tree")

    @tree.task
    async def good() -> str:
        return "a\0b\udc80"

    @tree.task
    async def bad() -> None:
        raise ValueError("a\0b\udc80")

    tasks = (manager := TaskManager(store, executors=tree)).task_repository
    root = await tasks.create_task(name="good")
    child = await tasks.create_task(name="bad", parent_id=root.id)
    done = await manager.distribute_task_tree(await tasks.get_task_tree(root.id))

    assert (await tasks.get_task_by_id(root.id)).result == "a\0b\udc80"
    assert of(done, child).error == "ValueError: a\\x00b\\udc80"
    assert await tasks.get_task_by_id(child.id) == of(done, child)


async def test_failed_tree_goes_on_where_it_stopped(store: Store) -> None:
    """What is completed is kept, with its result for who needs it; the rest runs, those included that did not then."""
    desk = Desk(store)
    root = await desk.make("folder")
    first = await desk.make("note", root, word="first", result=1)
    bad = await desk.make("fail", root, dependencies=needs(first))
    last = await desk.make("gather", root, dependencies=needs(first, bad))
    await desk.run(root)
    assert desk.log == ["first", "fail"]

    kept = await desk.tasks.get_task_by_id(first.id)
    await desk.tasks.update_task(bad.id, name="note", inputs={"word": "mended", "result": 2})
    done = await desk.run(root)

    assert desk.log == ["first", "fail", "mended", "gather"]
    assert of(done, last).result == {first.id: 1, bad.id: 2}
    assert done.calculate_status() == "completed"
    assert await desk.tasks.get_task_by_id(first.id) == of(done, first)
    assert of(done, first).completed_at == kept.completed_at


async def test_completed_tree_is_left_as_it_is(store: Store) -> None:
    """A task that is made pending runs again, alone."""
    desk = Desk(store)
    root = await desk.make("folder")
    first = await desk.make("note", root, word="first")
    await desk.make("note", root, word="second", dependencies=needs(first))
    done = await desk.run(root)
    again = await desk.run(root)

    assert desk.log == ["first", "second"]
    times = [(node.task.started_at, node.task.completed_at) for node in done.walk()]
    assert [(node.task.started_at, node.task.completed_at) for node in again.walk()] == times

    await desk.tasks.update_task(first.id, status="pending")
    assert (await desk.run(root)).calculate_status() == "completed"
    assert desk.log == ["first", "second", "first"]


async def test_tree_of_stale_records_is_read_anew(store: Store) -> None:
    """What is run is what the store has now, not what it had when the nodes were made."""
    desk = Desk(store)
    task = await desk.make("note", word="old")
    await desk.tasks.update_task(task.id, inputs={"word": "new"})
    await desk.manager.distribute_task_tree(TaskTreeNode(task))

    assert desk.log == ["new"]


async def test_task_without_a_parent_gets_the_one_that_it_is_put_below(store: Store) -> None:
    """The store has the tree then that was distributed."""
    desk = Desk(store)
    root = await desk.make("note", word="root")
    other = await desk.make("note", word="other", dependencies=needs(root))
    node = TaskTreeNode(root)
    node.add_child(TaskTreeNode(other))
    await desk.manager.distribute_task_tree(node)

    assert desk.log == ["root", "other"]
    assert [each.task.id for each in (await desk.tasks.get_task_tree(root.id)).walk()] == [root.id, other.id]


async def test_options_of_the_executor_hold(store: Store) -> None:
    """Retries, timeouts and limits are those of the declaration; tasks have no retries unasked."""
    tree = Registry("tree")
    one = tree.limit("one", max_concurrency=1)
    attempts: list[str] = []
    at_once: list[int] = [0, 0]

    @tree.task(retry=Retry(on=OSError, attempts=3, wait_initial=0, wait_jitter=0))
    async def flaky() -> int:
        attempts.append("flaky")
        if len(attempts) < 3:
            raise OSError("once more")
        return len(attempts)

    @tree.task(timeout=0.01)
    async def sleepy() -> None:
        await anyio.sleep_forever()

    @tree.task(limits=[one])
    async def limited() -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        await anyio.lowlevel.checkpoint()
        at_once[0] -= 1

    assert isinstance(one, Limit)
    tasks = (manager := TaskManager(store, executors=tree)).task_repository
    root = await tasks.create_task(name="folder")
    made = [await tasks.create_task(name=name, parent_id=root.id) for name in ("flaky", "sleepy", "limited", "limited")]
    done = await manager.distribute_task_tree(await tasks.get_task_tree(root.id))

    assert [of(done, task).status for task in made] == ["completed", "failed", "completed", "completed"]
    assert of(done, made[0]).result == 3
    assert of(done, made[1]).error == "timed out after 0.01 s"
    assert at_once[1] == 1


async def test_executor_may_take_its_node_parameters_and_resources(store: Store) -> None:
    """As in any other run; `params` fill the registry's parameters."""
    tree = Registry("tree")

    @dataclass(frozen=True)
    class Settings:
        env: str
        size: int = 3

    settings = tree.params(Settings)

    @tree.resource
    async def session() -> AsyncGenerator[list[str], None]:
        yield ["open"]

    @tree.task
    async def inline(
        node: TaskNode, word: str, env: str = settings.output.env, db: list[str] = session.output
    ) -> list[object]:
        node.progress = (1, 2)
        return [node.name, word, env, db]

    @tree.task
    def in_thread(word: str, size: int = settings.output.size, db: list[str] = session.output) -> list[object]:
        return [word, size, db]

    manager = TaskManager(store, executors=tree, params={"env": "prod"})
    root = await manager.task_repository.create_task(name="inline", inputs={"word": "a"})
    child = await manager.task_repository.create_task(
        name="in_thread", parent_id=root.id, inputs={"word": "b", "size": 4}
    )
    done = await manager.distribute_task_tree(await manager.task_repository.get_task_tree(root.id))

    assert done.task.result == ["inline (itself)", "a", "prod", ["open"]], done.task.error
    assert of(done, child).result == ["b", 4, ["open"]], of(done, child).error


async def test_spawners_are_executors_as_well(store: Store) -> None:
    """Their children run below the task; what they return is the result, and has to be JSON."""
    tree = Registry("tree")

    @tree.task
    async def square(number: int) -> int:
        return number * number

    @tree.group
    async def squares(count: int) -> Spawns[list[int]]:
        made = [square.child(number) for number in range(count)]
        yield made
        yield Return([await each for each in made])

    @tree.group
    def squares_in_thread(count: int) -> SyncSpawns[list[int]]:
        yield [square.child(number) for number in range(count)]
        results = yield JOIN
        return list(results)

    @tree.group
    async def wrong() -> Spawns[object]:
        yield Return({1})

    tasks = (manager := TaskManager(store, executors=tree)).task_repository
    root = await tasks.create_task(name="folder")
    first = await tasks.create_task(name="squares", parent_id=root.id, inputs={"count": 4})
    second = await tasks.create_task(name="squares_in_thread", parent_id=root.id, inputs={"count": 2})
    third = await tasks.create_task(name="wrong", parent_id=root.id)
    done = await manager.distribute_task_tree(await tasks.get_task_tree(root.id))

    assert of(done, first).result == [0, 1, 4, 9], of(done, first).error
    assert of(done, second).result == [0, 1], of(done, second).error
    assert (of(done, third).error or "").startswith(f"task 'wrong' ({third.id}): its result is {{1}} (a set), ")


async def test_result_of_an_attempt_that_failed_is_not_kept(store: Store) -> None:
    """What the last attempt comes to is the result, be it nothing."""
    tree = Registry("tree")
    attempts: list[int] = []

    @tree.group(retry=Retry(on=OSError, attempts=2, wait_initial=0, wait_jitter=0))
    async def steps() -> Spawns[str]:
        attempts.append(1)
        if len(attempts) == 1:
            yield Return("of the first attempt")
            raise OSError("after all")
        yield JOIN

    manager = TaskManager(store, executors=tree)
    root = TaskTreeNode(await manager.task_repository.create_task(name="steps"))
    await manager.distribute_task_tree(root)

    assert (root.task.status, root.task.result, len(attempts)) == ("completed", None, 2)
    assert await manager.task_repository.get_task_by_id(root.task.id) == root.task


async def test_progress_of_a_body_is_stored(store: Store) -> None:
    """While it runs, others can see it in the store; steps that are hardly seen are left out."""
    tree = Registry("tree")
    seen: list[float] = []

    @tree.task
    async def count(node: TaskNode) -> None:
        for number in (1, 250, 251):
            node.progress = (number, 1000)
        with anyio.fail_after(10):
            while not seen:
                task = await manager.task_repository.get_task_by_id(node.id)
                seen.extend([task.progress] if task.progress else [])
        assert root.task.status is TaskState.IN_PROGRESS

    manager = TaskManager(store, executors=tree)
    root = TaskTreeNode(await manager.task_repository.create_task(name="count"))
    await manager.distribute_task_tree(root)

    assert root.task.error is None
    assert seen == [0.25]
    assert root.task.progress == 1.0


async def test_display_hears_of_every_update(store: Store) -> None:
    """`on_update` is called with the tree that runs, whose nodes have the names and ids of the tasks."""
    desk = Desk(store)
    root = await desk.make("folder")
    child = await desk.make("note", root)
    below = await desk.make("note", child)
    shown: list[list[tuple[str, str]]] = []
    await desk.manager.distribute_task_tree(
        await desk.tasks.get_task_tree(root.id),
        on_update=lambda tree: shown.append([(node.id, node.name) for node in tree.walk()]),
    )

    assert shown[-1] == [
        (root.id, "folder"),
        (child.id, "note"),
        (f"{child.id}#own", "note (itself)"),
        (below.id, "note"),
    ]


async def test_cancelled_caller_leaves_a_tree_that_can_run_again(store: Store) -> None:
    """What ran or waited is cancelled in the store when the call is over, and nobody has a claim on it."""
    tree = Registry("tree")
    begun = anyio.Event()
    goes_on = False

    @tree.task
    async def wait() -> str:
        begun.set()
        if not goes_on:
            await anyio.sleep_forever()
        return "done"

    tasks = (manager := TaskManager(store, executors=tree)).task_repository
    root = await tasks.create_task(name="wait")
    after = await tasks.create_task(name="wait", parent_id=root.id, dependencies=[root.id])
    async with anyio.create_task_group() as group:
        group.start_soon(manager.distribute_task_tree, await tasks.get_task_tree(root.id))
        await begun.wait()
        group.cancel_scope.cancel()

    assert (await tasks.get_task_by_id(root.id)).error == "the caller of the run was cancelled"
    assert (await tasks.get_task_by_id(after.id)).status == "cancelled"
    goes_on = True
    done = await manager.distribute_task_tree(await tasks.get_task_tree(root.id))
    assert statuses(done) == [("wait", "completed"), ("wait", "completed")]


async def test_timeout_of_the_whole_run_is_raised(store: Store) -> None:
    """It is the error of no task."""
    tree = Registry("tree")

    @tree.task
    async def wait() -> None:
        await anyio.sleep_forever()

    manager = TaskManager(store, executors=tree, config=TreeTaskConfig(global_timeout=0.01))
    root = TaskTreeNode(await manager.task_repository.create_task(name="wait"))
    with pytest.raises(TreeFailed) as raised:
        await manager.distribute_task_tree(root)

    assert isinstance(raised.value.exceptions[0], RunTimeoutError)
    # The root is what timed out; those below it, if any, are cancelled.
    assert (root.task.status, root.task.error) == ("failed", "the run timed out after 0.01 s")
    assert await manager.task_repository.get_task_by_id(root.task.id) == root.task


async def test_task_that_cancels_its_own_tree_is_no_error(store: Store) -> None:
    """The tasks say so."""
    tree = Registry("tree")

    @tree.task
    async def stop(node: TaskNode) -> None:
        node.cancel("had enough")
        await anyio.sleep_forever()

    manager = TaskManager(store, executors=tree)
    root = await manager.distribute_task_tree(TaskTreeNode(await manager.task_repository.create_task(name="stop")))

    assert (root.task.status, root.task.error) == ("cancelled", "had enough")


async def test_siblings_share_no_connection_unguarded(store: Store) -> None:
    """Bodies in threads and on the loop use the repository at the same time, while their own ends are written."""
    tree = Registry("tree")
    barrier = threading.Barrier(2, timeout=10)

    @tree.task
    def in_thread(number: int) -> int:
        barrier.wait()
        return number

    @tree.task
    async def on_loop(number: int) -> int:
        made = await manager.task_repository.create_task(name="made", inputs={"number": number})
        found = await manager.task_repository.get_task_by_id(made.id)
        result: int = found.inputs["number"]
        return result

    manager = TaskManager(store, executors=tree)
    root = await manager.task_repository.create_task(name="folder")
    drafts: list[Any] = [
        {"name": name, "parent_id": root.id, "inputs": {"number": number}}
        for name, count in (("in_thread", 2), ("on_loop", 20))
        for number in range(count)
    ]
    await manager.task_repository.create_tasks(drafts)
    done = await manager.distribute_task_tree(await manager.task_repository.get_task_tree(root.id))

    assert [node.task.result for node in done.children] == [0, 1, *range(20)]
    assert len(await manager.task_repository.list_tasks(roots=True)) == 21


async def test_deep_tree_runs(store: Store) -> None:
    """Nothing recurses."""
    desk = Desk(store)
    drafts: list[Any] = [
        {"id": f"t{number}", "name": "folder", "parent_id": f"t{number - 1}" if number else None}
        for number in range(2_000)
    ]
    drafts.append({"id": "leaf", "name": "fail", "parent_id": "t1999"})
    await desk.tasks.create_tasks(drafts)
    root = await desk.tasks.get_task_tree("t0")
    await desk.manager.distribute_task_tree(root)

    assert root.calculate_status() == "failed"
    assert root.task.error == "not all tasks below it were completed: task 'fail' (leaf) failed"


async def test_session_is_a_file_that_others_can_open(tmp_path: Path) -> None:
    """What one manager has done, another one reads, in the default place and in any other."""
    for given in (tmp_path / "tasks.db", f"sqlite:///{tmp_path / 'other.db'}"):
        with create_session(given) as session:
            desk = Desk(session)
            task = await desk.make("note", result="kept")
            await desk.run(task)
        with create_session(given) as session:
            assert (await TaskManager(session).task_repository.get_task_by_id(task.id)).result == "kept"


async def test_manager_in_memory_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sqlite://` lasts as long as the session."""
    monkeypatch.chdir(tmp_path)
    with create_session("sqlite://") as session:
        desk = Desk(session)
        task = await desk.make("note", result=[1])
        await desk.run(task)
        assert (await desk.tasks.get_task_by_id(task.id)).result == [1]
    assert [path async for path in anyio.Path(tmp_path).iterdir()] == []


def test_session_is_refused_by_name() -> None:
    """What is no store, no registry, no config, no tree."""
    with pytest.raises(TypeError, match=f"^{re.escape('a session is 1; expected what create_session() returns')}$"):
        TaskManager(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_native_cancel_while_tasks_are_claimed_gives_them_back(store: Store) -> None:
    """`Task.cancel()` of asyncio, which reaches into every shield, leaves no claim behind."""
    log: list[str] = []
    manager = TaskManager(store, executors=shop(log))
    root = await manager.task_repository.create_task(name="note")
    with store.reading():  # so the claim has to wait
        task = asyncio.ensure_future(manager.distribute_task_tree(TaskTreeNode(root)))
        await turns()
        task.cancel()
        await turns()
    await asyncio.wait([task])
    assert (task.cancelled(), log) == (True, [])
    done = await manager.distribute_task_tree(TaskTreeNode(root))
    assert statuses(done) == [("note", "completed")]
