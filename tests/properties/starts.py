"""What must hold when a node begins, and which nodes could begin: the rules once more, in plain words."""

from __future__ import annotations

from tests.properties.facts import (
    DONE,
    PENDING,
    RETRYING,
    WORKING,
    Facts,
    condition_of,
    goes_last,
    in_turn,
)
from tests.properties.news import may_be_held
from treetask import OnFailure, TaskNode, TaskStatus


def check_start(facts: Facts, node: TaskNode, old: TaskStatus) -> None:
    """The parent lets it, the dependencies have ended, the earlier sibling too, nothing forbids it."""
    assert not facts.is_hurried, f"{node.id} starts though nothing is waited for any more"
    assert not facts.is_cancelled or facts.is_shielded(node), f"{node.id} starts after the run was cancelled"
    assert condition_of(node), f"{node.id} starts against its condition"
    assert dependencies_are_met(facts, node), f"{node.id} starts before what it depends on"
    if old is RETRYING:
        assert facts.now >= facts.due[node], f"{node.id} is repeated too early"
    _check_that_no_stop_is_in_the_way(facts, node)
    if node.parent is not None:
        _check_parent(facts, node, node.parent)
        _check_siblings(facts, node, node.parent, old)


def _check_that_no_stop_is_in_the_way(facts: Facts, node: TaskNode) -> None:
    # What has no body begins within the step in which something fails, perhaps before that failure has its effect.
    told = facts.told - facts.just_told if node.task_fn is None else facts.told
    for one in (node, *node.get_ancestors()):
        assert one is node or one not in told, f"{node.id} starts below {one.id}, which is being stopped"
        if one.options.always:
            return
        has_failed = one.parent in facts.verdicts and (one.parent in told or one.parent not in facts.told)
        assert not has_failed, f"{node.id} starts below {one.parent}, which has failed"


def _check_parent(facts: Facts, node: TaskNode, parent: TaskNode) -> None:
    assert parent.status is WORKING
    if goes_last(node):
        assert parent in facts.ended, f"{node.id}, which goes last, starts before the body of its parent has ended"
    elif node not in facts.at_once:
        may_start = parent in facts.open or (node.options.always and parent in facts.ended)
        assert may_start, f"{node.id} starts before the body of its parent"


def _check_siblings(facts: Facts, node: TaskNode, parent: TaskNode, old: TaskStatus) -> None:
    siblings = [one for one in parent.children if one is not node]
    if not parent.parallel:
        assert not [one.id for one in siblings if one.status in {WORKING, RETRYING}]
        if node not in facts.at_once | facts.latest:
            turns = in_turn(parent)
            earlier = turns[: turns.index(node)]
            assert all(one.is_done() for one in earlier if one not in facts.at_once | facts.latest)
    if node.options.always:
        if goes_last(node):
            left = [one.id for one in siblings if not (goes_last(one) or one.is_done() or one in facts.latest)]
            assert not left, f"{node.id}, which goes last, starts before {left}"
    elif facts.policy(parent) is not OnFailure.CONTINUE and old is PENDING:
        bad = [one.id for one in facts.counting_failures(parent)]
        assert not bad, f"{node.id} starts after {bad} failed"


def dependencies_are_met(facts: Facts, node: TaskNode) -> bool:
    """Whether all has ended that a node depends on: well, where it needs that."""
    for each in node.options.depends_on:
        found = facts.tree.find(each)
        if each in node.options.optional:
            if found is not None and not found.is_done():
                return False
        elif found is None or found.status is not DONE:
            return False
    return True


def is_ready(facts: Facts, node: TaskNode) -> bool:
    """Whether a node certainly waits for nothing but capacity, when the tree is at rest.

    Where it depends on the order in which nodes came in, the answer is no.
    """
    if node.status is RETRYING:
        return facts.due[node] <= facts.now and facts.due[node] not in facts.looks
    if node.status is not PENDING or not dependencies_are_met(facts, node) or may_be_held(facts, node):
        return False
    parent = node.parent
    if parent is None:
        return True
    return parent.status is WORKING and _is_let_go(facts, node, parent)


def _is_let_go(facts: Facts, node: TaskNode, parent: TaskNode) -> bool:
    if goes_last(node):
        if node in facts.latest:
            return False  # it may have to wait for what goes last and went before
        is_alone = all(one.is_done() for one in parent.children if not goes_last(one))
        if parent not in facts.ended or not is_alone or facts.is_hurried:
            return False
    elif (parent not in facts.open or parent in facts.verdicts) and node not in facts.at_once:
        return False
    if parent.parallel:
        return True
    others = [one for one in parent.children if not one.is_done()]
    if node in facts.latest or any(one in facts.at_once or one.status is not PENDING for one in others):
        return False
    return next(one for one in in_turn(parent) if not one.is_done()) is node
