"""Until when attempts may last: the rules once more."""

from __future__ import annotations

import math

from tests.properties.facts import WORKING, Facts
from treetask import TaskNode


def check_bound(facts: Facts, node: TaskNode, told: float | None) -> None:
    """An attempt that begins now is bounded by its timeout, that of all attempts, and the grace after a stop."""
    seconds, retry = node.options.timeout, node.options.retry
    if seconds is None and node.task_fn is not None:
        seconds = facts.tree.config.default_task_timeout
    bounds = [facts.grace_ends_at(node)]
    if seconds is not None:
        bounds.append(facts.now + seconds)
    if retry is not None and retry.timeout is not None:
        bounds.append(facts.begun[node] + retry.timeout)
    assert min(bounds) == (math.inf if told is None else told), f"{node.id} is bounded by {told} instead of {bounds}"


def check_grace(facts: Facts) -> None:
    """What always runs, and did so when all around it was stopped, was told how long it may."""
    for group in facts.stopped_at:
        for child in group.children:
            if child.options.always and child.status is WORKING and child not in facts.told | facts.cleaning:
                bound = facts.bounds.get(child, math.inf)
                assert bound <= facts.grace_ends_at(child), f"{child.id} may last until {bound}"
