"""When a loop that does not turn is reported.

The times are made up: a watch looks at the loop when the test says so.
"""

from __future__ import annotations

import re
import threading

import anyio
import anyio.to_thread
import pytest

from tests.engine.block_warnings import Reports
from treetask import TreeBuilder, _clock
from treetask.engine import _watchdog
from treetask.engine._loop import Loop, current_loop
from treetask.engine._watchdog import Watchdog

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_clock")]


class Looks:
    """A watch of the current loop on behalf of one run, which looks when it is told to, while this thread waits."""

    def __init__(self, limit: float) -> None:
        self.tree = TreeBuilder("root").build()
        self.loop: Loop = current_loop()
        self._watch = _watchdog._Watch(self.loop)
        self._watch.add(self, limit)

    def belong_to(self, watchdog: Watchdog) -> None:
        """Be one of those that a watchdog has made."""
        watchdog._watches[self.loop.identity] = self._watch

    def node_of(self, task: object) -> None:
        return None

    def at(self, now: float, *, due: float | None = None, stood: float = 0.0) -> None:
        """Block the loop, which is looked at meanwhile."""
        self._look(now, now if due is None else due, stood)

    def at_breakpoint(self, now: float) -> None:
        """Let a debugger block the loop."""
        exec("look()", {"__name__": "bdb", "look": lambda: self._look(now, now, 0.0)})

    async def when_idle(self, now: float) -> None:
        """Look while the loop waits for events."""
        await anyio.to_thread.run_sync(self._watch.look, now, now, 0.0)

    @property
    def is_asking(self) -> bool:
        return self._watch._beat is not None

    def _look(self, now: float, due: float, stood: float) -> None:
        thread = threading.Thread(target=self._watch.look, args=(now, due, stood))
        thread.start()
        thread.join()


async def turn() -> None:
    """Let the loop make the callbacks that it was asked for."""
    for _ in range(5):
        await anyio.sleep(0)


async def test_report_comes_when_the_time_is_over_and_again_when_much_more_is(reports: Reports) -> None:
    """Not before, and not at every look: a body at a breakpoint over night is no reason for a thousand lines."""
    looks = Looks(limit=1)
    told: list[float] = []

    for now in (10, 10.9, 11, 11.1, 13, 13.9, 14, 20, 25.9, 26, 50):
        before = len(reports.said)
        looks.at(now)
        if len(reports.said) > before:
            told.append(now)

    assert told == [11, 14, 26]


async def test_end_is_told_if_it_came_much_later_than_was_told(reports: Reports) -> None:
    """How long it was in all, once; one that ended soon after the report needs no second line."""
    looks = Looks(limit=100)
    who = "something that is no task of 'root'"
    end = _clock.monotonic()

    for began in (end - 120, end - 180):
        looks.at(began)
        looks.at(began + 100)
        await turn()
        await looks.when_idle(end)
        await looks.when_idle(end + 50)

    assert [one.partition("\n")[0] for one in reports.said] == [
        f"{who} has blocked the event loop for over … s:",
        f"{who} has blocked the event loop for over … s:",
        f"{who} blocked the event loop for over … s in all",
    ]


async def test_run_that_ends_with_what_blocked_tells_the_end_too(reports: Reports, watchdog: Watchdog) -> None:
    """There is no look after it."""
    looks = Looks(limit=100)
    looks.belong_to(watchdog)

    began = _clock.monotonic() - 180
    with watchdog.watching(looks, 100):
        looks.at(began)
        looks.at(began + 100)
        assert len(reports.said) == 1

    assert len(reports.said) == 2
    assert reports.said[1] == "something that is no task of 'root' blocked the event loop for over … s in all"


async def test_loop_that_turns_between_is_not_reported(reports: Reports) -> None:
    """What blocks often, but never for long, is no affair of the watchdog."""
    looks = Looks(limit=1)

    for tenth in range(50):
        looks.at(tenth / 10)
        await turn()

    assert reports.said == []


async def test_next_task_does_not_answer_for_the_one_before(reports: Reports) -> None:
    """Two tasks that block in the same turn of the loop are two that block, each for its own time."""
    looks = Looks(limit=1)
    times = iter((10, 10.6, 10.7, 11.3))

    async def blocks() -> None:
        looks.at(next(times))
        looks.at(next(times))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(blocks)
        tasks.start_soon(blocks)

    assert reports.said == []


async def test_loop_that_waits_for_events_is_not_woken(reports: Reports) -> None:
    """It is seen to wait, so it is not asked; one that is blocked is."""
    looks = Looks(limit=1)

    await looks.when_idle(10)
    assert not looks.is_asking
    await looks.when_idle(12)
    assert reports.said == []
    looks.at(13)
    assert looks.is_asking


async def test_look_that_foreign_code_has_held_up_reports_it(reports: Reports) -> None:
    """While such code keeps the interpreter to itself no thread can look; what is seen is its last line."""
    looks = Looks(limit=1)

    looks.at(20, due=10)

    assert reports.accused() == ["something that is no task of 'root'"]


async def test_time_in_which_the_process_stood_still_does_not_count(reports: Reports) -> None:
    """Ctrl-Z and fg, or the lid of a laptop: nothing was blocked meanwhile."""
    looks = Looks(limit=1)

    looks.at(10)
    looks.at(100.5, stood=90)
    assert reports.said == []
    looks.at(101)
    assert len(reports.said) == 1


@pytest.mark.parametrize(
    ("nap", "computed", "stood"),
    [(10, 10, 0), (9, 0, 0), (19, 0, 0), (70, 69, 0), (70, 30, 0), (70, 0.2, 60), (70, 10.2, 60)],
)
def test_late_look_tells_a_process_that_stood_from_one_that_computed(nap: float, computed: float, stood: float) -> None:
    """A nap of 10 s took 70: if the process has computed meanwhile, somebody was busy, else nobody was there."""
    assert _watchdog._standstill(nap, 10, computed) == stood


async def test_body_at_a_breakpoint_is_not_reported(reports: Reports) -> None:
    """Who debugs it knows; its time begins when it goes on."""
    looks = Looks(limit=1)

    for now in range(10, 20):
        looks.at_breakpoint(now)
    looks.at(19.5)
    assert reports.said == []
    looks.at(20.5)
    assert len(reports.said) == 1


async def test_line_that_blocks_over_and_over_is_told_ever_more_seldom(reports: Reports) -> None:
    """A thousand bodies with the same mistake are one mistake."""
    looks = Looks(limit=1)

    for number in range(40):
        for tenths in (0, 10):
            looks.at(10 * number + tenths / 10)
        await turn()

    remarks = [match[1] for one in reports.said if (match := re.search(r"for over … s(.*):\n", one))]
    assert remarks == [*[""] * 8, " (16 times in this line)", " (32 times in this line)"]
