"""Decides how nodes end, what an end means for the others, and how a node and all below it are stopped.

The lower half of the scheduler, as pure as the rest of it; the upper one (`_scheduler.py`) decides what may start. A
final status moves up through the parents in one loop; what it means for dependents and siblings waits in `_agenda`
until that loop is at rest, so that nothing is recursive and no parent is concluded twice.

Where a run is recorded, the end of a body counts only when it is on record: until then it is held back here, and
nothing else can end its node any more.

What runs whatever happens (`always`) is not reached by a stop from above. What of it goes last is let go ahead when all
else below its parent is down and the attempt will not be repeated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from math import inf
from typing import Any, Final

from treetask.engine._anew import begin_anew
from treetask.engine._bounds import grace_bound, total_bound
from treetask.engine._deadlocks import Deadlocks
from treetask.engine._folding import Folding
from treetask.engine._group import Group, because, claim, is_allowed, is_claimed, policy_of
from treetask.engine._left_over import LeftOver, Orphan
from treetask.engine._repeat import wait_before_next
from treetask.engine._slots import Slots
from treetask.engine._waiting import Waiting
from treetask.engine._world import World
from treetask.model import BAD_ENDINGS, CLOSED, FAILURES, OnFailure, TaskNode, TaskStatus, TaskTree, goes_last

_PENDING: Final = TaskStatus.PENDING
_WORKING: Final = TaskStatus.WORKING
_RETRYING: Final = TaskStatus.RETRYING
_DONE: Final = TaskStatus.DONE
_FAILED: Final = TaskStatus.FAILED
_CANCELLED: Final = TaskStatus.CANCELLED
_SKIPPED: Final = TaskStatus.SKIPPED
_TIMED_OUT: Final = TaskStatus.TIMED_OUT

#: `TaskNode._waits` of a node that waits for its next attempt: what it has left in a queue starts nothing.
BACKING_OFF: Final = -1


class Endings:
    """How nodes end. What the scheduler is made of, but for starting."""

    def __init__(self, tree: TaskTree, world: World, slots: Slots, chance: Callable[[], float]) -> None:
        self.tree: Final = tree
        self.slots: Final = slots
        self.is_cancelled = False
        #: Whether not even what always runs is to run any more.
        self.is_hurried = False
        self._world: Final = world
        #: Decides the random part of waits between attempts, from 0 to 1.
        self._chance: Final = chance
        self._waiting: Final = Waiting(tree)
        #: What bodies that are repeated may take from their earlier attempts.
        self.left_over: Final = LeftOver(tree, self._waiting)
        self._deadlocks: Final = Deadlocks(self._waiting, self.left_over, tree.config)
        self._dependents: Final = self._waiting.dependents
        self._held: Final = self._waiting.held
        self._features: Final = self._waiting.features
        self._folding: Final = Folding(tree, self._waiting, self.left_over, world.fold_soon)
        self._agenda: Final[deque[tuple[Callable[..., None], tuple[Any, ...]]]] = deque()
        self._at = 0.0
        #: Nodes without children whose bodies are being stopped, and why; children may still come.
        self._interrupted: Final[dict[TaskNode, str]] = {}
        #: Since when groups are being stopped whose children may run all the same.
        self._stopped_at: Final[dict[Group, float]] = {}
        #: Nodes that wait for their next attempt: until when, and how the last one ended.
        self._backing_off: Final[dict[TaskNode, tuple[float, TaskStatus]]] = {}
        #: When to look at these: the next attempt is due, or the time of all is up. What is stale stays in it.
        self._due: Final[list[tuple[float, int, TaskNode]]] = []
        #: Puts the end of a node on record, which `Scheduler.recorded` answers; None where nothing is recorded.
        self.record: Callable[[TaskNode, TaskStatus, float], None] | None = None
        #: Why ends are not on record any more.
        self.lost_record: str | None = None
        #: Nodes whose attempts are over, with their ends, which are not on record yet.
        self._unrecorded: dict[TaskNode, TaskStatus] = {}
        #: Those of them that will stop others. Nothing starts meanwhile: it might be among these.
        self._about_to_stop: Final[set[TaskNode]] = set()
        #: Called with each node that ends, where somebody waits for it.
        self.watched: Final[dict[TaskNode, list[Callable[[], None]]]] = {}

    # -- decided by the upper half -----------------------------------------------------------------------------------

    def _queue(self, node: TaskNode) -> None:
        """Let a node start that waits for nothing but its turn."""
        raise NotImplementedError

    def _ready(self, node: TaskNode) -> None:
        """A node waits for no other any more."""
        raise NotImplementedError

    def _advance(self, group: Group) -> None:
        """Let the next of a sequence go ahead, when the one before it has ended."""
        raise NotImplementedError

    def _let_go(self, group: Group, children: list[TaskNode]) -> int:
        """Let those children go ahead that are held, all of them or one after another; return how many."""
        raise NotImplementedError

    def group_of(self, node: TaskNode) -> Group:
        """Return the record of a node's attempt, made when there is first need of it."""
        group = node._group
        if group is None:
            group = node._group = Group(node)
            group.stopping = self._interrupted.get(node)
            group.is_final = group.stopping is not None
        return group  # type: ignore[no-any-return]

    # -- ending ------------------------------------------------------------------------------------------------------

    def _conclude(self, group: Group) -> None:
        """A node's body and children are down: its attempt is over."""
        status = group.verdict
        if status is not None:
            self._attempt_over(group.node, status, may_retry=not group.is_final, by_body=True)
            return
        failed = group.unclaimed(_FAILED, _TIMED_OUT)
        if failed is not None:
            group.node.reason = because(failed)
            self._attempt_over(group.node, _FAILED, may_retry=not group.is_final, by_body=False)
            return
        if self._clean_up(group.node):
            return
        cancelled = group.unclaimed(_CANCELLED)
        if cancelled is not None:
            group.node.reason = because(cancelled)
        self._finish(group.node, _DONE if cancelled is None else _CANCELLED)

    def _attempt_over(self, node: TaskNode, status: TaskStatus, *, may_retry: bool, by_body: bool) -> None:
        """An attempt did not end well: repeat it, or make it final."""
        if status is not _CANCELLED and may_retry and self._at < self._last_start(node):
            wait = wait_before_next(node, self.tree.config, self._at, self._chance, by_body=by_body)
            if node.exception is not None and not isinstance(node.exception, Exception):
                self._world.raise_at_end(node.exception)
            if wait is not None and self._at + wait < self._last_start(node):
                self._retry(node, wait, status)
                return
        if self.left_over.of:
            self._drop_left_over(node)
        has_begun = node._status is _WORKING
        for child in node._children:
            if not child._status.is_terminal and not (child.options.always and has_begun and not self.is_hurried):
                # Never let go ahead: it waited for this node's body.
                never = _CANCELLED if status is _CANCELLED or self.is_cancelled else _SKIPPED
                self._stop(child, never, f"its parent '{node.id}' {BAD_ENDINGS[status]}")
        if self._clean_up(node):
            # How it ended is clear by now, and no stop changes it.
            self.group_of(node).verdict = status
        else:
            self._finish(node, status)

    def stopped_at(self, node: TaskNode) -> float | None:
        """Return since when all around a node is being stopped, so that it runs only because it always does, if at all.

        That is long past if the node came later. None if nothing is stopped.
        """
        group: Group | None = None if node.parent is None else node.parent._group
        return None if group is None or group.stopping is None else self._stopped_at.get(group, -inf)

    def _last_start(self, node: TaskNode) -> float:
        """Return before when an attempt has to begin, as far as that depends on what is stopped around it."""
        stopped_at = self.stopped_at(node)
        if stopped_at is None:
            return inf
        return grace_bound(node, self.tree.config, self._at, stopped_at=stopped_at).at if node.options.always else -inf

    def _clean_up(self, node: TaskNode) -> bool:
        """Let those children go that always run and have not begun; return whether there are any.

        All else below the node is down, and there will be no further attempt.
        """
        if not self._features.has_always or self.is_hurried or node._status is not _WORKING:
            return False
        children = [
            child
            for child in node._children
            if child.options.always and child._status is _PENDING and child._waits >= CLOSED
        ]
        if children:
            group = self.group_of(node)
            group.is_final = group.is_cleaning_up = True
            # What goes last waits for the others here as well.
            self._let_go(group, [child for child in children if not goes_last(child)] or children)
        return bool(children)

    def _retry(self, node: TaskNode, wait: float, status: TaskStatus) -> None:
        """Bring a node and what is not done below it back to where it was before the attempt, and let it wait."""
        group = node._group
        node.retry_count += 1
        if node.error is None:
            node.error = node.reason
        node.reason = None
        node._group = None
        self.tree.move(node, _RETRYING, self._at)
        if group is not None:
            orphans, lost = begin_anew(self.tree, self._waiting, self.left_over, node, group)
            self._tell_orphans(orphans)
            self._skip_lost(lost)
            self._deadlocks.note_change()
            if self._held.of:
                self._agenda.append((self._tell_stuck, ()))
            self._waits_have_changed()
        if wait:
            due = self._at + wait
            self._backing_off[node] = due, status
            node._waits = BACKING_OFF
            self.slots.rouse(node)
            self._look_at(node, due)
        else:
            self._queue(node)
        total = total_bound(node, self._at, attempts=node.retry_count) if node.retry_count == 1 else None
        if total is not None:
            self._look_at(node, total.at)

    def _drop_left_over(self, node: TaskNode) -> None:
        """A body has asked for all that it ever will."""
        self._tell_orphans(self.left_over.drop(node))

    def _tell_orphans(self, orphans: Iterable[Orphan]) -> None:
        """What nodes waited for was discarded."""
        for orphan, reason in orphans:
            self._agenda.append((self._go_on, (orphan,)) if reason is None else (self._skip, (orphan, reason)))

    def _waits_have_changed(self) -> None:
        """Some wait for others than before."""
        if self._features.has_places:
            self._deadlocks.note_change()
            self.slots.look_at_places_again()

    def _look_at(self, node: TaskNode, when: float) -> None:
        heappush(self._due, (when, node._order, node))
        self._world.look_again_at(when)

    def look_again(self, at: float) -> None:
        """Time has passed: queue the nodes whose next attempt is due, and look at the limits again.

        One that is queued still when the time of all its attempts is up is out of time.
        """
        self._at = at
        while self._due and self._due[0][0] <= at:
            due, _, node = heappop(self._due)
            if node in self._backing_off:
                if self._backing_off[node][0] == due:
                    del self._backing_off[node]
                    node._waits = 0
                    self._queue(node)
            elif node._status is _RETRYING:
                total = total_bound(node, at, attempts=node.retry_count)
                if total is not None and total.at <= at:
                    last, node.exception, node.error = node.exception, TimeoutError(total.error), total.error
                    node.exception.__cause__ = last
                    self._give_up(node, _TIMED_OUT, f"'{node.id}' timed out")
        self.slots.look_again(at)
        self._drain()

    def _give_up(self, node: TaskNode, status: TaskStatus, reason: str) -> None:
        """A node that waits for its next attempt is to have none."""
        if node._status is _RETRYING:
            self._backing_off.pop(node, None)
            if not self._clean_up_instead(node, status, reason):
                self._attempt_over(node, status, may_retry=False, by_body=False)

    def _go_on(self, node: TaskNode) -> None:
        """A node waits for one other less."""
        if node._status is _PENDING and node._tree is self.tree and not node._waits:
            self._ready(node)

    def _skip_lost(self, pairs: Iterable[tuple[TaskNode, TaskNode]]) -> None:
        for node, lost in pairs:
            self._agenda.append((self._skip, (node, because(lost))))

    def _skip(self, node: TaskNode, reason: str) -> None:
        if node._tree is self.tree:
            self._stop(node, _SKIPPED, reason)

    def _finish(  # noqa: C901, PLR0912 - one loop, the hot path
        self, node: TaskNode, status: TaskStatus, *, is_recorded: bool = False
    ) -> None:
        """Make a status final once it is on record, where it has to be, and every status above that follows from it."""
        while True:
            if self.record is not None and not is_recorded:
                on_record = self._on_record(node, status)
                if on_record is None:
                    return
                status = on_record
            is_recorded = False
            was_pending = node._status is _PENDING
            if status is _DONE:
                self.tree.move_to_done(node, self._at)
            else:
                self.tree.move(node, status, self._at)
            dependents = self._dependents.get(node) if self._dependents else None
            if dependents is not None:
                if status is _DONE:
                    self._release(dependents)
                else:
                    self._waiting.untold.add(node)
                    # Before what a policy stops: who depends on what failed is skipped for that, not cancelled.
                    self._agenda.appendleft((self._tell_dependents, (node,)))
            if self._held.until and node in self._held.until:
                self._agenda.appendleft((self._tell_late, (node,)))
            if self.watched and node in self.watched:
                for wake in self.watched.pop(node):
                    wake()
            if self._features.has_gates:
                self.slots.leave(node)
            if self._features.has_rollup:
                self._folding.note_end(node)
            parent = node.parent
            if parent is None:
                return
            group: Group | None = parent._group
            if group is None:
                return
            if node._waits < CLOSED:
                group.live -= 1
                if was_pending and group.is_watched:
                    group.unstarted -= 1
            if status is not _DONE:
                self._note_bad(group, node, status)
            if group.line:
                self._advance(group)
            if group.watch is not None:
                group.watch()
            if group.live or group.line:
                return
            if not group.body_ended:
                if group.stopping is not None:
                    self._world.interrupt(parent)
                return
            if group.verdict is not None or group.bad or not group.gate_open or self._features.has_always:
                self._agenda.append((self._conclude_if_down, (group,)))
                return
            node, status = parent, _DONE

    def _on_record(self, node: TaskNode, status: TaskStatus) -> TaskStatus | None:
        """Return the end that a node has now; None if it is to be recorded first.

        That is asked for the ends of bodies. All others follow from these, or the next run comes to them anew.
        """
        if node._body is None or node._status is not _WORKING:
            return status
        if self.lost_record is None:
            assert self.record is not None
            self._unrecorded[node] = status
            if status in FAILURES and self._stops_others(node):
                self._about_to_stop.add(node)
                self.slots.is_held_back = True
            self.record(node, status, self._at)
            return None
        if status is _DONE:
            node.reason = self.lost_record
            return _CANCELLED
        return status

    def _stops_others(self, node: TaskNode) -> bool:
        """Whether a failure of a node is one that its parent's policy acts on."""
        parent = node.parent
        return parent is not None and not node.options.allow_failure and self.policy(parent) is not OnFailure.CONTINUE

    def _conclude_if_down(self, group: Group) -> None:
        node = group.node
        if node._group is group and group.is_down and node._status is _WORKING and node not in self._unrecorded:
            self._conclude(group)

    def _release(self, dependents: list[TaskNode]) -> None:
        """What nodes depend on is done: they wait for one less."""
        for dependent in dependents:
            if dependent._status is _PENDING and dependent._tree is self.tree:
                dependent._waits -= 1
                if not dependent._waits:
                    if dependent._body is not None and dependent.options.when is None:
                        self.slots.push(dependent)  # what `_ready` comes to for most
                    else:
                        self._agenda.append((self._go_on, (dependent,)))

    def _tell_dependents(self, node: TaskNode) -> None:
        if node not in self._waiting.untold:
            return  # it has begun anew, or was discarded
        self._waiting.untold.discard(node)
        for dependent in self._dependents.get(node, ()):
            self._tell(node, dependent)

    def _tell_late(self, above: TaskNode) -> None:
        """A node has ended: what was held until then may be told, unless the next one above may take it back."""
        for node, dependent in self._held.release(above):
            self._tell(node, dependent)

    def _tell_stuck(self) -> None:
        """Tell those at once who would wait for ever for what is held."""
        for node, dependent in self._held.stuck():
            self._tell(node, dependent)

    def _tell(self, node: TaskNode, dependent: TaskNode) -> None:
        """Tell a node that another one, on which it depends, has not ended well."""
        if dependent._status is not _PENDING or dependent._tree is not self.tree:
            return
        if self._held.hold(node, dependent):
            self._waits_have_changed()
        elif node.id in dependent.options.optional:
            dependent._waits -= 1
            if not dependent._waits:
                self._ready(dependent)
        else:
            self._stop(dependent, _SKIPPED, because(node))

    def _note_bad(self, group: Group, child: TaskNode, status: TaskStatus) -> None:
        """A child did not end well: remember it, and do what the group's policy says."""
        if status is _SKIPPED or is_allowed(child):
            return
        group.note_bad([child])
        if status is _CANCELLED or group.stopping is not None or group.verdict is not None or is_claimed(child):
            return
        if group.is_watched:
            group.note_undelivered(child)
        policy = self.policy(group.node)
        if policy is not OnFailure.CONTINUE and group.stopped is None:
            group.stopped = policy
            self._agenda.append((self._stop_siblings, (group, because(child), policy)))

    def policy(self, node: TaskNode) -> OnFailure:
        """Return what a group does on a failure."""
        return policy_of(node, self.tree.config)

    # -- stopping ----------------------------------------------------------------------------------------------------

    def _stop_siblings(self, group: Group, reason: str, policy: OnFailure) -> None:
        entered = group.entered()
        group.clear_line()
        for child in entered:
            if policy is OnFailure.CANCEL or child._status is _PENDING:
                self._stop(child, _CANCELLED, reason)
        if group.body_ended:
            self._conclude_if_down(group)

    def stop_claimed(self, children: Iterable[TaskNode], reason: str, at: float) -> None:
        """Stop children on behalf of their parent's body, which takes responsibility for how they end."""
        self._at = at
        for child in children:
            claim(child)
            self._stop(child, _CANCELLED, reason)
        self._drain()

    def _stop_entered(self, group: Group, reason: str) -> None:
        """Stop the children that were let go ahead or wait in line; the others were never begun."""
        entered = group.entered()
        group.clear_line()
        for child in entered:
            self._stop(child, _CANCELLED, reason)

    def _stop(self, top: TaskNode, status: TaskStatus, reason: str) -> None:
        """Stop a node and all below it. What never began ends as `status`; bodies are interrupted, deepest first."""
        waiting = [top]
        while waiting:
            node = waiting.pop()
            if node._status.is_terminal or node in self._unrecorded:
                continue
            if node._status is _RETRYING and self._clean_up_instead(node, _CANCELLED, reason):
                continue
            if node._status is not _WORKING:
                self._end_unstarted(node, status, reason)
                continue
            group: Group | None = node._group
            if group is not None:
                group.is_final = True
            if self._mark_stopping(node, reason) and group is not None:
                waiting.extend(group.entered())
                group.clear_line()

    def _mark_stopping(self, node: TaskNode, reason: str) -> bool:
        """Begin to stop a working node; return whether there are children to be stopped before its body."""
        if node.reason is None:
            node.reason = reason
        group: Group | None = node._group
        if group is None:
            self._interrupted[node] = reason
            self._world.interrupt(node)
            return False
        if group.stopping is not None:
            return False
        group.stopping = reason
        group.verdict = group.verdict or _CANCELLED
        if self._features.has_always:
            self._stopped_at[group] = self._at
            self._bound_always(node, reason)
        if not group.is_down:
            return True
        if not group.body_ended:
            self._world.interrupt(node)
        else:
            self._agenda.append((self._conclude_if_down, (group,)))
        return False

    def _bound_always(self, node: TaskNode, reason: str) -> None:
        """What always runs, and does so already, is to end within the grace from now on."""
        for child in node._children:
            if child.options.always and not child._status.is_terminal:
                bound = grace_bound(child, self.tree.config, self._at, stopped_at=self._at)
                if child._status is _WORKING:
                    self._world.bound(child, bound)
                elif child in self._backing_off and self._backing_off[child][0] >= bound.at:
                    self._agenda.append((self._give_up, (child, self._backing_off[child][1], reason)))

    def hurry(self, at: float) -> None:
        """After a cancel: stop also what always runs."""
        if not self.is_cancelled:
            return
        self._at = at
        self.is_hurried = True
        if self._features.has_always:
            for node in self.tree.walk():
                if node.options.always and not node._status.is_terminal:
                    self._stop(node, _CANCELLED, "the run was told to hurry")
        self._drain()

    def _clean_up_instead(self, node: TaskNode, status: TaskStatus, reason: str) -> bool:
        """A node is to end between two attempts: let its children go that always run, if it has any."""
        if (
            not self._features.has_always
            or self.is_hurried
            or not any(child.options.always for child in node._children)
        ):
            return False
        self._backing_off.pop(node, None)
        node._waits = 0
        self.slots.forget_start(node)
        self.tree.move(node, _WORKING, self._at)
        group = self.group_of(node)
        group.body_ended = group.is_final = True
        group.stopping = node.reason = reason
        group.verdict = status
        self._agenda.append((self._conclude_if_down, (group,)))
        return True

    def _end_unstarted(self, top: TaskNode, status: TaskStatus, reason: str) -> None:
        """End a node that has not begun, and all below it, the deepest first."""
        if top._children:
            for node in reversed(list(top.walk())):
                if node is not top and not node._status.is_terminal:
                    self._end_one(node, status, reason)
        self._end_one(top, _CANCELLED if top._status is _RETRYING else status, reason)

    def _end_one(self, node: TaskNode, status: TaskStatus, reason: str) -> None:
        node.reason = reason
        if self._backing_off:
            self._backing_off.pop(node, None)
        if self.left_over.of:
            self._drop_left_over(node)
        self._finish(node, status)

    def _drain(self) -> None:
        """Do what has piled up, and what that piles up, until the tree is at rest."""
        agenda = self._agenda
        while agenda:
            act, arguments = agenda.popleft()
            act(*arguments)
