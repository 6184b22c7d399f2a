"""The scheduler without an event loop: a test starts bodies, says how they end and what time it is."""

from __future__ import annotations

from treetask import TaskNode, TaskStatus, TaskTree
from treetask.engine._bounds import Bound
from treetask.engine._scheduler import Scheduler


class ByHand:
    """One run of a tree, by hand. Bodies are of the plain async kind, and named by the ids of their nodes."""

    def __init__(self, tree: TaskTree, *, max_concurrency: int | None = None, chance: float = 0.0) -> None:
        self.tree = tree
        self.now = 0.0
        #: What the scheduler asked for: the bodies it interrupted, and when it wants to be told that time has passed.
        self.interrupted: list[str] = []
        self.looks: list[float] = []
        #: The bounds of attempts that lasted already.
        self.bounds: list[tuple[str, Bound]] = []
        self.scheduler = Scheduler(tree, self, max_concurrency=max_concurrency, max_threads=1, chance=lambda: chance)
        self.scheduler.begin(self.now)

    # -- asked by the scheduler --------------------------------------------------------------------------------------

    def interrupt(self, node: TaskNode) -> None:
        self.interrupted.append(node.id)

    def grant(self, node: TaskNode) -> None:
        raise AssertionError(node.id)

    def bound(self, node: TaskNode, bound: Bound) -> None:
        self.bounds.append((node.id, bound))

    def fold_soon(self) -> None:
        """Nobody folds what is done here."""

    def raise_at_end(self, error: BaseException) -> None:
        """Nobody leaves here."""
        raise AssertionError(error)

    def look_again_at(self, when: float) -> None:
        self.looks.append(when)

    # -- what happens ------------------------------------------------------------------------------------------------

    def node(self, node_id: str) -> TaskNode:
        """Return the node of that id."""
        node = self.tree.find(node_id)
        assert node is not None
        return node

    def start(self) -> list[str]:
        """Let all bodies start that may; return which."""
        started: list[str] = []
        while (node := self.scheduler.take(self.now)) is not None:
            started.append(node.id)
        return started

    def end(self, *node_ids: str) -> list[str]:
        """Let bodies return; return which start then."""
        for node_id in node_ids:
            node = self.node(node_id)
            self.scheduler.body_done(node, self.scheduler.slots.kind(node), self.now)
        return self.start()

    def fail(self, node_id: str, error: Exception | None = None) -> list[str]:
        """Let a body raise; return which start then."""
        node = self.node(node_id)
        node.exception = OSError(f"{node_id} is broken") if error is None else error
        node.error = str(node.exception)
        return self._fail(node_id, TaskStatus.FAILED)

    def stop(self, *node_ids: str) -> list[str]:
        """Let bodies that were interrupted end; return which start then."""
        for node_id in node_ids:
            assert node_id in self.interrupted
            self._fail(node_id, TaskStatus.CANCELLED)
        return self.start()

    def _fail(self, node_id: str, status: TaskStatus) -> list[str]:
        node, is_final = self.node(node_id), node_id in self.interrupted
        if is_final:
            self.interrupted.remove(node_id)
        self.scheduler.body_failed(node, self.scheduler.slots.kind(node), self.now, status, final=is_final)
        return self.start()

    def wait(self, seconds: float) -> list[str]:
        """Let time pass; return which bodies start then."""
        self.now += seconds
        if any(when <= self.now for when in self.looks):
            self.looks = [when for when in self.looks if when > self.now]
            self.scheduler.look_again(self.now)
        return self.start()
