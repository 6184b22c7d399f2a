"""Decides what may start and what becomes of it: told what happened, it says what is ready.

Pure: no event loop, no clock, no I/O. Every entry takes the time as an argument and leaves the tree at rest. What is to
be done in the world goes through `Driver`, three small methods that must not call back.

The way of a node: its parent lets it go ahead (`_open`), its dependencies are met, so it is ready (`_ready`): a node
with a body queues for a slot, one without begins at once. `take` gives it a slot. When its body is over (`body_done`,
`body_failed`) its children are let go ahead, and when they are down its attempt is concluded (`_conclude`): repeated,
or final (`_finish`). A final status moves up through the parents in one loop; what it means for dependents and siblings
waits in `_agenda` until that loop is at rest, so that nothing is recursive and no parent is concluded twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from treetask._errors import FinishedParentError
from treetask.engine._group import ChildWatch, Group, because, claim, is_claimed, policy_of
from treetask.engine._repeat import begin_anew
from treetask.engine._slots import Slots
from treetask.engine._waiting import Waiting
from treetask.model import BAD_ENDINGS, CLOSED, BodyKind, OnFailure, TaskNode, TaskStatus, TaskTree

_PENDING: Final = TaskStatus.PENDING
_WORKING: Final = TaskStatus.WORKING
_RETRYING: Final = TaskStatus.RETRYING
_DONE: Final = TaskStatus.DONE
_FAILED: Final = TaskStatus.FAILED
_CANCELLED: Final = TaskStatus.CANCELLED
_SKIPPED: Final = TaskStatus.SKIPPED
_TIMED_OUT: Final = TaskStatus.TIMED_OUT

#: What a group's verdict follows from.
_BAD_ENDS: Final = frozenset({_FAILED, _TIMED_OUT, _CANCELLED})


class Driver(Protocol):
    """What the scheduler asks of the world."""

    def interrupt(self, node: TaskNode) -> None:
        """Cancel the body of a node; its end will be reported as that of any body."""

    def grant(self, node: TaskNode) -> None:
        """Let a suspended body go on: it has a slot again."""

    def bound(self, node: TaskNode, at: float) -> None:
        """Call `expire` when the time is up of a group without a body, which has begun."""


class Scheduler:
    """The state of one run.

    `max_concurrency` bodies run at once (None: any number), of which `max_threads` in threads.
    """

    def __init__(self, tree: TaskTree, driver: Driver, *, max_concurrency: int | None, max_threads: int) -> None:
        self.tree: Final = tree
        self.is_cancelled = False
        self.slots: Final = Slots(max_concurrency, max_threads, driver.grant)
        self._driver: Final = driver
        self._waiting: Final = Waiting(tree)
        self._dependents: Final = self._waiting.dependents
        self._agenda: Final[deque[tuple[Callable[..., None], tuple[Any, ...]]]] = deque()
        self._at = 0.0
        #: Nodes without children whose bodies are being stopped, and why; children may still come.
        self._interrupted: Final[dict[TaskNode, str]] = {}
        #: Called with each node that ends, where somebody waits for it.
        self.watched: Final[dict[TaskNode, list[Callable[[], None]]]] = {}
        self._skip_lost(self._waiting.lost_at_start)

    # -- asking ------------------------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether every node has ended."""
        return self.tree.root.status.is_terminal

    def is_stuck(self) -> bool:
        """Whether nodes are left that nothing can start: with nothing running, that is a fault of the engine."""
        return not self.is_over and not self.slots.is_paused and not self.slots.has_ready()

    def refuse_to_wait(self, body: TaskNode, child: TaskNode) -> None:
        """Raise `DependencyCycleError` for a body that is about to wait for a child that, in the end, waits for it."""
        if child._status is _PENDING and child._waits % CLOSED:
            self._waiting.refuse(body, child)

    # -- what happened: starts and ends of bodies --------------------------------------------------------------------

    def begin(self, at: float) -> None:
        """Let the root go ahead."""
        self._at = at
        self._open(self.tree.root)
        self._drain()

    def take(self, at: float) -> TaskNode | None:
        """Give a slot to the first ready node and return it, working; None if none may start now."""
        node = self.slots.take()
        if node is not None:
            self._start(node, at)
        return node

    def body_done(self, node: TaskNode, kind: BodyKind, at: float) -> None:
        """A body returned: its children go ahead, or its node is done."""
        self._at = at
        self.slots.free(kind)
        if self._interrupted:
            self._interrupted.pop(node, None)
        group = node._group
        if group is None:
            self._finish(node, _DONE)
        else:
            group.body_ended = True
            self.open_gate(node)
            if group.is_down:
                self._conclude(group)
        if self._agenda:
            self._drain()

    def body_failed(self, node: TaskNode, kind: BodyKind, at: float, status: TaskStatus, *, final: bool) -> None:
        """A body did not return: its children are stopped, and its attempt ends as `status`.

        A `final` one is not repeated: it was interrupted.
        """
        self._at = at
        self.slots.free(kind)
        self._interrupted.pop(node, None)
        group = node._group
        if group is None:
            self._attempt_over(node, status, may_retry=not final, by_body=True)
        else:
            group.body_ended = True
            group.is_final = group.is_final or final
            group.verdict = group.verdict or status
            self._stop_entered(group, f"its parent '{node.id}' {BAD_ENDINGS[status]}")
            if group.is_down:
                self._conclude(group)
        self._drain()

    def expire(self, node: TaskNode, at: float) -> None:
        """The time of a node's attempt is up, while its body or its children run."""
        self._at = at
        group = node._group
        if node._status is not _WORKING or group is None or group.verdict is not None:
            return
        group.verdict = _TIMED_OUT
        if self._mark_stopping(node, f"'{node.id}' timed out"):
            self._stop_entered(group, f"'{node.id}' timed out")
        self._drain()

    # -- what happened: new nodes ------------------------------------------------------------------------------------

    def add(self, child: TaskNode, parent: TaskNode, at: float, *, at_once: bool = False) -> None:
        """Add a child while the run lasts. It goes ahead when the body of its parent is over, or `at_once`.

        Raises what `TaskNode.add_child` says; nothing has changed then.
        """
        if parent._status.is_terminal or parent._tree is not self.tree:
            status = "discarded" if parent._tree is not self.tree else parent.status
            raise FinishedParentError(parent.id, status, child.id)
        self._at = at
        self.tree.attach(child, parent)
        try:
            self._skip_lost(self._waiting.include(child.walk()))
        except Exception:
            self.tree.remove(child)
            raise
        if parent._status is _WORKING:
            self._enter(child, self.group_of(parent), at_once=at_once)
        self._drain()

    def _enter(self, child: TaskNode, group: Group, *, at_once: bool) -> None:
        if not group.body_ended:
            group.added.append(child)
        if child._status is not _PENDING:
            # It comes in as it is; nobody will run it.
            if group.gate_open and child._status in _BAD_ENDS:
                group.bad.append(child)
        elif group.stopping is not None or group.stopped is not None:
            self._stop(child, _CANCELLED, group.stopping or "a sibling failed")
        elif at_once or group.gate_open:
            self._admit(child, group)

    def _admit(self, child: TaskNode, group: Group) -> None:
        if group.node.options.parallel:
            group.let_go(1)
            self._open(child)
        else:
            group.line.append(child)
            self._advance(group)

    def _skip_lost(self, pairs: Iterable[tuple[TaskNode, TaskNode]]) -> None:
        for node, lost in pairs:
            self._agenda.append((self._skip, (node, because(lost))))

    def _skip(self, node: TaskNode, reason: str) -> None:
        if node._tree is self.tree:
            self._stop(node, _SKIPPED, reason)

    # -- what happened: control --------------------------------------------------------------------------------------

    def cancel(self, reason: str | None, at: float) -> None:
        """Stop the run: bodies are interrupted, children before their parents; the rest does not start."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self.cancel_subtree(self.tree.root, reason, at)

    def cancel_subtree(self, node: TaskNode, reason: str | None, at: float) -> None:
        """Stop a node and all below it. One that a failed attempt has taken with it is nobody's affair any more."""
        self._at = at
        if node._tree is self.tree:
            self._stop(node, _CANCELLED, reason or "cancelled")
        self._drain()

    # -- starting ----------------------------------------------------------------------------------------------------

    def group_of(self, node: TaskNode) -> Group:
        """Return the record of a node's attempt, made when there is first need of it."""
        group = node._group
        if group is None:
            group = node._group = Group(node)
            group.stopping = self._interrupted.get(node)
            group.is_final = group.stopping is not None
        return group  # type: ignore[no-any-return]

    def watch(self, node: TaskNode, watch: ChildWatch) -> Group:
        """Tell a spawner's driver about its children from now on."""
        group = self.group_of(node)
        group.watch = watch
        return group

    def _open(self, node: TaskNode) -> None:
        """The parent lets a node go ahead."""
        node._waits -= CLOSED
        if not node._waits:
            self._ready(node)

    def _open_all(self, nodes: list[TaskNode]) -> None:
        """The same for many that have not begun; most of them wait for nothing else."""
        ready: list[TaskNode] = []
        for node in nodes:
            node._waits -= CLOSED
            if not node._waits:
                if node._body is not None and node.options.when is None:
                    ready.append(node)
                else:
                    self._ready(node)
        self.slots.push_all(ready)

    def _ready(self, node: TaskNode) -> None:
        if node._status is not _PENDING:
            return
        if node.options.when is not None:
            self._agenda.append((self._ask_condition, (node,)))
        else:
            self._queue(node)

    def _ask_condition(self, node: TaskNode) -> None:
        """A node could start: its own condition has the last word."""
        condition = node.options.when
        if condition is None or node._status is not _PENDING or node._waits or self._is_being_stopped(node):
            return
        try:
            is_wanted = condition(node)
            if hasattr(is_wanted, "__await__"):
                raise TypeError(f"the condition of '{node.id}' returned {is_wanted!r}; expected True or False")
        except Exception as error:  # a user's function, whatever it raises
            node.exception, node.error = error, str(error) or type(error).__name__
            self._attempt_over(node, _FAILED, may_retry=False, by_body=True)
            return
        if is_wanted:
            self._queue(node)
        else:
            self._stop(node, _SKIPPED, "its condition was false")

    @staticmethod
    def _is_being_stopped(node: TaskNode) -> bool:
        """Whether a sibling has just failed, and the stop that this means is on its way to one that has not begun."""
        group: Group | None = None if node.parent is None else node.parent._group
        return node._status is _PENDING and group is not None and group.stopped is not None

    def _queue(self, node: TaskNode) -> None:
        if node._body is not None:
            self.slots.push(node)
        else:
            self._agenda.append((self._start_bodiless, (node,)))

    def _start_bodiless(self, node: TaskNode) -> None:
        if node._status.is_terminal or node._waits or self._is_being_stopped(node):
            return
        node.error = node.exception = None
        self._start(node, self._at)
        group = self.group_of(node)
        group.body_ended = True
        if node.options.timeout is not None:
            self._driver.bound(node, self._at)
        self.open_gate(node)
        if group.is_down:
            self._conclude(group)

    def _start(self, node: TaskNode, at: float) -> None:
        if node._children:
            node._group = Group(node)
        was_pending = node._status is _PENDING
        self.tree.move_to_working(node, at)
        parent = node.parent
        if parent is not None and parent._group.watch is not None and was_pending:
            parent._group.unstarted -= 1
            parent._group.watch.child_started()

    def let_children_go(self, node: TaskNode, at: float) -> None:
        """A body asks for its static children while it goes on."""
        self._at = at
        self.open_gate(node)
        self._drain()

    def open_gate(self, node: TaskNode) -> None:
        """Let the children go ahead that were there before the body: all, or the first of a sequence."""
        group = self.group_of(node)
        if group.gate_open:
            return
        group.gate_open = True
        waiting = [child for child in node._children if child._status is _PENDING and child._waits >= CLOSED]
        if len(waiting) != len(node._children):
            known = set(group.bad)
            group.bad += [child for child in node._children if child._status in _BAD_ENDS and child not in known]
        if not waiting:
            return
        reason = group.stopping or ("a sibling failed" if group.stopped is not None else None)
        if reason is not None:
            for child in waiting:
                self._stop(child, _CANCELLED, reason)
        elif node.options.parallel:
            group.let_go(len(waiting))
            self._open_all(waiting)
        else:
            group.line.extend(waiting)
            self._advance(group)

    def _advance(self, group: Group) -> None:
        """Let the next of a sequence go ahead, when the one before it has ended."""
        line = group.line
        while line and not group.live:
            # One that ended in line is taken out, also where no other may follow: who waits for the line waits for it.
            if line[0]._status is not _PENDING:
                line.popleft()
            elif group.stopped is None:
                group.let_go(1)
                self._open(line.popleft())
            else:
                return

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
        cancelled = group.unclaimed(_CANCELLED)
        if cancelled is not None:
            group.node.reason = because(cancelled)
        self._finish(group.node, _DONE if cancelled is None else _CANCELLED)

    def _attempt_over(self, node: TaskNode, status: TaskStatus, *, may_retry: bool, by_body: bool) -> None:
        """An attempt did not end well: repeat it, or make it final."""
        if status is not _CANCELLED and may_retry and node.retry_count < self._retries(node, by_body=by_body):
            self._retry(node)
            return
        for child in node._children:
            if not child._status.is_terminal:
                # Never let go ahead: it waited for this node's body.
                never = _CANCELLED if status is _CANCELLED or self.is_cancelled else _SKIPPED
                self._stop(child, never, f"its parent '{node.id}' {BAD_ENDINGS[status]}")
        self._finish(node, status)

    def _retries(self, node: TaskNode, *, by_body: bool) -> int:
        if self.is_cancelled:
            return 0
        if node.options.max_retries is not None:
            return node.options.max_retries
        # The config's default is for what a body raises; repeating a whole group has to be asked for.
        return self.tree.config.max_retries if by_body and node.task_fn is not None else 0

    def _retry(self, node: TaskNode) -> None:
        """Bring a node and what is not done below it back to where it was before the attempt, and make it ready."""
        group = node._group
        node.retry_count += 1
        node.reason = None
        node._group = None
        self.tree.move(node, _RETRYING, self._at)
        if group is not None:
            orphans, lost = begin_anew(self.tree, self._waiting, node, group)
            for orphan, reason in orphans:
                self._agenda.append((self._skip, (orphan, reason)))
            self._skip_lost(lost)
        self._queue(node)

    def _finish(self, node: TaskNode, status: TaskStatus) -> None:  # noqa: C901, PLR0912 - one loop, the hot path
        """Make a status final, and every status above that follows from it."""
        while True:
            was_pending = node._status is _PENDING
            if status is _DONE:
                self.tree.move_to_done(node, self._at)
            else:
                self.tree.move(node, status, self._at)
            if self._dependents and node in self._dependents:
                self._waiting.untold.add(node)
                # Before what a policy stops: who depends on what failed is skipped for that, not cancelled.
                self._agenda.appendleft((self._tell_dependents, (node,)))
            if self.watched and node in self.watched:
                for wake in self.watched.pop(node):
                    wake()
            parent = node.parent
            if parent is None:
                return
            group: Group | None = parent._group
            if group is None:
                return
            if node._waits < CLOSED:
                group.live -= 1
                if was_pending and group.watch is not None:
                    group.unstarted -= 1
            if status is not _DONE:
                self._note_bad(group, node, status)
            if group.line:
                self._advance(group)
            if group.watch is not None:
                group.watch.child_ended(node)
            if group.live or group.line:
                return
            if not group.body_ended:
                if group.stopping is not None:
                    self._driver.interrupt(parent)
                return
            if group.verdict is not None or group.bad or not group.gate_open:
                self._agenda.append((self._conclude_if_down, (group,)))
                return
            node, status = parent, _DONE

    def _conclude_if_down(self, group: Group) -> None:
        if group.node._group is group and group.is_down and group.node._status is _WORKING:
            self._conclude(group)

    def _tell_dependents(self, node: TaskNode) -> None:
        self._waiting.untold.discard(node)
        for dependent in self._dependents.get(node, ()):
            if dependent._status is not _PENDING or dependent._tree is not self.tree:
                continue
            if node._status is _DONE:
                dependent._waits -= 1
                if not dependent._waits:
                    self._ready(dependent)
            else:
                self._stop(dependent, _SKIPPED, because(node))

    def _note_bad(self, group: Group, child: TaskNode, status: TaskStatus) -> None:
        """A child did not end well: remember it, and do what the group's policy says."""
        if status is _SKIPPED:
            return
        group.bad.append(child)
        if status is _CANCELLED or group.stopping is not None or group.verdict is not None or is_claimed(child):
            return
        if group.watch is not None:
            group.undelivered.append(child)
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
        group.line.clear()
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
        group.line.clear()
        for child in entered:
            self._stop(child, _CANCELLED, reason)

    def _stop(self, top: TaskNode, status: TaskStatus, reason: str) -> None:
        """Stop a node and all below it. What never began ends as `status`; bodies are interrupted, deepest first."""
        waiting = [top]
        while waiting:
            node = waiting.pop()
            if node._status.is_terminal:
                continue
            if node._status is not _WORKING:
                self._end_unstarted(node, status, reason)
                continue
            group: Group | None = node._group
            if group is not None:
                group.is_final = True
            if self._mark_stopping(node, reason) and group is not None:
                waiting.extend(group.entered())
                group.line.clear()

    def _mark_stopping(self, node: TaskNode, reason: str) -> bool:
        """Begin to stop a working node; return whether there are children to be stopped before its body."""
        if node.reason is None:
            node.reason = reason
        group: Group | None = node._group
        if group is None:
            self._interrupted[node] = reason
            self._driver.interrupt(node)
            return False
        if group.stopping is not None:
            return False
        group.stopping = reason
        group.verdict = group.verdict or _CANCELLED
        if not group.is_down:
            return True
        if not group.body_ended:
            self._driver.interrupt(node)
        else:
            self._agenda.append((self._conclude_if_down, (group,)))
        return False

    def _end_unstarted(self, top: TaskNode, status: TaskStatus, reason: str) -> None:
        """End a node that has not begun, and all below it, the deepest first."""
        if top._children:
            for node in reversed(list(top.walk())):
                if node is not top and not node._status.is_terminal:
                    self._end_one(node, status, reason)
        self._end_one(top, _CANCELLED if top._status is _RETRYING else status, reason)

    def _end_one(self, node: TaskNode, status: TaskStatus, reason: str) -> None:
        node.reason = reason
        self._finish(node, status)

    def _drain(self) -> None:
        """Do what has piled up, and what that piles up, until the tree is at rest."""
        agenda = self._agenda
        while agenda:
            act, arguments = agenda.popleft()
            act(*arguments)
