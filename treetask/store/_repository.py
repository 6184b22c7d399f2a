"""Tasks in a store: made, read, listed, changed, deleted. Every call goes to a thread, so that no event loop waits."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import anyio.to_thread
from typing_extensions import TypedDict, Unpack

from treetask._errors import DefinitionError, did_you_mean
from treetask.store import _task_rows as task_rows
from treetask.store._claims import refuse_claimed
from treetask.store._dialect import Connection
from treetask.store._json_text import json_text
from treetask.store._store import Store
from treetask.store._task import (
    NORMAL_PRIORITY,
    Dependencies,
    TaskDependency,
    TaskRecord,
    TaskState,
    called,
    checked_dependencies,
    checked_id,
    checked_inputs,
    checked_priority,
    checked_text,
    record_of,
    refuse_clash,
)
from treetask.store._tree_node import TaskTreeNode

T = TypeVar("T")

#: Between the times of tasks that are made at once: it keeps their order.
_TICK: Final = 1e-6


class TaskDraft(TypedDict, total=False):
    """What a task may be made with."""

    name: str
    id: str | None
    user_id: str | None
    parent_id: str | None
    priority: int
    inputs: Mapping[str, Any] | None
    dependencies: Dependencies | None


class TaskChanges(TypedDict, total=False):
    """What may be changed of a task; None as the parent makes it a root."""

    name: str
    user_id: str | None
    parent_id: str | None
    priority: int
    inputs: Mapping[str, Any] | None
    dependencies: Dependencies | None
    status: TaskState | str


class TaskRepository:
    """The tasks of a store. Its methods may be called at once from anywhere; each is one transaction."""

    def __init__(self, store: Store) -> None:
        if not isinstance(store, Store):
            raise TypeError(f"a session is {store!r}; expected what create_session() returns")
        self.store: Final = store

    async def create_task(
        self,
        *,
        name: str,
        user_id: str | None = None,
        parent_id: str | None = None,
        priority: int = NORMAL_PRIORITY,
        inputs: Mapping[str, Any] | None = None,
        dependencies: Dependencies | None = None,
        id: str | None = None,
    ) -> TaskRecord:
        """Make a task, pending, and return it; with an id of its own, where none is given.

        `name` is that of its executor; a task with others below it may have any name. `inputs` are the executor's
        arguments, as JSON. What it depends on is looked for when its tree is distributed.

        Raises `UnknownTaskError` for a parent that is no task, `DefinitionError` for an id that is taken, `TypeError`
        and `ValueError` for what cannot be.
        """
        draft: TaskDraft = {
            "name": name,
            "user_id": user_id,
            "parent_id": parent_id,
            "priority": priority,
            "inputs": inputs,
            "dependencies": dependencies,
            "id": id,
        }
        (task,) = await self.create_tasks([draft])
        return task

    async def create_tasks(self, drafts: Iterable[TaskDraft]) -> list[TaskRecord]:
        """Make many tasks at once, or none, and return them; the parent of one may be another of them."""
        return await _in_thread(partial(self._create, list(drafts)))

    async def get_task_by_id(self, task_id: str) -> TaskRecord:
        """Return a task as it is now. Raises `UnknownTaskError`."""
        checked_id(task_id, "get_task_by_id()", "task_id")
        return await self._reading(lambda connection: task_rows.read_one(connection, task_id))

    async def list_tasks(
        self,
        *,
        user_id: str | None = None,
        parent_id: str | None = None,
        status: TaskState | str | None = None,
        roots: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[TaskRecord]:
        """Return the tasks of a user, right below a parent, of a status, or those without a parent; the oldest first.

        What is not given limits nothing.
        """
        conditions: list[str] = ["parent_id is null"] if roots else []
        values: list[object] = []
        for column, value in (("user_id", user_id), ("parent_id", parent_id)):
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(checked_id(value, "list_tasks()", column))
        if status is not None:
            conditions.append("status = ?")
            values.append(_checked_status(status, "list_tasks()").value)
        for name, number in (("limit", limit), ("offset", offset)):
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
                raise ValueError(f"list_tasks(): {name} is {number!r}; expected a whole number from 0")
        return await self._reading(
            lambda connection: task_rows.read_some(connection, conditions, values, limit, offset)
        )

    async def get_task_tree(self, root_id: str) -> TaskTreeNode:
        """Return a task with all that are filed below it, ready to be distributed. Raises `UnknownTaskError`."""
        checked_id(root_id, "get_task_tree()", "root_id")

        def read(connection: Connection) -> TaskTreeNode:
            found = task_rows.read_below(connection, root_id)
            return linked(found, root_id) if found else TaskTreeNode(task_rows.read_one(connection, root_id))

        return await self._reading(read)

    async def update_task(self, task_id: str, **changes: Unpack[TaskChanges]) -> TaskRecord:
        """Change a task that is not being distributed, and return it.

        `status="pending"` lets a completed one run again; other statuses are what comes of a run.

        Raises `UnknownTaskError`, `RunOwnedError` while it is distributed, `DefinitionError` for a parent below it, and
        what `create_task` raises.
        """
        checked_id(task_id, "update_task()", "task_id")
        return await _in_thread(partial(self._update, task_id, changes))

    async def delete_task(self, task_id: str, *, subtree: bool = False) -> int:
        """Delete a task, with `subtree=True` also all below it, and return how many that were.

        Raises `UnknownTaskError`, `RunOwnedError` while one of them is distributed, and `DefinitionError` if there are
        some below it and `subtree` does not say that they are meant as well.
        """
        checked_id(task_id, "delete_task()", "task_id")
        return await _in_thread(partial(self._delete, task_id, subtree=subtree))

    # -- in a thread ---------------------------------------------------------------------------------------------------

    async def _reading(self, act: Callable[[Connection], T]) -> T:
        def read() -> T:
            with self.store.reading() as connection:
                return act(connection)

        return await _in_thread(read)

    def _create(self, drafts: Sequence[TaskDraft]) -> list[TaskRecord]:
        now = time.time()
        rows = [_row(draft, now + number * _TICK) for number, draft in enumerate(drafts)]
        ids = [row[0] for row in rows]
        own = set(ids)
        if len(own) < len(ids):
            twice = next(each for each in ids if ids.count(each) > 1)
            raise DefinitionError(f"two tasks are to have the id '{twice}'; give one of them another id")
        given = [(draft.get("id"), row) for draft, row in zip(drafts, rows, strict=True)]
        with self.store.transaction() as connection:
            for parent_id, owner in {row[3]: called(row[1], row[0]) for row in rows}.items():
                if parent_id is not None and parent_id not in own:
                    task_rows.refuse_unknown_parent(connection, owner, parent_id)
            task_rows.refuse_ids_taken(connection, [(own_id, row[1]) for own_id, row in given if own_id is not None])
            task_rows.insert(connection, rows)
        return [record_of(row) for row in rows]

    def _update(self, task_id: str, changes: TaskChanges) -> TaskRecord:
        for name in changes:
            if name not in TaskChanges.__optional_keys__:
                hint = did_you_mean(name, sorted(TaskChanges.__optional_keys__))
                raise TypeError(f"update_task() cannot change '{name}'{hint}")
        with self.store.transaction() as connection:
            task = task_rows.read_one(connection, task_id)
            refuse_claimed(connection, str(task), [task_id])
            columns = _changed(connection, task, changes)
            if columns:
                columns["updated_at"] = time.time()
                task_rows.rewrite(connection, ["id", *columns], [[task_id, *columns.values()]])
            return task_rows.read_one(connection, task_id)

    def _delete(self, task_id: str, *, subtree: bool) -> int:
        with self.store.transaction() as connection:
            task = task_rows.read_one(connection, task_id)
            ids = task_rows.ids_below(connection, task_id)
            if len(ids) > 1 and not subtree:
                raise DefinitionError(
                    f"{task} has {len(ids) - 1} tasks below it; delete them first, or say "
                    f"delete_task('{task_id}', subtree=True)"
                )
            refuse_claimed(connection, str(task), ids)
            task_rows.delete(connection, ids)
        return len(ids)


def linked(tasks: Sequence[TaskRecord], root_id: str) -> TaskTreeNode:
    """Return tasks put together by their parents; those of no parent among them are left out, but for the root."""
    nodes = {task.id: TaskTreeNode(task) for task in tasks}
    for task in tasks:
        if task.id != root_id and task.parent_id in nodes:
            nodes[task.parent_id].add_child(nodes[task.id])
    return nodes[root_id]


async def _in_thread(act: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(act)


def _row(draft: TaskDraft, now: float) -> tuple[Any, ...]:
    """Return a new task as a row of `COLUMNS`, checked."""
    name = checked_text(draft.get("name"), "name", owner="create_task()")
    given = draft.get("id")
    task_id = str(uuid.uuid4()) if given is None else checked_text(given, "id", owner=f"task '{name}'")
    owner = called(name, task_id) if given is not None else f"task '{name}'"
    user_id, parent_id = (
        None if value is None else checked_text(value, what, owner=owner)
        for what, value in (("user_id", draft.get("user_id")), ("parent_id", draft.get("parent_id")))
    )
    priority = checked_priority(draft.get("priority", NORMAL_PRIORITY), owner=owner)
    inputs = checked_inputs(draft.get("inputs"), owner=owner)
    dependencies = checked_dependencies(draft.get("dependencies"), owner=owner)
    refuse_clash(draft.get("inputs") or {}, dependencies, owner=owner)
    said = _dependencies_text(dependencies, owner)
    status = TaskState.PENDING.value
    return (task_id, name, user_id, parent_id, priority, inputs, said, status, None, None, 0.0, now, now, None, None)


def _dependencies_text(dependencies: list[TaskDependency], owner: str) -> str:
    return json_text(dependencies, owner, "dependencies")


def _changed(connection: Connection, task: TaskRecord, changes: TaskChanges) -> dict[str, Any]:
    """Return the columns that changes come to, checked."""
    owner = str(task)
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked_text(changes["name"], "name", owner=owner)
    if "priority" in changes:
        columns["priority"] = checked_priority(changes["priority"], owner=owner)
    if "user_id" in changes:
        user_id = changes["user_id"]
        columns["user_id"] = None if user_id is None else checked_text(user_id, "user_id", owner=owner)
    if "parent_id" in changes:
        columns["parent_id"] = changes["parent_id"]
        if changes["parent_id"] is not None:
            checked_id(changes["parent_id"], owner, "parent_id")
            task_rows.refuse_unknown_parent(connection, owner, changes["parent_id"])
            task_rows.refuse_parent_below(connection, task, changes["parent_id"])
    if "inputs" in changes:
        columns["inputs"] = checked_inputs(changes["inputs"], owner=owner)
    dependencies = checked_dependencies(changes.get("dependencies", task.dependencies), owner=owner)
    refuse_clash(changes.get("inputs", task.inputs) or {}, dependencies, owner=owner)
    if "dependencies" in changes:
        columns["dependencies"] = _dependencies_text(dependencies, owner)
    if "status" in changes:
        if _checked_status(changes["status"], owner) is not TaskState.PENDING:
            raise ValueError(
                f"{owner}: status is {str(changes['status'])!r}; only 'pending' can be set, which lets it run again; "
                "the others are what comes of a run"
            )
        columns.update(status="pending", result=None, error=None, progress=0.0, started_at=None, completed_at=None)
    return columns


def _checked_status(status: object, owner: str) -> TaskState:
    try:
        return TaskState(status)
    except ValueError:
        known = [each.value for each in TaskState]
        raise ValueError(f"{owner}: status is {status!r}{did_you_mean(str(status), known)}") from None
