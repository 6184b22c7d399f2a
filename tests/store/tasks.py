"""Executors for tests of the task manager, and trees of tasks made of few words."""

from __future__ import annotations

from typing import Any

from treetask import Registry, TreeTaskConfig
from treetask.store import Store, TaskDependency, TaskManager, TaskRecord, TaskTreeNode

Log = list[str]


def needs(*tasks: TaskRecord, required: bool = True) -> list[TaskDependency]:
    """Dependencies on tasks."""
    return [{"id": task.id, "required": required} for task in tasks]


def shop(log: Log) -> Registry:
    """Executors that tell when they run."""
    tree = Registry("shop")

    @tree.task
    async def note(word: str = "", result: object = None) -> object:
        log.append(word)
        return result

    @tree.task
    def note_in_thread(word: str, result: object = None) -> object:
        log.append(word)
        return result

    @tree.task
    async def gather(inputs: dict[str, Any]) -> dict[str, Any]:
        log.append("gather")
        return inputs

    @tree.task
    async def fail(word: str = "fail") -> None:
        log.append(word)
        raise ValueError(f"{word} went wrong")

    return tree


class Desk:
    """A task manager with the executors of the shop, what they did, and one user."""

    def __init__(self, store: Store, config: TreeTaskConfig | None = None) -> None:
        self.log: Log = []
        self.manager = TaskManager(store, executors=shop(self.log), config=config)
        self.tasks = self.manager.task_repository

    async def make(self, name: str, below: TaskRecord | None = None, **said: Any) -> TaskRecord:  # noqa: ANN401 - inputs of any kind
        """Make a task; what is left over is its inputs."""
        own = {word: said.pop(word) for word in ("dependencies", "priority", "id") if word in said}
        parent_id = None if below is None else below.id
        return await self.tasks.create_task(name=name, user_id="ada", parent_id=parent_id, inputs=said, **own)

    async def run(self, root: TaskRecord) -> TaskTreeNode:
        """Distribute the tree of a task, as the store has it."""
        return await self.manager.distribute_task_tree(await self.tasks.get_task_tree(root.id))


def statuses(root: TaskTreeNode) -> list[tuple[str, str]]:
    """Name and status of every task, in the order of the tree."""
    return [(node.task.name, str(node.task.status)) for node in root.walk()]


def of(root: TaskTreeNode, task: TaskRecord) -> TaskRecord:
    """The record that a tree has of a task now."""
    return next(node.task for node in root.walk() if node.task.id == task.id)
