"""What must hold of slots, threads, limits and places at every moment, counted by the world itself."""

from __future__ import annotations

import math

from tests.properties.facts import (
    IN_THREADS,
    PENDING,
    RETRYING,
    WORKING,
    Facts,
    kind_of,
)
from tests.properties.order import Order
from tests.properties.starts import is_ready
from treetask import Limit, TaskNode
from treetask.engine._scheduler import Scheduler

#: Seconds in which `per_second` counts.
WINDOW = 1.0


def check_capacity(facts: Facts) -> None:
    """Never more than there is of anything, and no body that could go on waits for it."""
    assert facts.max_concurrency is None or len(facts.running) <= facts.max_concurrency
    assert threads_used(facts) <= facts.max_threads
    for limit, count in limits_used(facts).items():
        assert limit.max_concurrency is None or count <= limit.max_concurrency, f"{count} bodies hold {limit}"
    for group in facts.tree.walk():
        most = group.options.max_parallel
        at_work = [] if most is None else [child.id for child in group.children if is_at_work(facts, child)]
        assert most is None or len(at_work) <= most, f"of {group.id} {at_work} are at work"
    could_go_on = [
        node.id for node in facts.returning if _has_slot(facts, node) and _has_places(node) and _has_limits(facts, node)
    ]
    assert not could_go_on, f"{could_go_on} wait for what is free"


def check_rates(facts: Facts, node: TaskNode) -> None:
    """Count the start of a body: never more than `per_second` of them in any second, or one in so many."""
    for limit in node.options.limits:
        starts = facts.starts.setdefault(limit, [])
        starts.append(facts.now)
        assert opens_at(limit, starts[:-1]) <= facts.now, f"{node.id} starts too early for {limit}: {starts}"


def opens_at(limit: Limit, starts: list[float]) -> float:
    """Return when a limit's rate lets the next body start."""
    if limit.per_second is None:
        return -math.inf
    most = max(1, int(limit.per_second))
    return starts[-most] + max(WINDOW, 1 / limit.per_second) if len(starts) >= most else -math.inf


def threads_used(facts: Facts) -> int:
    """Return how many threads are busy."""
    return sum(kind_of(node) in IN_THREADS for node in facts.running) + len(facts.abandoned)


def limits_used(facts: Facts) -> dict[Limit, int]:
    """Return how many bodies hold each limit, those included that were given up in their threads."""
    used: dict[Limit, int] = {}
    for node in (*facts.running, *(node for node, _ in facts.abandoned)):
        for limit in node.options.limits:
            used[limit] = used.get(limit, 0) + 1
    return used


def is_at_work(facts: Facts, child: TaskNode) -> bool:
    """Whether any body below a child of a group runs, so that it needs a place."""
    return any(node in facts.running for node in child.walk())


def could_start(facts: Facts, order: Order) -> list[TaskNode]:
    """Return the nodes for which there certainly is all that they need, at this moment.

    A limit's unit may be kept for one that goes before and waits for another limit, so only those count that would find
    one all the same.
    """
    if facts.is_paused or facts.about_to_stop:
        return []
    ready = [node for node in facts.tree.walk() if is_ready(facts, node)]
    return [
        node
        for node in ready
        if _has_slot(facts, node)
        and _has_places(node)
        and _has_limits(facts, node, [one for one in ready if one is not node and not order.goes_before(node, one)])
        and all(facts.now >= opens_at(limit, facts.starts.get(limit, [])) for limit in node.options.limits)
    ]


def _has_slot(facts: Facts, node: TaskNode) -> bool:
    if facts.max_concurrency is not None and len(facts.running) >= facts.max_concurrency:
        return False
    return node.task_fn is None or kind_of(node) not in IN_THREADS or threads_used(facts) < facts.max_threads


def _has_places(node: TaskNode) -> bool:
    """Whether there certainly are all places that a node needs, its own and those above: some may be given up."""
    for tenant in (node, *node.get_ancestors()):
        group = tenant.parent
        if group is not None and group.options.max_parallel is not None:
            others = [one for one in group.children if one is not tenant and one.status in {WORKING, RETRYING}]
            if len(others) >= group.options.max_parallel:
                return False
    return True


def _has_limits(facts: Facts, node: TaskNode, before: list[TaskNode] | None = None) -> bool:
    used = limits_used(facts)
    for limit in node.options.limits:
        kept = sum(limit in other.options.limits for other in before or ())
        if limit.max_concurrency is not None and used.get(limit, 0) + kept >= limit.max_concurrency:
            return False
    return True


def check_gates(facts: Facts, scheduler: Scheduler) -> None:
    """The scheduler's own books of limits and places agree with a recount, and nobody holds what it has no use for."""
    gates = scheduler.slots._gates
    if gates is None:
        return
    used = limits_used(facts)
    for node, held in gates._held.items():
        if node in facts.running:
            assert {f"limit '{limit.name}'" for limit in node.options.limits} == {gate.what for gate in held}
        else:
            assert node.status in {PENDING, RETRYING}, f"{node.id}, {node.status}, holds {[gate.what for gate in held]}"
            assert facts.due.get(node, 0) <= facts.now, f"{node.id} holds a limit while it backs off"
    for limit, gate in gates._limits.items():
        kept = sum(gate in held for node, held in gates._held.items() if node not in facts.running)
        most = math.inf if limit.max_concurrency is None else limit.max_concurrency
        assert gate.free == most - used.get(limit, 0) - kept, f"{limit}: {gate.free} free"
    for group, place in ({} if gates.places is None else gates.places._gates).items():
        assert place.free == (group.options.max_parallel or 0) - len(place.tenants)
        idle = [child.id for child in place.tenants if child.status not in {WORKING, RETRYING}]
        assert not idle, f"{idle} have places in {group.id}"
        without = [child.id for child in group.children if is_at_work(facts, child) and child not in place.tenants]
        assert not without, f"{without} are at work without a place in {group.id}"


def check_nothing_is_held(scheduler: Scheduler) -> None:
    """At the end of a run all books are closed."""
    slots = scheduler.slots
    assert (slots._slots_used, slots._threads_used) == (0, 0)
    assert not slots._wishes
    assert not scheduler._backing_off
    assert not scheduler._interrupted
    assert not scheduler._agenda
    gates = slots._gates
    if gates is not None:
        assert not gates._held
        assert not gates._keeping
        places = gates.places
        assert places is None or not (places._active or places._busy or places._parked or places._awaiting)
        for limit, gate in gates._limits.items():
            assert gate.free == (math.inf if limit.max_concurrency is None else limit.max_concurrency)
