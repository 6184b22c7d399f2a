"""A world for the scheduler: bodies that run and end as a tape says, and a check of every change."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.properties.random_tree import MAX_NODES, Body, Condition, NewNode, Tape, kind_of, new_node, new_tree
from tests.properties.recount import check_counters
from treetask import Child, DefinitionError, OnFailure, TaskNode, TaskStatus
from treetask.engine._bounds import Bound
from treetask.engine._scheduler import Scheduler
from treetask.model import BodyKind

PENDING, WORKING, RETRYING, DONE, FAILED, CANCELLED, SKIPPED, TIMED_OUT = TaskStatus

IN_THREADS = {BodyKind.THREAD, BodyKind.THREAD_SPAWNER}
MAX_STEPS_TO_THE_END = 2_000


class World:
    """All that is outside of the scheduler: bodies that run, wait and end, and an observer that checks every change."""

    new_node: NewNode = staticmethod(new_node)

    def __init__(self, tape: Tape, *, is_friendly: bool) -> None:
        self.tape = tape
        self.is_friendly = is_friendly
        self.max_concurrency = tape.one_of([None, 1, 2, 3])
        self.max_threads = 1 + tape.pick(2)
        self.tree = new_tree(tape, self.new_node)
        #: Bodies with a slot, those that wait without, those that want theirs back, and those that are being stopped.
        self.running: set[TaskNode] = set()
        self.waiting: set[TaskNode] = set()
        self.returning: set[TaskNode] = set()
        self.interrupted: set[TaskNode] = set()
        #: Bodies that wait for all children.
        self.joining: set[TaskNode] = set()
        #: Threads whose bodies were given up.
        self.abandoned = 0
        #: Nodes whose body has ended or let its children go, in the attempt that goes on.
        self.gates: set[TaskNode] = set()
        self.at_once: set[TaskNode] = set()
        #: How the bodies of the current attempts ended.
        self.ended: dict[TaskNode, TaskStatus] = {}
        #: Whether anybody has cancelled anything, or any time was up.
        self.was_controlled = False
        self.now = 0.0
        #: When the scheduler is to be told that time has passed.
        self.looks: list[float] = []
        #: What happened, for the reader of a failure.
        self.story: list[str] = [described(node) for node in self.tree.walk()]
        self.scheduler = Scheduler(self.tree, self, max_concurrency=self.max_concurrency, max_threads=self.max_threads)
        self.tree.listen(self)
        self.scheduler.begin(self.now)

    def run(self) -> None:
        """Run the tree to its end, as the tape says, and check it all along."""
        self.check()
        while not self.tape.is_over and not self.scheduler.is_over:
            self.step()
            self.check()
        self.go_to_the_end()
        left = [node.id for node in self.tree.walk() if not node.is_done()]
        assert not left, f"left behind: {left}"

    # -- asked by the scheduler --------------------------------------------------------------------------------------

    def interrupt(self, node: TaskNode) -> None:
        """A body is to be stopped: one that runs, and only when nothing below it does."""
        self.story.append(f"interrupt {node.id}")
        assert node in self.running | self.waiting | self.returning
        below = [one.id for one in node.walk() if one is not node and one.status in {WORKING, RETRYING}]
        assert not below, f"{node.id} is interrupted before {below}"
        self.interrupted.add(node)

    def grant(self, node: TaskNode) -> None:
        """A body has its slot again."""
        self.returning.remove(node)
        self.running.add(node)

    def bound(self, node: TaskNode, bound: Bound) -> None:
        """No node of these trees has a timeout; the tape says whose time is up."""
        raise AssertionError(node.id)

    def fold_soon(self) -> None:
        """No group of these trees folds what is done."""
        raise AssertionError

    def raise_at_end(self, error: BaseException) -> None:
        """Nobody leaves here."""
        raise AssertionError(error)

    def look_again_at(self, when: float) -> None:
        """Somebody waits for nothing but time, which passes with every step."""
        self.looks.append(when)

    # -- told by a spawner's watch -----------------------------------------------------------------------------------

    def child_started(self) -> None:
        """Take no note."""

    def child_ended(self, child: TaskNode) -> None:
        """Wake the body that waits for all children, if that was the last of them."""
        parent = child.parent
        if parent in self.joining and parent._group.is_down:
            self.joining.discard(parent)

    # -- told at the door --------------------------------------------------------------------------------------------

    def node_added(self, node: TaskNode) -> None:
        """Take no note."""

    def progress_changed(self, node: TaskNode) -> None:
        """Take no note."""

    def log_extended(self, node: TaskNode, lines: bytes) -> None:
        """Take no note."""

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        """Check that a change may happen now."""
        self.story.append(f"{node.id} {old} -> {new}{f' ({node.reason})' if node.reason else ''}")
        if new is WORKING:
            self.check_start(node, old)
            self.ended.pop(node, None)
            self.gates.discard(node)
            if node.task_fn is None:
                self.gates.add(node)
        elif new.is_terminal:
            self.check_end(node, old)
        elif new is RETRYING:
            assert not self.scheduler.is_cancelled
            self.gates.discard(node)
        elif new is PENDING:
            assert any(above.status is RETRYING for above in node.get_ancestors()), f"{node.id} is reset"

    def check_start(self, node: TaskNode, old: TaskStatus) -> None:
        """R30: the parent lets it, the dependencies are done, the earlier sibling has ended, nothing forbids it."""
        assert not self.scheduler.is_cancelled, f"{node.id} starts after the run was cancelled"
        condition = node.options.when
        assert condition is None or condition(node), f"{node.id} starts against its condition"
        for dependency in node.options.depends_on:
            found = self.tree.find(dependency)
            assert found is not None
            assert found.status is DONE, f"{node.id} starts before {dependency}"
        parent = node.parent
        if parent is None:
            return
        assert parent.status is WORKING
        assert parent in self.gates or node in self.at_once, f"{node.id} starts before the body of its parent"
        assert parent._group.stopping is None, f"{node.id} starts under a parent that is being stopped"
        if not parent.parallel:
            assert not [one.id for one in parent.children if one is not node and one.status in {WORKING, RETRYING}]
            if node not in self.at_once:
                earlier = parent.children[: parent.children.index(node)]
                assert all(one.is_done() for one in earlier if one not in self.at_once)
        if self.scheduler.policy(parent) is not OnFailure.CONTINUE and old is PENDING:
            bad = [one.id for one in parent.children if one.status in {FAILED, TIMED_OUT} and not claimed(one)]
            assert not bad, f"{node.id} starts after {bad} failed"

    def check_end(self, node: TaskNode, old: TaskStatus) -> None:
        """R33: what a node ends as follows from its body and its children, and nothing below it is left."""
        new = node.status
        left = [below.id for below in node.walk() if below is not node and not below.is_done()]
        assert not left, f"{node.id} ends before {left}"
        condition = node.options.when
        if old is PENDING and new is FAILED:
            assert isinstance(condition, Condition)
            assert condition.answer is None
            return
        if old is PENDING:
            assert new in {SKIPPED, CANCELLED}
            assert node.reason
            if new is CANCELLED:
                assert self.was_controlled or self.may_be_cancelled(node)
            return
        if old is RETRYING:
            assert new is CANCELLED
            return
        own = self.ended.get(node, DONE)
        verdict = None if node._group is None else node._group.verdict
        if verdict is not None:
            expected = verdict
        elif own is not DONE:
            expected = own
        elif any(one.status in {FAILED, TIMED_OUT} and not claimed(one) for one in node.children):
            expected = FAILED
        else:
            expected = CANCELLED if any(one.status is CANCELLED and not claimed(one) for one in node.children) else DONE
        assert new is expected, f"{node.id} ends as {new}, expected {expected}"

    def may_be_cancelled(self, node: TaskNode) -> bool:
        """Whether anything has happened that ends unstarted nodes as cancelled: a policy, or the end of one above."""
        above = [node, *node.get_ancestors()]
        return any(
            one.parent is not None
            and (
                self.scheduler.policy(one.parent) is not OnFailure.CONTINUE
                or self.ended.get(one.parent, DONE) is not DONE
                or (one.parent._group is not None and one.parent._group.verdict is not None)
            )
            for one in above
        )

    # -- what may happen ---------------------------------------------------------------------------------------------

    def actions(self) -> list[Callable[[], None]]:
        """Return what may happen next; the first ones lead to the end."""
        return [self.take, self.end_one, self.return_one, *([] if self.is_friendly else self.disturbances())]

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
            self.set_progress,
            self.return_thread,
        ]

    def step(self) -> None:
        """Let something happen."""
        self.pass_time()
        actions = self.actions()
        actions[self.tape.pick(len(actions))]()

    def pass_time(self) -> None:
        """Let a second pass."""
        self.now += 1.0
        if any(when <= self.now for when in self.looks):
            self.looks = [when for when in self.looks if when > self.now]
            self.scheduler.look_again(self.now)

    def take(self) -> None:
        """A worker asks for a node."""
        is_paused = self.scheduler.slots.is_paused
        node = self.scheduler.take(self.now)
        if node is None:
            return
        assert not is_paused
        assert node.task_fn is not None
        self.running.add(node)
        if kind_of(node) in {BodyKind.SPAWNER, BodyKind.THREAD_SPAWNER}:
            self.scheduler.watch(node, self)

    def end_one(self) -> None:
        """A body ends: well, badly, or because it was interrupted."""
        bodies = by_order(self.running | self.waiting & self.interrupted | self.returning & self.interrupted)
        if not bodies:
            return
        node = self.tape.one_of(bodies)
        kind, has_slot = kind_of(node), node in self.running
        if not has_slot:
            if node in self.returning:
                assert self.scheduler.slots.forget_wish(node)
            self.scheduler.slots.seize(kind)
        for group in (self.running, self.waiting, self.returning):
            group.discard(node)
        self.joining.discard(node)
        is_interrupted = node in self.interrupted
        self.interrupted.discard(node)
        status = CANCELLED if is_interrupted else DONE
        if self.tape.chance(3):
            status = FAILED
        elif self.tape.chance(6):
            status = DONE if is_interrupted else TIMED_OUT
        self.story.append(f"the body of {node.id} ends: {status}")
        self.ended[node] = status
        if is_interrupted and has_slot and kind in IN_THREADS and self.tape.chance(2):
            self.abandoned += 1
            self.scheduler.slots.abandon_thread()
        if status is DONE:
            self.gates.add(node)
            self.scheduler.body_done(node, kind, self.now)
        else:
            self.scheduler.body_failed(node, kind, self.now, status, final=is_interrupted)

    def suspend(self) -> None:
        """A body waits for its children, without a slot."""
        bodies = by_order(node for node in self.running if node not in self.interrupted)
        if bodies:
            node = self.tape.one_of(bodies)
            self.running.remove(node)
            self.waiting.add(node)
            self.scheduler.slots.suspend(node, kind_of(node))

    def return_one(self) -> None:
        """A body that waited wants to go on."""
        bodies = by_order(self.waiting - self.interrupted)
        if bodies:
            node = self.tape.one_of(bodies)
            self.waiting.remove(node)
            self.returning.add(node)
            self.scheduler.slots.want(node, kind_of(node))

    def return_thread(self) -> None:
        """A thread that was given up returns."""
        if self.abandoned:
            self.abandoned -= 1
            self.scheduler.slots.free_thread()

    def add(self) -> None:
        """A child comes late."""
        nodes = [node for node in self.tree.walk() if not node.is_done()]
        if len(self.tree) >= 2 * MAX_NODES or not nodes:
            return
        parent = self.tape.one_of(nodes)
        is_spawned = parent in self.running and self.tape.pick(2) == 1 and parent._group is not None
        # Before its static siblings may go, a spawned child could wait for one of them in vain.
        known = [] if is_spawned and parent not in self.gates else list(self.tree.walk())
        child = self.new_node(self.tape, len(self.story) + 1_000, known)
        if is_spawned:
            child._child = Child(_Template(), (), {})
            child._child._node = child
            self.at_once.add(child)
        self.story.append(f"add {child.id} to {parent.id}{' at once' if is_spawned else ''}")
        before = len(self.tree)
        try:
            self.scheduler.add(child, parent, self.now, at_once=is_spawned)
        except DefinitionError:
            assert (len(self.tree), child.parent) == (before, None)

    def join(self) -> None:
        """A spawner lets its static children go."""
        node = self.a_spawner()
        if node is not None:
            self.story.append(f"join in {node.id}")
            self.gates.add(node)
            self.scheduler.let_children_go(node, self.now)
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
        children = [] if node is None else [one for one in node.children if one in self.at_once and not one.is_done()]
        if children:
            child = self.tape.one_of(children)
            self.story.append(f"{child.id} is stopped by its parent's body")
            self.was_controlled = True
            self.scheduler.stop_claimed([child], "its parent's body", self.now)

    def a_spawner(self) -> TaskNode | None:
        spawners = by_order(
            node
            for node in self.running - self.interrupted
            if node._group is not None and node._group.watch is not None
        )
        return self.tape.one_of(spawners) if spawners else None

    def expire(self) -> None:
        """The time of an attempt is up."""
        groups = [node for node in self.tree.walk() if node.status is WORKING and node._group is not None]
        if groups and self.tape.chance(3):
            node = self.tape.one_of(groups)
            self.story.append(f"{node.id} times out")
            self.was_controlled = True
            self.scheduler.expire(node, self.now, "late")

    def pause(self) -> None:
        """Starts are held back, or no more."""
        self.scheduler.slots.is_paused = not self.scheduler.slots.is_paused

    def cancel_one(self) -> None:
        """Somebody cancels a subtree."""
        if self.tape.chance(3):
            node = self.tape.one_of(list(self.tree.walk()))
            self.story.append(f"cancel {node.id}")
            self.was_controlled = True
            self.scheduler.cancel_subtree(node, "asked", self.now)

    def cancel_all(self) -> None:
        """Somebody cancels the run."""
        if self.tape.chance(8):
            self.story.append("cancel all")
            self.was_controlled = True
            self.scheduler.cancel("asked", self.now)

    def set_progress(self) -> None:
        """A node sets its progress."""
        self.tree.apply_progress(self.tape.one_of(list(self.tree.walk())), (self.tape.pick(4), self.tape.pick(5)))

    def go_to_the_end(self) -> None:
        """Let all that runs end well, until the run is over."""
        self.scheduler.slots.is_paused = False
        for _ in range(MAX_STEPS_TO_THE_END):
            if self.scheduler.is_over:
                break
            before = len(self.story), len(self.running), len(self.returning), self.abandoned
            self.pass_time()
            for act in (self.take, self.return_one, self.end_one, self.return_thread):
                act()
                self.check()
            if before == (len(self.story), len(self.running), len(self.returning), self.abandoned):
                is_waiting = self.running or self.returning or self.waiting or self.looks
                assert is_waiting, "nothing runs and nothing is ready"
        assert self.scheduler.is_over, "the run does not end"
        while self.running or self.waiting or self.returning:
            self.return_one()
            self.end_one()

    # -- what must hold at every moment ------------------------------------------------------------------------------

    def check(self) -> None:
        """Check slots and counters, and that who waits was told of what it waited for."""
        missed = [node.id for node in self.joining if node._group.is_down]
        assert not missed, f"nobody told {missed} that their children are down"
        assert self.max_concurrency is None or len(self.running) <= self.max_concurrency
        assert sum(kind_of(node) in IN_THREADS for node in self.running) + self.abandoned <= self.max_threads
        check_counters(self.tree, self.tape.one_of(list(self.tree.walk())))


class _Template:
    """What the spawned children of these tests are made from."""

    label = "spawned"

    def make_node(self, child: Child[object], node_id: str) -> TaskNode:
        raise AssertionError("made by the test")


def claimed(node: TaskNode) -> bool:
    """Whether a body has taken responsibility for a node's end."""
    return node._child is not None and bool(node._child.claimed)


def by_order(nodes: Iterable[TaskNode]) -> list[TaskNode]:
    """Return nodes in an order that does not depend on addresses."""
    return sorted(nodes, key=lambda node: node._order)


def described(node: TaskNode) -> str:
    """Say what a node is."""
    body = node.task_fn.kind.name if isinstance(node.task_fn, Body) else "group"
    return f"{'  ' * node.get_depth()}{node.id} {body} {node.options}"
