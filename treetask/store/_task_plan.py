"""A tree of tasks as a tree that the engine runs: which node has which body, and waits for which others.

Parents only file: a task with an executor and tasks below it becomes a group with its body beside theirs, so that what
depends on it, below it or elsewhere, waits for that body alone. A task without an executor is a folder. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from treetask._errors import DefinitionError, DependencyCycleError
from treetask.dsl import LateBody, give
from treetask.model import Dependency, TaskNode, TaskTree, TreeTaskConfig, dependencies_of, optional
from treetask.store._executors import Executors, UnknownExecutorError, no_executor
from treetask.store._task import TaskState, input_name
from treetask.store._task_body import FixedBody, Source, TaskBody, task_body
from treetask.store._tree_node import TaskTreeNode

#: What the id of a body ends with that has tasks beside it.
_OWN: Final = "#own"


@dataclass(slots=True)
class Plan:
    """What is run, and what it says of the tasks."""

    tree: TaskTree
    #: All tasks by their ids.
    found: Mapping[str, TaskTreeNode]
    #: The tasks by the nodes that show how they stand: those of their bodies, and of folders.
    places: Mapping[TaskNode, TaskTreeNode]
    bodies: Mapping[TaskNode, TaskBody]
    #: The tasks that nothing happens to any more: completed before, and so all below those that are folders.
    kept: frozenset[TaskTreeNode]


def check_tree(root: TaskTreeNode) -> dict[str, TaskTreeNode]:
    """Return the tasks of a tree by their ids.

    Raises `DefinitionError` for a task that is there twice, and for one that belongs below another that is not there.
    """
    found: dict[str, TaskTreeNode] = {}
    for place in root.walk():
        if place.task.id in found:
            raise DefinitionError(f"{place.task} is in the tree twice; add one node of it, in one place")
        found[place.task.id] = place
    for place in found.values():
        parent_id = place.task.parent_id
        if place is not root and parent_id is not None and parent_id not in found:
            raise DefinitionError(
                f"{place.task} is filed below '{parent_id}', which is not in the tree of {root.task}; distribute the "
                f"tree that has both, or move it: update_task('{place.task.id}', parent_id=...)"
            )
    return found


def plan_of(
    root: TaskTreeNode,
    executors: Executors,
    *,
    config: TreeTaskConfig | None,
    params: Mapping[str, object],
) -> Plan:
    """Return what a tree of tasks comes to. The records in it have to be fresh.

    Raises `DefinitionError` for dependencies that leave the tree or close a cycle.
    """
    planner = _Planner(root, executors, TreeTaskConfig() if config is None else config)
    plan = planner.plan()
    if executors.registry is not None:
        give(executors.registry, plan.tree, params, "TaskManager: params")
    try:
        dependencies_of(plan.tree)
    except DependencyCycleError as error:
        raise _told_by_names(error, planner.found) from None
    return plan


class _Planner:
    def __init__(self, root: TaskTreeNode, executors: Executors, config: TreeTaskConfig) -> None:
        self._root: Final = root
        self._executors: Final = executors
        self._config: Final = config
        self.found: Final = check_tree(root)
        #: The executors of those tasks that have one; an error in place of one that cannot be.
        self._run_by: Final = {place: self._executor_of(place) for place in self.found.values()}

    def plan(self) -> Plan:
        """Every parent comes before those below it, so its node is there."""
        nodes: dict[TaskTreeNode, TaskNode] = {}
        groups: dict[TaskNode, TaskTreeNode] = {}
        bodies: dict[TaskNode, TaskBody] = {}
        for place in self.found.values():
            outer, inner, body = self._made(place)
            nodes[place] = outer
            groups[inner] = place
            if isinstance(body, TaskBody):
                bodies[inner] = body
            if place is not self._root:
                assert place.parent is not None
                nodes[place.parent].add_child(outer)
        tree = TaskTree(nodes[self._root], self._config)
        return Plan(tree, self.found, groups, bodies, _kept(groups))

    def _executor_of(self, place: TaskTreeNode) -> LateBody | Exception | None:
        task = place.task
        try:
            body = self._executors.find(task.name, str(task))
        except DefinitionError as error:
            return error
        if body is None and not place.children:
            return UnknownExecutorError(str(task), task.name, self._executors.names)
        if body is None and task.dependencies:
            raise DefinitionError(
                f"{task} has dependencies, but {no_executor(task.name, self._executors.names)}, so it is a folder, "
                "which runs nothing and cannot wait; correct its name, or give the dependencies to the tasks below it"
            )
        return body

    def _made(self, place: TaskTreeNode) -> tuple[TaskNode, TaskNode, Any]:
        """Return a task's node, the one of its body, if that is another, and the body."""
        task, run_by = place.task, self._run_by[place]
        if run_by is None:
            folder = TaskNode(task.id, task.name, on_failure="continue")
            return folder, folder, None
        body: Any
        options: dict[str, Any] = {"max_retries": 0}
        sources = self._sources(place)
        if task.status is TaskState.COMPLETED:
            body, sources = FixedBody(), []
        elif isinstance(run_by, Exception):
            body = FixedBody(error=run_by)
        else:
            body, options = task_body(place, run_by, sources), self._options_of(run_by)
        options |= {"priority": task.priority, "depends_on": self._waits(sources)}
        if not place.children:
            node = TaskNode(task.id, task.name, task_fn=body, **options)
            return node, node, body
        group = TaskNode(task.id, task.name, on_failure="continue")
        node = TaskNode(f"{task.id}{_OWN}", f"{task.name} (itself)", task_fn=body, **options)
        group.add_child(node)
        return group, node, body

    def _options_of(self, body: LateBody) -> dict[str, Any]:
        options = dict(body.options)
        if body.kind.yields and options.get("on_failure") is None:
            # Among its own children it is what it is everywhere; the tasks around it go on whatever fails.
            options["on_failure"] = self._config.on_failure
        return options

    def _sources(self, place: TaskTreeNode) -> list[Source]:
        sources: list[Source] = []
        for dependency in place.task.dependencies:
            other = self.found.get(dependency["id"])
            if other is None:
                raise DefinitionError(
                    f"{place.task} depends on '{dependency['id']}', which is not in the tree of {self._root.task}; add "
                    "it: node.add_child(TaskTreeNode(task)), or remove the dependency: "
                    f"update_task('{place.task.id}', dependencies=[...])"
                )
            is_around = self._run_by[other] is None and any(other is each for each in place.ancestors())
            sources.append(Source(other, input_name(dependency), dependency.get("required", True), is_around))
        return sources

    def _waits(self, sources: Sequence[Source]) -> list[Dependency]:
        waits: list[Dependency] = []
        for source in sources:
            other = source.place
            has_own = self._run_by[other] is not None and other.children
            node_id = f"{other.task.id}{_OWN}" if has_own else other.task.id
            if not source.is_around:
                waits.append(node_id if source.is_required else optional(node_id))
        return waits


def _kept(places: Mapping[TaskNode, TaskTreeNode]) -> frozenset[TaskTreeNode]:
    kept: set[TaskTreeNode] = set()
    # From the leaves up: those below a task come after it.
    for node, place in reversed(list(places.items())):
        is_completed = place.task.status is TaskState.COMPLETED
        if is_completed and (node.task_fn is not None or all(child in kept for child in place.children)):
            kept.add(place)
    return frozenset(kept)


def _told_by_names(error: DependencyCycleError, found: Mapping[str, TaskTreeNode]) -> DependencyCycleError:
    """Return the same error with the names of the tasks, whose ids say nothing to most people."""
    tasks = {node_id: found[node_id.removesuffix(_OWN)].task for node_id in error.path}
    shown = {
        node_id: task.name if task.name == task.id else f"{task.name} ({task.id})" for node_id, task in tasks.items()
    }
    why = str(error).partition("; ")[2]
    for node_id, name in shown.items():
        why = why.replace(f"'{node_id}'", f"'{name}'")
    return DependencyCycleError([shown[node_id] for node_id in error.path], why)
