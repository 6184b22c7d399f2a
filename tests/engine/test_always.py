"""Nodes that run whatever happened: clean-ups and notices (R33), from the side of what is stopped around them."""

from __future__ import annotations

import pytest

from tests.engine.by_hand import ByHand
from tests.engine.support import ok, statuses
from treetask import TaskNode, TreeBuilder, TreeTaskConfig

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


# -- between two attempts ----------------------------------------------------------------------------------------------


def test_group_stopped_in_the_moment_of_its_next_attempt_cleans_up_instead() -> None:
    """A policy stops it after one attempt was over, and before the next had begun."""

    def raises(node: TaskNode) -> bool:
        raise OSError("no answer")

    run = ByHand(
        TreeBuilder("root", config=ONCE)
        .add_node("group", max_retries=1)
        .add_child("cleans up", task=ok, always=True)
        .add_node("inner", on_failure="continue")
        .add_child("broken", task=ok)
        .add_child("last", task=ok)
        .up()
        .up()
        .add_child("asks", task=ok, depends_on=["last"], when=raises)
        .build()
    )
    run.start()
    run.fail("broken")

    assert run.end("last") == ["cleans up"]
    run.end("cleans up")
    assert statuses(run.tree) == {
        "root": "failed",
        "group": "cancelled",
        "cleans up": "done",
        "inner": "cancelled",
        "broken": "cancelled",
        "last": "done",
        "asks": "failed",
    }
