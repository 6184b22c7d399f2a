"""Random trees: a tape of bytes decides what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from treetask import DependencyCycleError, Limit, OnFailure, Retry, TaskNode, TaskTree, TreeTaskConfig, optional
from treetask.model import BodyKind, NodeKeywords, dependencies_of
from treetask.model import kind_of as body_kind

T = TypeVar("T")

MAX_NODES = 24

#: What a tree does not use must cost its run nothing and change nothing in it, so each tree uses only some of these.
RARE = ("limits", "max_parallel", "priority", "cost", "always", "allow_failure", "optional", "retry", "timeout")

LIMITS = (
    Limit("one", max_concurrency=1),
    Limit("two", max_concurrency=2),
    Limit("rate", per_second=2),
    Limit("slow", max_concurrency=1, per_second=0.5),
)


def wait_or_break(error: Exception) -> float:
    """Wait as long as the error says, as a server may ask for; not made for others."""
    return float(str(error))


RETRIES = (
    Retry(OSError, attempts=3, wait_initial=0, wait_jitter=0),
    Retry((OSError, TimeoutError), attempts=3, wait_initial=0.5, wait_jitter=0.5),
    Retry(Exception, attempts=None, timeout=6, wait_initial=1, wait_jitter=0),
    Retry(wait_or_break, attempts=4, timeout=None),
)


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


def new_node(tape: Tape, number: int, earlier: list[TaskNode], rare: frozenset[str]) -> TaskNode:
    """Return a node with options and dependencies by the tape; of the rarer options only those in `rare`."""
    kinds = list(BodyKind)
    kind = kinds[tape.pick(len(kinds) + 2) % len(kinds)] if tape.pick(3) < 2 else None
    wanted = [tape.one_of(earlier).id for _ in range(2) if earlier and tape.chance(4)]
    always = "always" in rare and tape.chance(3)
    options = rare_options(tape, kind, rare)
    options["always"] = always
    options["depends_on"] = [
        optional(each) if always or ("optional" in rare and tape.pick(2) == 0) else each for each in wanted
    ]
    options["on_failure"] = tape.one_of([None, None, *OnFailure])
    options["when"] = Condition(tape.one_of([True, False, None])) if tape.chance(8) else None
    return TaskNode(
        f"n{number}",
        parallel=tape.pick(3) < 2,
        task_fn=None if kind is None else BODIES[kind],
        progress=(1, 3) if tape.chance(5) else None,
        **options,
    )


def rare_options(tape: Tape, kind: BodyKind | None, rare: frozenset[str]) -> NodeKeywords:
    """Return options by the tape, of those in `rare`."""
    options = NodeKeywords()
    if "retry" in rare:
        options["retry"] = tape.one_of([None, *RETRIES])
    if options.get("retry") is None:
        options["max_retries"] = tape.one_of([0, None, 1, 2])
    if "allow_failure" in rare:
        options["allow_failure"] = tape.chance(3)
    if "limits" in rare and kind in {BodyKind.ASYNC, BodyKind.THREAD}:
        options["limits"] = [limit for limit in LIMITS if tape.chance(3)]
    if "max_parallel" in rare:
        options["max_parallel"] = tape.one_of([None, None, 1, 2])
    if "priority" in rare:
        options["priority"] = tape.one_of([None, None, 0, 1, 3])
    if "cost" in rare:
        options["cost"] = tape.one_of([None, None, 0, 1, 4])
    if "timeout" in rare:
        options["timeout"] = tape.one_of([None, None, 0, 0.5, 2])
    return options


def some_rare(tape: Tape) -> frozenset[str]:
    """Return the rarer options that a tree uses; none of them in one of three."""
    return frozenset(name for name in RARE if tape.chance(2)) if tape.pick(3) else frozenset()


def new_tree(tape: Tape, rare: frozenset[str]) -> TaskTree:
    """Return a tree by the tape. What would close a cycle is left out."""
    config = TreeTaskConfig(
        max_retries=tape.pick(2),
        on_failure=tape.one_of([policy.value for policy in OnFailure]),
        default_task_timeout=tape.one_of([None, None, 1]) if "timeout" in rare else None,
        grace=2,
    )
    tree = TaskTree(TaskNode("n0", parallel=tape.pick(3) < 2), config)
    for number in range(1, 2 + tape.pick(MAX_NODES)):
        nodes = list(tree.walk())
        parent = nodes[-1 - tape.pick(len(nodes))]
        node = new_node(tape, number, nodes, rare)
        tree.add(node, parent)
        try:
            dependencies_of(tree)
        except DependencyCycleError:
            tree.remove(node)
    return tree


def said_of(node: TaskNode) -> str:
    """Return what a node is, with those of its options that are not the default."""
    body = "group" if node.task_fn is None else body_kind(node.task_fn).name
    names, plain = type(node.options).__dataclass_fields__, TaskNode("plain").options
    said = {name: getattr(node.options, name) for name in names}
    rest = ", ".join(f"{name}={value}" for name, value in said.items() if value != getattr(plain, name))
    return f"{'  ' * node.get_depth()}{node.id} {body} {rest}"
