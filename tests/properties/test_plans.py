"""The same random plans, run by the pure scheduler in a simulated world and by the real engine on both loops.

The simulation is the plainest world that there may be: a heap of what is due, and bodies that are numbers. Workers,
scopes, timers and event loops must make no difference to it: every attempt begins and ends at the same time, in the
same order, and for the same reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count, zip_longest

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.plan import Attempt, Disturbance, Plan
from tests.properties.random_tree import said_of
from tests.properties.size import examples
from treetask import AsyncExecutor, ExecutionResult, TaskNode, TaskStatus, TreeCancelled, TreeFailed, TreeTaskError
from treetask.engine._bounds import Bound
from treetask.engine._scheduler import Scheduler
from treetask.model import BodyKind, Event, StatusChanged
from treetask.testing import run_virtual

pytestmark = pytest.mark.slow

A_LONG_TIME = 100_000
"""Seconds; no plan takes longer unless it hangs."""


class PlanRun:
    """A run of a plan, and what there is to tell of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tree = plan.tree()
        self.story: list[str] = []
        self.raised: type[BaseException] | None = None
        self._calls: Counter[TaskNode] = Counter()

    def now(self) -> float:
        """Return the time."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Tell what happens now."""
        self.story.append(f"{self.now()}: {text}")

    def whole_story(self) -> list[str]:
        """Return all that was told, and how everything has ended."""
        result = ExecutionResult(self.tree)
        ends = [
            f"{node.id} is {node.status}, from {node.started_at} to {node.ended_at}, after {node.retry_count} others, "
            f"reason {node.reason}, error {node.error}"
            for node in self.tree.walk()
        ]
        failed = [node.id for node in result.failed_nodes]
        return [*self.story, *ends, f"failed {failed}, success {result.success}, {result.stats}, raised {self.raised}"]

    def begin(self, node: TaskNode) -> Attempt:
        """Return what a body does that begins now."""
        self.say(f"{node.id} begins")
        self._calls[node] += 1
        return self.plan.attempt(node.id, self._calls[node])

    def add(self, parent: TaskNode, number: float) -> None:
        """A child comes late, or is refused."""
        child = self.plan.late_child(parent, number)
        self.say(f"add {said_of(child)}")
        try:
            self.place(child, parent)
        except TreeTaskError as error:
            self.say(f"refused: {error}")

    def place(self, child: TaskNode, parent: TaskNode) -> None:
        """Add a child to the tree that runs."""
        raise NotImplementedError


@dataclass
class Seat:
    """A body that runs in the simulation."""

    attempt: Attempt
    bound: Bound | None = None
    is_interrupted: bool = False
    is_stopping: bool = False


class Simulation(PlanRun):
    """Lets things happen in the order of their times, and does what the scheduler asks for."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.scheduler = Scheduler(
            self.tree, self, max_concurrency=self.tree.config.max_concurrency, max_threads=1, chance=lambda: 0.0
        )
        self._now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._seats: dict[TaskNode, Seat] = {}
        self._is_late = self._is_abandoned = False
        self._exit: type[BaseException] | None = None
        self.tree.listen(self)

    def now(self) -> float:
        """Return the time of what happens."""
        return self._now

    def run(self) -> list[str]:
        """Run the plan to its end; return what happened."""
        scheduler, limit = self.scheduler, self.tree.config.global_timeout
        scheduler.begin(self.now())
        if limit is not None:
            self.at(limit, partial(self.time_is_up, limit))
        for disturbance in self.plan.disturbances:
            self.at(disturbance.at, partial(self.disturb, disturbance))
        self.start_all()
        while not scheduler.is_over:
            assert self._due, "nothing is left to happen"
            self._now = self._due[0][0]
            while self._due and self._due[0][0] == self.now():
                heappop(self._due)[2]()
            self.start_all()
        if self._exit is not None or self._is_abandoned:
            self.raised = self._exit
        elif self.tree.root.status is not TaskStatus.DONE:
            is_failed = self._is_late or self.tree.root.status is not TaskStatus.CANCELLED
            self.raised = TreeFailed if is_failed else TreeCancelled
        return self.whole_story()

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Let something happen then."""
        heappush(self._due, (max(when, self.now()), next(self._number), act))

    # -- bodies ------------------------------------------------------------------------------------------------------

    def start_all(self) -> None:
        """Start the bodies that may start now."""
        while not self.scheduler.is_over and self.scheduler.slots.can_start_more():
            node = self.scheduler.take(self.now())
            if node is None:
                return
            self.start(node)

    def start(self, node: TaskNode) -> None:
        """A body begins; one that takes no time is over at once."""
        self.scheduler.slots.begun(node, self.now())
        bound = self.scheduler.bound(node, self.now())
        attempt = self.begin(node)
        seat = self._seats[node] = Seat(attempt)
        if bound is not None:
            self.bound(node, bound)
        if attempt.adds:
            self.add(node, attempt.number)
        if attempt.seconds:
            self.at(self.now() + attempt.seconds, lambda: None if seat.is_stopping else self.end(node, seat))
        else:
            self.end(node, seat)

    def stop(self, node: TaskNode, seat: Seat) -> None:
        """Let a body end, in its own time, unless it is about to do so or has."""
        if not seat.is_stopping and self._seats.get(node) is seat:
            seat.is_stopping = True
            self.at(self.now() + seat.attempt.seconds_to_stop, lambda: self.end(node, seat))

    def end(self, node: TaskNode, seat: Seat) -> None:
        """A body is over: tell the scheduler."""
        self.say(f"{node.id} ends")
        scheduler, group, bound = self.scheduler, node._group, seat.bound
        error: BaseException | None = None
        end = seat.attempt.end_when_stopped if seat.is_stopping else seat.attempt.end
        if end == "returns":
            if bound is not None and group is not None:
                if self.now() < bound.at:
                    self.bound_group(node, bound)
                else:
                    scheduler.expire(node, self.now(), bound.error)
            if group is None or group.verdict is not TaskStatus.TIMED_OUT:
                node.error = node.exception = None
            del self._seats[node]
            scheduler.body_done(node, BodyKind.ASYNC, self.now())
            return
        status, is_final = TaskStatus.FAILED, seat.is_interrupted or end == "exits"
        if end == "stops" and seat.is_interrupted:
            status = TaskStatus.CANCELLED
        elif end == "stops" and bound is not None:
            status, error = TaskStatus.TIMED_OUT, TimeoutError(bound.error)
        else:
            error = error_of(node, end)
        if error is not None:
            node.exception, node.error = error, str(error)
        del self._seats[node]
        scheduler.body_failed(node, BodyKind.ASYNC, self.now(), status, final=is_final)
        if end == "exits":
            self._exit = SystemExit
            scheduler.cancel("SystemExit in a body", self.now())

    # -- asked by the scheduler --------------------------------------------------------------------------------------

    def interrupt(self, node: TaskNode) -> None:
        """Stop a body, from outside."""
        seat = self._seats[node]
        seat.is_interrupted = True
        self.stop(node, seat)

    def bound(self, node: TaskNode, bound: Bound) -> None:
        """Bound a body by itself, and what has children together with them."""
        seat = self._seats.get(node)
        if seat is None or node._group is not None:
            self.bound_group(node, bound)
        elif seat.bound is None or bound < seat.bound:
            seat.bound = bound
            self.at(bound.at, lambda: self.stop(node, seat))

    def bound_group(self, node: TaskNode, bound: Bound) -> None:
        """Tell the scheduler when the time of this attempt is up."""
        group = self.scheduler.group_of(node)

        def expire() -> None:
            if node._group is group:
                self.scheduler.expire(node, self.now(), bound.error)

        self.at(bound.at, expire)

    def look_again_at(self, when: float) -> None:
        """Something may start then."""
        self.at(when, lambda: self.scheduler.look_again(self.now()))

    def grant(self, node: TaskNode) -> None:
        """No body waits."""
        raise AssertionError

    def fold_soon(self) -> None:
        """No group folds."""
        raise AssertionError

    def raise_at_end(self, error: BaseException) -> None:
        """No condition exits."""
        raise AssertionError(error)

    # -- told at the door --------------------------------------------------------------------------------------------

    def status_changed(self, node: TaskNode, old: TaskStatus, new: TaskStatus, at: float) -> None:
        """Tell it."""
        self.story.append(f"{at}: {node.id} {old} -> {new}, attempt {node.retry_count + 1}")

    def node_added(self, node: TaskNode) -> None:
        """Who adds it has told of it."""

    def node_removed(self, node: TaskNode) -> None:
        """Who removes it has told of it."""

    def progress_changed(self, node: TaskNode) -> None:
        """Take no note."""

    def log_extended(self, node: TaskNode, lines: bytes) -> None:
        """Take no note."""

    # -- from outside ------------------------------------------------------------------------------------------------

    def time_is_up(self, limit: float) -> None:
        """The run has lasted as long as it may."""
        if not self.scheduler.is_cancelled:
            self._is_late = True
            self.scheduler.cancel(f"the run timed out after {limit} s", self.now(), is_late=True)

    def disturb(self, disturbance: Disturbance) -> None:
        """Do what somebody asks for."""
        scheduler, node = self.scheduler, self.tree.find(disturbance.node_id)
        match disturbance.what:
            case "cancel the run":
                scheduler.cancel("asked", self.now())
            case "cancel the caller":
                self._is_abandoned = True
                scheduler.cancel("the caller of the run was cancelled", self.now())
            case "hurry":
                scheduler.hurry(self.now())
            case "pause" | "resume":
                scheduler.slots.is_paused = disturbance.what == "pause" and not scheduler.is_cancelled
            case "cancel" if node is not None:
                scheduler.cancel_subtree(node, "asked", self.now())
            case "add" if node is not None:
                self.add(node, disturbance.at)
            case _:
                pass

    def place(self, child: TaskNode, parent: TaskNode) -> None:
        """Add a child to the tree that runs."""
        self.scheduler.add(child, parent, self.now())


class Reality(PlanRun):
    """Lets an executor run the plan on an event loop."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        for node in self.tree.walk():
            self.give_body(node)
        self.executor = AsyncExecutor(self.tree)
        self.executor.subscribe(self)
        self._caller = anyio.CancelScope()

    def now(self) -> float:
        """Return the time of the loop."""
        return anyio.current_time()

    async def run(self) -> list[str]:
        """Run the plan to its end; return what happened."""
        with anyio.fail_after(A_LONG_TIME):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.disturb_all)
                with self._caller:
                    try:
                        await self.executor.run()
                    except (TreeFailed, TreeCancelled, SystemExit) as error:
                        self.raised = type(error)
                tasks.cancel_scope.cancel()
        return self.whole_story()

    def give_body(self, node: TaskNode) -> None:
        """Let a node that is to have a body run this one."""
        if node.task_fn is not None:
            node.task_fn = self.body

    async def body(self, node: TaskNode) -> None:
        """Do what the plan says."""
        attempt = self.begin(node)
        if attempt.adds:
            self.add(node, attempt.number)
        end = attempt.end
        try:
            if attempt.seconds:
                await anyio.sleep(attempt.seconds)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await anyio.sleep(attempt.seconds_to_stop)
            end = attempt.end_when_stopped
            if end == "stops":
                raise
        finally:
            self.say(f"{node.id} ends")
        if end != "returns":
            raise error_of(node, end)

    def on_event(self, event: Event) -> None:
        """Tell it."""
        if isinstance(event, StatusChanged):
            self.story.append(f"{event.at}: {event.node.id} {event.old} -> {event.new}, attempt {event.attempt}")

    async def disturb_all(self) -> None:
        """Do what somebody asks for, each in its time."""
        for disturbance in self.plan.disturbances:
            await anyio.sleep_until(disturbance.at)
            if not self.tree.root.is_done():
                self.disturb(disturbance)

    def disturb(self, disturbance: Disturbance) -> None:
        """Do what somebody asks for."""
        node = self.tree.find(disturbance.node_id)
        match disturbance.what:
            case "cancel the run":
                self.executor.cancel("asked")
            case "cancel the caller":
                self._caller.cancel()
            case "hurry":
                self.executor.hurry()
            case "pause":
                self.executor.pause()
            case "resume":
                self.executor.resume()
            case "cancel" if node is not None:
                node.cancel("asked")
            case "add" if node is not None:
                self.add(node, disturbance.at)
            case _:
                pass

    def place(self, child: TaskNode, parent: TaskNode) -> None:
        """Add a child to the tree that runs."""
        self.give_body(child)
        parent.add_child(child)


def error_of(node: TaskNode, end: str) -> BaseException:
    """Return what a body raises."""
    return (SystemExit if end == "exits" else OSError)(f"{node.id} is broken")


async def run_for_real(plan: Plan) -> list[str]:
    """Run a plan on this event loop; return what happened."""
    return await Reality(plan).run()


def first_difference(simulated: list[str], real: list[str]) -> str:
    """Return where two stories part, and what came before."""
    pairs = zip_longest(simulated, real)
    place = next((i for i, (one, other) in enumerate(pairs) if one != other), 0)
    stories = {"simulated": simulated, "real": real}
    after = [f"{who}: {line}" for who, story in stories.items() for line in story[place : place + 3]]
    return "\n".join([*simulated[max(0, place - 12) : place], *after])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@examples(150)
@given(seed=st.integers(0, 2**32))
def test_plan_runs_as_it_was_simulated(backend: str, seed: int) -> None:
    """Whatever the options, failures and disturbances, the engine does what the scheduler says, and when it says so."""
    plan = Plan(seed)
    simulated = Simulation(plan).run()

    real = run_virtual(run_for_real, plan, backend=backend)

    assert real == simulated, f"{plan}\n\n{first_difference(simulated, real)}"
