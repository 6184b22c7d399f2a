"""Tasks put together to a tree, to be distributed: who is below whom, and how the whole stands. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator

from treetask._errors import DefinitionError
from treetask.store._task import TaskRecord, TaskState


class TaskTreeNode:
    """A task and those below it: `root = TaskTreeNode(task)`, `root.add_child(TaskTreeNode(other))`.

    What is below a task is filed under it; that orders nothing. While a tree is distributed, `task` is replaced by the
    record of each new state, and shows the outcome in the end.
    """

    __slots__ = ("children", "parent", "task")

    def __init__(self, task: TaskRecord) -> None:
        if not isinstance(task, TaskRecord):
            raise TypeError(f"TaskTreeNode takes a task, as create_task returns it, not {task!r}; is an await missing?")
        self.task = task
        #: In the order in which they were added; to read.
        self.children: list[TaskTreeNode] = []
        self.parent: TaskTreeNode | None = None

    def add_child(self, child: TaskTreeNode) -> TaskTreeNode:
        """Put a task, with all below it, below this one, and return it.

        Raises `DefinitionError` if it is below one already, or is this one or above it.
        """
        if not isinstance(child, TaskTreeNode):
            raise TypeError(f"{self.task}: a child is {child!r}; expected a node: add_child(TaskTreeNode(task))")
        why = None
        if child.parent is not None:
            why = f"it is below {child.parent.task} already; a task has one place in a tree"
        elif any(each is child for each in self.ancestors()):
            why = "it is that one, or above it; what is below a task cannot be above it as well"
        if why is not None:
            raise DefinitionError(f"{child.task} cannot be put below {self.task}: {why}")
        child.parent = self
        self.children.append(child)
        return child

    def ancestors(self) -> Iterator[TaskTreeNode]:
        """Yield the node itself and all above it."""
        node: TaskTreeNode | None = self
        while node is not None:
            yield node
            node = node.parent

    def walk(self) -> Iterator[TaskTreeNode]:
        """Yield the node and all below it, each before those below it, branch after branch."""
        waiting: list[TaskTreeNode] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)

    def calculate_progress(self) -> float:
        """Return how much of the tree is over, from 0 to 1: of each task its progress, the whole once it has ended."""
        progress = [1.0 if node.task.status.has_ended else node.task.progress for node in self.walk()]
        return sum(progress) / len(progress)

    def calculate_status(self) -> TaskState:
        """Return how the tree stands, all its tasks considered.

        `in_progress` while one is, then `failed` or `cancelled` if one is (in this order), `completed` or `pending` if
        all are; what is partly completed and partly pending is `in_progress`.
        """
        found = {node.task.status for node in self.walk()}
        for status in (TaskState.IN_PROGRESS, TaskState.FAILED, TaskState.CANCELLED):
            if status in found:
                return status
        return found.pop() if len(found) == 1 else TaskState.IN_PROGRESS

    def __repr__(self) -> str:
        return f"<TaskTreeNode of {self.task}, {self.task.status}, {len(self.children)} children>"
