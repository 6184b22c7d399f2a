"""An engine that runs nothing: what a tree looks like while it is in the hands of one."""

from __future__ import annotations

from treetask import ProcessResult, TaskNode, TaskTree


class Engine:
    """Stands for an engine that runs a tree and does nothing."""

    def add(self, child: TaskNode, parent: TaskNode) -> None:
        raise NotImplementedError

    def set_progress(self, node: TaskNode, progress: tuple[int, int] | None) -> None:
        raise NotImplementedError

    def extend_log(self, node: TaskNode, lines: bytes) -> None:
        raise NotImplementedError

    def now(self) -> float:
        return 5.0

    async def wait_for(self, child: object) -> None:
        raise NotImplementedError

    def spawn(self, child: object, parent: TaskNode) -> None:
        raise NotImplementedError

    def cancel(self, node: TaskNode, reason: str | None) -> None:
        raise NotImplementedError

    def is_stopping(self, node: TaskNode) -> bool:
        raise NotImplementedError

    def waits_for(self, node: TaskNode) -> str | None:
        return None

    async def open(self, resources: object) -> None:
        raise NotImplementedError

    async def recall(self, node: TaskNode) -> tuple[bool, object]:
        raise NotImplementedError

    async def run_process(self, node: TaskNode, order: object) -> ProcessResult:
        raise NotImplementedError


def run_by_nothing(tree: TaskTree) -> TaskTree:
    """The same tree, in the hands of an engine."""
    tree.drive(Engine())
    return tree
