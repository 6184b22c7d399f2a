"""The task manager: trees of stored tasks, run by the engine, with every outcome in the store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final
from uuid import uuid4

from treetask._errors import DefinitionError, ResourceError, RunTimeoutError, did_you_mean
from treetask.dsl import Registry
from treetask.engine import AsyncExecutor, uninterrupted
from treetask.model import TaskTree, TreeCancelled, TreeFailed, TreeTaskConfig, leaf_exceptions
from treetask.store import _claims as claims
from treetask.store import _task_rows as task_rows
from treetask.store._executors import Executors
from treetask.store._repository import TaskDraft, TaskRepository, linked
from treetask.store._store import Store
from treetask.store._task import (
    NORMAL_PRIORITY,
    TaskDependency,
    TaskRecord,
    TaskState,
    UnknownTaskError,
    checked_dependencies,
    moment,
)
from treetask.store._task_journal import TaskJournal
from treetask.store._task_plan import Plan, check_tree, plan_of
from treetask.store._tree_node import TaskTreeNode


def create_session(url: str | os.PathLike[str] | None = None) -> Store:
    """Return a store for a `TaskManager`: by default `.treetask/journal.db` in the folder of the project.

    `url` is a path or a URL, `sqlite:///tasks.db` or `postgresql://user@host/database`; see `Store`. It is opened, and
    made where there is none, when a task is first asked for, so that no event loop waits for it. Raises `StoreUrlError`
    for what names no store.
    """
    return Store(url, is_lazy=True)


class TaskManager:
    """Runs trees of stored tasks: `TaskManager(create_session(), executors=registry)`.

    The executor of a task is the declaration of `registry` that has the task's name; `system_info_executor` is built
    in. Its parameters are filled from the task's inputs by name, and with the results of what the task depends on.
    `params` are the parameters of the registry, as `registry.run` takes them; `config` is how trees are run.
    """

    def __init__(
        self,
        session: Store,
        executors: Registry | None = None,
        *,
        params: Mapping[str, object] | None = None,
        config: TreeTaskConfig | None = None,
    ) -> None:
        #: Where the tasks are made, read and changed.
        self.task_repository: Final = TaskRepository(session)
        if executors is not None and not isinstance(executors, Registry):
            raise TypeError(f"TaskManager: executors is {executors!r}; expected a Registry whose tasks take inputs")
        if config is not None and not isinstance(config, TreeTaskConfig):
            raise TypeError(f"TaskManager: config is {config!r}; expected a TreeTaskConfig")
        self._registry: Final = executors
        self._params: Final = dict(params or {})
        self._config: Final = config

    async def distribute_task_tree(
        self, root: TaskTreeNode, *, on_update: Callable[[TaskTree], None] | None = None
    ) -> TaskTreeNode:
        """Run all tasks of a tree that are not completed, and return its root, whose nodes show the outcome.

        A task starts when what it depends on has ended and is written down; parents order nothing, a lower priority
        goes first among those that may start. One that fails stops nothing but what requires it. `on_update` is as in
        `AsyncExecutor`: `display.update`, say.

        Tasks that fail are no errors here: see their `status` and `error`. Raises `DefinitionError` for a tree that
        cannot run and `RunOwnedError` for one of which somebody runs a task already, before anything has changed;
        `JournalError` if the store can no longer be written, which stops the run; `TreeFailed` for what is the error of
        no task, as a `global_timeout`.
        """
        if not isinstance(root, TaskTreeNode):
            raise TypeError(f"distribute_task_tree() takes the root of a tree: TaskTreeNode(task), not {root!r}")
        (plan, journal), interruption = await uninterrupted(partial(_claimed, self, root))
        try:
            if interruption is None and root not in plan.kept:
                await _run(plan.tree, journal, on_update)
        finally:
            _, late = await uninterrupted(journal.close)
            interruption = interruption or late
        if interruption is not None:
            raise interruption
        return root

    def __repr__(self) -> str:
        return f"<TaskManager on {self.task_repository.store.url}>"


async def _run(tree: TaskTree, journal: TaskJournal, on_update: Callable[[TaskTree], None] | None) -> None:
    """Run a tree to its end. What tasks raise is theirs, and so is a cancel: they all show it."""
    executor = AsyncExecutor(tree, on_update, store=journal)
    executor.subscribe(journal)
    try:
        await executor.run()
    except TreeCancelled:
        pass
    except TreeFailed as error:
        if _is_no_task(error):
            raise


def _claimed(manager: TaskManager, root: TaskTreeNode) -> tuple[Plan, TaskJournal]:
    """Return what a tree comes to, whose tasks nobody else may run now. In a thread: it reads and writes them all."""
    store = manager.task_repository.store
    places = check_tree(root)
    executors = Executors(manager._registry)
    while True:
        _refresh(store, places)
        plan = plan_of(root, executors, config=manager._config, params=manager._params)
        claim = _claim(store, root, places)
        if claim is not None:
            return plan, TaskJournal(store, claim, plan)


def _refresh(store: Store, places: Mapping[str, TaskTreeNode]) -> None:
    """Read the tasks of a tree as they are now; they may have been changed, or run, since the tree was made."""
    with store.reading() as connection:
        fresh = task_rows.read(connection, list(places))
    for task_id, place in places.items():
        if task_id not in fresh:
            raise UnknownTaskError(task_id, store.url, f"{place.task} was deleted, or belongs to another store")
        place.task = fresh[task_id]


def _claim(store: Store, root: TaskTreeNode, places: Mapping[str, TaskTreeNode]) -> str | None:
    """Claim the tasks of a tree; None if one has been changed since it was read."""
    told, ids = claims.claimant(root.task.name, root.task.id), list(places)
    adopted = [
        (task_id, place.parent.task.id)
        for task_id, place in places.items()
        if place is not root and place.parent is not None and place.task.parent_id is None
    ]
    now = time.time()
    with store.transaction() as connection:
        claims.refuse_claimed(connection, told, ids)
        if task_rows.times(connection, ids) != {task_id: place.task.updated_at for task_id, place in places.items()}:
            return None
        claim = claims.take(connection, told, ids, now)
        if adopted:
            task_rows.rewrite(connection, ("id", "parent_id"), adopted)
    for task_id, parent_id in adopted:
        places[task_id].task = replace(places[task_id].task, parent_id=parent_id)
    for place in places.values():
        if place.task.status is not TaskState.COMPLETED:
            place.task = _begun_anew(place.task, now)
    return claim


def _begun_anew(task: TaskRecord, now: float) -> TaskRecord:
    return replace(
        task,
        status=TaskState.PENDING,
        result=None,
        error=None,
        progress=0.0,
        updated_at=moment(now),
        started_at=None,
        completed_at=None,
    )


def _is_no_task(failed: TreeFailed) -> bool:
    """Whether something else went wrong in a run than its tasks."""
    of_tasks = {
        id(leaf)
        for node in failed.result.failed_nodes
        if node.exception is not None
        for leaf in leaf_exceptions(node.exception)
    }
    return any(
        isinstance(leaf, (RunTimeoutError, ResourceError)) and id(leaf) not in of_tasks for leaf in failed.exceptions
    )


# -- a tree from a configuration --------------------------------------------------------------------------------------

_WORDS: Final = ("id", "name", "user_id", "parent_id", "priority", "inputs", "dependencies")


async def build_tree_from_tasks(task_manager: TaskManager, tasks_config: Iterable[Mapping[str, Any]]) -> TaskTreeNode:
    """Make the tasks of a configuration, all or none, and return their tree.

    Each is a dict as `create_task` takes it, with an `id` by which others name it as parent or dependency, in any
    order. The tasks get ids of their own, so that one configuration makes any number of trees; results of dependencies
    become inputs by the configuration's names.

    Raises `DefinitionError` for a name that is none of these, for no root or a second one, and for parents in a circle.
    """
    if not isinstance(task_manager, TaskManager):
        raise TypeError(f"build_tree_from_tasks() takes a TaskManager, not {task_manager!r}")
    config = _by_id(tasks_config)
    root = _root_of(config)
    ids = {name: str(uuid4()) for name in config}
    drafts = [_draft(name, said, ids) for name, said in config.items()]
    made = await task_manager.task_repository.create_tasks(drafts)
    return linked(made, ids[root])


def _by_id(tasks_config: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for said in tasks_config:
        if not isinstance(said, Mapping) or not isinstance(said.get("id"), str) or not said["id"]:
            raise TypeError(f"tasks_config has {said!r} in it; expected dicts: {{'id': 'fetch', 'name': 'fetch_data'}}")
        for word in said:
            if word not in _WORDS:
                raise TypeError(f"task '{said['id']}' of the configuration has no '{word}'{did_you_mean(word, _WORDS)}")
        if said["id"] in found:
            raise DefinitionError(f"two tasks of the configuration have the id '{said['id']}'; rename one of them")
        found[said["id"]] = said
    return found


def _root_of(config: Mapping[str, Mapping[str, Any]]) -> str:
    roots = [name for name, said in config.items() if said.get("parent_id") is None]
    if len(roots) > 1:
        raise DefinitionError(
            f"the configuration has {len(roots)} roots, '{roots[0]}' and '{roots[1]}'; a tree has one: give the "
            "others a parent_id"
        )
    placed: set[str] = set(roots)
    for name in config:
        path: dict[str, None] = {}
        here = name
        while here not in placed:
            if here in path:
                circle = [*list(path)[list(path).index(here) :], here]
                raise DefinitionError(f"'{here}' is below itself: {' -> '.join(circle)}; parents go up to one root")
            path[here] = None
            parent = config[here]["parent_id"]
            if not isinstance(parent, str) or parent not in config:
                hint = did_you_mean(str(parent), [each for each in config if each != here])
                raise DefinitionError(f"task '{here}' of the configuration has the unknown parent '{parent}'{hint}")
            here = parent
        placed.update(path)
    if not roots:
        raise DefinitionError("the configuration has no tasks; a tree has at least its root")
    return roots[0]


def _draft(name: str, said: Mapping[str, Any], ids: Mapping[str, str]) -> TaskDraft:
    owner = f"task '{name}' of the configuration"
    needed: list[TaskDependency] = []
    for dependency in checked_dependencies(said.get("dependencies"), owner=owner):
        wanted = dependency["id"]
        if wanted not in ids:
            raise DefinitionError(f"{owner} depends on unknown task '{wanted}'{did_you_mean(wanted, ids)}")
        named: TaskDependency = {"as": wanted, **dependency, "id": ids[wanted]}
        needed.append(named)
    parent = said.get("parent_id")
    draft: TaskDraft = {
        "id": ids[name],
        "name": said.get("name", ""),
        "user_id": said.get("user_id"),
        "parent_id": None if parent is None else ids[parent],
        "priority": said.get("priority", NORMAL_PRIORITY),
        "inputs": said.get("inputs"),
        "dependencies": needed,
    }
    return draft
