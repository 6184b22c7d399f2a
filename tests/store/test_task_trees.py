"""Trees of tasks before they run: put together by hand or from a configuration, and what is refused of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from tests.store.tasks import Desk, needs, statuses
from treetask import DefinitionError, DependencyCycleError, Registry
from treetask.store import Store, TaskManager, TaskState, TaskTreeNode, UnknownTaskError, build_tree_from_tasks

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk(store: Store) -> Desk:
    """A task manager on a store of either kind."""
    return Desk(store)


def exactly(message: str) -> str:
    """The pattern of a whole message."""
    return f"^{re.escape(message)}$"


async def refused(desk: Desk, root: TaskTreeNode, message: str, error: type[Exception] = DefinitionError) -> None:
    """A tree is refused with this message; nothing has run, nothing has changed, and it may be mended."""
    before = await desk.tasks.list_tasks()
    with pytest.raises(error, match=exactly(message)):
        await desk.manager.distribute_task_tree(root)
    assert desk.log == []
    assert await desk.tasks.list_tasks() == before


# -- nodes ---------------------------------------------------------------------------------------------------------


async def test_node_has_one_place(desk: Desk) -> None:
    """A second parent, an own ancestor, and what is no node are refused by `add_child`."""
    one, two, three = [TaskTreeNode(await desk.make("note", id=name)) for name in ("1", "2", "3")]
    one.add_child(two)

    message = (
        "task 'note' (2) cannot be put below task 'note' (3): it is below task 'note' (1) already; a task has "
        "one place in a tree"
    )
    with pytest.raises(DefinitionError, match=exactly(message)):
        three.add_child(two)
    message = (
        "task 'note' (1) cannot be put below task 'note' (2): it is that one, or above it; what is below a task "
        "cannot be above it as well"
    )
    with pytest.raises(DefinitionError, match=exactly(message)):
        two.add_child(one)
    message = f"task 'note' (1): a child is {three.task!r}; expected a node: add_child(TaskTreeNode(task))"
    with pytest.raises(TypeError, match=exactly(message)):
        one.add_child(three.task)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        TypeError, match=exactly("TaskTreeNode takes a task, as create_task returns it, not 'a'; is an await missing?")
    ):
        TaskTreeNode("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["pending", "pending"], "pending"),
        (["completed", "completed"], "completed"),
        (["completed", "pending"], "in_progress"),
        (["completed", "in_progress", "failed"], "in_progress"),
        (["completed", "failed", "cancelled"], "failed"),
        (["completed", "cancelled", "pending"], "cancelled"),
    ],
)
async def test_status_of_a_tree_considers_all(desk: Desk, found: list[str], expected: str) -> None:
    """What still runs goes first, then what did not end well."""
    nodes = [TaskTreeNode(await desk.make("note")) for _ in found]
    for node, status in zip(nodes, found, strict=True):
        node.task = replace(node.task, status=TaskState(status))
    for node in nodes[1:]:
        nodes[0].add_child(node)

    assert nodes[0].calculate_status() == expected


async def test_progress_of_a_tree_is_that_of_its_tasks(desk: Desk) -> None:
    """From 0 to 1: a task in progress counts by its own, one that has ended in full."""
    root, child, other, last = [TaskTreeNode(await desk.make("note")) for _ in range(4)]
    for node in (child, other, last):
        root.add_child(node)
    assert root.calculate_progress() == 0.0

    child.task = replace(child.task, status=TaskState.IN_PROGRESS, progress=0.5)
    other.task = replace(other.task, status=TaskState.FAILED, progress=0.1)
    assert root.calculate_progress() == 0.375


# -- what is refused when it is distributed ------------------------------------------------------------------------


async def test_same_task_twice_is_refused(desk: Desk) -> None:
    """Two nodes of one task are one too many."""
    root = TaskTreeNode(await desk.make("folder", id="r"))
    task = await desk.make("note", root.task, id="a")
    root.add_child(TaskTreeNode(task))
    root.add_child(TaskTreeNode(task))

    await refused(desk, root, "task 'note' (a) is in the tree twice; add one node of it, in one place")


async def test_child_of_somebody_else_is_refused(desk: Desk) -> None:
    """A task is filed below one that is not there."""
    root, other = await desk.make("folder", id="r"), await desk.make("folder", id="other")
    node = TaskTreeNode(root)
    node.add_child(TaskTreeNode(await desk.make("note", other, id="a")))

    await refused(
        desk,
        node,
        "task 'note' (a) is filed below 'other', which is not in the tree of task 'folder' (r); distribute "
        "the tree that "
        "has both, or move it: update_task('a', parent_id=...)",
    )


async def test_dependency_that_is_not_in_the_tree_is_refused(desk: Desk) -> None:
    """Whether or not there is such a task."""
    root, other = await desk.make("folder", id="r"), await desk.make("note", id="other")
    task = await desk.make("note", root, id="a", dependencies=needs(other))

    await refused(
        desk,
        await desk.tasks.get_task_tree(root.id),
        "task 'note' (a) depends on 'other', which is not in the tree of task 'folder' (r); add it: "
        "node.add_child(TaskTreeNode(task)), or remove the dependency: update_task('a', dependencies=[...])",
    )
    await desk.tasks.update_task(task.id, dependencies=[])
    assert (await desk.run(root)).calculate_status() == "completed"


async def test_cycle_of_dependencies_is_refused(desk: Desk) -> None:
    """By the names of its tasks; on itself, in a circle, by way of a folder."""
    root = await desk.make("folder", id="r")
    first = await desk.make("note", root, id="a", dependencies=[{"id": "b"}])
    await desk.make("gather", root, id="b", dependencies=needs(first))

    await refused(
        desk,
        await desk.tasks.get_task_tree("r"),
        "'note (a)' depends on itself: note (a) -> gather (b) -> note (a); remove one of these dependencies",
        DependencyCycleError,
    )
    await desk.tasks.update_task("a", dependencies=["a"])
    await refused(
        desk,
        await desk.tasks.get_task_tree("r"),
        "'note (a)' depends on itself: note (a) -> note (a); remove one of these dependencies",
        DependencyCycleError,
    )
    await desk.make("inner", root, id="f")
    await desk.make("note", None, id="c")
    await desk.tasks.update_task("c", parent_id="f", dependencies=["b"])
    await desk.tasks.update_task("a", dependencies=["f"])
    await refused(
        desk,
        await desk.tasks.get_task_tree("r"),
        "'note (a)' depends on itself: note (a) -> inner (f) -> note (c) -> gather (b) -> note (a); 'inner "
        "(f)' ends after "
        "its child 'note (c)'; remove one of these dependencies",
        DependencyCycleError,
    )


async def test_cycle_through_a_body_with_children_is_told_by_its_name(desk: Desk) -> None:
    """The node that stands for such a body has no name of its own."""
    root = await desk.make("note", id="r", dependencies=[{"id": "a"}])
    await desk.make("note", root, id="a", dependencies=[{"id": "r"}])

    await refused(
        desk,
        await desk.tasks.get_task_tree("r"),
        "'note (r)' depends on itself: note (r) -> note (a) -> note (r); remove one of these dependencies",
        DependencyCycleError,
    )


async def test_folder_that_would_wait_is_refused(desk: Desk) -> None:
    """Most likely its name is wrong."""
    root = await desk.make("folder", id="r")
    first = await desk.make("note", root, id="a")
    wrong = await desk.make("gathr", root, id="b", dependencies=needs(first))
    await desk.make("note", wrong, id="c")

    await refused(
        desk,
        await desk.tasks.get_task_tree("r"),
        "task 'gathr' (b) has dependencies, but there is no executor 'gathr' (did you mean 'gather'?), so it is a "
        "folder, which runs nothing and cannot wait; correct its name, or give the dependencies to the tasks below it",
    )


async def test_deleted_task_is_refused(desk: Desk) -> None:
    """The tree has a task that the store has no more."""
    root = TaskTreeNode(await desk.make("note", id="a"))
    await desk.tasks.delete_task("a")

    url = desk.tasks.store.url
    message = f"store {url} has no task 'a'; task 'note' (a) was deleted, or belongs to another store"
    await refused(desk, root, message, UnknownTaskError)


async def test_executor_that_needs_others_fails_its_task(store: Store) -> None:
    """What its declaration says of other tasks cannot hold here, and several of one name cannot be told apart."""
    tree = Registry("tree")

    @tree.task
    async def load() -> int:
        return 1

    @tree.task(depends_on=[load])
    async def ordered() -> None: ...

    @tree.task
    async def takes(raw: int = load.output) -> int:
        return raw

    with tree.group("inner") as inner:

        @inner.task(id="load")
        async def load_again() -> int:
            return 2

    manager = TaskManager(store, executors=tree)
    tasks = manager.task_repository
    root = await tasks.create_task(name="folder", id="r")
    for name in ("ordered", "takes", "load", "tree/inner/load"):
        await tasks.create_task(name=name, id=name, parent_id=root.id)
    await tasks.create_task(name="takes", id="given", parent_id=root.id, inputs={"raw": 5})
    done = await manager.distribute_task_tree(await tasks.get_task_tree("r"))

    found = {node.task.id: node.task for node in done.children}
    assert re.fullmatch(
        r"task 'ordered': 'tree/ordered' \(.*test_task_trees\.py:\d+\) says depends_on=, and runs only as declared",
        found["ordered"].error or "",
    )
    assert found["takes"].error == (
        "task 'takes': executor 'takes' takes 'raw' from 'tree/load' where it is declared; here nothing else "
        "fills it in"
    )
    assert found["load"].error == (
        "task 'load': there are several executors 'load': 'tree/load' and 'tree/inner/load'; name it by its path"
    )
    assert found["tree/inner/load"].result == 2
    assert found["given"].result == 5


async def test_mistakes_are_refused_by_type(store: Store) -> None:
    """What is no registry, no config, no tree."""
    wrong: Any = {"note": print}
    with pytest.raises(
        TypeError, match=exactly(f"TaskManager: executors is {wrong!r}; expected a Registry whose tasks take inputs")
    ):
        TaskManager(store, executors=wrong)
    with pytest.raises(TypeError, match=exactly(f"TaskManager: config is {wrong!r}; expected a TreeTaskConfig")):
        TaskManager(store, config=wrong)
    with pytest.raises(
        TypeError, match=exactly(f"distribute_task_tree() takes the root of a tree: TaskTreeNode(task), not {wrong!r}")
    ):
        await TaskManager(store).distribute_task_tree(wrong)
    manager = TaskManager(store, executors=Registry("tree"), params={"env": "prod"})
    root = TaskTreeNode(await manager.task_repository.create_task(name="a"))
    with pytest.raises(TypeError, match=exactly("TaskManager: params has no parameter 'env' (there are none)")):
        await manager.distribute_task_tree(root)


# -- from a configuration ------------------------------------------------------------------------------------------


async def test_configuration_in_any_order_makes_a_tree(desk: Desk) -> None:
    """By its own ids, as often as wanted; results become inputs by these."""
    config: list[dict[str, Any]] = [
        {"id": "last", "name": "gather", "parent_id": "inner", "dependencies": [{"id": "first"}]},
        {"id": "inner", "name": "folder", "parent_id": "root"},
        {"id": "first", "name": "note", "parent_id": "root", "inputs": {"word": "1", "result": 7}, "priority": 1},
        {"id": "root", "name": "folder", "user_id": "ada"},
    ]
    for _ in range(2):
        root = await build_tree_from_tasks(desk.manager, config)
        await desk.manager.distribute_task_tree(root)
        assert statuses(root) == [
            ("folder", "completed"),
            ("folder", "completed"),
            ("gather", "completed"),
            ("note", "completed"),
        ]
        assert root.children[0].children[0].task.result == {"first": 7}
        assert (root.task.user_id, root.children[1].task.priority) == ("ada", 1)
    assert len(await desk.tasks.list_tasks()) == 8


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "the configuration has no tasks; a tree has at least its root"),
        (
            [{"id": "a", "name": "note"}, {"id": "b", "name": "note"}],
            "the configuration has 2 roots, 'a' and 'b'; a tree has one: give the others a parent_id",
        ),
        (
            [{"id": "root", "name": "x"}, {"id": "b", "name": "note", "parent_id": "rot"}],
            "task 'b' of the configuration has the unknown parent 'rot' (did you mean 'root'?)",
        ),
        (
            [{"id": "root", "name": "x"}, {"id": "b", "name": "note", "parent_id": ["root"]}],
            "task 'b' of the configuration has the unknown parent '['root']' (did you mean 'root'?)",
        ),
        (
            [
                {"id": "root", "name": "x"},
                {"id": "a", "name": "x", "parent_id": "b"},
                {"id": "b", "name": "x", "parent_id": "a"},
            ],
            "'a' is below itself: a -> b -> a; parents go up to one root",
        ),
        (
            [{"id": "root", "name": "x"}, {"id": "root", "name": "note", "parent_id": "root"}],
            "two tasks of the configuration have the id 'root'; rename one of them",
        ),
        (
            [{"id": "root", "name": "x", "dependencies": [{"id": "rot"}]}],
            "task 'root' of the configuration depends on unknown task 'rot' (did you mean 'root'?)",
        ),
    ],
)
async def test_configuration_that_is_no_tree_is_refused(desk: Desk, config: list[dict[str, Any]], message: str) -> None:
    """Before any task is made."""
    with pytest.raises(DefinitionError, match=exactly(message)):
        await build_tree_from_tasks(desk.manager, config)
    assert await desk.tasks.list_tasks() == []


async def test_configuration_of_other_words_is_refused(desk: Desk) -> None:
    """With the closest that there is; and what `create_task` refuses, whole."""
    message = "task 'a' of the configuration has no 'input' (did you mean 'inputs'?)"
    with pytest.raises(TypeError, match=exactly(message)):
        await build_tree_from_tasks(desk.manager, [{"id": "a", "name": "note", "input": {}}])
    message = "tasks_config has {'name': 'note'} in it; expected dicts: {'id': 'fetch', 'name': 'fetch_data'}"
    with pytest.raises(TypeError, match=exactly(message)):
        await build_tree_from_tasks(desk.manager, [{"name": "note"}])
    with pytest.raises(ValueError, match=exactly("create_task(): name is ''; expected a string that is not empty")):
        await build_tree_from_tasks(
            desk.manager, [{"id": "a", "name": "note"}, {"id": "b", "name": "", "parent_id": "a"}]
        )
    assert await desk.tasks.list_tasks() == []
