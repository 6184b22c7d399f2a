"""Random trees: a tape of bytes decides what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from treetask import DependencyCycleError, OnFailure, TaskNode, TaskTree, TreeTaskConfig
from treetask.model import BodyKind, dependencies_of

T = TypeVar("T")

MAX_NODES = 24


class Tape:
    """Decisions, one after another; when they have run out each is the first of its choices."""

    def __init__(self, data: bytes) -> None:
        self._bytes = iter(data)
        self.is_over = False

    def pick(self, count: int) -> int:
        """Return a number below `count`."""
        byte = next(self._bytes, None)
        if byte is None:
            self.is_over = True
            return 0
        return byte % count

    def one_of(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.pick(len(choices))]

    def chance(self, among: int) -> bool:
        """Return True once in `among` times, and never when the tape is over."""
        return self.pick(among) == among - 1 and not self.is_over


class Body:
    """A body of some kind; what it does is the tape's affair."""

    def __init__(self, kind: BodyKind) -> None:
        self.kind = kind

    def __call__(self, node: TaskNode) -> None:
        raise AssertionError("no body is called here")


BODIES = {kind: Body(kind) for kind in BodyKind}
IN_THREADS = {BodyKind.THREAD, BodyKind.THREAD_SPAWNER}


class Condition:
    """A condition of a node: says yes or no, or raises."""

    def __init__(self, answer: bool | None) -> None:
        self.answer = answer

    def __call__(self, node: TaskNode) -> bool:
        if self.answer is None:
            raise OSError(f"condition of {node.id}")
        return self.answer

    def __repr__(self) -> str:
        return f"Condition({self.answer})"


def kind_of(node: TaskNode) -> BodyKind:
    """Return the kind of a node's body."""
    assert isinstance(node.task_fn, Body)
    return node.task_fn.kind


def new_node(tape: Tape, number: int, earlier: list[TaskNode]) -> TaskNode:
    """Return a node with options and dependencies by the tape."""
    kinds = list(BodyKind)
    kind = kinds[tape.pick(len(kinds) + 2) % len(kinds)] if tape.pick(3) < 2 else None
    depends_on = [tape.one_of(earlier).id for _ in range(2) if earlier and tape.chance(4)]
    return TaskNode(
        f"n{number}",
        parallel=tape.pick(3) < 2,
        task_fn=None if kind is None else BODIES[kind],
        progress=(1, 3) if tape.chance(5) else None,
        max_retries=tape.one_of([0, None, 1, 2]),
        depends_on=depends_on,
        on_failure=tape.one_of([None, None, *OnFailure]),
        when=Condition(tape.one_of([True, False, None])) if tape.chance(8) else None,
    )


NewNode: TypeAlias = Callable[[Tape, int, list[TaskNode]], TaskNode]
"""What makes a node by the tape, with a number that no other has, and those that it may depend on."""


def new_tree(tape: Tape, new_node: NewNode = new_node) -> TaskTree:
    """Return a tree by the tape. What would close a cycle is left out."""
    config = TreeTaskConfig(max_retries=tape.pick(2), on_failure=tape.one_of([policy.value for policy in OnFailure]))
    tree = TaskTree(TaskNode("n0", parallel=tape.pick(3) < 2), config)
    for number in range(1, 2 + tape.pick(MAX_NODES)):
        nodes = list(tree.walk())
        parent, node = nodes[-1 - tape.pick(len(nodes))], new_node(tape, number, nodes)
        tree.add(node, parent)
        try:
            dependencies_of(tree)
        except DependencyCycleError:
            tree.remove(node)
    return tree
