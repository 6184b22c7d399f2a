"""A world whose bodies await any node that there is, until it has ended."""

from __future__ import annotations

from collections.abc import Callable

from tests.properties.facts import by_order, kind_of
from tests.properties.random_tree import Tape
from tests.properties.world import World
from treetask import DependencyCycleError, TaskNode


class AwaitingWorld(World):
    """The world, with bodies that go on only when that has come which they wait for."""

    def __init__(self, tape: Tape, *, is_friendly: bool) -> None:
        super().__init__(tape, is_friendly=is_friendly)
        #: What bodies await, whether they may give up, and what ends the wait.
        self.awaiting: dict[TaskNode, tuple[TaskNode, bool, Callable[[], None] | None]] = {}

    def disturbances(self) -> list[Callable[[], None]]:
        """Return what need not happen at all."""
        return [*super().disturbances(), self.await_one, self.await_one]

    def await_one(self) -> None:
        """A body awaits some node, unless that is refused; or it does so beside others, and may give up."""
        facts = self.facts
        bodies = by_order(facts.running - facts.interrupted)
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
        self.news.awaited[body] = awaited
        end = self.scheduler.begin_wait(body, awaited, facts.now, aside=is_aside)
        self.awaiting[body] = awaited, is_aside, end
        facts.running.remove(body)
        facts.waiting.add(body)
        self.scheduler.slots.suspend(body, kind_of(body))

    def may_go_on(self, body: TaskNode) -> bool:
        """Whether what a body waits for has come, or it may give up."""
        if body not in self.awaiting:
            return True
        awaited, may_give_up, _ = self.awaiting[body]
        # Only what was spawned can be awaited elsewhere, and that has always been let go before it is discarded.
        return may_give_up or awaited.is_done() or awaited not in self.tree

    def end_wait(self, body: TaskNode) -> None:
        """A body waits no more."""
        self.news.awaited.pop(body, None)
        _, _, end = self.awaiting.pop(body, (None, None, None))
        if end is not None:
            end()
