"""What must hold when a node ends or is to be repeated: the rules again, from what the world has seen."""

from __future__ import annotations

import math

from tests.properties.facts import (
    CANCELLED,
    DONE,
    FAILED,
    FAILURES,
    PENDING,
    RETRYING,
    SKIPPED,
    WORKING,
    Facts,
    claimed,
    condition_of,
    goes_last,
)
from treetask import OnFailure, TaskNode, TaskStatus


def check_end(facts: Facts, node: TaskNode, old: TaskStatus) -> None:
    """What a node ends as follows from its body and its children, and nothing below it is left."""
    left = [below.id for below in node.walk() if below is not node and not below.is_done()]
    assert not left, f"{node.id} ends before {left}"
    if old is PENDING:
        _check_end_of_unstarted(facts, node)
        return
    _check_that_what_always_runs_ran(facts, node)
    if old is RETRYING:
        expected = facts.giving_up.get(node, CANCELLED)
        assert node.status is expected, f"{node.id} ends as {node.status}, expected {expected}"
        assert expected is not CANCELLED or node in facts.told
        return
    check_end_of_attempt(facts, node, node.status)


def check_end_of_attempt(facts: Facts, node: TaskNode, status: TaskStatus) -> None:
    """A last attempt, whose body and children are down, ends as it must."""
    expected = expected_end(facts, node)
    if status is not expected and node in facts.just_told:
        # It was about to end in the step in which something else failed.
        expected = expected_end(facts, node, of_itself=True)
    assert status is expected, f"{node.id} ends as {status}, expected {expected}"
    is_wound_up_with_others = node.options.always and (node.parent in facts.stopped_at or node.parent in facts.verdicts)
    # In the step in which somebody stops it, it may be before its end or after.
    is_last = facts.is_last_attempt(node) or node in facts.just_told
    if expected in FAILURES and not (is_last or is_wound_up_with_others):
        waits = possible_waits(facts, node)
        assert None in waits, f"{node.id} should be repeated after one of {waits} s"


def expected_end(facts: Facts, node: TaskNode, *, of_itself: bool = False) -> TaskStatus:
    """Return how an attempt ends whose body and children are down; `of_itself` if no stop has reached it."""
    verdict = facts.ended.get(node, DONE) if of_itself else facts.verdicts.get(node, facts.ended.get(node, DONE))
    if verdict is not DONE:
        return verdict
    if facts.counting_failures(node):
        return FAILED
    return CANCELLED if any(one.status is CANCELLED and not claimed(one) for one in node.children) else DONE


def _check_end_of_unstarted(facts: Facts, node: TaskNode) -> None:
    if node.status is FAILED:
        assert condition_of(node) is None
        return
    assert node.status in {SKIPPED, CANCELLED}
    assert node.reason
    above = [node, *node.get_ancestors()]
    if node.status is SKIPPED:
        assert any(is_skipped_for_a_reason(facts, one) for one in above), f"{node.id} is skipped for no reason"
    else:
        assert any(is_cancelled_for_a_reason(facts, one) for one in above), f"{node.id} is cancelled for no reason"


def is_skipped_for_a_reason(facts: Facts, node: TaskNode) -> bool:
    """Whether a node that has not begun never will: by its condition, its dependencies, or since its parent failed."""
    if node.status not in {PENDING, SKIPPED}:
        return False
    if condition_of(node) is False or facts.lost_dependency(node):
        return True
    parent = node.parent
    if parent is None or facts.is_cancelled:
        return False
    if parent.status in {PENDING, FAILED} and condition_of(parent) is None:
        return True
    ends = {facts.verdicts.get(parent), facts.giving_up.get(parent)}
    return bool(ends & FAILURES) or bool(facts.counting_failures(parent))


def is_cancelled_for_a_reason(facts: Facts, node: TaskNode) -> bool:
    """Whether a node was stopped: by somebody, by the end of the one above it, or by its parent's policy."""
    if facts.is_cancelled or node in facts.told:
        return True
    parent = node.parent
    if parent is None:
        return False
    if parent in facts.verdicts:
        return True
    return facts.policy(parent) is not OnFailure.CONTINUE and bool(facts.counting_failures(parent))


def _check_that_what_always_runs_ran(facts: Facts, node: TaskNode) -> None:
    """It runs if its group has started."""
    if facts.is_hurried:
        return
    for child in node.children:
        if child.options.always and child not in facts.meant and condition_of(child):
            assert child in facts.begun, f"{node.id} ends, but {child.id} has not run"


def check_retry(facts: Facts, node: TaskNode) -> float:
    """An attempt is to be repeated: return when."""
    assert not facts.is_last_attempt(node), f"{node.id} is repeated after it was stopped"
    left = [below.id for below in node.walk() if below is not node and below.status in {WORKING, RETRYING}]
    assert not left, f"{node.id} is repeated before {left} have ended"
    early = [child.id for child in node.children if goes_last(child) and child in facts.begun]
    assert not early, f"{early} ran before {node.id} was repeated"
    waits = possible_waits(facts, node) - {None}
    assert waits, f"{node.id} is repeated for no reason"
    due = facts.now + min(wait for wait in waits if wait is not None)
    assert due < facts.grace_ends_at(node), f"{node.id} is to be repeated after the grace"
    return due


def possible_waits(facts: Facts, node: TaskNode) -> set[float | None]:
    """Return the waits that may come before the next attempt; None among them if there may be none.

    More than one where several children failed, each of which may be the one that counts.
    """
    own = facts.ended.get(node, DONE)
    status = own if node in facts.just_told else facts.verdicts.get(node, own)
    if status is CANCELLED:
        return {None}
    retry = node.options.retry
    count = node.retry_count + (node.status is not RETRYING)
    if retry is None:
        by_body = status in FAILURES and node.task_fn is not None
        default = facts.tree.config.max_retries if by_body else 0
        most = default if node.options.max_retries is None else node.options.max_retries
        return {0 if count <= most else None}
    waits: set[float | None] = set()
    for error in possible_errors(facts, node):
        try:
            wait = retry.wait(error, count, facts.last_chance)
        except Exception:  # noqa: BLE001 - a user's function, whatever it raises
            wait = None
        over = math.inf if retry.timeout is None else facts.begun[node] + retry.timeout
        waits.add(None if wait is None or facts.now + wait >= over else wait)
    return waits or {None}


def possible_errors(facts: Facts, node: TaskNode) -> list[Exception]:
    """Return what may count as the cause of a failure: what the body raised, else that of a child that failed it."""
    if isinstance(node.exception, Exception):
        # A `Retry.on` that raised may have taken the place of what failed.
        return [facts.raised.get(node, node.exception), node.exception]
    return [error for child in facts.counting_failures(node) for error in possible_errors(facts, child)]
