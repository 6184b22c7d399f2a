"""The scheduler without an event loop: bodies begin and end when the test says so, at the times that it says."""

from __future__ import annotations

from treetask import TaskNode, TaskStatus, TaskTree, TreeBuilder
from treetask.engine._bounds import Bound
from treetask.engine._scheduler import Scheduler


class Desk:
    """Runs a tree by hand."""

    def __init__(
        self, tree: TaskTree | TreeBuilder, *, max_concurrency: int | None = None, max_threads: int = 100
    ) -> None:
        self.tree = tree.build() if isinstance(tree, TreeBuilder) else tree
        self.running: dict[str, TaskNode] = {}
        #: What was asked of the world: bodies to be interrupted, those that have their slot again, when to look again.
        self.interrupted: list[str] = []
        self.granted: list[str] = []
        self.looks: list[float] = []
        self.scheduler = Scheduler(self.tree, self, max_concurrency=max_concurrency, max_threads=max_threads)
        self.slots = self.scheduler.slots
        self.scheduler.begin(0.0)

    # -- asked by the scheduler --------------------------------------------------------------------------------------

    def interrupt(self, node: TaskNode) -> None:
        """A body is to be stopped."""
        self.interrupted.append(node.id)

    def grant(self, node: TaskNode) -> None:
        """A body has its slot again."""
        self.granted.append(node.id)

    def bound(self, node: TaskNode, bound: Bound) -> None:
        """Nothing takes time here."""

    def fold_soon(self) -> None:
        """Nobody folds what is done here."""

    def raise_at_end(self, error: BaseException) -> None:
        """Nobody leaves here."""
        raise AssertionError(error)

    def look_again_at(self, when: float) -> None:
        """Time is the test's affair."""
        self.looks.append(when)

    # -- done by the test --------------------------------------------------------------------------------------------

    def node(self, node_id: str) -> TaskNode:
        """The node of that id, which is there."""
        found = self.tree.find(node_id)
        assert found is not None
        return found

    def begin(self, at: float = 0.0) -> str | None:
        """Let one body begin, if one may; return whose."""
        node = self.scheduler.take(at)
        if node is None:
            return None
        self.running[node.id] = node
        return node.id

    def begin_all(self, at: float = 0.0) -> list[str]:
        """Let all bodies begin that may; return whose, in their order."""
        begun: list[str] = []
        while (node_id := self.begin(at)) is not None:
            begun.append(node_id)
        return begun

    def look_again(self, at: float) -> list[str]:
        """Let time pass, and all bodies begin that may then."""
        self.scheduler.look_again(at)
        return self.begin_all(at)

    def end(self, node_id: str, at: float = 0.0, status: TaskStatus = TaskStatus.DONE) -> None:
        """Let a body end."""
        node = self.running.pop(node_id)
        kind = self.slots.kind(node)
        if status is TaskStatus.DONE:
            self.scheduler.body_done(node, kind, at)
        else:
            self.scheduler.body_failed(node, kind, at, status, final=False)

    def suspend(self, node_id: str) -> None:
        """Let a body wait for its children."""
        node = self.running.pop(node_id)
        self.slots.free(node, self.slots.kind(node))

    def want(self, node_id: str) -> bool:
        """Let a body that has waited ask for its slot; return whether it has it at once."""
        node = self.node(node_id)
        self.running[node_id] = node
        self.slots.want(node, self.slots.kind(node))
        return node_id in self.granted

    def one_by_one(self, at: float = 0.0) -> list[str]:
        """Let bodies begin and end, one after another, to the end of the run; return in which order."""
        order: list[str] = []
        while (node_id := self.begin(at)) is not None:
            order.append(node_id)
            self.end(node_id, at)
        assert self.scheduler.is_over
        return order

    def add(self, node: TaskNode, parent_id: str, *, at_once: bool = False) -> None:
        """Add a node while the tree runs."""
        self.scheduler.add(node, self.node(parent_id), 0.0, at_once=at_once)
