"""Decides what may start and what becomes of it: told what happened, it says what is ready.

Pure: no event loop, no clock, no I/O. Every entry takes the time as an argument and leaves the tree at rest. What is to
be done in the world goes through `World`, a few small methods that must not call back.

The way of a node: its parent lets it go ahead (`_open`, `_let_go`), the last of its dependencies is met
(`Endings._release`, `_tell_dependents`), so it waits for nothing (`_waits` is 0) and is ready. One with a body, and no
condition, is pushed there and then; for all others `_ready` asks the condition, and lets begin what has no body. A push
is no start: before anything is taken, the agenda is empty and a policy's stop has come first. `take` gives it a slot.
When its body is over (`body_done`, `body_failed`) its children are let go ahead, and when they are down its attempt is
concluded: repeated, or final. That half, the ends, is in `_endings.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from treetask._errors import FinishedParentError, words_of
from treetask.engine._bounds import Bound, bound_of
from treetask.engine._endings import Endings
from treetask.engine._group import Group, is_allowed
from treetask.engine._ranks import Ranks
from treetask.engine._slots import Slots
from treetask.engine._world import World
from treetask.model import BAD_ENDINGS, CLOSED, NOT_SELECTED, BodyKind, Child, TaskNode, TaskStatus, TaskTree, goes_last

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

#: More dependencies than this are counted in a reason, not named.
_NAMES_SHOWN: Final = 3


def by_chance() -> float:
    """Return a number from 0 to 1. Loads `random`, which is big, when a first wait needs one."""
    from random import random

    return random()  # noqa: S311 - no secret, only a wait


class Scheduler(Endings):
    """The state of one run.

    `max_concurrency` bodies run at once (None: any number), of which `max_threads` in threads. `chance` returns a
    number from 0 to 1 for the random part of waits between attempts.
    """

    def __init__(
        self,
        tree: TaskTree,
        world: World,
        *,
        max_concurrency: int | None,
        max_threads: int,
        chance: Callable[[], float] = by_chance,
    ) -> None:
        super().__init__(tree, world, Slots(max_concurrency, max_threads, world), chance)
        #: Whether starts go by priority, and by cost.
        self._ranked_by = (False, False)
        #: Whether whoever records the ends of bodies is far behind.
        self._is_behind = False
        self._ranks: Ranks | None = None
        self._use_features()
        self._skip_lost(self._waiting.begin())

    # -- asking ------------------------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether every node has ended."""
        return self.tree.root._status.is_terminal

    @property
    def has_to_fold(self) -> bool:
        """Whether children are left that are to be folded, and `fold_soon` has been called for them."""
        return self._folding.is_due

    def is_stuck(self) -> bool:
        """Whether nodes are left that nothing can start: with nothing running, that is a fault of the engine."""
        may_go_on = self.slots.is_paused or self.slots.has_ready() or self._backing_off or self._unrecorded
        return not (self.is_over or may_go_on)

    def bound(self, node: TaskNode, at: float) -> Bound | None:
        """Return until when an attempt may last that begins now; None if that is not bounded."""
        return bound_of(node, self.tree.config, at, stopped_at=self.stopped_at(node))

    def waits_for(self, node: TaskNode, at: float) -> str | None:
        """Return what keeps a node back now, in words; None if it has begun. Whatever thread asks."""
        if node._status is _RETRYING:
            return "its next attempt" if node in self._backing_off else self.slots.lacking(node, at)
        if node._status is not _PENDING:
            return None
        parent, waits = node.parent, node._waits
        group: Group | None = None if parent is None else parent._group
        if parent is not None and waits >= CLOSED and parent._status is not _WORKING:
            return f"'{parent.id}'"
        unmet = self._waiting.unmet(node)
        if unmet:
            more = f" and {len(unmet) - _NAMES_SHOWN} more" if len(unmet) > _NAMES_SHOWN else ""
            return ", ".join(f"'{one.id}'" for one in unmet[:_NAMES_SHOWN]) + more
        if parent is None or waits < CLOSED:
            return self.slots.lacking(node, at)
        if group is None or not group.gate_open:
            return f"'{parent.id}'"
        return f"its siblings in '{parent.id}'" if goes_last(node) else f"its turn in '{parent.id}'"

    # -- what happened: bodies wait ----------------------------------------------------------------------------------

    def refuse_to_wait(self, body: TaskNode, awaited: TaskNode) -> None:
        """Raise `DependencyCycleError` for a body that is about to wait for a node that, in the end, waits for it."""
        self._deadlocks.refuse(body, awaited)

    def begin_wait(self, body: TaskNode, awaited: TaskNode, at: float, *, aside: bool) -> Callable[[], None] | None:
        """A body waits for a node, in its own task or one `aside`; return what ends that, None if nobody need know.

        The node may have ended when this returns.
        """
        end = self._deadlocks.begin_wait(body, awaited, aside=aside)
        if end is not None:
            self._at = at
            self.slots.look_at_places_again()
            if self._held.of:
                self._tell_stuck()
                self._drain()
        return end

    # -- what happened: starts and ends of bodies --------------------------------------------------------------------

    def begin(self, at: float) -> None:
        """Let the root go ahead."""
        self._at = at
        self._open(self.tree.root)
        self._drain()

    def take(self, at: float) -> TaskNode | None:
        """Give a slot to the first ready node and return it, working; None if none may start now."""
        while True:
            node = self.slots.take(at)
            if node is None:
                return None
            if node._body is not None:
                break
            self._at = at
            self._start_bodiless(node)
            self._drain()
        # `_start` written out: a call here is felt in every run.
        if node._children:
            node._group = Group(node)
        parent = node.parent
        if parent is not None and parent._group.is_watched and node._status is _PENDING:
            self._note_start(parent._group)
        self.tree.move_to_working(node, at)
        return node

    def body_done(self, node: TaskNode, kind: BodyKind, at: float) -> None:
        """A body returned: its children go ahead, or its node is done."""
        self._at = at
        self.slots.free(node, kind)
        if self._interrupted:
            self._interrupted.pop(node, None)
        if self.left_over.of:
            self._drop_left_over(node)
        group = node._group
        if group is None:
            self._finish(node, _DONE)
        else:
            group.body_ended = True
            if not group.gate_open:
                self._open_gate(group)
            if not group.live and not group.line:
                self._conclude(group)
        if self._agenda:
            self._drain()

    def body_failed(self, node: TaskNode, kind: BodyKind, at: float, status: TaskStatus, *, final: bool) -> None:
        """A body did not return: its children are stopped, and its attempt ends as `status`.

        A `final` one is not repeated: it was interrupted.
        """
        self._at = at
        self.slots.free(node, kind)
        self._interrupted.pop(node, None)
        group = node._group
        if group is None:
            self._attempt_over(node, status, may_retry=not final, by_body=True)
        else:
            group.body_ended = True
            # A body that was stopped because its own time was up may begin anew.
            group.is_final = group.is_final or (final and group.verdict is not _TIMED_OUT)
            group.verdict = group.verdict or status
            self._stop_entered(group, f"its parent '{node.id}' {BAD_ENDINGS[status]}")
            if group.is_down:
                self._conclude(group)
        self._drain()

    def expire(self, node: TaskNode, at: float, error: str) -> None:
        """The time of a node's attempt is up, while its body or its children run. `error` says so.

        A group that has failed and cleans up stays failed; what cleans up has the grace from now on.
        """
        self._at = at
        group = node._group
        if node._status is not _WORKING or group is None or group.stopping is not None or node in self._unrecorded:
            return
        if group.verdict is None:
            group.verdict = _TIMED_OUT
            node.exception, node.error = TimeoutError(error), error
        elif not group.is_cleaning_up:
            return
        if self._mark_stopping(node, f"'{node.id}' timed out"):
            self._stop_entered(group, f"'{node.id}' timed out")
        self._drain()

    # -- what happened: new nodes ------------------------------------------------------------------------------------

    def add(self, child: TaskNode, parent: TaskNode, at: float, *, at_once: bool = False) -> None:
        """Add a child while the run lasts. It goes ahead when the body of its parent is over, or `at_once`.

        Raises what `TaskNode.add_child` says; nothing has changed then.
        """
        tree, group = self.tree, parent._group
        if (parent._status is not _WORKING and parent._status.is_terminal) or parent._tree is not tree:
            is_ours = parent._tree is tree or parent.get_root() is tree.root  # folded, that is
            status = parent.status if is_ours else "discarded"
            raise FinishedParentError(parent.id, status, child.id)
        if group is not None and group.is_cleaning_up and not child.options.always:
            raise FinishedParentError(parent.id, "cleaning up", child.id)
        if parent in self._unrecorded:
            raise FinishedParentError(parent.id, self._unrecorded[parent], child.id)
        self._at = at
        is_selected = tree.selection is None or tree.selection.admit(child, parent)
        if self.left_over.of:
            self._tell_orphans(self.left_over.make_way(child))
        tree.attach(child, parent)
        include_plain = self._waiting.include_plain  # called by way of a variable, as `_bodies` does
        if not include_plain(child):
            try:
                self._deadlocks.refuse_branch(child, tree.find)
                self._skip_lost(self._waiting.include(child))
            except Exception:
                tree.remove(child)
                raise
            self._use_features()
            self._deadlocks.note_change()
            if self._held.of:
                self._agenda.append((self._tell_stuck, ()))
        if not is_selected:
            self._agenda.append((self._skip, (child, NOT_SELECTED)))
        if self._features.has_places:
            self._waits_have_changed()
        if parent._status is _WORKING:
            self._enter(child, group or self.group_of(parent), at_once=at_once)
        if self._agenda:
            self._drain()

    def recorded(self, nodes: Sequence[TaskNode], at: float) -> None:
        """The ends of nodes, held back since `record` was asked, are on record: they count."""
        self._at = at
        for node in nodes:
            self._about_to_stop.discard(node)
            self._finish(node, self._unrecorded.pop(node), is_recorded=True)
        self._drain()
        self.hold_back(is_behind=self._is_behind)

    def hold_back(self, *, is_behind: bool) -> None:
        """Let nothing start while whoever records is far behind, or what has ended badly is not on record."""
        self._is_behind = is_behind
        self.slots.is_held_back = is_behind or bool(self._about_to_stop)

    def recording_failed(self, reason: str, at: float) -> None:
        """No end will be on record any more: those that are held back count as cancelled, and later ones as well."""
        self._at = at
        self.lost_record = reason
        self._about_to_stop.clear()
        held, self._unrecorded = self._unrecorded, {}
        for node, status in held.items():
            self._finish(node, status)
        self._drain()
        self.hold_back(is_behind=False)

    def adopt(self, child: Child[Any], parent: TaskNode, at: float) -> TaskNode | None:
        """Return the node that an earlier attempt of a body has made of a child, if that is done; else None."""
        self._at = at
        node, orphans = self.left_over.take(child, parent)
        if node is not None and node in self.tree:  # else it was folded
            self.group_of(parent).note_added(node)
        self._tell_orphans(orphans)
        self._drain()
        return node

    def _enter(self, child: TaskNode, group: Group, *, at_once: bool) -> None:
        if not group.body_ended:
            group.note_added(child)
        if child._status is not _PENDING:
            self._enter_ended(child, group)
            return
        if child.options.always and not self.is_hurried:
            goes = at_once or (
                self._last_are_on(group) if goes_last(child) else group.gate_open or group.is_cleaning_up
            )
        elif group.stopping is not None or group.stopped is not None:
            self._stop(child, _CANCELLED, group.stopping or "a sibling failed")
            return
        else:
            goes = (at_once or group.gate_open) and group.verdict is None
            if not goes and not group.body_ended:
                self._deadlocks.note_held_back(group.node)
        if not goes:
            return
        if group.node.options.parallel:
            group.live += 1
            if group.is_watched:
                group.unstarted += 1
            self._open(child)
        else:
            if not group.gate_open:
                self._deadlocks.note_overtaking(group.node)
            group.line_up([child])
            self._advance(group)

    def _enter_ended(self, child: TaskNode, group: Group) -> None:
        """A child comes in as it is; nobody will run it."""
        if self._features.has_rollup:
            self._folding.note_end(child)
        if group.gate_open and child._status in _BAD_ENDS and not is_allowed(child):
            group.note_bad([child])

    @staticmethod
    def _last_are_on(group: Group) -> bool:
        """Whether what goes last has been let go ahead; what comes in now goes with it."""
        if not group.is_cleaning_up:
            return False
        return all(child._status.is_terminal or goes_last(child) for child in group.node._children)

    def fold(self) -> None:
        """Fold some children that are done into groups that say so; all who listen have been told of their ends."""
        gone = self._folding.fold()
        self._deadlocks.forget(gone)
        if self._ranks is not None:
            self._ranks.forget(gone)
        if self.tree.selection is not None:
            self.tree.selection.forget(gone)

    # -- what happened: control --------------------------------------------------------------------------------------

    def cancel(self, reason: str | None, at: float, *, is_late: bool = False) -> None:
        """Stop the run: bodies are interrupted, children before their parents; the rest does not start.

        With `is_late`, because it has lasted as long as it may: its root is what has timed out.
        """
        if self.is_cancelled:
            return
        self.is_cancelled = True
        # What is left to start cleans up; a run that waited with that for `resume` would never end.
        self.slots.is_paused = False
        root = self.tree.root
        if is_late and root._status is _WORKING:
            self.group_of(root).verdict = _TIMED_OUT
        elif is_late:
            self._at = at
            self._give_up(root, _TIMED_OUT, f"'{root.id}' timed out")
        self.cancel_subtree(root, reason, at)

    def cancel_subtree(self, node: TaskNode, reason: str | None, at: float) -> None:
        """Stop a node and all below it. One that a failed attempt has taken with it is nobody's affair any more."""
        if node is self.tree.root and not self.is_cancelled:
            self.cancel(reason, at)
            return
        self._at = at
        if node._tree is self.tree:
            self._stop(node, _CANCELLED, reason or "cancelled")
        self._drain()

    # -- starting ----------------------------------------------------------------------------------------------------

    def _use_features(self) -> None:
        """Begin to look for what the nodes make use of."""
        features = self._features
        if features.has_gates:
            self.slots.use_gates()
        if features.has_places:
            self.slots.use_places(self._deadlocks)
        ranked_by = features.has_priorities, features.has_costs
        if ranked_by != self._ranked_by:
            self._ranked_by = ranked_by
            self._ranks = Ranks(self.tree, self._waiting)
            self.slots.sort_by(self._ranks.of)

    def watch(self, node: TaskNode) -> Group:
        """Count, for the driver of a spawner, which of its children have not started; return where that is kept."""
        group = self.group_of(node)
        group.is_watched = True
        return group

    def _open(self, node: TaskNode) -> None:
        """The parent lets a node go ahead."""
        node._waits -= CLOSED
        if not node._waits:
            if node._body is not None and node._status is _PENDING and node.options.when is None:
                push = self.slots.push
                push(node)  # what `_ready` comes to for most
            else:
                self._ready(node)

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
            is_wanted = bool(is_wanted)
        except BaseException as error:  # a user's function, whatever it raises
            node.exception, node.error = error, words_of(error)
            self._attempt_over(node, _FAILED, may_retry=False, by_body=True)
            if not isinstance(error, Exception):
                self._world.raise_at_end(error)
            return
        if is_wanted:
            self._queue(node)
        else:
            self._stop(node, _SKIPPED, "its condition was false")

    @staticmethod
    def _is_being_stopped(node: TaskNode) -> bool:
        """Whether a sibling has just failed, and the stop that this means is on its way to one that has not begun."""
        if node.options.always:
            return False
        group: Group | None = None if node.parent is None else node.parent._group
        return node._status is _PENDING and group is not None and group.stopped is not None

    def _queue(self, node: TaskNode) -> None:
        if node._body is not None or self.slots.has_to_pass(node):
            self.slots.push(node)
        else:
            self._agenda.append((self._start_bodiless, (node,)))

    def _start_bodiless(self, node: TaskNode) -> None:
        if (node._status is not _PENDING and node._status is not _RETRYING) or node._waits:
            return  # it was stopped meanwhile, or cleans up after its last attempt
        if self._is_being_stopped(node):
            return
        node.error = node.exception = None
        self._start(node, self._at)
        group = self.group_of(node)
        group.body_ended = True
        if node.options.is_timed:
            bound = self.bound(node, self._at)
            if bound is not None:
                self._world.bound(node, bound)
        self.open_gate(node)
        if group.is_down:
            self._conclude(group)

    def _start(self, node: TaskNode, at: float) -> None:
        if node._children:
            node._group = Group(node)
        parent = node.parent
        if parent is not None and parent._group.is_watched and node._status is _PENDING:
            self._note_start(parent._group)
        self.tree.move_to_working(node, at)

    @staticmethod
    def _note_start(group: Group) -> None:
        group.unstarted -= 1
        if group.watch is not None:
            group.watch()

    def let_children_go(self, node: TaskNode, at: float) -> None:
        """A body asks for its static children while it goes on."""
        self._at = at
        self.open_gate(node)
        self._drain()

    def open_gate(self, node: TaskNode) -> None:
        """Let the children go ahead that were there before the body: all, or the first of a sequence."""
        group = self.group_of(node)
        if not group.gate_open:
            self._open_gate(group)

    def _open_gate(self, group: Group) -> None:
        group.gate_open = True
        children: list[TaskNode] = group.node._children
        first = [child for child in children if not goes_last(child)] if self._features.has_always else children
        if group.stopping is None and group.stopped is None:
            if self._let_go(group, first) < len(children):
                self._note_bad_comers(group)
            return
        self._note_bad_comers(group)
        for child in first:
            if _is_held(child) and not child.options.always:
                self._stop(child, _CANCELLED, group.stopping or "a sibling failed")

    @staticmethod
    def _note_bad_comers(group: Group) -> None:
        """Children may have come with a status of their own."""
        comers = [child for child in group.node._children if child._status in _BAD_ENDS and not is_allowed(child)]
        if comers:
            known = set(group.bad)
            group.note_bad(child for child in comers if child not in known)

    def _let_go(self, group: Group, children: list[TaskNode]) -> int:
        """Let those children go ahead that are held, all of them or one after another; return how many."""
        if len(children) == 1 and not (group.live or group.line):  # what the rest comes to, without lists
            node = children[0]
            if node._status is not _PENDING or node._waits < CLOSED:
                return 0
            group.live += 1
            if group.is_watched:
                group.unstarted += 1
            self._open(node)
            return 1
        if not group.node.options.parallel:
            line = [child for child in children if _is_held(child)]
            group.line_up(line)
            self._advance(group)
            return len(line)
        count = 0
        ready: list[TaskNode] = []
        for node in children:
            if node._status is _PENDING and node._waits >= CLOSED:
                count += 1
                node._waits -= CLOSED
                if not node._waits:
                    if node._body is not None and node.options.when is None:
                        ready.append(node)  # what `_ready` comes to for most
                    else:
                        self._ready(node)
        group.let_go(count)
        self.slots.push_all(ready)
        return count

    def _advance(self, group: Group) -> None:
        """Let the next of a sequence go ahead, when the one before it has ended."""
        line = group.line
        while line and not group.live:
            # One that ended in line is taken out, also where no other may follow: who waits for the line waits for it.
            node = line[0]
            if node._status is not _PENDING:
                line.popleft()
            elif group.stopped is None or node.options.always:
                line.popleft()
                group.live += 1
                if group.is_watched:
                    group.unstarted += 1
                self._open(node)
                return
            else:
                return


def _is_held(node: TaskNode) -> bool:
    """Whether a node has not begun, and its parent has not let it go ahead."""
    return node._status is _PENDING and node._waits >= CLOSED
