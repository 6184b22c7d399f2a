"""Named limits: each start costs the same, however many wait for whatever."""

from __future__ import annotations

import pytest

from tests.engine.desk import Desk
from tests.engine.limits import limited
from tests.engine.support import ok
from treetask import Limit, TaskNode, TreeBuilder

pytestmark = pytest.mark.slow


@pytest.mark.timeout(30)
def test_many_limits_and_many_that_wait_cost_the_same_for_each() -> None:
    """A start costs what it costs, whoever waits where."""
    limits = [Limit(f"{number}", max_concurrency=1 + number % 3) for number in range(200)]
    tree = TreeBuilder("root")
    for number in range(20_000):
        tree.add_child(f"{number}", task=ok, limits=[limits[number % 200], limits[number % 7]])
    desk = Desk(tree)

    ended = 0
    while desk.begin_all() or desk.running:
        desk.end(next(iter(desk.running)))
        ended += 1
    assert ended == 20_000


@pytest.mark.timeout(30)
def test_many_rates_cost_the_same_for_each_start() -> None:
    """As many that wait for time."""
    limits = [Limit(f"{number}", per_second=1 + number % 3) for number in range(200)]
    tree = TreeBuilder("root")
    for number in range(20_000):
        tree.add_child(f"{number}", task=ok, limits=[limits[number % 200]])
    desk = Desk(tree, max_concurrency=1)

    at, ended = 0.0, 0
    while not desk.scheduler.is_over:
        while (node_id := desk.begin(at)) is not None:
            desk.end(node_id, at)
            ended += 1
        at += 1.0
        desk.scheduler.look_again(at)
    assert ended == 20_000


@pytest.mark.timeout(30)
def test_many_bodies_that_go_on_cost_the_same_for_each() -> None:
    """With one limit that all of them need, and when all of them give up."""
    count = 20_000
    desk = Desk(limited(count, Limit("all", max_concurrency=count)), max_concurrency=count)
    assert len(desk.begin_all()) == count
    for node_id in list(desk.running):
        desk.suspend(node_id)
    holder = Limit("all", max_concurrency=count)
    for number in range(count):
        desk.add(TaskNode(f"holder{number}", task_fn=ok, limits=[holder]), "root")
    assert len(desk.begin_all()) == count

    assert not any(desk.want(f"{number}") for number in range(count))
    for number in range(count // 2):
        assert desk.slots.forget_wish(desk.node(f"{number}"))
    for number in range(count):
        desk.end(f"holder{number}")
    assert desk.granted == [f"{number}" for number in range(count // 2, count)]
