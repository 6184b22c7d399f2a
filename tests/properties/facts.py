"""What the world of a run knows of it: what it has done and seen itself, not what the scheduler says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from tests.properties.random_tree import Body, Condition
from treetask import Child, Limit, OnFailure, TaskNode, TaskStatus, TaskTree
from treetask.engine._gates import LimitGate
from treetask.model import BodyKind

PENDING, WORKING, RETRYING, DONE, FAILED, CANCELLED, SKIPPED, TIMED_OUT = TaskStatus

FAILURES = {FAILED, TIMED_OUT}
IN_THREADS = {BodyKind.THREAD, BodyKind.THREAD_SPAWNER}
SPAWNERS = {BodyKind.SPAWNER, BodyKind.THREAD_SPAWNER}


class Template:
    """What the spawned children of these tests are made from."""

    label = "spawned"

    def make_node(self, child: Child[object], node_id: str) -> TaskNode:
        raise AssertionError("made by the test")


class Facts:
    """What is known of one run. What is said of a node is said of the time since it was pending last."""

    def __init__(self, tree: TaskTree, *, max_concurrency: int | None, max_threads: int) -> None:
        self.tree = tree
        self.max_concurrency = max_concurrency
        self.max_threads = max_threads
        self.now = 0.0
        self.is_paused = self.is_cancelled = self.is_hurried = False
        #: Bodies with a slot, those that wait without, those that want theirs back, and those that are being stopped.
        self.running: set[TaskNode] = set()
        self.waiting: set[TaskNode] = set()
        self.returning: set[TaskNode] = set()
        self.interrupted: set[TaskNode] = set()
        #: Threads whose bodies were given up: the node of each, and the gates of the limits that it keeps.
        self.abandoned: list[tuple[TaskNode, Sequence[LimitGate]]] = []
        #: The starts that each limit has seen.
        self.starts: dict[Limit, list[float]] = {}
        #: When the scheduler wants to look at the clock again.
        self.looks: set[float] = set()
        #: What the scheduler was told last about the random part of a wait.
        self.last_chance = 0.0

        #: Nodes that have begun, and when.
        self.begun: dict[TaskNode, float] = {}
        #: Nodes whose attempts are over, and nobody knows until that is on record.
        self.unrecorded: set[TaskNode] = set()
        #: Those of them that have failed, and whose parents stop others for that: nothing starts meanwhile.
        self.about_to_stop: set[TaskNode] = set()
        #: Of the attempts that go on: those whose body has ended or let its children go; how bodies have ended (those
        #: without one end when they begin); how the attempt is to end, by the first thing that went wrong; until when
        #: it may last; since when all below it is being stopped.
        self.open: set[TaskNode] = set()
        self.ended: dict[TaskNode, TaskStatus] = {}
        self.verdicts: dict[TaskNode, TaskStatus] = {}
        self.bounds: dict[TaskNode, float] = {}
        self.stopped_at: dict[TaskNode, float] = {}
        #: What went wrong in the attempts that go on, or in the last ones.
        self.raised: dict[TaskNode, Exception] = {}
        #: How the attempt before the next one has ended, until when that is waited for, and how those end that do not
        #: begin it in time.
        self.last_end: dict[TaskNode, TaskStatus] = {}
        self.due: dict[TaskNode, float] = {}
        self.giving_up: dict[TaskNode, TaskStatus] = {}
        #: Nodes that were told to stop, by somebody or by a policy; those that were told so in the step that goes on
        #: and may have been about to begin or to end; those that somebody meant, not a node above or beside them.
        self.told: set[TaskNode] = set()
        self.just_told: set[TaskNode] = set()
        self.meant: set[TaskNode] = set()
        #: Nodes of which only clean-up is left, and children that failed in that.
        self.cleaning: set[TaskNode] = set()
        self.failed_cleaning: set[TaskNode] = set()
        #: Children that were spawned by the body of their parent, which need not wait for its end; and those that came
        #: when all their siblings had ended.
        self.at_once: set[TaskNode] = set()
        self.latest: set[TaskNode] = set()

    # -- taking note -------------------------------------------------------------------------------------------------

    def note_start(self, node: TaskNode, old: TaskStatus) -> None:
        """A node begins an attempt."""
        self.raised.pop(node, None)
        self.due.pop(node, None)
        if old is PENDING:
            self.begun[node] = self.now
        parent = node.parent
        is_last = parent is not None and goes_last(node)
        if parent is not None and (is_last or (node.options.always and not (is_spawned(node) or parent in self.open))):
            self.cleaning.add(parent)
        if node.task_fn is None:
            self.open.add(node)
            self.ended[node] = DONE
            if node in self.just_told:
                self.stopped_at.setdefault(node, self.now)

    def note_clean_up(self, node: TaskNode) -> None:
        """A node will not begin its next attempt, but what always runs below it is to run."""
        self.verdicts[node] = self.ended[node] = self.giving_up.pop(node, CANCELLED)
        self.stopped_at[node] = -math.inf
        self.cleaning.add(node)
        self.due.pop(node, None)

    def note_retry(self, node: TaskNode, due: float) -> None:
        """An attempt is over, another one is to come."""
        self.due[node] = due
        verdict = self.verdicts.get(node, self.ended.get(node))
        self.last_end[node] = TIMED_OUT if verdict is TIMED_OUT else FAILED
        self._forget_attempt(node)
        # What had not begun was not reached by what stopped this attempt.
        self.told -= set(node.walk()) - ({node} & self.just_told)

    def note_reset(self, node: TaskNode) -> None:
        """A node is brought back to its beginning."""
        self._forget_attempt(node)
        for known in (self.told, self.just_told, self.meant, self.failed_cleaning):
            known.discard(node)
        for noted in (self.begun, self.due, self.giving_up):
            noted.pop(node, None)

    def _forget_attempt(self, node: TaskNode) -> None:
        for known in (self.open, self.cleaning):
            known.discard(node)
        for noted in (self.ended, self.verdicts, self.bounds, self.stopped_at):
            noted.pop(node, None)

    def note_end(self, node: TaskNode, old: TaskStatus) -> None:
        """A node has ended: it may be the cause of a stop beside it."""
        parent = node.parent
        if old is PENDING and node.status is FAILED and isinstance(node.exception, Exception):
            self.raised[node] = node.exception
        self.due.pop(node, None)
        if node.status not in FAILURES or node.options.allow_failure or claimed(node) or parent is None:
            return
        if goes_last(node):
            self.cleaning.add(parent)
        if parent._group is not None and parent._group.is_cleaning_up:
            self.failed_cleaning.add(node)
        if self.policy(parent) is OnFailure.CANCEL and parent not in self.verdicts and parent.status is WORKING:
            self.note_stops(child for child in parent.children if not child.options.always)

    def note_failure(self, node: TaskNode, status: TaskStatus, error: Exception | None) -> None:
        """An attempt is not to end well: its children are stopped."""
        self.verdicts.setdefault(node, status)
        if error is not None:
            node.exception = self.raised[node] = error
        self.note_stops(child for child in node.children if not child.options.always)

    def note_expiry(self, node: TaskNode, error: Exception) -> None:
        """The time of a group's attempt is up."""
        if node in self.told or node in self.stopped_at or node in self.unrecorded:
            return
        self._note_clear_end(node)
        if node in self.ended and all(child.is_done() or goes_last(child) for child in node.children):
            self.cleaning.add(node)
        if node not in self.verdicts:
            self.note_failure(node, TIMED_OUT, error)
            self._note_stopped_group(node)
        elif node._group.is_cleaning_up:
            self._note_stopped_group(node)

    def note_stops(self, tops: Iterable[TaskNode]) -> None:
        """Nodes, and those below them, are told to stop."""
        for top in tops:
            for node in self._reach_of_stop(top):
                if node.status is WORKING and node._group is not None and node not in self.told:
                    self._note_clear_end(node)
                    self.verdicts.setdefault(node, CANCELLED)
                    self._note_stopped_group(node)
                self.told.add(node)
                self.just_told.add(node)

    def _note_clear_end(self, node: TaskNode) -> None:
        """A group that has failed and cleans up stays failed."""
        if node._group.is_cleaning_up and set(self.counting_failures(node)) - self.failed_cleaning:
            self.verdicts.setdefault(node, FAILED)

    def _note_stopped_group(self, group: TaskNode) -> None:
        self.stopped_at.setdefault(group, self.now)
        for child in group.children:
            # Its next attempt would begin after the grace.
            if child.options.always and self.due.get(child, 0) >= self.now + self.tree.config.grace:
                self.giving_up[child] = self.last_end[child]

    def _reach_of_stop(self, top: TaskNode) -> Iterator[TaskNode]:
        """Yield the nodes that have not ended and that a stop of one of them reaches: not what always runs below."""
        left = [top]
        while left:
            node = left.pop()
            if not node.is_done() and node not in self.unrecorded:
                yield node
                has_begun = node.status is not PENDING
                left += [child for child in node.children if not (child.options.always and has_begun)]

    def note_time(self) -> None:
        """The scheduler looks at the clock: for nodes that still queue for their next attempt it may be too late."""
        for node, due in self.due.items():
            retry = node.options.retry
            total = None if retry is None else retry.timeout
            if due <= self.now and total is not None and self.begun[node] + total <= self.now:
                self.giving_up[node] = TIMED_OUT

    # -- asking ------------------------------------------------------------------------------------------------------

    def stops_others(self, node: TaskNode) -> bool:
        """Whether a failure of a node is one that others are stopped for."""
        parent = node.parent
        return parent is not None and not node.options.allow_failure and self.policy(parent) is not OnFailure.CONTINUE

    def policy(self, group: TaskNode) -> OnFailure:
        """Return what a group does when a child fails: its own word, or that of the nearest above it."""
        said = (node.options.on_failure for node in (group, *group.get_ancestors()))
        return next((policy for policy in said if policy is not None), OnFailure(self.tree.config.on_failure))

    def counting_failures(self, group: TaskNode) -> list[TaskNode]:
        """Return the children that make a group fail: those that nobody claimed nor allowed to."""
        return [
            child
            for child in group.children
            if child.status in FAILURES and not claimed(child) and not child.options.allow_failure
        ]

    def is_last_attempt(self, node: TaskNode) -> bool:
        """Whether an attempt is the last whatever comes of it: it was stopped, or only its clean-up is left."""
        told = self.told - self.just_told
        return node in told or node in self.cleaning or (self.is_cancelled and not self.is_shielded(node))

    def is_shielded(self, node: TaskNode) -> bool:
        """Whether a node may begin although all is being stopped: it, or one above it, always runs."""
        return any(one.options.always for one in (node, *node.get_ancestors()))

    def lost_dependency(self, node: TaskNode) -> bool:
        """Whether something that a node needs has not ended well, or is in the tree no more."""
        needed = [self.tree.find(each) for each in node.options.depends_on if each not in node.options.optional]
        return any(one is None or (one.is_done() and one.status is not DONE) for one in needed)

    def grace_ends_at(self, node: TaskNode) -> float:
        """Return when what always runs has to be over; never, if nothing around it is being stopped."""
        parent = node.parent
        if parent is None or not node.options.always or parent not in self.stopped_at:
            return math.inf
        return max(self.begun.get(node, self.now), self.stopped_at[parent]) + self.tree.config.grace


def in_turn(group: TaskNode) -> list[TaskNode]:
    """Return the children in the order of a sequence: what always runs comes last."""
    return sorted(group.children, key=goes_last)


def goes_last(node: TaskNode) -> bool:
    """Whether a node waits until its siblings have ended; not if the body of its parent waits for it."""
    assert node.parent is not None
    return node.options.always and not (node.options.depends_on and node.parent.parallel) and not is_spawned(node)


def is_spawned(node: TaskNode) -> bool:
    """Whether the body of the parent has made a node, which need not wait for the end of that body."""
    return node._child is not None and isinstance(node._child.template, Template)


def claimed(node: TaskNode) -> bool:
    """Whether a body has taken responsibility for a node's end."""
    return node._child is not None and bool(node._child.claimed)


def kind_of(node: TaskNode) -> BodyKind:
    """Return the kind of a node's body."""
    assert isinstance(node.task_fn, Body)
    return node.task_fn.kind


def condition_of(node: TaskNode) -> bool | None:
    """Return what a node's condition answers; None if it raises."""
    condition = node.options.when
    if condition is None:
        return True
    assert isinstance(condition, Condition)
    return condition.answer


def by_order(nodes: Iterable[TaskNode]) -> list[TaskNode]:
    """Return nodes in an order that does not depend on addresses."""
    return sorted(nodes, key=lambda node: node._order)
