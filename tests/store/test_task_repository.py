"""Tasks in a store: made, read, listed, changed, deleted; what cannot be is refused whole."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.store.tasks import needs
from treetask import DefinitionError, TreeTaskError
from treetask.store import NotJsonError, Store, TaskManager, TaskRepository, TaskState, UnknownTaskError

pytestmark = pytest.mark.anyio


@pytest.fixture
def tasks(store: Store) -> TaskRepository:
    """The tasks of a store of either kind."""
    return TaskManager(store).task_repository


def exactly(message: str) -> str:
    """The pattern of a whole message."""
    return f"^{re.escape(message)}$"


async def test_task_comes_back_as_it_was_made(tasks: TaskRepository) -> None:
    """Also its inputs, whatever characters they have."""
    parent = await tasks.create_task(name="parent")
    made = await tasks.create_task(
        name="täsk",
        user_id="ada",
        parent_id=parent.id,
        priority=0,
        inputs={"a\0": [1, None, {"b": (True, "\udc80")}]},
        dependencies=[parent.id, {"id": "later", "required": False, "as": "x"}],
    )

    assert await tasks.get_task_by_id(made.id) == made
    assert made.inputs == {"a\0": [1, None, {"b": [True, "\udc80"]}]}
    assert made.dependencies == [{"id": parent.id, "required": True}, {"id": "later", "required": False, "as": "x"}]
    assert (made.status, made.priority, made.progress, made.result) == ("pending", 0, 0.0, None)
    assert (parent.user_id, parent.parent_id, parent.priority, parent.inputs) == (None, None, 2, {})
    assert str(made) == f"task 'täsk' ({made.id})"


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"name": ""}, ValueError, "create_task(): name is ''; expected a string that is not empty"),
        ({"name": " "}, ValueError, "create_task(): name is ' '; expected a string that is not empty"),
        ({"name": 5}, TypeError, "create_task(): name is 5; expected a string"),
        ({"name": "x" * 256}, ValueError, "create_task(): name has 256 characters; expected at most 255"),
        (
            {"name": "a\0"},
            ValueError,
            "create_task(): name is 'a\\x00', with a character that no database takes; leave it out",
        ),
        (
            {"priority": -1},
            ValueError,
            "task 'a': priority is -1; expected a whole number from 0 (urgent); 2 is normal",
        ),
        (
            {"priority": 2**31},
            ValueError,
            "task 'a': priority is 2147483648; expected a whole number from 0 (urgent); 2 is normal",
        ),
        (
            {"priority": "high"},
            TypeError,
            "task 'a': priority is 'high'; expected a whole number from 0 (urgent); 2 is normal",
        ),
        ({"inputs": [1]}, TypeError, "task 'a': inputs is [1]; expected a dict: {'path': 'a.csv'}"),
        (
            {"inputs": {"at": {1}}},
            NotJsonError,
            (
                "task 'a': inputs['at'] is {1} (a set), which has no form in JSON; use dicts with strings as "
                "keys, lists, "
                "strings, finite numbers, True, False and None"
            ),
        ),
        (
            {"dependencies": {"id": "b"}},
            TypeError,
            "task 'a': dependencies is {'id': 'b'}; expected a list of {'id': task.id, 'required': True}",
        ),
        (
            {"dependencies": [{"required": True}]},
            TypeError,
            (
                "task 'a': dependencies has {'required': True} in it, without an id; expected a list of "
                "{'id': task.id, "
                "'required': True}"
            ),
        ),
        (
            {"dependencies": [{"id": "b", "require": True}]},
            TypeError,
            "task 'a': a dependency has no 'require' (did you mean 'required'?)",
        ),
        (
            {"dependencies": [{"id": "b", "required": "yes"}]},
            TypeError,
            "task 'a': a dependency has required='yes'; expected True or False",
        ),
        ({"dependencies": ["b", "b"]}, ValueError, "task 'a': dependencies names 'b' twice; keep one of them"),
        (
            {"dependencies": ["b"], "inputs": {"b": 1}},
            DefinitionError,
            (
                "task 'a': the result of 'b' becomes the input 'b', which is an input of its own as well; "
                "give one of them "
                "another name: {'id': ..., 'as': 'name'}"
            ),
        ),
        (
            {"dependencies": ["b", {"id": "c", "as": "b"}]},
            DefinitionError,
            (
                "task 'a': the result of 'c' becomes the input 'b', which is the result of 'b' as well; give "
                "one of them "
                "another name: {'id': ..., 'as': 'name'}"
            ),
        ),
    ],
)
async def test_task_that_cannot_be_is_refused(
    tasks: TaskRepository, said: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Before anything is written."""
    draft: dict[str, Any] = {"name": "a", **said}
    with pytest.raises(error, match=exactly(message)):
        await tasks.create_task(**draft)

    assert await tasks.list_tasks() == []


async def test_unknown_parent_is_refused(tasks: TaskRepository) -> None:
    """Row 27."""
    message = (
        f"store {tasks.store.url} has no task 'nonexistent_id'; task 'child' cannot be below it: create the "
        "parent first and hand over its id"
    )
    with pytest.raises(UnknownTaskError) as raised:
        await tasks.create_task(name="child", parent_id="nonexistent_id")

    assert re.sub(r" \([0-9a-f-]{36}\)", "", str(raised.value)) == message
    assert isinstance(raised.value, TreeTaskError)


async def test_id_that_is_taken_is_refused(tasks: TaskRepository) -> None:
    """By a task of the store, or by another one of those that are made at once."""
    await tasks.create_task(name="first", id="a")

    message = "there is task 'first' (a) already; give another id, or none to have one made"
    with pytest.raises(DefinitionError, match=exactly(message)):
        await tasks.create_task(name="second", id="a")
    message = "two tasks are to have the id 'b'; give one of them another id"
    with pytest.raises(DefinitionError, match=exactly(message)):
        await tasks.create_tasks([{"name": "second", "id": "b"}, {"name": "third", "id": "b"}])
    assert [task.name for task in await tasks.list_tasks()] == ["first"]


async def test_unknown_task_is_refused(tasks: TaskRepository) -> None:
    """By whatever asks for it."""
    message = exactly(f"store {tasks.store.url} has no task 'a'; create_task returns the id of the one that it makes")
    with pytest.raises(UnknownTaskError, match=message):
        await tasks.get_task_by_id("a")
    with pytest.raises(UnknownTaskError, match=message):
        await tasks.get_task_tree("a")
    with pytest.raises(UnknownTaskError, match=message):
        await tasks.update_task("a", name="b")
    with pytest.raises(UnknownTaskError, match=message):
        await tasks.delete_task("a")


async def test_tasks_are_listed_in_the_order_in_which_they_were_made(tasks: TaskRepository) -> None:
    """By user, parent, status, and those without a parent; together they narrow the list."""
    first, second = await tasks.create_tasks([{"name": "1", "user_id": "ada"}, {"name": "2", "user_id": "bob"}])
    await tasks.create_tasks(
        {"name": name, "user_id": user, "parent_id": first.id}
        for name, user in (("3", "bob"), ("4", "ada"), ("5", "ada"))
    )

    async def names(**wanted: Any) -> list[str]:  # noqa: ANN401 - what list_tasks takes
        return [task.name for task in await tasks.list_tasks(**wanted)]

    assert await names() == ["1", "2", "3", "4", "5"]
    assert await names(user_id="ada") == ["1", "4", "5"]
    assert await names(parent_id=first.id) == ["3", "4", "5"]
    assert await names(parent_id=second.id) == []
    assert await names(roots=True) == ["1", "2"]
    assert await names(roots=True, user_id="bob", status="pending") == ["2"]
    assert await names(status=TaskState.COMPLETED) == []
    assert await names(limit=2, offset=1) == ["2", "3"]
    assert await names(offset=4) == ["5"]
    with pytest.raises(
        ValueError,
        match=exactly(
            "list_tasks(): status is 'done' (there are 'pending', 'in_progress', 'completed', 'failed', 'cancelled')"
        ),
    ):
        await names(status="done")
    with pytest.raises(ValueError, match=exactly("list_tasks(): limit is -1; expected a whole number from 0")):
        await names(limit=-1)


async def test_tree_is_loaded_whole(tasks: TaskRepository) -> None:
    """With children in the order in which they were made, from any task down."""
    root, child, other = await tasks.create_tasks(
        [
            {"name": "root", "id": "r"},
            {"name": "child", "id": "c", "parent_id": "r"},
            {"name": "other", "id": "o", "parent_id": "r"},
        ]
    )
    below = await tasks.create_task(name="below", parent_id=child.id)
    await tasks.create_task(name="elsewhere")

    tree = await tasks.get_task_tree(root.id)
    assert [node.task for node in tree.walk()] == [root, child, below, other]
    assert [node.task for node in (await tasks.get_task_tree(child.id)).walk()] == [child, below]


async def test_task_is_changed(tasks: TaskRepository) -> None:
    """Only what is said."""
    parent, task = await tasks.create_tasks(
        [{"name": "parent"}, {"name": "task", "user_id": "ada", "inputs": {"a": 1}}]
    )
    changed = await tasks.update_task(
        task.id, name="other", parent_id=parent.id, priority=1, inputs={"b": 2}, dependencies=needs(parent)
    )

    assert await tasks.get_task_by_id(task.id) == changed
    assert (changed.name, changed.user_id, changed.parent_id, changed.priority) == ("other", "ada", parent.id, 1)
    assert (changed.inputs, changed.dependencies) == ({"b": 2}, [{"id": parent.id, "required": True}])
    assert changed.updated_at > task.updated_at == task.created_at == changed.created_at
    assert (await tasks.update_task(task.id, parent_id=None, user_id=None)).parent_id is None
    assert await tasks.update_task(task.id) == await tasks.get_task_by_id(task.id)


async def test_change_that_cannot_be_is_refused(tasks: TaskRepository) -> None:
    """And changes nothing."""
    root, child = await tasks.create_tasks(
        [{"name": "root", "id": "r"}, {"name": "child", "id": "c", "parent_id": "r"}]
    )
    changes: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"nam": "a"}, TypeError, "update_task() cannot change 'nam' (did you mean 'name'?)"),
        (
            {"status": "completed"},
            ValueError,
            (
                "task 'root' (r): status is 'completed'; only 'pending' can be set, which lets it run again; "
                "the others "
                "are what comes of a run"
            ),
        ),
        (
            {"parent_id": "c"},
            DefinitionError,
            "task 'root' (r) cannot be put below task 'child' (c), which is below it; choose a parent elsewhere",
        ),
        ({"parent_id": "r"}, DefinitionError, "task 'root' (r) cannot be put below itself; choose a parent elsewhere"),
        (
            {"priority": -1},
            ValueError,
            "task 'root' (r): priority is -1; expected a whole number from 0 (urgent); 2 is normal",
        ),
        ({"name": ""}, ValueError, "task 'root' (r): name is ''; expected a string that is not empty"),
    ]
    for said, error, message in changes:
        change: dict[str, Any] = {"user_id": "new", **said}
        with pytest.raises(error, match=exactly(message)):
            await tasks.update_task(root.id, **change)

    assert [await tasks.get_task_by_id(each.id) for each in (root, child)] == [root, child]


async def test_subtree_is_deleted_only_if_that_is_said(tasks: TaskRepository) -> None:
    """All of it, and nothing else."""
    root, child = await tasks.create_tasks(
        [{"name": "root", "id": "r"}, {"name": "child", "id": "c", "parent_id": "r"}]
    )
    other = await tasks.create_task(name="other")

    message = "task 'root' (r) has 1 tasks below it; delete them first, or say delete_task('r', subtree=True)"
    with pytest.raises(DefinitionError, match=exactly(message)):
        await tasks.delete_task(root.id)
    assert await tasks.delete_task(root.id, subtree=True) == 2
    assert await tasks.list_tasks() == [other]
    assert await tasks.delete_task(other.id) == 1
    assert (child.id, await tasks.list_tasks()) == ("c", [])


async def test_id_is_a_string(tasks: TaskRepository) -> None:
    """Anything else is refused before the store is asked, which would say it in words of its own."""
    made: Any = await tasks.create_task(name="a", id="a")
    number: Any = 5
    asked: dict[str, Callable[[Any], Awaitable[object]]] = {
        "get_task_by_id(): task_id": tasks.get_task_by_id,
        "get_task_tree(): root_id": tasks.get_task_tree,
        "update_task(): task_id": lambda given: tasks.update_task(given, name="b"),
        "delete_task(): task_id": tasks.delete_task,
        "list_tasks(): user_id": lambda given: tasks.list_tasks(user_id=given),
        "list_tasks(): parent_id": lambda given: tasks.list_tasks(parent_id=given),
        "task 'a': parent_id": lambda given: tasks.update_task("a", parent_id=given),
    }
    for what, ask in asked.items():
        with pytest.raises(TypeError, match=exactly(f"{what} is 5; expected a string")):
            await ask(number)
        with pytest.raises(TypeError, match=exactly(f"{what} is a task, task 'a'; hand over its id: task.id")):
            await ask(made)
