"""Trees for tests of displays, moved by hand on a clock that is set by hand: no engine, no sleeping."""

from __future__ import annotations

from typing import Any

from treetask.model import Child, ProcessOrder, ProcessResult, TaskNode, TaskStatus, TaskTree


async def work(node: TaskNode) -> None:
    """A body; nobody runs it."""


class HandEngine:
    """Drives a tree as an engine does, but only its clock; statuses are changed by `move`."""

    def __init__(self, tree: TaskTree) -> None:
        self.time = 0.0
        self.tree = tree
        #: What nodes wait for, by their ids.
        self.waited_for: dict[str, str] = {}
        tree.drive(self)

    def now(self) -> float:
        return self.time

    def add(self, child: TaskNode, parent: TaskNode) -> None:
        self.tree.attach(child, parent)

    def set_progress(self, node: TaskNode, progress: tuple[int, int] | None) -> None:
        self.tree.apply_progress(node, progress)

    def extend_log(self, node: TaskNode, lines: bytes) -> None:
        self.tree.apply_log(node, lines)

    async def wait_for(self, child: Child[Any]) -> None:
        raise NotImplementedError

    def spawn(self, child: Child[Any], parent: TaskNode) -> None:
        raise NotImplementedError

    def cancel(self, node: TaskNode, reason: str | None) -> None:
        raise NotImplementedError

    def is_stopping(self, node: TaskNode) -> bool:
        raise NotImplementedError

    def waits_for(self, node: TaskNode) -> str | None:
        return self.waited_for.get(node.id)

    async def open(self, resources: object) -> None:
        raise NotImplementedError

    async def recall(self, node: TaskNode) -> tuple[bool, object]:
        raise NotImplementedError

    async def run_process(self, node: TaskNode, order: ProcessOrder) -> ProcessResult:
        raise NotImplementedError

    def move(self, status: str, *node_ids: str) -> None:
        """Bring nodes to a status at the time of now."""
        for node_id in node_ids:
            node = self.tree.find(node_id)
            assert node is not None, node_id
            self.tree.move(node, TaskStatus(status), self.time)

    def fail(self, node_id: str, error: str) -> None:
        node = self.tree.find(node_id)
        assert node is not None, node_id
        node.error = error
        self.move("failed", node_id)


def pipeline() -> HandEngine:
    """The tree of the quick start: two phases of two tasks."""
    root = TaskNode("pipeline", "My Pipeline")
    for phase, tasks in (("phase1", (1, 2)), ("phase2", (3, 4))):
        group = root.add_child(TaskNode(phase, f"Phase {phase[-1]}"))
        for task in tasks:
            group.add_child(TaskNode(f"task{task}", f"Task {task}", task_fn=work))
    return HandEngine(TaskTree(root))


def flat(count: int, name: str = "root") -> HandEngine:
    """A root with that many tasks, t0 and so on."""
    root = TaskNode(name)
    for number in range(count):
        root.add_child(TaskNode(f"t{number}", task_fn=work))
    return HandEngine(TaskTree(root))


def chain(depth: int) -> HandEngine:
    """A root n0 with one child n1, and so on; the last one is a task."""
    root = node = TaskNode("n0")
    for number in range(1, depth):
        node = node.add_child(TaskNode(f"n{number}", task_fn=work if number == depth - 1 else None))
    return HandEngine(TaskTree(root))


def nightly(pages: int = 4000) -> HandEngine:
    """A root with four parts: 1,000 extracts, many pages, two checks and a task."""
    root = TaskNode("nightly")
    extract = root.add_child(TaskNode("extract"))
    for number in range(1000):
        extract.add_child(TaskNode(f"x{number}", task_fn=work))
    crawl = root.add_child(TaskNode("crawl"))
    for number in range(pages):
        crawl.add_child(TaskNode(f"p{number}", f"fetch[{number}.html]", task_fn=work))
    checks = root.add_child(TaskNode("checks", depends_on=["crawl"]))
    for letter in "ab":
        checks.add_child(TaskNode(f"check-{letter}", task_fn=work))
    root.add_child(TaskNode("publish", task_fn=work, depends_on=["checks"]))
    return HandEngine(TaskTree(root))
