"""What always runs, in groups that are repeated and in groups that have failed (R33, R35)."""

from __future__ import annotations

import pytest

from tests.engine.support import Log, ended, fails_after, fails_times, sleeps, statuses
from treetask import TreeBuilder, TreeTaskConfig, optional

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]

ONCE = TreeTaskConfig(max_retries=0)


async def test_repeated_group_cleans_up_after_each_attempt_of_what_is_in_it() -> None:
    """R33, R35: a clean-up is not done once and for all; what it cleans up after is done again."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_node("repeated", max_retries=1)
        .add_node("session")
        .add_child("works", task=fails_times(99))
        .add_node("closes", always=True, task=log.body())
        .add_child("below", task=log.body())
        .build()
    )
    await ended(tree)

    assert log == ["closes begins", "closes ends", "below begins", "below ends"] * 2
    assert statuses(tree)["repeated"] == "failed"


async def test_what_goes_last_waits_for_what_always_runs_but_depends_on_something() -> None:
    """R33: also in a group that has failed, where all of it is let go ahead together."""
    log = Log()
    tree = (
        TreeBuilder("root", config=ONCE)
        .add_child("measures", task=sleeps(2))
        .add_node("group", task=fails_after(1))
        .add_child("last", task=log.body(1), always=True)
        .add_child("notice", task=log.body(1), always=True, depends_on=[optional("measures")])
        .up()
        .build()
    )
    await ended(tree)

    assert log == ["notice begins", "notice ends", "last begins", "last ends"]
