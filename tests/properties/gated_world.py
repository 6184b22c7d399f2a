"""A world where starts wait for more than slots: limits with rates, places in groups, priorities, and other bodies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from tests.properties.random_tree import NewNode, Tape, new_node
from tests.properties.world import RETRYING, WORKING, World, by_order
from treetask import DependencyCycleError, Limit, TaskNode, TaskStatus
from treetask.model import BodyKind, kind_of

LIMITS = [
    Limit("a", max_concurrency=1),
    Limit("b", max_concurrency=2),
    Limit("c", per_second=0.5),
    Limit("d", max_concurrency=1, per_second=1),
]


def gated_node(tape: Tape, number: int, earlier: list[TaskNode]) -> TaskNode:
    """Return a node with some more options by the tape."""
    node = new_node(tape, number, earlier)
    is_limited = node.task_fn is not None and kind_of(node.task_fn) in {BodyKind.ASYNC, BodyKind.THREAD}
    node.options = replace(
        node.options,
        priority=tape.one_of([None, None, 0, 3]),
        cost=tape.one_of([None, None, None, 1, 7]),
        max_parallel=tape.one_of([None, None, 1, 1, 2]),
        limits=tuple(limit for limit in LIMITS if is_limited and tape.pick(5) == 1),
    )
    return node


class GatedWorld(World):
    """The world, with bodies that await any node that there is."""

    new_node: NewNode = staticmethod(gated_node)

    def __init__(self, tape: Tape, *, is_friendly: bool) -> None:
        #: When bodies started that name each limit.
        self.starts: dict[Limit, list[float]] = {limit: [] for limit in LIMITS}
        #: Bodies that wait for a node, whether they may give up, and what ends the wait.
        self.awaiting: dict[TaskNode, tuple[TaskNode, bool, Callable[[], None] | None]] = {}
        #: Whether anybody has ever awaited what is not below it.
        self.has_awaited = False
        super().__init__(tape, is_friendly=is_friendly)

    # -- what may happen ---------------------------------------------------------------------------------------------

    def disturbances(self) -> list[Callable[[], None]]:
        """Return what need not happen at all."""
        return [*super().disturbances(), self.await_one, self.await_one]

    def await_one(self) -> None:
        """A body awaits some node, unless that is refused."""
        bodies = by_order(node for node in self.running if node not in self.interrupted)
        if not bodies:
            return
        body = self.tape.one_of(bodies)
        awaited = self.tape.one_of([node for node in self.tree.walk() if not node.is_done()])
        is_aside = self.tape.chance(4)
        if not is_aside:
            try:
                self.scheduler.refuse_to_wait(body, awaited)
            except DependencyCycleError as error:
                self.story.append(f"refused: {body.id} awaits {awaited.id}: {error}")
                return
        self.story.append(f"{body.id} awaits {awaited.id}{' aside' if is_aside else ''}")
        self.has_awaited = self.has_awaited or body not in awaited.get_ancestors()
        self.awaiting[body] = awaited, is_aside, self.scheduler.begin_wait(body, awaited, aside=is_aside)
        self.running.remove(body)
        self.waiting.add(body)
        self.scheduler.slots.suspend(body, self.scheduler.slots.kind(body))

    def return_one(self) -> None:
        """A body that waited wants to go on, if what it waited for has come."""
        held = {
            body
            for body, (awaited, may_give_up, _) in self.awaiting.items()
            if not (awaited.is_done() or may_give_up or awaited.parent is None)
        }
        self.waiting -= held
        before = set(self.waiting)
        super().return_one()
        for body in before - self.waiting:
            self.end_wait(body)
        self.waiting |= held

    def end_one(self) -> None:
        """A body ends."""
        super().end_one()
        for body in set(self.awaiting) - self.waiting:
            self.end_wait(body)

    def end_wait(self, body: TaskNode) -> None:
        """A body waits no more."""
        _, _, end = self.awaiting.pop(body, (None, None, None))
        if end is not None:
            end()

    # -- what must hold ----------------------------------------------------------------------------------------------

    def check_start(self, node: TaskNode, old: TaskStatus) -> None:
        """Each start counts for its limits."""
        super().check_start(node, old)
        for limit in node.options.limits:
            starts = self.starts[limit]
            starts.append(self.now)
            if limit.per_second is not None:
                window = max(1, 1 / limit.per_second)
                assert sum(start > self.now - window for start in starts) <= max(1, limit.per_second)

    def check(self) -> None:
        """Check limits and places at every moment."""
        super().check()
        running = Counter(limit for node in self.running for limit in node.options.limits)
        for limit in LIMITS:
            assert limit.max_concurrency is None or running[limit] <= limit.max_concurrency, f"{limit} is exceeded"
        for group in self.tree.walk():
            if group.options.max_parallel is not None:
                self.check_places(group, group.options.max_parallel)

    def check_places(self, group: TaskNode, places: int) -> None:
        """No more children than that have a body that runs, or have begun where nobody has to give a place up."""
        begun = [child for child in group.children if child.status in {WORKING, RETRYING}]
        at_work = {child for child in begun if any(node in self.running for node in child.walk())}
        assert len(at_work) <= places, f"{group.id} has {len(at_work)} children at work: {at_work}"
        if not self.has_awaited and not any(node.options.depends_on for node in self.tree.walk()):
            assert len(begun) <= places, f"{group.id} has begun {begun}"
