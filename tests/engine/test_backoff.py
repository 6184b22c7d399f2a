"""The time between two attempts: how long it is, what it holds, and what may happen meanwhile (R35)."""

from __future__ import annotations

import pytest

from tests.engine.support import fails_times, node_of, sleeps, statuses
from treetask import AsyncExecutor, Retry, TreeBuilder
from treetask.testing import VirtualClock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

EXACT = Retry(on=OSError, attempts=4, wait_initial=1, wait_max=100, wait_jitter=0)
"""Waits of 1, 2 and 4 seconds."""


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
