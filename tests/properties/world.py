"""A world for the scheduler: bodies that run and end as a tape says, and a check of every change."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from tests.properties.bounds import check_bound, check_grace
from tests.properties.capacity import (
    check_capacity,
    check_gates,
    check_nothing_is_held,
    check_rates,
    could_start,
)
from tests.properties.ends import check_end, check_retry
from tests.properties.facts import (
    CANCELLED,
    DONE,
    FAILED,
    IN_THREADS,
    PENDING,
    RETRYING,
    SKIPPED,
    SPAWNERS,
    TIMED_OUT,
    WORKING,
    Facts,
    Template,
    by_order,
    goes_last,
    kind_of,
)
from tests.properties.news import News
from tests.properties.order import Order
from tests.properties.random_tree import MAX_NODES, RARE, Tape, new_node, new_tree, said_of, some_rare
from tests.properties.recount import check_counters
from tests.properties.starts import check_start
from treetask import Child, DefinitionError, FinishedParentError, TaskNode, TaskStatus
from treetask.engine._bounds import Bound
from treetask.engine._scheduler import Scheduler

MAX_STEPS_TO_THE_END = 2_000

#: What bodies raise: the first two name the seconds to wait.
ERRORS = (OSError("0.5"), ValueError("0"), OSError("broken"))


class World:
    """All that is outside of the scheduler: bodies that run, wait and end, and an observer that checks every change."""

    def __init__(self, tape: Tape, *, is_friendly: bool) -> None:
        self.tape = tape
        self.is_friendly = is_friendly
        self.rare = some_rare(tape)
        max_concurrency, max_threads = tape.one_of([None, 1, 2, 3]), 1 + tape.pick(2)
        self.tree = new_tree(tape, self.rare)
        self.facts = Facts(self.tree, max_concurrency=max_concurrency, max_threads=max_threads)
        self.news = News(self.facts)
        #: What happened, for the reader of a failure.
        self.story = [said_of(node) for node in self.tree.walk()]
        self.order = Order(self.tree)
        self.order.note_options()
        #: Bodies that wait for all children.
        self.joining: set[TaskNode] = set()
        self.scheduler = Scheduler(
            self.tree, self, max_concurrency=max_concurrency, max_threads=max_threads, chance=self.chance
        )
        self.tree.listen(self)

    def run(self) -> None:
        """Run the tree to its end, as the tape says, and check it all along."""
        self.scheduler.begin(self.facts.now)
        self.check()
        while not self.tape.is_over and not self.scheduler.is_over:
            self.step()
            self.check()
        self.go_to_the_end()
        left = [node.id for node in self.tree.walk() if not node.is_done()]
        assert not left, f"left behind: {left}"
        check_nothing_is_held(self.scheduler)

    # -- asked by the scheduler --------------------------------------------------------------------------------------

    def interrupt(self, node: TaskNode) -> None:
        """A body is to be stopped: one that runs, and only when nothing below it does."""
        facts = self.facts
        self.story.append(f"interrupt {node.id}")
        assert node in facts.running | facts.waiting | facts.returning
        below = [one.id for one in node.walk() if one is not node and one.status in {WORKING, RETRYING}]
        assert not below, f"{node.id} is interrupted before {below}"
        facts.interrupted.add(node)

    def grant(self, node: TaskNode) -> None:
        """A body has its slot again."""
        self.facts.returning.remove(node)
        self.facts.running.add(node)

    def bound(self, node: TaskNode, bound: Bound) -> None:
        """An attempt may last until then."""
        assert node.status is WORKING
        self.facts.bounds[node] = min(bound.at, self.facts.bounds.get(node, math.inf))

    def fold_soon(self) -> None:
        """No group of these trees folds what is done."""
        raise AssertionError

    def raise_at_end(self, error: BaseException) -> None:
        """Nobody leaves here."""
        raise AssertionError(error)

    def look_again_at(self, when: float) -> None:
        """Something may start then."""
        self.facts.looks.add(when)

    def chance(self) -> float:
        """Return the random part of a wait."""
        self.facts.last_chance = self.tape.pick(3) / 2
        return self.facts.last_chance

    def look_at_children(self, spawner: TaskNode) -> None:
        """Wake a body that waits for all its children, if a child that has started or ended was the last of them."""
        if spawner in self.joining and spawner._group.is_down:
            self.joining.discard(spawner)

    # -- told at the door --------------------------------------------------------------------------------------------

    def node_added(self, node: TaskNode) -> None:
        """Take no note."""

    def node_removed(self, node: TaskNode) -> None:
        """Take no note."""

    def progress_changed(self, node: TaskNode) -> None:
        """Take no note."""

    def log_extended(self, node: TaskNode, lines: bytes) -> None:
        """Take no note."""

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        """Check that a change may happen now, and take note of it."""
        self.story.append(f"{node.id} {old} -> {new}{f' ({node.reason})' if node.reason else ''}")
        assert at == self.facts.now or new is PENDING or old is not WORKING
        facts = self.facts
        cleans_up = any(child.options.always for child in node.children)
        if new is WORKING and old is RETRYING and cleans_up and (node in facts.told or node in facts.giving_up):
            facts.note_clean_up(node)
        elif new is WORKING:
            check_start(facts, node, old)
            facts.note_start(node, old)
            self.news.note_act(node)
        elif new.is_terminal:
            self.check_end(node, old)
            facts.note_end(node, old)
            if new is SKIPPED:
                self.news.note_act(node)
        elif new is RETRYING:
            facts.note_retry(node, check_retry(facts, node))
        elif new is PENDING:
            assert any(above.status is RETRYING for above in node.get_ancestors()), f"{node.id} is reset"
            facts.note_reset(node)
            self.news.note_reset(node)

    def check_end(self, node: TaskNode, old: TaskStatus) -> None:
        """A node has ended: check that it may, and how."""
        check_end(self.facts, node, old)

    # -- what may happen ---------------------------------------------------------------------------------------------

    def actions(self) -> list[Callable[[], None]]:
        """Return what may happen next; the first ones lead to the end."""
        to_the_end = [self.take, self.end_one, self.return_one, self.look]
        return [*to_the_end, *([] if self.is_friendly else self.disturbances())]

    def disturbances(self) -> list[Callable[[], None]]:
        """Return what need not happen at all."""
        return [
            self.take,
            self.end_one,
            self.suspend,
            self.return_one,
            self.add,
            self.add,
            self.join,
            self.claim,
            self.stop_claimed,
            self.expire,
            self.pause,
            self.cancel_one,
            self.cancel_all,
            self.hurry,
            self.set_progress,
            self.return_thread,
        ]

    def step(self) -> None:
        """Let something happen, a while later or at the same time."""
        self.facts.now += self.tape.one_of([1.0, 0.0, 0.25, 0.5])
        actions = self.actions()
        actions[self.tape.pick(len(actions))]()

    def take(self) -> None:
        """A worker asks for a node, if it is told that there may be one."""
        facts, slots = self.facts, self.scheduler.slots
        may_take, before = slots.can_start_more(), could_start(facts, self.order)
        assert may_take or not before or min(facts.looks, default=math.inf) <= facts.now, f"nobody starts {before}"
        if not may_take:
            return
        begun = len(self.story)
        node = self.scheduler.take(facts.now)
        if node is None:
            assert not slots.can_start_more(), "workers would ask again and again"
            return
        assert not facts.is_paused
        assert not facts.about_to_stop
        if len(self.story) == begun + 1:
            first = [one.id for one in before if self.order.goes_before(one, node)]
            assert not first, f"{node.id} starts before {first}"
        self.note_body(node)

    def note_body(self, node: TaskNode) -> None:
        """A body begins."""
        facts = self.facts
        facts.running.add(node)
        if self.tape.chance(4):
            # Whoever was told of it took some time.
            facts.now += 0.25
        self.scheduler.slots.begun(node, facts.now)
        check_rates(facts, node)
        bound = self.scheduler.bound(node, facts.now)
        check_bound(facts, node, None if bound is None else bound.at)
        if bound is not None:
            self.bound(node, bound)
        if kind_of(node) in SPAWNERS:
            self.scheduler.watch(node).watch = partial(self.look_at_children, node)

    def end_one(self) -> None:
        """A body ends: well, badly, or because it was interrupted."""
        facts = self.facts
        bodies = by_order(
            facts.running | facts.waiting & facts.interrupted | facts.returning & facts.interrupted,
        )
        if not bodies:
            return
        node = self.tape.one_of(bodies)
        is_interrupted = node in facts.interrupted
        had_slot = self.leave_slot(node)
        status = CANCELLED if is_interrupted else DONE
        if self.tape.chance(3):
            status = FAILED
        elif self.tape.chance(6):
            status = DONE if is_interrupted else TIMED_OUT
        self.story.append(f"the body of {node.id} ends: {status}")
        facts.ended[node] = status
        if is_interrupted and had_slot and kind_of(node) in IN_THREADS and self.tape.chance(2):
            facts.abandoned.append((node, self.scheduler.slots.abandon_thread(node)))
        if status is DONE:
            facts.open.add(node)
            node.exception = None
            self.scheduler.body_done(node, kind_of(node), facts.now)
        else:
            error = self.tape.one_of(ERRORS) if status is FAILED else TimeoutError() if status is TIMED_OUT else None
            facts.note_failure(node, status, error)
            self.scheduler.body_failed(node, kind_of(node), facts.now, status, final=is_interrupted)

    def leave_slot(self, node: TaskNode) -> bool:
        """Note that a body is over; return whether it had its slot. One that had none gets it, to give it back."""
        facts, had_slot = self.facts, node in self.facts.running
        if not had_slot:
            if node in facts.returning:
                assert self.scheduler.slots.forget_wish(node)
            self.scheduler.slots.seize(kind_of(node))
        self.end_wait(node)
        for group in (facts.running, facts.waiting, facts.returning, facts.interrupted, self.joining):
            group.discard(node)
        return had_slot

    def suspend(self) -> None:
        """A body waits for its children, without a slot."""
        facts = self.facts
        bodies = by_order(facts.running - facts.interrupted)
        if bodies:
            node = self.tape.one_of(bodies)
            self.story.append(f"the body of {node.id} waits")
            facts.running.remove(node)
            facts.waiting.add(node)
            self.scheduler.slots.suspend(node, kind_of(node))

    def return_one(self) -> None:
        """A body that waited wants to go on."""
        facts = self.facts
        bodies = [node for node in by_order(facts.waiting - facts.interrupted) if self.may_go_on(node)]
        if bodies:
            node = self.tape.one_of(bodies)
            self.story.append(f"the body of {node.id} wants to go on")
            self.end_wait(node)
            facts.waiting.remove(node)
            facts.returning.add(node)
            self.scheduler.slots.want(node, kind_of(node))

    def may_go_on(self, body: TaskNode) -> bool:
        """Whether a body that waits may cease to: here any may, at any time."""
        return True

    def end_wait(self, body: TaskNode) -> None:
        """A body waits no more."""

    def return_thread(self) -> None:
        """A thread that was given up returns."""
        if self.facts.abandoned:
            _, limits = self.facts.abandoned.pop()
            self.scheduler.slots.free_thread(limits)

    def look(self) -> None:
        """The time has come for which the scheduler has asked, or is made to come when nothing else is left to do."""
        facts = self.facts
        if facts.looks:
            self.story.append(f"look again at {min(facts.looks)}")
            facts.now = max(facts.now, min(facts.looks))
            facts.note_time()
            facts.looks = {when for when in facts.looks if when > facts.now}
            self.scheduler.look_again(facts.now)

    def add(self) -> None:
        """A child comes late."""
        facts = self.facts
        nodes = [node for node in self.tree.walk() if not node.is_done()]
        if len(self.tree) >= 2 * MAX_NODES or not nodes:
            return
        parent = self.tape.one_of(nodes)
        is_spawned = parent in facts.running and self.tape.pick(2) == 1 and parent._group is not None
        rare = frozenset(RARE) if self.tape.chance(8) else self.rare
        # Before its static siblings may go, a spawned child could wait for one of them in vain.
        known = [] if is_spawned and parent not in facts.open else list(self.tree.walk())
        child = new_node(self.tape, len(self.story) + 1_000, known, rare)
        if is_spawned:
            child._child = Child(Template(), (), {})
            child._child._node = child
            facts.at_once.add(child)
        others = [one for one in parent.children if not (goes_last(one) or one in facts.latest)]
        if parent in facts.ended and all(one.is_done() for one in others):
            facts.latest.add(child)
        self.story.append(f"add {child.id} to {parent.id}{' at once' if is_spawned else ''}: {said_of(child)}")
        before = len(self.tree)
        if parent in facts.told and parent.status is WORKING:
            # A body that is being stopped has got its first child: that is not waited for.
            facts.stopped_at.setdefault(parent, -math.inf)
        try:
            self.scheduler.add(child, parent, facts.now, at_once=is_spawned)
        except (DefinitionError, FinishedParentError):
            assert (len(self.tree), child.parent) == (before, None)
        self.order.note_options()

    def join(self) -> None:
        """A spawner lets its static children go."""
        node = self.a_spawner()
        if node is not None:
            self.story.append(f"join in {node.id}")
            self.facts.open.add(node)
            self.scheduler.let_children_go(node, self.facts.now)
            if not node._group.is_down:
                self.joining.add(node)

    def claim(self) -> None:
        """A spawner is told what failed."""
        node = self.a_spawner()
        if node is not None:
            self.story.append(f"claim in {node.id}")
            node._group.claim_failures()

    def stop_claimed(self) -> None:
        """A spawner's own scope stops a child."""
        node = self.a_spawner()
        at_once = self.facts.at_once
        children = [] if node is None else [one for one in node.children if one in at_once and not one.is_done()]
        if children:
            child = self.tape.one_of(children)
            self.story.append(f"{child.id} is stopped by its parent's body")
            self.facts.meant.add(child)
            self.facts.note_stops([child])
            self.scheduler.stop_claimed([child], "its parent's body", self.facts.now)

    def a_spawner(self) -> TaskNode | None:
        spawners = by_order(
            node
            for node in self.facts.running - self.facts.interrupted
            if node._group is not None and node._group.is_watched
        )
        return self.tape.one_of(spawners) if spawners else None

    def expire(self) -> None:
        """The time of an attempt is up."""
        groups = [node for node in self.tree.walk() if node.status is WORKING and node._group is not None]
        if groups and self.tape.chance(3):
            node = self.tape.one_of(groups)
            self.story.append(f"{node.id} times out")
            self.facts.note_expiry(node, TimeoutError())
            self.scheduler.expire(node, self.facts.now, "out of time")

    def pause(self) -> None:
        """Starts are held back, or no more; a run that was cancelled cannot be paused."""
        if self.facts.is_cancelled:
            return
        self.facts.is_paused = not self.facts.is_paused
        self.story.append("pause" if self.facts.is_paused else "resume")
        self.scheduler.slots.is_paused = self.facts.is_paused

    def cancel_one(self) -> None:
        """Somebody cancels a subtree."""
        if self.tape.chance(3):
            node = self.tape.one_of(list(self.tree.walk()))
            self.story.append(f"cancel {node.id}")
            self.facts.meant.add(node)
            if node is self.tree.root:
                self.facts.is_cancelled, self.facts.is_paused = True, False
            self.facts.note_stops([node])
            self.scheduler.cancel_subtree(node, "asked", self.facts.now)

    def cancel_all(self) -> None:
        """Somebody cancels the run."""
        if self.tape.chance(8):
            self.story.append("cancel all")
            is_late, facts = self.tape.chance(3), self.facts
            if not facts.is_cancelled:
                if is_late:
                    facts.verdicts[self.tree.root] = TIMED_OUT
                facts.is_cancelled, facts.is_paused = True, False
                facts.note_stops([self.tree.root])
            self.scheduler.cancel("asked", facts.now, is_late=is_late)

    def hurry(self) -> None:
        """Somebody who has cancelled the run loses patience."""
        if self.facts.is_cancelled and self.tape.chance(4):
            self.story.append("hurry")
            self.facts.is_hurried = True
            self.facts.note_stops(node for node in self.tree.walk() if node.options.always)
            self.scheduler.hurry(self.facts.now)

    def set_progress(self) -> None:
        """A node sets its progress."""
        self.tree.apply_progress(self.tape.one_of(list(self.tree.walk())), (self.tape.pick(4), self.tape.pick(5)))

    def go_to_the_end(self) -> None:
        """Let all that runs end well, until the run is over."""
        facts = self.facts
        facts.is_paused = self.scheduler.slots.is_paused = False
        for _ in range(MAX_STEPS_TO_THE_END):
            if self.scheduler.is_over:
                break
            before = self.what_goes_on()
            for act in self.last_actions():
                act()
                self.check()
            if before == self.what_goes_on():
                assert facts.looks or facts.running or facts.returning or facts.waiting, (
                    "nothing runs, nothing is ready"
                )
                self.look()
                self.check()
        assert self.scheduler.is_over, "the run does not end"
        while facts.running or facts.waiting or facts.returning:
            self.return_one()
            self.end_one()
        while facts.abandoned:
            self.return_thread()

    def last_actions(self) -> list[Callable[[], None]]:
        """Return what leads to the end."""
        return [self.take, self.return_one, self.end_one, self.return_thread]

    def what_goes_on(self) -> tuple[int, ...]:
        """Return numbers that change with everything that happens."""
        facts = self.facts
        return len(self.story), len(facts.running), len(facts.returning), len(facts.abandoned)

    # -- what must hold at every moment ------------------------------------------------------------------------------

    def check(self) -> None:
        """Check what is used of everything, the counters, and that who waits was told of what it waited for."""
        facts, scheduler = self.facts, self.scheduler
        facts.just_told.clear()
        missed = [node.id for node in self.joining if node._group.is_down]
        assert not missed, f"nobody told {missed} that their children are down"
        check_capacity(facts)
        check_grace(facts)
        check_gates(facts, scheduler)
        check_counters(self.tree, self.tape.one_of(list(self.tree.walk())))
        if not (facts.running or facts.waiting or facts.returning or facts.abandoned):
            assert not scheduler.is_stuck(), "nothing runs, and nothing is ready"
