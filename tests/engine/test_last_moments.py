"""What is asked of a run while it ends: nothing may be started any more."""

from __future__ import annotations

import pytest

from treetask.engine._loop import Worker, current_loop
from treetask.engine._timers import Timers

pytestmark = pytest.mark.anyio


async def test_timers_that_are_closed_take_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for after the end starts no task: on trio there would be no place for it."""
    started: list[Worker] = []
    loop = current_loop()
    monkeypatch.setattr(loop, "start", started.append)
    timers = Timers(loop)
    timers.close()
    timers.at(0, started.clear)
    assert started == []
