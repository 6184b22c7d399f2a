"""A world in which the end of a body counts only when it is on record, which takes a while."""

from __future__ import annotations

from collections.abc import Callable

from tests.properties.ends import check_end_of_attempt
from tests.properties.facts import CANCELLED, DONE, WORKING
from tests.properties.random_tree import Tape
from tests.properties.world import World
from treetask import TaskNode, TaskStatus
from treetask.model import FAILURES


class RecordedWorld(World):
    """The world, with a journal that answers as the tape says: some ends, in any order, or none until the last."""

    def __init__(self, tape: Tape, *, is_friendly: bool) -> None:
        super().__init__(tape, is_friendly=is_friendly)
        #: Ends that are asked for, and those that the scheduler is being told of.
        self.asked: dict[TaskNode, TaskStatus] = {}
        self.told: dict[TaskNode, TaskStatus] = {}
        self.is_lost = False
        #: Whether much happens before an answer comes.
        self.is_slow = tape.pick(3) > 0
        self.scheduler.record = self.record

    def record(self, node: TaskNode, status: TaskStatus, at: float) -> None:
        """An end is to be put on record: it follows from what is known now, and nothing changes it."""
        self.story.append(f"record {node.id} {status}")
        assert (at, node.status) == (self.facts.now, WORKING)
        assert not self.is_lost, "nothing is put on record any more"
        assert node not in self.asked, f"{node.id} ends twice"
        left = [below.id for below in node.walk() if below is not node and not below.is_done()]
        assert not left, f"{node.id} ends before {left}"
        check_end_of_attempt(self.facts, node, status)
        self.asked[node] = status
        self.facts.unrecorded.add(node)
        if status in FAILURES and self.facts.stops_others(node):
            self.facts.about_to_stop.add(node)

    def check_end(self, node: TaskNode, old: TaskStatus) -> None:
        """Where a body has ended, check that this is on record, and just as it was asked for."""
        assert node not in self.asked, f"{node.id} ends before that is on record"
        if node in self.told:
            assert node.status is self.told.pop(node), f"{node.id} does not end as it is on record"
            assert node.status is not DONE or node.exception is None, f"{node.id} is done: {node.exception}"
        elif old is WORKING and node.task_fn is not None and self.is_lost:
            assert node.status is not DONE, f"{node.id} is done, and that is not on record"
        else:
            assert old is not WORKING or node.task_fn is None, f"{node.id} ends, and that is not on record"
            super().check_end(node, old)

    def actions(self) -> list[Callable[[], None]]:
        """Return what may happen next."""
        return [*super().actions(), self.answer, self.answer]

    def disturbances(self) -> list[Callable[[], None]]:
        """Return what need not happen at all."""
        return [*super().disturbances(), self.expire, self.cancel_one, self.lose]

    def last_actions(self) -> list[Callable[[], None]]:
        """Return what leads to the end."""
        return [*super().last_actions(), self.answer_all]

    def answer(self) -> None:
        """Some ends are on record."""
        if not self.is_slow or self.tape.chance(8):
            self.answer_those([node for node in self.asked if self.tape.pick(2) == 0])

    def answer_all(self) -> None:
        """All ends are on record."""
        self.answer_those(list(self.asked))

    def answer_those(self, nodes: list[TaskNode]) -> None:
        """Tell the scheduler which ends are on record."""
        if nodes:
            self.story.append(f"on record: {', '.join(node.id for node in nodes)}")
            self.note_answers(nodes)
            self.scheduler.recorded(nodes, self.facts.now)
            assert not self.told

    def note_answers(self, nodes: list[TaskNode]) -> None:
        """The scheduler is about to be told."""
        for node in nodes:
            self.told[node] = self.asked.pop(node)
            self.facts.unrecorded.discard(node)
            self.facts.about_to_stop.discard(node)

    def lose(self) -> None:
        """Nothing will be on record any more: what was not never was done, and the run is cancelled."""
        if self.is_lost or not self.tape.chance(12):
            return
        self.story.append("the journal is lost")
        facts = self.facts
        self.is_lost = True
        self.note_answers(list(self.asked))
        for node, status in self.told.items():
            if status is DONE:
                self.told[node] = CANCELLED
        self.scheduler.recording_failed("not on record", facts.now)
        assert not self.told
        if not facts.is_cancelled:
            facts.is_cancelled, facts.is_paused = True, False
            facts.note_stops([self.tree.root])
        self.scheduler.cancel("the journal is lost", facts.now)
