"""The time between two attempts: how long it is, what it holds, and what may happen meanwhile (R35)."""

from __future__ import annotations

import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import fails_times, node_of, ok, reasons, sleeps, statuses
from treetask import AsyncExecutor, Retry, TaskNode, TreeBuilder, TreeTaskConfig, optional
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

EXACT = Retry(on=OSError, attempts=4, wait_initial=1, wait_max=100, wait_jitter=0)
"""Waits of 1, 2 and 4 seconds."""

ONCE = TreeTaskConfig(max_retries=0)


async def test_run_rests_while_nodes_wait_and_work(virtual_clock: VirtualClock) -> None:
    """Once a wait is over, nobody looks for work again and again until the run ends."""
    tree = (
        TreeBuilder("root")
        .add_child("flaky", task=fails_times(3), retry=EXACT)
        .add_child("long", task=sleeps(100))
        .build()
    )
    await AsyncExecutor(tree).run()

    assert statuses(tree) == {"root": "done", "flaky": "done", "long": "done"}
    assert (node_of(tree, "flaky").ended_at, virtual_clock.now()) == (1 + 2 + 4, 100)


# -- groups ------------------------------------------------------------------------------------------------------------


def test_child_that_a_policy_stopped_skips_nobody_in_the_next_attempt() -> None:
    """What a stopped child meant for others is forgotten when it is brought back."""
    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("broken", task=ok)
        .add_child("queued", task=ok)
        .add_child("needs it", task=ok, depends_on=["queued"])
        .build(),
        max_concurrency=1,
    )
    assert run.start() == ["broken"]
    assert run.fail("broken") == ["broken"]
    assert run.end("broken") == ["queued"]
    assert run.end("queued") == ["needs it"]
    run.end("needs it")

    assert set(statuses(run.tree).values()) == {"done"}
    assert reasons(run.tree) == {}


@pytest.mark.parametrize("order", [["waits", "flaky"], ["flaky", "waits"]])
def test_optional_dependency_inside_a_repeated_group_is_waited_for_again(order: list[str]) -> None:
    """In whatever order the two were declared."""
    builder = TreeBuilder("root", config=ONCE).add_node("group", max_retries=1, on_failure="continue")
    for name in order:
        builder.add_child(name, task=ok, depends_on=[optional("flaky"), "other"] if name == "waits" else [])
    run = ByHand(builder.add_child("other", task=ok).build())

    run.start()
    run.end("other")
    assert run.fail("flaky") == ["waits"]
    assert run.fail("waits") == ["flaky"]
    assert run.end("flaky") == ["waits"]


def test_optional_dependency_on_a_child_of_a_repeated_group_counts_once() -> None:
    """Who waits for it and for something else waits for both: the first attempt's end counts no second time."""
    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("flaky", task=ok)
        .up()
        .add_child("slow", task=ok)
        .add_child("waits", task=ok, depends_on=[optional("flaky"), "slow"])
        .build()
    )
    assert run.start() == ["flaky", "slow"]
    assert run.fail("flaky") == ["flaky"]
    assert run.end("flaky") == []
    assert run.end("slow") == ["waits"]


def test_node_that_was_ready_waits_again_for_a_child_that_is_brought_back() -> None:
    """It had no slot yet, and what it waits for is going to run once more."""
    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("flaky", task=ok)
        .up()
        .add_child("waits", task=ok, depends_on=[optional("flaky")])
        .build(),
        max_concurrency=1,
    )
    assert run.start() == ["flaky"]
    assert run.fail("flaky") == ["flaky"]
    assert run.end("flaky") == ["waits"]


def test_who_waits_for_a_discarded_child_that_never_ran_goes_on() -> None:
    """A policy stops it, and the failed attempt takes it along, in one moment."""
    run = ByHand(TreeBuilder("root", config=ONCE).add_child("group", task=ok, max_retries=1).build(), max_concurrency=1)
    assert run.start() == ["group"]
    for name in ("broken", "queued"):
        run.scheduler.add(TaskNode(name, task_fn=ok), run.node("group"), run.now)
    run.scheduler.add(TaskNode("waits", task_fn=ok, depends_on=[optional("queued")]), run.node("root"), run.now)
    assert run.end("group") == ["broken"]
    assert run.fail("broken") == ["group"]
    assert run.end("group") == ["waits"]
